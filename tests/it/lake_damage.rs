//! A lake whose files or log are damaged: every command says so, nothing is lost by the repair.

use std::fs;
use std::path::{Path, PathBuf};

use super::home::{Home, append, session, wait_for};

const EVENTS: &str = "SELECT count(*) FROM events";

/// A home with `commits` commits of four events each, of as many sessions.
fn home(commits: u32) -> Home {
    let home = Home::new();
    for number in 0..commits {
        let name = format!("s{number}");
        append(&home.claude("-home-u-shop", &name), &session(&name, 2));
        home.ok(&["ingest", "--once"]);
    }
    home
}

fn entry(home: &Home, version: u32) -> PathBuf {
    home.lake().join(format!("events/_delta_log/{version:020}.json"))
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(parts(&path));
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Fails unless the command ends with code 2, says all of `words` on stderr or stdout, and shows no number.
fn refused(home: &Home, args: &[&str], words: &[&str]) {
    let output = home.run(args);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word:?}: {said}");
    }
}

/// Commands that read the lake, and those that write it.
fn all_refused(home: &Home, words: &[&str]) {
    let out = home.path().join("x.csv");
    let out = out.to_str().unwrap();
    for args in [
        &["query", "--no-sync", EVENTS][..],
        &["query", EVENTS],
        &["report", "daily"],
        &["export", "events", "--no-sync", "-o", out],
        &["status"],
        &["snapshot"],
        &["prune", "--before", "2020-01-01"],
        &["prune", "--before", "2020-01-01", "--yes"],
        &["backfill"],
        &["ingest"],
        &["ingest", "--once"],
        &["adapters"],
        &["sources"],
        &["compact"],
        &["fsck"],
    ] {
        refused(home, args, words);
    }
    // What has nothing to do with the lake goes on.
    let demo = home.path().join("demo");
    for args in [&["schema"][..], &["schema", "events"], &["version"], &["demo", "--home", demo.to_str().unwrap()]] {
        home.ok(args);
    }
}

#[test]
fn a_log_with_a_changed_or_lost_end_is_refused_by_every_command_and_rebuilt() {
    let cases: [fn(&Home); 5] = [
        |home| flip(&entry(home, 2), 50),
        |home| fs::remove_file(entry(home, 2)).unwrap(),
        |home| (0..2).for_each(|version| fs::remove_file(entry(home, version)).unwrap()),
        |home| (0..3).for_each(|version| fs::remove_file(entry(home, version)).unwrap()),
        |home| {
            fs::remove_file(entry(home, 2)).unwrap();
            fs::create_dir(entry(home, 2)).unwrap();
        },
    ];
    for (number, damage) in cases.into_iter().enumerate() {
        let home = home(3);
        assert_eq!(home.durable_number(EVENTS), 12);
        // One source is gone: only the lake has its rows.
        fs::remove_file(home.claude("-home-u-shop", "s2")).unwrap();
        damage(&home);
        all_refused(&home, &["_delta_log", "--rebuild-from-footers"]);
        home.ok(&["fsck", "--rebuild-from-footers"]);
        home.ok(&["fsck"]);
        assert_eq!(home.durable_number(EVENTS), 12, "case {number}");
        home.ok(&["backfill"]);
        assert_eq!(home.durable_number(EVENTS), 12, "case {number}");
    }
}

#[test]
fn a_log_that_breaks_off_does_not_keep_fsck_from_the_files_it_still_knows_of() {
    for broken in [1, 2] {
        let home = home(3);
        let damaged = parts(&home.lake().join("events")).into_iter().find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            fs::read_to_string(entry(&home, 0)).unwrap().contains(&name)
        });
        let damaged = damaged.unwrap();
        let middle = fs::metadata(&damaged).unwrap().len() / 2;
        flip(&damaged, usize::try_from(middle).unwrap());
        flip(&entry(&home, broken), 50);
        for path in fs::read_dir(home.lake().join(".state")).unwrap().flatten() {
            if path.file_name().to_string_lossy().starts_with("checkpoint-") {
                fs::remove_file(path.path()).unwrap();
            }
        }
        let name = damaged.file_name().unwrap().to_string_lossy().into_owned();
        refused(&home, &["fsck"], &["the entry is damaged", &name, "checksum does not match"]);
    }
}

