//! What is read beside a source.

use super::*;

#[test]
fn a_log_beside_a_source_is_read_whole_and_one_that_is_too_long_is_not_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["ui_messages.json", "long.json", "store.bin"].map(|name| folder.path().join(name));
    fs::write(&paths[0], vec![b' '; (5 << 20) + 1]).unwrap();
    for (path, bytes) in [(&paths[1], (64 << 20) + 1), (&paths[2], COMPANION_BYTES + 1)] {
        fs::File::create(path).unwrap().set_len(bytes).unwrap();
    }
    let read = read_companions(&paths, 64 << 20).unwrap();
    let seen: Vec<_> = read.iter().map(|(name, text)| (name.as_str(), text.len())).collect();
    assert_eq!(seen, [("ui_messages.json", (5 << 20) + 1), ("store.bin", 0)]);
}
