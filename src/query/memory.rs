//! Memory for queries: one limit, and what the engine's own pools get wrong.
//!
//! - an operator that only hands rows on is always given what it asks for: when it spills instead, its
//!   readers and writers may wait for each other for ever (DataFusion 55, apache/datafusion#24883). What it
//!   holds is bounded by the batches on their way, and counted
//! - the engine's pools either let the first sort take everything, so that the next finds nothing, or
//!   divide by the number of operators, idle ones included. For plans that must do with little, each that
//!   can spill may take an eighth here
//! - what one call of a function makes is in no pool: [`Residence`] sees it from outside

use std::fmt;
use std::sync::{Mutex, PoisonError};

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryLimit, MemoryPool, MemoryReservation};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// What a process may grow by beyond twice its pool: pages of files, and answers on their way.
const BESIDE_BYTES: u64 = 128 << 20;

/// By how much a process may grow while it answers a query whose operators share `pool_bytes`.
///
/// As much again as they count is for what they do not: texts that functions make, pages they point into.
#[must_use]
pub const fn growth(pool_bytes: u64) -> u64 {
    pool_bytes.saturating_mul(2).saturating_add(BESIDE_BYTES)
}

/// The memory that a process holds.
#[derive(Debug)]
pub struct Residence {
    pid: Pid,
    system: Mutex<Option<System>>,
}

impl Residence {
    /// That of the process `pid`.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self { pid: Pid::from_u32(pid), system: Mutex::new(System::new_with_specifics(RefreshKind::nothing()).ok()) }
    }

    /// Bytes now; `None` when it is gone or the system does not say.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        let system = system.as_mut()?;
        let what = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.pid]), true, what);
        system.process(self.pid).map(sysinfo::Process::memory).filter(|bytes| *bytes > 0)
    }
}

/// Memory that all operators of all queries share.
#[derive(Debug)]
pub(super) struct Pool {
    all: GreedyMemoryPool,
    /// Most that one operator may take that can spill.
    each_bytes: Option<usize>,
}

impl Pool {
    /// First come, first served.
    pub(super) fn new(bytes: usize) -> Self {
        Self { all: GreedyMemoryPool::new(bytes), each_bytes: None }
    }

    /// For plans whose sorts spill: none may take a large part.
    pub(super) fn frugal(bytes: usize) -> Self {
        Self { each_bytes: Some(bytes / 8), ..Self::new(bytes) }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.each_bytes {
            Some(bytes) => write!(f, "frugal({bytes} bytes each, {})", self.all),
            None => self.all.fmt(f),
        }
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        if self.each_bytes.is_some() { "frugal" } else { self.all.name() }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if reservation.consumer().name().starts_with("RepartitionExec") {
            self.all.grow(reservation, additional);
            return Ok(());
        }
        let held = reservation.size();
        let too_much = self.each_bytes.is_some_and(|each| held > 0 && held + additional > each);
        if too_much && reservation.consumer().can_spill() {
            return Err(DataFusionError::ResourcesExhausted(format!("{held} bytes held, {additional} more wanted")));
        }
        self.all.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.all.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.all.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_holds_is_seen_to_grow() {
        let own = Residence::of(std::process::id());
        let before = own.bytes().unwrap();
        let held = std::hint::black_box(vec![1u8; 256 << 20]);
        assert!(own.bytes().unwrap() > before + (128 << 20));
        drop(held);
        assert_eq!(Residence::of(u32::MAX / 2).bytes(), None);
    }
}