#[test]
fn a_newest_commit_that_was_never_finished_is_warned_of_and_loses_nothing() {
    let home = home(2);
    let newest = entry(&home, 1);
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(home.claude("-home-u-shop", "s1")).unwrap();
    let output = home.run(&["query", "--no-sync", "--format", "csv", EVENTS]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("never finished"), "{output:?}");
    refused(&home, &["fsck"], &["never finished"]);
    append(&home.claude("-home-u-shop", "s3"), &session("s3", 2));
    let output = home.run(&["backfill"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("never finished"), "{output:?}");
    assert_eq!(home.durable_number(EVENTS), 8);
    refused(&home, &["fsck"], &["lacks 4 of its rows", "--restore-quarantine"]);
    home.ok(&["fsck", "--restore-quarantine"]);
    assert_eq!(home.durable_number(EVENTS), 12);
    home.ok(&["fsck"]);
}

#[test]
fn a_rebuild_after_a_flipped_bit_reads_the_rows_again_once_and_does_not_bless_the_file() {
    let home = home(3);
    let bad = parts(&home.lake().join("events")).swap_remove(1);
    let whole = fs::read(&bad).unwrap();
    flip(&bad, whole.len() / 3);
    refused(&home, &["fsck"], &[bad.to_str().unwrap(), "checksum", "--rebuild-from-footers"]);
    let output = home.run(&["fsck", "--rebuild-from-footers"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("left out") && said.contains(".quarantine/events/month="), "{said}");
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number(EVENTS), 12);
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), 12);
    refused(&home, &["fsck"], &[".quarantine/events/month=", "damaged"]);
    refused(&home, &["fsck", "--restore-quarantine"], &["damaged"]);
    // The backup of the file is taken back; its rows are here by now.
    let kept = parts(&home.lake().join(".quarantine")).swap_remove(0);
    fs::write(&kept, whole).unwrap();
    home.ok(&["fsck", "--restore-quarantine"]);
    assert!(!kept.exists());
    assert_eq!(home.durable_number(EVENTS), 12);
    home.ok(&["fsck"]);
}

#[test]
fn a_snapshot_shows_its_own_lake_and_a_killed_one_leaves_nothing() {
    let home = home(2);
    let first = home.ok(&["snapshot"]);
    let first = PathBuf::from(first.trim());
    assert_eq!((parts(&first).len(), home.ok(&["snapshot"]).trim()), (2, first.to_str().unwrap()));
    // Another lake with the same number of commits, beside it and then in its place.
    let other = home.devlog_home().join("other");
    let other = other.to_str().unwrap();
    home.ok(&["--lake", other, "backfill"]);
    let second = PathBuf::from(home.ok(&["--lake", other, "snapshot"]).trim());
    assert!(second.starts_with(other) && second != first);
    assert_ne!(parts(&second).len(), 0);
    fs::remove_dir_all(home.lake()).unwrap();
    fs::remove_file(home.claude("-home-u-shop", "s1")).unwrap();
    home.ok(&["ingest", "--once"]);
    let third = PathBuf::from(home.ok(&["snapshot"]).trim());
    let live: Vec<_> = parts(&home.lake().join("events")).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    let shown: Vec<_> = parts(&third).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    assert_eq!(shown, live);
    // What a kill left goes with the next prune, rows and all, and so does what is finished.
    let begun = home.lake().join(".snapshots/.new-x.0/events/month=2026-11");
    fs::create_dir_all(&begun).unwrap();
    fs::hard_link(&parts(&home.lake().join("events"))[0], begun.join("part-0.parquet")).unwrap();
    home.ok(&["prune", "--session", "s0", "--yes"]);
    assert!(parts(&home.lake()).is_empty(), "{:?}", parts(&home.lake()));
    assert!(second.is_dir(), "that of another lake stays");
    assert!(home.ok(&["--lake", other, "snapshot", "--remove"]).contains("1 snapshot removed"));
    assert!(!second.exists());
}

#[test]
fn a_flipped_bit_makes_a_query_fail_with_the_name_of_the_file_and_never_another_answer() {
    let home = home(1);
    let log = home.claude("-home-u-shop", "long");
    append(&log, &session("long", 150));
    home.ok(&["ingest", "--once"]);
    let sql = "SELECT sum(output_tokens), sum(input_tokens), count(DISTINCT text), count(DISTINCT model), min(ts) FROM events";
    let asked = ["query", "--no-sync", "--format", "csv", sql];
    let right = home.ok(&asked);
    let files = parts(&home.lake().join("events"));
    let bad = files.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let whole = fs::read(bad).unwrap();
    let mut noticed = 0;
    for step in 0..40 {
        let mut bytes = whole.clone();
        bytes[(step * 7919 + 13) % whole.len()] ^= 1 << (step % 8);
        fs::write(bad, bytes).unwrap();
        let output = home.run(&asked);
        if output.status.success() {
            assert_eq!(String::from_utf8(output.stdout).unwrap(), right, "step {step}");
        } else {
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(bad.to_str().unwrap()) && said.contains("devlog fsck"), "step {step}: {said}");
            noticed += 1;
        }
    }
    assert!(noticed > 10, "{noticed}");
    fs::remove_file(bad).unwrap();
    let missing = [bad.to_str().unwrap(), "missing", "devlog fsck"];
    let out = home.path().join("x.csv");
    refused(&home, &asked, &missing);
    refused(&home, &["report", "daily"], &missing);
    refused(&home, &["export", "events", "--no-sync", "-o", out.to_str().unwrap()], &missing);
    let status = home.run(&["status"]);
    assert!(String::from_utf8_lossy(&status.stderr).contains(bad.to_str().unwrap()), "{status:?}");
    fs::write(bad, whole).unwrap();
    assert_eq!(home.ok(&asked), right);
    home.ok(&["fsck"]);
}

