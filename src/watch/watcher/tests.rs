use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::*;
use crate::discover::Layout;

/// Long enough that only a lost hint reaches it.
const LONG: Duration = Duration::from_secs(60);

fn claude(path: &Path) -> Root {
    Root { agent: "claude", layout: Layout::Claude, path: path.to_owned(), wildcard: false, sibling_roots: [].into() }
}

/// A watcher without backstop, past its first hint.
fn start(roots: Vec<Root>) -> (Watcher, Hints) {
    let watcher = Watcher::start(WatcherConfig { roots, backstop: 10 * LONG, unwatched: 10 * LONG }).unwrap();
    let hints = watcher.hints();
    assert_eq!(hints.take(LONG), Some(Hint::Rescan));
    (watcher, hints)
}

/// Waits until `path` is named, or a rescan tells to look everywhere.
fn wait_for(hints: &Hints, path: &Path) {
    loop {
        match hints.take(LONG) {
            Some(Hint::Path(found)) if found == path => return,
            Some(Hint::Rescan) => return,
            Some(_) => {}
            None => panic!("no hint for {path:?}"),
        }
    }
}

fn append(path: &Path) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(b"{}\n").unwrap();
}

#[test]
fn what_happens_to_a_log_raises_a_hint_and_what_happens_beside_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("projects/p");
    fs::create_dir_all(&project).unwrap();
    let (watcher, hints) = start(vec![claude(folder.path())]);
    assert_eq!(watcher.status().roots()[0].mode, WatchMode::Notify);
    let log = project.join("a.jsonl");
    for _ in 0..2 {
        fs::write(folder.path().join("settings.json"), "{}").unwrap();
        fs::write(project.join("notes.txt"), "x").unwrap();
        append(&log);
        assert_eq!(hints.take(LONG), Some(Hint::Path(log.clone())));
        while hints.take(Duration::from_millis(20)).is_some() {}
    }
    let history = folder.path().join("history.jsonl");
    append(&history);
    wait_for(&hints, &history);
    let moved = project.join("b.jsonl");
    fs::rename(&log, &moved).unwrap();
    wait_for(&hints, &moved);
    fs::remove_file(&moved).unwrap();
    wait_for(&hints, &moved);
}

#[test]
fn no_file_in_a_new_folder_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("projects")).unwrap();
    let (_watcher, hints) = start(vec![claude(folder.path())]);
    for i in 0..200 {
        let deep = folder.path().join(format!("projects/p{i}/s/subagents"));
        fs::create_dir_all(&deep).unwrap();
        let log = deep.join("agent-1.jsonl");
        append(&log);
        wait_for(&hints, &log);
        append(&log);
        wait_for(&hints, &log);
    }
}

#[test]
fn a_root_that_appears_later_is_watched_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("x/.claude");
    let (watcher, hints) = start(vec![claude(&base)]);
    assert_eq!(watcher.status().roots()[0].mode, WatchMode::Absent);
    for _ in 0..2 {
        fs::create_dir_all(base.join("projects/p")).unwrap();
        loop {
            match hints.take(LONG) {
                Some(Hint::RootAppeared(path)) if path == base => break,
                Some(_) => {}
                None => panic!("the root was not noticed"),
            }
        }
        while watcher.status().roots()[0].mode != WatchMode::Notify {
            std::thread::yield_now();
        }
        while hints.take(Duration::from_millis(50)).is_some() {}
        let log = base.join("projects/p/a.jsonl");
        append(&log);
        wait_for(&hints, &log);
        // Removed as a whole, it is absent again.
        fs::remove_dir_all(&base).unwrap();
        while watcher.status().roots()[0].mode != WatchMode::Absent {
            assert!(hints.take(LONG).is_some() || watcher.status().roots()[0].mode == WatchMode::Absent);
        }
        while hints.take(Duration::from_millis(50)).is_some() {}
    }
}

