//! Any sequence of operations, one after the other and at once.

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<Row>),
    Replace(Vec<u8>),
    Compact,
    Vacuum,
    Reopen,
    Tear(prop::sample::Index),
    Prune(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0u64..60, 0i64..80, prop::bool::weighted(0.1))
        .prop_map(|(id, day, inferred)| Row { inferred, ..Row::at(id, MARCH + day * DAY + id.cast_signed()) });
    prop_oneof![
        6 => prop::collection::vec(row, 0..15).prop_map(Step::Write),
        2 => prop::collection::vec(any::<u8>(), 1..5).prop_map(Step::Replace),
        1 => Just(Step::Compact),
        1 => Just(Step::Vacuum),
        2 => Just(Step::Reopen),
        2 => any::<prop::sample::Index>().prop_map(Step::Tear),
        1 => (0u8..80).prop_map(Step::Prune),
    ]
}

/// The lake as a list of versions, with nothing durable about it.
#[derive(Clone, Default)]
struct Model {
    rows: BTreeMap<u128, Row>,
    position: u64,
    /// Rows that a torn entry took back may be written again; those of a prune too.
    version: Option<u64>,
}

fn run_step(lake: &mut Option<Lake>, root: &Path, model: &mut Model, previous: &mut Model, step: &Step) {
    let open = lake.get_or_insert_with(|| open(root));
    let before = model.clone();
    match step {
        Step::Write(rows) => {
            let mut fresh: BTreeMap<u128, Row> = rows.iter().map(|r| (r.event_id().0, *r)).collect();
            let asked: Vec<_> = fresh.values().map(|r| (r.event_id(), r.ts_us)).collect();
            for ((id, _), found) in asked.iter().zip(open.known().find(&open.snapshot(), &asked).unwrap()) {
                let known = model.rows.get(&id.0);
                assert_eq!(known.map(|known| known.completeness), found.map(|found| found.completeness));
                if known.is_some() {
                    fresh.remove(&id.0);
                }
            }
            let rows: Vec<Row> = fresh.values().copied().collect();
            model.position += 1;
            write(open, &rows, vec![position(1, model.position)]);
            model.rows.extend(fresh);
            model.version = Some(model.version.map_or(0, |v| v + 1));
        }
        Step::Replace(picks) if !model.rows.is_empty() => {
            let rows: Vec<Row> = model.rows.values().copied().collect();
            let newer: BTreeMap<u128, Row> = picks
                .iter()
                .map(|p| rows[usize::from(*p) % rows.len()])
                .map(|r| (r.event_id().0, Row { completeness: r.completeness + 1, ..r }))
                .collect();
            let batch = batch(&newer.values().copied().collect::<Vec<_>>());
            let replaced = newer.keys().map(|id| EventId(*id)).collect();
            let parts = open.encode_rows(&[batch]).unwrap();
            open.commit(Commit { parts, replaced, now_us: MARCH, ..Commit::default() }).unwrap();
            model.rows.extend(newer);
            model.version = model.version.map(|v| v + 1);
        }
        Step::Compact => {
            let report = open.compact(CompactOptions { min_parts: 3, ..CompactOptions::new(MARCH) }).unwrap();
            assert_eq!(report.duplicates, 0);
            model.version = model.version.map(|v| v + report.merges);
            if report.merges > 1 {
                *previous = model.clone();
            }
        }
        Step::Vacuum => drop(open.vacuum(DAY, MARCH).unwrap()),
        Step::Reopen => *lake = None,
        Step::Tear(at) => {
            *lake = None;
            if let Some(version) = model.version.filter(|v| *v > 0 && previous.version != model.version) {
                let path = Log::master(root).path(version);
                if root.join(format!(".state/checkpoint-{version}")).exists() {
                    return;
                }
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..at.index(bytes.len())]).unwrap();
                *model = previous.clone();
                model.version = Some(version - 1);
            }
            *previous = model.clone();
            return;
        }
        Step::Prune(day) => {
            let before_us = MARCH + i64::from(*day) * DAY / 4;
            open.prune(&PruneFilter { before_us: Some(before_us), ..PruneFilter::default() }, MARCH).unwrap();
            let count = model.rows.len();
            model.rows.retain(|_, row| row.ts_us >= before_us);
            if model.rows.len() != count {
                model.version = model.version.map(|v| v + 1);
            }
            // The old files are gone for good: an entry that names them cannot come back.
            *previous = model.clone();
            return;
        }
        Step::Replace(_) => {}
    }
    if model.version != before.version && previous.version != model.version {
        *previous = before;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_sequence_of_operations_and_crashes_agrees_with_the_model(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut lake, mut model, mut previous) = (None, Model::default(), Model::default());
        for step in &steps {
            run_step(&mut lake, dir.path(), &mut model, &mut previous, step);
            let read = Lake::read(dir.path()).unwrap();
            prop_assert_eq!(read.version, model.version);
            let expected: BTreeMap<u128, i64> = model.rows.iter().map(|(id, r)| (*id, r.completeness)).collect();
            prop_assert_eq!(content(&read), expected);
            prop_assert_eq!(read.sources.get(&SourceId(1)).map_or(0, |s| s.checkpoint.high_water), model.position);
        }
        drop(lake);
        // A torn entry is a fault, and so are rows that only it named; both can be mended.
        let report = restore_quarantine(LakeOptions::new(dir.path(), MARCH)).unwrap();
        prop_assert!(report.left.is_empty(), "{:?}", report);
        let report = fsck(dir.path()).unwrap();
        prop_assert!(report.is_sound(), "{:?}", report);
    }
}

#[test]
fn writing_compacting_asking_and_reading_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..600).map(|i| Row::at(i, MARCH + i.cast_signed() % 7)).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_done() {
                lake.compact(CompactOptions { min_parts: 3, ..CompactOptions::new(MARCH) }).unwrap();
                // Deletes what the other threads may still be looking at.
                lake.prune(&PruneFilter { before_us: Some(-1), ..PruneFilter::default() }, MARCH).unwrap();
            }
        });
        threads.spawn(|| {
            while !is_done() {
                let read = lake.known().find(&lake.snapshot(), &[(rows[0].event_id(), rows[0].ts_us)]).unwrap();
                assert!(read.len() == 1);
                let snapshot = Lake::read(dir.path()).unwrap();
                let count: u64 = snapshot.events.iter().map(|part| part.rows).sum();
                assert_eq!(count % 20, 0, "a version has whole commits");
            }
        });
        for rows in rows.chunks(40) {
            // Two files encoded at once, one commit.
            let (a, b) = rows.split_at(20);
            let other = threads.spawn(|| lake.encode_rows(&[batch(a)]).unwrap());
            let mut parts = lake.encode_rows(&[batch(b)]).unwrap();
            parts.extend(other.join().unwrap());
            lake.commit(Commit { parts, now_us: MARCH, ..Commit::default() }).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(content(&lake.snapshot()), model(&rows));
    assert!(
        lake.known()
            .find(&lake.snapshot(), &rows.iter().map(|r| (r.event_id(), r.ts_us)).collect::<Vec<_>>())
            .unwrap()
            .iter()
            .all(Option::is_some)
    );
}
