//! What the pages say about tests is true.

use std::fs;
use std::path::{Path, PathBuf};

use super::harness::{Outcome, Trial};
use super::home::files_under;

/// Words in backquotes that name tests: `room::name`, where `…` or `*` stand for the rest.
fn names(page: &str) -> Vec<&str> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.contains("::") && !word.contains([' ', '/', '('])).collect()
}

pub fn every_test_that_a_page_names_is_there(_: &Trial) -> Outcome {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_under(&root.join("src"));
    files.extend(files_under(&root.join("tests")));
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    let texts: Vec<(PathBuf, String)> =
        files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    // A function in a file or folder of that name, or a file.
    let is_there = |name: &str| {
        let mut steps = name.rsplit("::");
        let last = steps.next().unwrap_or(name).trim_end_matches(['…', '*']);
        let room = steps.next().unwrap_or_default();
        let within = |path: &Path| path.file_stem().is_some_and(|s| s == room) || path.iter().any(|step| step == room);
        let is_file = |path: &Path| path.file_stem().is_some_and(|stem| stem == last);
        texts.iter().any(|(path, text)| is_file(path) || within(path) && text.contains(&format!("fn {last}")))
    };
    for page in ["docs/reliability.md", "README.md"] {
        let page_text = fs::read_to_string(root.join(page)).unwrap();
        let found = names(&page_text);
        assert!(found.len() > 10, "{page} names {} tests", found.len());
        let missing: Vec<_> = found.into_iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{page} names tests that do not exist: {missing:?}");
    }
    Outcome::Held
}
