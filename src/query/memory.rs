//! Memory for plans that must do with little: no operator that can spill may take a large part of it.
//!
//! The pools of the engine either let the first sort take everything, so that the next finds nothing,
//! or divide by the number of operators, idle ones included. Here each may take an eighth.

use std::fmt;

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryLimit, MemoryPool, MemoryReservation};

#[derive(Debug)]
pub(super) struct FrugalPool {
    all: GreedyMemoryPool,
    each_bytes: usize,
}

impl FrugalPool {
    pub(super) fn new(bytes: usize) -> Self {
        Self { all: GreedyMemoryPool::new(bytes), each_bytes: bytes / 8 }
    }
}

impl fmt::Display for FrugalPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frugal({} bytes each, {})", self.each_bytes, self.all)
    }
}

impl MemoryPool for FrugalPool {
    fn name(&self) -> &str {
        "frugal"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let held = reservation.size();
        if held > 0 && held + additional > self.each_bytes && reservation.consumer().can_spill() {
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
