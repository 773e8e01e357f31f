//! The program `devlog`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    devlog::cli::main()
}
