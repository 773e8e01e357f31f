//! The decoder of the format named by the variable `FORMAT` (`devlog sources --json` shows the names):
//!
//! ```sh
//! FORMAT=codex-rollout cargo +nightly fuzz run decoder fuzz/corpus/codex-rollout
//! ```
#![no_main]

#[path = "../bodies.rs"]
mod bodies;

use std::sync::LazyLock;

use devlog::schema::Format;

static FORMAT: LazyLock<Format> = LazyLock::new(|| {
    let name = std::env::var("FORMAT").expect("FORMAT names the format to fuzz");
    Format::from_name(&name).unwrap_or_else(|| panic!("there is no format {name}"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::decode(*FORMAT, bytes));
