//! Memory that queries may use.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::config::Settings;

/// Queries of an unknown machine, and at least, may use this much.
const LEAST_BYTES: u64 = 128_000_000;
/// Queries may use at most this much unless the user says otherwise.
const MOST_BYTES: u64 = 8_000_000_000;

/// Half of the budget that the user names; else a quarter of the memory of this machine, or of the
/// container devlog runs in, and at most half of what is free there.
///
/// Only a query that holds much uses it: rows stream, and sorts that do not fit spill.
pub(super) fn for_queries(settings: &Settings) -> u64 {
    if settings.memory_is_named {
        return settings.memory_bytes / 2;
    }
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let Ok(system) = System::new_with_specifics(memory) else { return LEAST_BYTES };
    let machine = (system.total_memory(), system.available_memory());
    let container = system.cgroup_limits().filter(|limits| limits.total_memory > 0);
    let (total, free) = container.map_or(machine, |limits| (limits.total_memory, limits.free_memory));
    share(total, free)
}

fn share(total: u64, free: u64) -> u64 {
    (total / 4).min(free / 2).clamp(LEAST_BYTES, MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_use_a_quarter_of_the_machine_and_half_of_what_is_free() {
        const GB: u64 = 1_000_000_000;
        assert_eq!(share(16 * GB, 12 * GB), 4 * GB);
        assert_eq!(share(16 * GB, 2 * GB), GB);
        assert_eq!(share(0, 0), LEAST_BYTES);
        assert_eq!(share(1000 * GB, 900 * GB), MOST_BYTES);
    }

    #[test]
    fn a_named_budget_is_shared_with_the_ring() {
        let mut settings = Settings::for_home("/tmp/someone".as_ref());
        assert!(for_queries(&settings) >= LEAST_BYTES);
        (settings.memory_bytes, settings.memory_is_named) = (64_000_000, true);
        assert_eq!(for_queries(&settings), 32_000_000);
    }
}
