//! What the readers of small chat logs share: tool calls, session facts, line and document
//! frames.
//!
//! - every line is settled when it is read, so a checkpoint is the state after the last line; totals
//!   that an agent keeps in a file beside its log are open until the log has been silent
//! - a document is decoded from its beginning each time; rows that its agent may still change are kept
//!   back, shown provisionally, and handed out when it is silent

mod calls;
mod deed;
mod document;
mod facts;
mod lines;
mod text;

#[cfg(test)]
pub(super) mod tests;

pub(super) use calls::{Call, Calls};
pub(super) use deed::{Deed, Edit, local_path};
pub(super) use document::{Documents, Sink, Source};
pub(super) use facts::{At, Facts};
pub(super) use lines::{Lines, Records};

pub(super) use super::outcome::Outcome;
pub(super) use text::{attachments, file_stem, injected, joined_text, output_text};
