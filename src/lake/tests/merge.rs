//! A merge against what it is to come to: the rows of all files in the order of time, whatever their lengths.

use super::*;
use crate::schema::EventType;

/// A row whose text has a length of its own.
#[derive(Debug, Clone, Copy)]
struct Long {
    ts_us: i64,
    length: usize,
}

/// What a row of this length says: other letters for each row, so that no two can be taken for one another.
fn text(id: usize, length: usize) -> String {
    let word = format!("{id:04} ");
    word.chars().cycle().take(length).collect()
}

fn long_batch(rows: &[(usize, Long)]) -> RecordBatch {
    let mut out = Rows::new(RowContext::new("claude", "/logs/a.jsonl"));
    for (id, row) in rows {
        let text = text(*id, row.length);
        out.event(&EventRow {
            id: Some(EventId::of("claude", "row", &[&id.to_le_bytes()])),
            ts_us: row.ts_us,
            event_type: EventType::UserInteraction,
            // Two long columns of one row, as an agent that writes its answer twice.
            text: (id % 5 != 0).then_some(&*text),
            tool_output: (id % 3 == 0).then_some(&*text),
            source_offset: *id as u64,
            ..EventRow::default()
        });
    }
    out.finish().events
}

/// Id, time and texts of all live rows, in the order of the files.
fn told(snapshot: &Snapshot) -> Vec<(String, i64, Option<String>, Option<String>)> {
    let mut all = Vec::new();
    for part in snapshot.events.iter() {
        let path = snapshot.root.join("events").join(&part.path);
        let mut reader = PartReader::open(&path, events(), None, 64).unwrap();
        while let Some(batch) = reader.next().unwrap() {
            let column = |name: &str| batch.column_by_name(name).unwrap().as_string_view();
            let owned = |name: &str, row| column(name).iter().nth(row).flatten().map(str::to_owned);
            let times = batch.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                let id = column("event_id").value(row).to_owned();
                all.push((id, times.value(row), owned("text", row), owned("tool_output", row)));
            }
        }
    }
    all
}

fn files() -> impl Strategy<Value = Vec<Vec<Long>>> {
    // Most rows are short; some are longer than what may wait for its turn, some make a page of their own.
    let length = prop_oneof![20 => 0usize..200, 3 => 10_000usize..200_000, 2 => 900_000usize..1_200_000,
        1 => 3_000_000usize..14_000_000];
    let row = (0i64..50, length).prop_map(|(ts, length)| Long { ts_us: MARCH + ts, length });
    prop::collection::vec(prop::collection::vec(row, 1..60), 2..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_merge_holds_the_rows_of_all_files_in_the_order_of_time(files in files()) {
        let dir = tempfile::tempdir().unwrap();
        let lake = open(dir.path());
        let mut next = 0;
        for rows in &files {
            let rows: Vec<(usize, Long)> = rows.iter().map(|row| { next += 1; (next, *row) }).collect();
            let parts = lake.encode_rows(&[long_batch(&rows)]).unwrap();
            lake.commit(Commit { operation: "test", parts, now_us: MARCH, ..Commit::default() }).unwrap();
        }
        let mut expected = told(&lake.snapshot());
        let options = CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH + 1) };
        let report = lake.compact(options).unwrap();
        prop_assert!(report.merges > 0);
        let merged = told(&lake.snapshot());
        prop_assert!(merged.is_sorted_by_key(|(_, ts, ..)| *ts));
        expected.sort();
        let mut found = merged;
        found.sort();
        prop_assert!(found == expected, "{} rows of {}", found.len(), expected.len());
    }
}
