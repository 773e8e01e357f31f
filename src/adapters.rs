//! What do the bytes mean?
//!
//! Bytes in, rows out: no files, no clock, no channels. One folder per agent; what two agents share
//! is a piece both call ([`mod@line`], [`json`], [`time`]).
//!
//! - a decoder sees the lines of one source in order and hands out *settled* rows at once
//! - what the agent may still change stays inside the decoder: [`Decoder::provisional`] shows it,
//!   [`Decoder::settle`] closes it
//! - [`Decoder::checkpoint`] says from which byte the open work can be rebuilt; lines before
//!   `high_water` rebuild only, they make no row twice and count no line twice
//! - every line is counted exactly once: it made or joined a row, it is ignored by rule, or it is a
//!   reject

mod aider;
mod amp;
mod antigravity;
mod blocks;
mod changes;
mod chat;
mod claude;
mod clean;
mod cline;
mod codex;
mod continue_dev;
mod copilot;
mod copilot_cli;
mod crush;
mod cursor;
mod deed;
mod diff;
mod droid;
mod fields;
mod gemini;
mod goose;
pub mod json;
mod kiro;
mod kit;
mod ledger;
mod legacy;
pub mod line;
pub mod mapped;
mod money;
mod opencode;
mod outcome;
mod path;
mod pi;
mod qwen;
mod response;
pub mod time;
mod tokens;
mod tool;
mod walk;
mod warp;
mod windsurf;
mod zed;

#[cfg(test)]
pub(crate) mod tests;

use crate::schema::{Checkpoint, Format, Query, Record, Rows, Tables};
use kit::adapter::Adapter;

/// The agents whose logs are decoded.
const ADAPTERS: &[Adapter] = &[
    claude::ADAPTER,
    codex::ADAPTER,
    copilot::ADAPTER,
    copilot_cli::ADAPTER,
    cursor::ADAPTER,
    gemini::ADAPTER,
    qwen::ADAPTER,
    opencode::ADAPTER,
    cline::ADAPTER,
    aider::ADAPTER,
    crush::ADAPTER,
    continue_dev::ADAPTER,
    goose::ADAPTER,
    zed::ADAPTER,
    amp::ADAPTER,
    antigravity::ADAPTER,
    windsurf::ADAPTER,
    kiro::ADAPTER,
    droid::ADAPTER,
    warp::ADAPTER,
    pi::ADAPTER,
    legacy::ADAPTER,
];

/// One line of a source, without its newline.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The bytes, exactly as they stand in the (uncompressed) file.
    pub bytes: &'a [u8],
    /// Where the line starts.
    pub offset: u64,
    /// Where the next line starts.
    pub end: u64,
}

/// A small file that belongs to a source and is read with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Companion<'a> {
    /// Its file name.
    pub name: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// What is known of a source from outside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceInfo<'a> {
    /// Path of the file; decoders may read names out of it, never open it.
    pub path: &'a str,
    /// Those of the files named by the format's pattern in `discover` that exist (Claude's
    /// `agent-*.meta.json`, an editor's `workspace.json`), in that order.
    pub companions: &'a [Companion<'a>],
    /// Last change of the file in microseconds since 1970: the time of records that have none.
    pub modified_us: i64,
    /// Zone of local times in the bytes that name none; UTC when it is not known.
    pub zone: Option<chrono_tz::Tz>,
}

impl<'a> SourceInfo<'a> {
    /// Content of the companion called `name`.
    #[must_use]
    pub fn companion(&self, name: &str) -> Option<&'a str> {
        self.companions.iter().find(|c| c.name == name).map(|c| c.text)
    }
}

/// Decodes one source of lines or documents. A decoder that holds nothing open leaves out what is about
/// that.
pub trait Decoder: Send {
    /// Decodes the next line: settled rows and rejects go to `rows`, its counters are added there.
    fn line(&mut self, line: Line<'_>, rows: &mut Rows);

    /// Closes what is still open, because the agent has been silent long enough or the bytes are
    /// final; the rows are settled.
    fn settle(&mut self, _rows: &mut Rows) {}

    /// Closes what the agent itself has marked as finished, although more of it may come; what comes
    /// replaces it.
    fn settle_finished(&mut self, _rows: &mut Rows) {}

    /// Appends the rows of what is still open, marked provisional. Changes nothing, counts nothing.
    fn provisional(&self, _rows: &mut Rows) {}

    /// True while something is open: [`Decoder::provisional`] would append rows.
    fn is_open(&self) -> bool {
        false
    }

    /// From where, and with which state, decoding can go on after everything handed out so far is
    /// durable.
    fn checkpoint(&self) -> Checkpoint;

    /// Time of the newest record seen, microseconds since 1970, if any record had one.
    fn last_us(&self) -> Option<i64>;

    /// Takes over the companions as they are now: called before [`Decoder::settle`] of a source that has
    /// some, because an agent may have written totals there since the decoder started.
    fn refresh(&mut self, _info: SourceInfo<'_>) {}

    /// True when other companions than those it started with would make it read its source in another way. A
    /// decoder that says so holds nothing open; it is started anew from its checkpoint, with the companions
    /// as they are then, when the source has grown and when its agent has been silent.
    fn asks_again(&self) -> bool {
        false
    }
}

/// What became of a record of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It made at least one row.
    Rows,
    /// It made rows, but is of a kind that this version does not know.
    Unknown,
    /// By rule it makes no row.
    Ignored,
    /// It is in `rejects`.
    Rejected,
}

/// Why a database cannot be decoded: its tables are not those of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct UnknownSchema {
    /// What is missing, and what the user can do.
    pub detail: String,
}

/// Decodes one database. The reader runs the queries, keeps the positions and counts the records.
pub trait DatabaseDecoder: Send {
    /// The queries to run, in this order, for a database that has these tables.
    ///
    /// # Errors
    ///
    /// When the tables are none that the format has ever had.
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema>;

    /// False while the agent may still change the record: it is shown provisionally, and comes back
    /// until it is settled or the database has been silent for 30 s.
    fn is_settled(&self, _record: &Record<'_>) -> bool {
        true
    }

    /// Appends the rows of a record; `provisional` ones are marked so ([`Rows::event`] of rows with
    /// that flag), and may be asked for again and again.
    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken;
}

/// Starts a decoder for `format`, where `checkpoint` says or at byte 0; `None` for databases.
///
/// A state that cannot be read (written by a newer version) starts the source over from byte 0;
/// stable ids make that harmless. The caller reads [`Decoder::checkpoint`] to learn where.
#[must_use]
pub fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    ADAPTERS.iter().find_map(|adapter| adapter.decoder(format, info, checkpoint))
}

/// Starts a decoder for the databases of `format`; `None` for anything else.
#[must_use]
pub fn database_decoder(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    ADAPTERS.iter().find_map(|adapter| adapter.database(format, info))
}