#[cfg(unix)]
#[test]
fn logs_under_a_linked_root_are_named_by_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(elsewhere.path().join("p")).unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("real/projects")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("linked")).unwrap();
    let (_watcher, hints) = start(vec![claude(&folder.path().join("linked"))]);
    append(&elsewhere.path().join("p/a.jsonl"));
    assert_eq!(hints.take(LONG), Some(Hint::Path(folder.path().join("linked/projects/p/a.jsonl"))));
    append(&folder.path().join("real/history.jsonl"));
    wait_for(&hints, &folder.path().join("linked/history.jsonl"));
}

#[cfg(unix)]
#[test]
fn what_is_behind_links_is_watched_while_they_lead_there() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let real = fs::canonicalize(elsewhere.path()).unwrap();
    let projects = folder.path().join("projects");
    fs::create_dir_all(projects.join("p")).unwrap();
    fs::create_dir_all(real.join("q")).unwrap();
    append(&real.join("one.jsonl"));
    let link = |target: &Path, path: &Path, is_folder| {
        std::os::unix::fs::symlink(target, path).unwrap();
        (claude(folder.path()), Followed { path: path.to_owned(), target: target.to_owned(), is_folder })
    };
    let (mut watcher, hints) = start(vec![claude(folder.path())]);
    let links = vec![
        link(&real.join("q"), &projects.join("q"), true),
        link(&real.join("one.jsonl"), &projects.join("p/one.jsonl"), false),
    ];
    watcher.watch_links(links.clone());
    while watcher.status().roots().len() < 3 {
        std::thread::sleep(Duration::from_millis(5));
    }
    while hints.take(Duration::from_millis(50)).is_some() {}
    append(&real.join("q/a.jsonl"));
    assert_eq!(hints.take(LONG), Some(Hint::Path(projects.join("q/a.jsonl"))));
    while hints.take(Duration::from_millis(20)).is_some() {}
    append(&real.join("one.jsonl"));
    assert_eq!(hints.take(LONG), Some(Hint::Path(projects.join("p/one.jsonl"))));
    watcher.watch_links(links[..1].to_vec());
    while watcher.status().roots().len() > 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    while hints.take(Duration::from_millis(50)).is_some() {}
    append(&real.join("one.jsonl"));
    append(&real.join("q/a.jsonl"));
    assert_eq!(hints.take(LONG), Some(Hint::Path(projects.join("q/a.jsonl"))), "the other one is watched no longer");
}

#[test]
fn the_backstop_beats_without_any_notification() {
    let config = WatcherConfig { roots: vec![], backstop: Duration::from_millis(1), unwatched: LONG };
    let watcher = Watcher::start(config).unwrap();
    for _ in 0..5 {
        assert_eq!(watcher.hints().take(LONG), Some(Hint::Rescan));
    }
}

#[test]
fn a_lost_notification_asks_for_a_rescan() {
    let (names, hints) = (Mutex::new(Names::default()), Hints::default());
    let (orders, received) = sync_channel(WAITING);
    let event = |event| on_event(event, &names, &hints, &orders);
    event(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
    assert_eq!(hints.take(Duration::ZERO), Some(Hint::Rescan));
    // The next one waits for the backstop scan.
    event(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
    assert_eq!(hints.take(Duration::ZERO), None);
    event(Err(notify::Error::new(ErrorKind::MaxFilesWatch)));
    assert_eq!(hints.take(Duration::ZERO), Some(Hint::Rescan));
    assert!(matches!(received.try_recv(), Ok(Order::Full)));
}

#[test]
fn a_full_watch_table_is_said_and_scanned_around() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("projects")).unwrap();
    let config =
        WatcherConfig { roots: vec![claude(folder.path())], backstop: LONG, unwatched: Duration::from_millis(1) };
    let watcher = Watcher::start(config).unwrap();
    let hints = watcher.hints();
    assert_eq!(hints.take(LONG), Some(Hint::Rescan));
    watcher.orders.send(Order::Full).unwrap();
    // Rescans come at the shorter interval from now on.
    for _ in 0..3 {
        assert_eq!(hints.take(LONG), Some(Hint::Rescan));
    }
    let WatchMode::Scan { reason } = watcher.status().roots()[0].mode.clone() else { panic!("{:?}", watcher.status()) };
    assert!(reason.contains("max_user_watches"), "{reason}");
}

