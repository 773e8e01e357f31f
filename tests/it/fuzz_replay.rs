//! Inputs that a fuzzer once found interesting, run through the same checks on every test run.

use std::fs;
use std::path::{Path, PathBuf};

use devlog::schema::Format;

use super::bodies;

fn inputs(format: Format) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(format.name());
    let mut inputs: Vec<_> = fs::read_dir(&folder).into_iter().flatten().map(|e| e.unwrap().path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn kept_inputs_hold_the_promises_of_every_decoder() {
    for format in Format::all() {
        let inputs = inputs(format);
        // Formats that users describe have no decoder before they are described.
        assert!(!inputs.is_empty() || format.agent() == "mapped", "there is no input for {}", format.name());
        for input in inputs {
            bodies::decode(format, &fs::read(&input).unwrap());
        }
    }
}
