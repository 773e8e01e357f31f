//! What an agent's folder says of itself, and the version of what its decoders keep in checkpoints.

use crate::adapters::{DatabaseDecoder, Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, Format, Rows};

type StartDecoder = fn(Format, SourceInfo<'_>, Option<&Checkpoint>) -> Option<Box<dyn Decoder>>;

type StartDatabase = fn(Format, SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>>;

/// The decoders of one agent, or of a family of agents that share their formats.
#[derive(Debug, Clone, Copy)]
pub(in crate::adapters) struct Adapter {
    /// Version of the states in checkpoints. A state whose meaning changes needs another one: its source is
    /// then read from the beginning.
    states: u32,
    decoder: StartDecoder,
    database: StartDatabase,
}

impl Adapter {
    pub(in crate::adapters) const fn new(states: u32, decoder: StartDecoder) -> Self {
        Self { states, decoder, database: |_, _| None }
    }

    pub(in crate::adapters) const fn of_databases(database: StartDatabase) -> Self {
        Self { states: 1, decoder: |_, _, _| None, database }
    }

    pub(in crate::adapters) const fn and_databases(self, database: StartDatabase) -> Self {
        Self { database, ..self }
    }

    /// A decoder where `checkpoint` says; `None` for a format of another agent.
    pub(in crate::adapters) fn decoder(
        &self,
        format: Format,
        info: SourceInfo<'_>,
        checkpoint: Option<&Checkpoint>,
    ) -> Option<Box<dyn Decoder>> {
        let decoder = (self.decoder)(format, info, None)?;
        Some(Versioned::start(self.states, decoder, checkpoint, |own| (self.decoder)(format, info, Some(own))))
    }

    pub(in crate::adapters) fn database(
        &self,
        format: Format,
        info: SourceInfo<'_>,
    ) -> Option<Box<dyn DatabaseDecoder>> {
        (self.database)(format, info)
    }
}

/// A decoder whose states have a version.
pub(in crate::adapters) struct Versioned {
    version: u32,
    decoder: Box<dyn Decoder>,
}

impl Versioned {
    /// `fresh`, or what `go_on` starts when the checkpoint's state is one of `version`.
    pub(in crate::adapters) fn start(
        version: u32,
        fresh: Box<dyn Decoder>,
        checkpoint: Option<&Checkpoint>,
        go_on: impl FnOnce(&Checkpoint) -> Option<Box<dyn Decoder>>,
    ) -> Box<dyn Decoder> {
        let own = checkpoint.and_then(|c| Some(Checkpoint { state: c.state_of(version)?.to_owned(), ..*c }));
        let decoder = own.and_then(|own| go_on(&own)).unwrap_or(fresh);
        Box::new(Self { version, decoder })
    }
}

impl Decoder for Versioned {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.decoder.line(line, rows);
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.decoder.settle(rows);
    }

    fn settle_finished(&mut self, rows: &mut Rows) {
        self.decoder.settle_finished(rows);
    }

    fn provisional(&self, rows: &mut Rows) {
        self.decoder.provisional(rows);
    }

    fn is_open(&self) -> bool {
        self.decoder.is_open()
    }

    fn checkpoint(&self) -> Checkpoint {
        let own = self.decoder.checkpoint();
        Checkpoint { state: Checkpoint::versioned(self.version, own.state), ..own }
    }

    fn last_us(&self) -> Option<i64> {
        self.decoder.last_us()
    }

    fn refresh(&mut self, info: SourceInfo<'_>) {
        self.decoder.refresh(info);
    }

    fn asks_again(&self) -> bool {
        self.decoder.asks_again()
    }
}
