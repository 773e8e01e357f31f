//! The program `devlog`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_memory_together();
    devlog::cli::main()
}

/// glibc gives each thread a heap of its own and keeps in it what was freed: batches are made on one
/// thread and freed on another, and twice the memory is held that is used. One heap, and large blocks
/// that go back to the system at once: a backfill of 1.1 GB peaks at 340 MB instead of 650 MB, in no
/// more time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory_together() {
    // SAFETY: no other thread runs yet, and both are plain settings of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn keep_memory_together() {}
