use super::*;

const MB: u64 = 1 << 20;

/// A file of so many bytes with rows of these times.
fn part(name: usize, bytes: u64, times: std::ops::Range<i64>) -> Arc<Part> {
    Arc::new(Part {
        path: format!("month=2026-03/part-{name:03}.parquet"),
        month: "2026-03".to_owned(),
        bytes,
        rows: 1,
        min_ts_us: times.start,
        max_ts_us: times.end,
        inferred_rows: 0,
        min_max: BTreeMap::new(),
        nulls: BTreeMap::new(),
        blocks: crate::lake::Blocks::default(),
    })
}

fn taken(parts: &[Arc<Part>], options: CompactOptions) -> usize {
    plan(parts, &HashMap::new(), options).map_or(0, |parts| parts.len())
}

#[test]
fn no_more_files_are_open_at_once_than_the_memory_allows() {
    let overlapping: Vec<_> = (0..40).map(|n| part(n, 3 * MB, 0..100)).collect();
    let in_turn: Vec<_> = (0..40).map(|n| part(n, 3 * MB, n as i64 * 100..n as i64 * 100 + 99)).collect();
    let options = |memory_bytes| CompactOptions { memory_bytes, ..CompactOptions::new(0) };
    assert_eq!(taken(&overlapping, options(102 * MB)), 6);
    assert_eq!(taken(&overlapping, options(1024 * MB)), FAN_IN);
    assert_eq!(taken(&in_turn, options(34 * MB)), FAN_IN, "one is closed before the next is opened");
    assert_eq!(taken(&overlapping, options(MB)), ENOUGH, "fewer would not be worth it");
}

#[test]
fn files_of_one_size_are_merged_first_and_those_of_all_sizes_only_on_demand() {
    let mixed: Vec<_> = (0..5).map(|n| part(n, (MB / 16) << (2 * n), 0..1)).collect();
    assert_eq!(taken(&mixed, CompactOptions::new(0)), 0);
    assert_eq!(taken(&mixed, CompactOptions { min_parts: 2, ..CompactOptions::new(0) }), 5);
    let even: Vec<_> = (5..9).map(|n| part(n, 2 * MB, 5..6)).chain(mixed).collect();
    let chosen = plan(&even, &HashMap::new(), CompactOptions { min_parts: 2, ..CompactOptions::new(0) }).unwrap();
    assert!(chosen.len() >= 4 && chosen.iter().all(|part| (MB..=2 * MB).contains(&part.bytes)), "{chosen:?}");
}