#[test]
fn queries_and_checks_beside_prunes_neither_fail_nor_see_damage() {
    let home = home(16);
    std::thread::scope(|threads| {
        let prunes = threads.spawn(|| {
            for number in 0..12 {
                home.ok(&["prune", "--session", &format!("s{number}"), "--yes"]);
            }
        });
        while !prunes.is_finished() {
            let rows = home.durable_number(EVENTS);
            assert!(rows % 4 == 0 && (16..=64).contains(&rows), "{rows}");
            home.ok(&["fsck"]);
        }
    });
    assert_eq!(home.durable_number(EVENTS), 16);
}

#[test]
fn where_there_is_no_lake_nothing_is_counted() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    refused(&home, &["query", "--no-sync", EVENTS], &["there is no lake at", "devlog backfill"]);
    refused(&home, &["snapshot"], &["there is no lake at"]);
    for command in ["compact", "fsck"] {
        let output = home.run(&[command]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("there is no lake at"));
        refused(&home, &["--lake", "/nowhere/lake", command], &["there is no lake at"]);
    }
    assert!(!home.lake().exists());
    assert_eq!(home.number(EVENTS), 4, "a new home just works");
    // A folder of other things is not taken for a lake, and nothing is put into it.
    let work = home.path().join("work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("notes.txt"), "mine").unwrap();
    let lake = work.to_str().unwrap();
    for args in
        [&["query", EVENTS][..], &["query", "--no-sync", EVENTS], &["report", "daily"], &["backfill"], &["status"]]
    {
        let args: Vec<&str> = ["--lake", lake].iter().chain(args).copied().collect();
        refused(&home, &args, &["is not a lake", lake]);
    }
    assert_eq!(fs::read_dir(&work).unwrap().count(), 1);
    // A new folder is made one.
    let new = home.path().join("new");
    home.ok(&["--lake", new.to_str().unwrap(), "backfill"]);
    assert!(new.join("events").is_dir());
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_outlives_a_burst_of_failing_syncs_and_commits_each_row_once() {
    use super::lake_crash::is_installed;
    if !is_installed("strace") {
        eprintln!("skipped: strace is not installed");
        return;
    }
    let home = home(1);
    let log = home.lake().join("events/_delta_log");
    let trace = home.path().join("trace");
    let mut command = std::process::Command::new("strace");
    // The directory is synced at the start; then four syncs of it fail, which is all that a commit tries.
    command.args(["-D", "-f", "-qq", "-o", trace.to_str().unwrap(), "-P", log.to_str().unwrap(), "-e", "trace=fsync"]);
    command.args(["-e", "inject=fsync:error=EIO:when=2..6", env!("CARGO_BIN_EXE_devlog")]);
    command.args(["ingest", "--flush-interval", "100ms"]).env_clear().env("HOME", home.path());
    command.env("DEVLOG_HOME", home.devlog_home()).env("TZ", "UTC").stdout(std::process::Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stderr(std::process::Stdio::null());
    let daemon = super::home::Daemon { child: command.spawn().unwrap() };
    wait_for("the socket", || home.devlog_home().join("devlog.sock").exists());
    for number in 0..5 {
        append(&home.claude("-home-u-shop", &format!("t{number}")), &session(&format!("t{number}"), 2));
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    wait_for("all rows on disk", || home.durable_number(EVENTS) == 24);
    assert_eq!(home.number(EVENTS), 24);
    let traced = fs::read_to_string(&trace).unwrap();
    assert!(traced.matches("(INJECTED)").count() >= 4, "{traced}");
    daemon.kill();
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), 24);
    assert_eq!(home.durable_number(EVENTS), 24);
    home.ok(&["fsck"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_not_called_a_file_system_that_cannot_link() {
    if !super::lake_crash::is_installed("strace") {
        eprintln!("skipped: strace is not installed");
        return;
    }
    for (error, words) in [("ENOSPC", "no space left"), ("EROFS", "not allowed"), ("EPERM", "cannot make hard links")] {
        let home = Home::new();
        append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=linkat,link"]);
        command.args(["-e", &format!("inject=linkat,link:error={error}"), env!("CARGO_BIN_EXE_devlog"), "backfill"]);
        command.env_clear().env("HOME", home.path()).env("DEVLOG_HOME", home.devlog_home());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words), "{error}: {said}");
        home.ok(&["backfill"]);
    }
}
