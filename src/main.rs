//! The program `devlog`; everything is in the library.

use std::process::ExitCode;

/// Decoding and Arrow allocate large buffers from many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    devlog::cli::main()
}
