//! The program `devlog`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_memory_together();
    survive_limits_of_files();
    devlog::cli::main()
}

/// glibc gives each thread a heap of its own and keeps in it what was freed: batches are made on one
/// thread and freed on another, and twice the memory is held that is used. One heap then, which gives
/// back what lies free at its end above 32 MB: pages and blocks of up to 4 MB, made and freed all the
/// time, come from it without new memory from the system each time (that was 14 % of the processor time
/// of a backfill, for 40 MB less at its peak). A process that waits gives back the rest by itself.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory_together() {
    // SAFETY: no other thread runs yet, and all are plain settings of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 32 << 20);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn keep_memory_together() {}

/// A file that outgrows a limit (`ulimit -f`) ends a process without a word by default; ignored, the write
/// fails like one on a full disk, and is told as such.
#[cfg(unix)]
fn survive_limits_of_files() {
    // SAFETY: no other thread runs yet, and ignoring a signal runs no code of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
const fn survive_limits_of_files() {}
