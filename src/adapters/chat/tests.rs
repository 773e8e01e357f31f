//! Checks that the readers of small logs must pass.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::adapters::tests::{Row, decode, decode_with};
use crate::adapters::{Companion, tests};
use crate::schema::Format;

/// Holds that no damage to `fixture` panics, and that each line of what is left is counted once.
pub(in crate::adapters) fn survives_damage(format: Format, path: &str, fixture: &[u8]) {
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12);
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&edits, |edits| {
        let mut bytes = fixture.to_vec();
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        decode(format, path, &bytes);
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
    let arbitrary = proptest::collection::vec(any::<u8>(), 0..200);
    let outcome = runner.run(&arbitrary, |bytes| {
        decode(format, path, &bytes);
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// Holds that each scalar of `fixture` may be of any type.
pub(in crate::adapters) fn survives_wrong_types(
    format: Format,
    path: &str,
    companions: &[Companion<'_>],
    fixture: &str,
) {
    for damaged in with_wrong_types(fixture) {
        decode_with(format, path, companions, damaged.as_bytes());
    }
}

/// The text with each value replaced by values of other types, one at a time.
pub(in crate::adapters) fn with_wrong_types(fixture: &str) -> Vec<String> {
    let wrong = ["null", "-1", "1.5", "true", "\"\"", "[]", "{}", "[null]", "[{\"type\":7}]", "99999999999999999999"];
    let mut all = Vec::new();
    for (at, _) in fixture.match_indices(':') {
        let length = value_length(fixture.get(at + 1..).unwrap_or_default());
        for wrong in wrong {
            let mut damaged = fixture.to_owned();
            damaged.replace_range(at + 1..at + 1 + length, wrong);
            all.push(damaged);
        }
    }
    all
}

/// Length of the simple JSON value that a text begins with; 0 when it begins with something else.
fn value_length(text: &str) -> usize {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    match stream.next() {
        Some(Ok(_)) => stream.byte_offset(),
        _ => 0,
    }
}

/// The events that a lake would hold after it has seen these states of a document one after the other.
pub(in crate::adapters) fn played(format: Format, path: &str, states: &[&str]) -> BTreeMap<String, Row> {
    let mut kept: BTreeMap<String, Row> = BTreeMap::new();
    for state in states {
        for row in decode(format, path, state.as_bytes()).rows {
            let id = row["event_id"].as_str().unwrap_or_default().to_owned();
            let level = |row: &Row| row["completeness"].as_i64();
            match kept.get(&id) {
                Some(known) if level(known) >= level(&row) => {}
                _ => drop(kept.insert(id, row)),
            }
        }
    }
    kept
}

/// Decodes every file below `folder` that `wanted` takes; nothing is rejected or unknown. Returns the
/// number of files and of rows.
pub(in crate::adapters) fn corpus(wanted: impl Fn(&str) -> Option<Format>) -> Option<(usize, usize)> {
    let folder = tests::corpus("others")?;
    let (mut files, mut rows) = (0, 0);
    for path in tests::files_below(&folder) {
        let shown = path.to_string_lossy().into_owned();
        let Some(format) = wanted(&shown) else { continue };
        let bytes = std::fs::read(&path).expect("a readable file");
        let beside = path.with_extension("settings.json");
        let text = std::fs::read_to_string(&beside).ok();
        let name = beside.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let companions: Vec<Companion<'_>> = text.iter().map(|text| Companion { name: &name, text }).collect();
        let decoded = decode_with(format, &shown, &companions, &bytes);
        assert!(decoded.rejects.is_empty(), "{shown}: rejects");
        assert_eq!(decoded.counts.unknown_types, 0, "{shown}: unknown records");
        let events: std::collections::BTreeSet<(String, Option<i64>)> =
            decoded.rows.iter().map(|row| (row["event_id"].to_string(), row["completeness"].as_i64())).collect();
        assert_eq!(events.len(), decoded.rows.len(), "{shown}: each row is an event of its own or a better record");
        files += 1;
        rows += decoded.rows.len();
    }
    Some((files, rows))
}
