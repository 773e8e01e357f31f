//! Gives memory back that was needed for a while: after a catch-up and after a flush.

/// Hands free pages of the heap to the system; they come back when they are needed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn trim_heap() {
    // SAFETY: touches free blocks only, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) const fn trim_heap() {}