/// Fills the kernel's queue for real. The limit is machine-wide and read when a watcher starts, so
/// this runs only when asked for and only where the limit may be set:
/// `cargo test --release --lib watch::watcher -- --ignored --test-threads=1`
#[cfg(target_os = "linux")]
#[test]
#[ignore = "changes a limit of the whole machine for a moment"]
fn an_overflow_of_the_kernels_queue_asks_for_a_rescan() {
    const LIMIT: &str = "/proc/sys/fs/inotify/max_queued_events";
    let before = fs::read_to_string(LIMIT).unwrap();
    if fs::write(LIMIT, "16").is_err() {
        return drop(writeln!(std::io::stderr(), "skipped: {LIMIT} cannot be written"));
    }
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("projects/p");
    fs::create_dir_all(&project).unwrap();
    let (_watcher, hints) = start(vec![claude(folder.path())]);
    fs::write(LIMIT, before).unwrap();
    let mut rescans = 0;
    for i in 0..20_000 {
        append(&project.join(format!("{i}.jsonl")));
        if let Some(Hint::Rescan) = hints.take(Duration::ZERO) {
            rescans += 1;
            break;
        }
    }
    while rescans == 0 {
        rescans += usize::from(hints.take(LONG).expect("no rescan") == Hint::Rescan);
    }
}

/// `cargo test --release --lib watch::watcher -- --ignored --nocapture --test-threads=1`
#[test]
#[ignore = "a measurement, not a check"]
fn latency() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("projects/p");
    fs::create_dir_all(&project).unwrap();
    let log = project.join("a.jsonl");
    append(&log);
    let (_watcher, hints) = start(vec![claude(folder.path())]);
    let mut took: Vec<Duration> = (0..2000)
        .map(|_| {
            let mut file = OpenOptions::new().append(true).open(&log).unwrap();
            std::thread::sleep(Duration::from_millis(1));
            while hints.take(Duration::ZERO).is_some() {}
            let start = Instant::now();
            file.write_all(b"{}\n").unwrap();
            assert!(hints.take(LONG).is_some());
            start.elapsed()
        })
        .collect();
    took.sort();
    let text = format!("append to hint: p50 {:?}, p99 {:?}, max {:?}\n", took[1000], took[1980], took[1999]);
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_root_that_is_added_later_is_watched_and_its_being_there_is_no_news() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    fs::create_dir_all(first.join("projects")).unwrap();
    fs::create_dir_all(second.join("projects/p")).unwrap();
    let (mut watcher, hints) = start(vec![claude(&first)]);
    watcher.watch_also(&[claude(&second)]);
    watcher.watch_also(&[claude(&second)]);
    while watcher.status().roots().len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let log = second.join("projects/p/a.jsonl");
    append(&log);
    assert_eq!(hints.take(LONG), Some(Hint::Path(log)));
    assert_eq!(watcher.status().roots().len(), 2);
}

#[test]
fn where_scanning_is_all_there_is_a_dear_scan_is_a_rare_one() {
    let (orders, _received) = sync_channel(WAITING);
    let config = WatcherConfig::new(Vec::new());
    let keeper = Keeper::new(config, Hints::default(), WatchStatus::default(), orders);
    let status = |mode| vec![RootStatus { agent: "claude", path: "/r".into(), mode }];
    *lock(&keeper.status.0) = status(WatchMode::Scan { reason: FULL.to_owned() });
    for (took_ms, pause_ms) in [(0, 1000), (20, 1000), (300, 6000), (10_000, 30_000)] {
        keeper.hints.scan_took(Duration::from_millis(took_ms));
        assert_eq!(keeper.interval(), Duration::from_millis(pause_ms), "{took_ms} ms");
    }
    *lock(&keeper.status.0) = status(WatchMode::Notify);
    keeper.hints.scan_took(Duration::from_millis(20));
    assert_eq!(keeper.interval(), Duration::from_secs(6));
}
