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

pub mod claude;
pub mod codex;
pub mod json;
pub mod line;
pub mod time;

use crate::schema::{Checkpoint, Format, Rows};

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

/// What is known of a source from outside its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceInfo<'a> {
    /// Path of the file; decoders may read names out of it, never open it.
    pub path: &'a str,
    /// Content of a small file that belongs to this one (Claude's `agent-*.meta.json`).
    pub companion: Option<&'a str>,
    /// Last change of the file in microseconds since 1970: the time of records that have none.
    pub modified_us: i64,
}

/// Decodes one source.
pub trait Decoder: Send {
    /// Decodes the next line: settled rows and rejects go to `rows`, its counters are added there.
    fn line(&mut self, line: Line<'_>, rows: &mut Rows);

    /// Closes what is still open, because the agent has been silent long enough or the bytes are
    /// final; the rows are settled.
    fn settle(&mut self, rows: &mut Rows);

    /// Closes what the agent itself has marked as finished, although more of it may come; what comes
    /// replaces it.
    fn settle_finished(&mut self, _rows: &mut Rows) {}

    /// Appends the rows of what is still open, marked provisional. Changes nothing, counts nothing.
    fn provisional(&self, rows: &mut Rows);

    /// True while something is open: [`Decoder::provisional`] would append rows.
    fn is_open(&self) -> bool;

    /// From where, and with which state, decoding can go on after everything handed out so far is
    /// durable.
    fn checkpoint(&self) -> Checkpoint;

    /// Time of the newest record seen, microseconds since 1970, if any record had one.
    fn last_us(&self) -> Option<i64>;
}

/// Starts a decoder for `format`, where `checkpoint` says or at byte 0.
///
/// A state that cannot be read (written by a newer version) starts the source over from byte 0;
/// stable ids make that harmless. The caller reads [`Decoder::checkpoint`] to learn where.
#[must_use]
pub fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Box<dyn Decoder> {
    match format {
        Format::ClaudeSession => Box::new(claude::SessionDecoder::new(info, checkpoint)),
        Format::ClaudeHistory => Box::new(claude::HistoryDecoder::new(info, checkpoint)),
        Format::CodexRollout => Box::new(codex::RolloutDecoder::new(info, checkpoint)),
        Format::CodexDocument => Box::new(codex::DocumentDecoder::new(info, checkpoint)),
        Format::CodexHistory => Box::new(codex::HistoryDecoder::new(info, checkpoint)),
        Format::CodexIndex => Box::new(codex::IndexDecoder::new(info, checkpoint)),
    }
}
