//! What is durable?
//!
//! A directory of Parquet files and a log of commits. The log is the only truth: a file exists for
//! readers when an entry says so, and the positions of the sources move in the same entry as the
//! rows read from them.
//!
//! ```text
//! <root>/                      0700, all files 0600
//!   .lock                      held by the one writer; its process id
//!   staged                     a few rows on top of the newest commit, which the next one takes in
//!   .state/checkpoint-<v>      copy of all that the log says up to <v>; may be deleted
//!   .state/waiting, clock      since when replaced files wait; what is believed about the time
//!   .state/ids/part-<id>       copy of some bits of a file's ids; may be deleted
//!   .quarantine/               what was taken out of the way: damaged files, and what a rebuild replaced
//!   .snapshots/<name>/         hard links of one version's files, for readers that glob
//!   events/_delta_log/<n>.json the log: a Delta Lake table that any engine reads
//!   events/month=2026-03/part-<id>.parquet
//!   rejects/part-<id>.parquet  its files stand in the log of `events`;
//!   rejects/_delta_log/        is derived from it, for other engines
//! ```
//!
//! Promises, each with a test:
//!
//! - [`Lake::commit`] is atomic and, when it returns, durable against a power cut
//! - any state that a crash at any instant leaves behind opens again without help; anything else that
//!   is damaged stops the writer with the name of the file, and nothing is skipped in silence
//! - an `event_id` is in one live file once, whatever the times of the records that bear it
//! - a file that a name readers match points to is whole, and is never changed
//! - nothing is deleted whose fate is unknown

mod blocks;
mod checkpoint;
mod clock;
mod commit;
mod compact;
mod copies;
mod counts;
mod disk;
mod doubt;
mod encode;
mod entry;
mod error;
mod evidence;
mod export;
mod filter;
mod footer;
mod fsck;
mod guard;
mod handle;
mod id_cache;
mod ids;
mod known;
mod layout;
mod log;
mod merge;
mod newest;
mod open;
mod part;
mod part_file;
mod prune;
mod prune_quarantine;
mod pruned;
mod quarantine;
mod reader;
mod rebuild;
mod rejects;
mod restore;
mod rewrite;
mod settings;
mod sieve;
mod snapshot;
mod staged;
mod state;
mod stats;
mod vacuum;
mod writer;

#[cfg(test)]
#[path = "lake/tests/measures.rs"]
mod measures;
#[cfg(test)]
mod tests;

pub use blocks::Blocks;
pub use clock::{Clock, Doubt};
pub use commit::Commit;
pub use compact::{CompactOptions, CompactReport};
pub use copies::CopiesReport;
pub use counts::AgentRows;
pub use error::LakeError;
pub use export::{remove_snapshots, snapshot_dir};
pub use footer::Range;
pub use fsck::{Finding, FsckReport, fsck};
pub use guard::soon;
pub use handle::{Lake, LakeOptions};
pub use known::{Found, Known};
pub use part::Part;
pub use part_file::PartFile;
pub use prune::{AllowReport, PruneReport};
pub use pruned::{PruneFilter, pruned_rows};
pub use rebuild::{LeftOut, RebuildReport, rebuild_from_footers};
pub use restore::{RestoreReport, restore_quarantine};
pub use snapshot::Snapshot;
pub use staged::{Staged, StagedFile, StagedStamp, stage};
pub use vacuum::{GRACE_US, VacuumReport};
pub use writer::NewPart;
