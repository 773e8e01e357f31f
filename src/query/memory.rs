//! Memory for queries: one limit, and what the engine's own pools get wrong.
//!
//! - an operator that only hands rows on is always given what it asks for: when it spills instead, its
//!   readers and writers may wait for each other for ever (DataFusion 55, apache/datafusion#24883). What it
//!   holds is bounded by the batches on their way, and counted
//! - the engine's pools either let the first sort take everything, so that the next finds nothing, or
//!   divide by the number of operators, idle ones included. For plans that must do with little, each that
//!   can spill may take an eighth here

use std::fmt;

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryLimit, MemoryPool, MemoryReservation};

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
