//! Who calls whom?
//!
//! Wires the rooms: finds sources, reads what is new, decodes it, drops copies, holds it in the ring
//! and makes it durable. Owns the threads, the locks and the clock.
//!
//! - backfill and live are one path: [`SourceReader`] reads one source from where it stands to its
//!   end; [`catch_up()`] does that for many sources with a few workers, [`Follower`] does it for each
//!   change that is seen
//! - rows and the positions they imply travel together ([`Load`] → ring → commit); nothing else
//!   moves a position
//! - a worker that finds the ring full writes a segment itself before it reads on: memory is
//!   bounded, and decoding and encoding share the cores without a thread of their own
//! - segments are encoded in any order and committed in the order they were sealed
//! - the ring and the lake's snapshot change together under one lock: [`Core::cut`] is one cut

mod catch_up;
mod companions;
mod context;
mod core;
mod database;
mod dedup;
mod expire;
mod flusher;
mod follow;
mod gather;
mod gathered;
mod handed_on;
mod job;
mod leftover;
mod looks;
mod memory_gate;
mod progress;
mod reading;
mod recent_rows;
mod repositories;
mod retention;
mod rowid_proofs;
mod scan_plan;
mod silence;
mod source;
mod starts;
mod stream;
mod told;
mod trim;
mod unread;
mod unsettled;
mod values;
mod worker;

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::watch::Limits;

pub use catch_up::{CatchUpOptions, CaughtUp, catch_up};
pub use core::{Core, CoreOptions, Cut};
pub use database::DatabaseReader;
pub use dedup::Load;
pub use expire::retain;
pub use flusher::{Flusher, compact_step, needs_compaction};
pub use follow::{Follower, FollowerOptions};
pub use handed_on::HandedOn;
pub use job::Outcome;
pub use looks::Looks;
pub use progress::{Progress, Tally};
pub use reading::{Reading, State};
pub use repositories::repositories;
pub use scan_plan::{ScanPlan, ScanResult, Scope, compare, projected_positions, survey, walk};
pub use source::SourceReader;
pub use stream::StreamReader;
pub use unread::{Gap, Unread, is_failed};
pub use worker::MachineContext;

/// Why the pipeline stopped. Nothing that was not durable has moved a position.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] crate::lake::LakeError),
    /// The operating system refused a thread.
    #[error("cannot start the thread {name}; close other programs and try again")]
    Thread {
        /// What it was for.
        name: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A worker panicked: a defect in devlog.
    #[error("a worker panicked; nothing was lost, please report the lines above")]
    Worker,
}

/// Bounds of reading for a memory budget: a line may take a quarter of it.
#[must_use]
pub fn limits_for(memory_bytes: u64) -> Limits {
    let budget = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    let buffer = (budget / 128).clamp(64 << 10, 2 << 20);
    Limits { buffer, long_line: buffer.max(budget / 32), max_line: budget / 4, ..Limits::default() }
}

/// What is added to the system's clock.
static SHIFT_US: AtomicI64 = AtomicI64::new(0);

/// Lets this process see a clock that is wrong by so much.
pub fn shift_clock(by_us: i64) {
    SHIFT_US.store(by_us, Ordering::Relaxed);
}

/// Microseconds since 1970, from the system's clock: the only place that reads it for rows. A clock that
/// stands before 1970 says 1970.
#[must_use]
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX).saturating_add(SHIFT_US.load(Ordering::Relaxed)).max(0)
}
