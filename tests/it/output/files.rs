//! Files that `export` and `query -o` write.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{Home, err, turn_at};
use crate::home::wait_for;

fn home() -> Home {
    let home = Home::new();
    turn_at(&home, "s", "2026-05-28T09:00:00Z");
    home
}

fn here(home: &Home, name: &str) -> String {
    home.path().join(name).to_str().unwrap().to_owned()
}

fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
    err(&output)
}

/// Files below `folder` but hidden ones, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, top: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else if !path.file_name().unwrap().to_str().unwrap().starts_with('.') {
                found.insert(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, folder, &mut found);
    found
}

/// Names of unfinished files in `folder`.
fn parts(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_str().unwrap().to_owned());
    names.filter(|name| name.ends_with(".part")).collect()
}

#[test]
fn both_commands_know_the_same_formats_and_endings() {
    let home = home();
    for ending in
        ["txt", "json", "ndjson", "jsonl", "csv", "tsv", "md", "parquet", "pq", "arrow", "feather", "ipc", "arrows"]
    {
        let (query, export) = (here(&home, &format!("q.{ending}")), here(&home, &format!("e.{ending}")));
        let sql = "SELECT event_id, ts FROM events ORDER BY 1";
        home.ok(&["query", sql, "-o", &query]);
        home.ok(&["export", sql, "-o", &export]);
        let (query, export) = (fs::read(query).unwrap(), fs::read(export).unwrap());
        assert!(!query.is_empty() && query == export, "{ending}");
    }
    for format in ["table", "json", "ndjson", "csv", "tsv", "markdown", "parquet", "arrow", "arrow-stream"] {
        let sql = "SELECT event_id, ts FROM events ORDER BY 1";
        let query = home.run(&["query", "--format", format, sql]);
        let dash = home.run(&["query", "--format", format, "-o", "-", sql]);
        let export = home.run(&["export", "--format", format, "-o", "-", sql]);
        assert!(!query.stdout.is_empty() && query.status.success(), "{format}: {}", err(&query));
        assert_eq!((&query.stdout, &query.stdout), (&dash.stdout, &export.stdout), "{format}: {}", err(&export));
    }
    assert!(!home.path().join("-").exists() && !Path::new("-").exists());
    assert!(refused(&home, &["export", "events", "-o", "-", "--partition-by", "agent"]).contains("-o"));
}

#[test]
fn what_exists_is_overwritten_by_force_only() {
    let home = home();
    let file = here(&home, "f.csv");
    for line in [&["query", "SELECT 2 AS x", "-o", &file][..], &["export", "SELECT 2 AS x", "-o", &file]] {
        fs::write(&file, "mine").unwrap();
        assert!(refused(&home, line).contains("--force"), "{line:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        home.ok(&[line, &["--force"]].concat());
        assert_eq!(fs::read_to_string(&file).unwrap(), "x\n2\n");
    }
}

#[cfg(unix)]
#[test]
fn what_is_written_is_the_user_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (query, export, folder) = (here(&home, "q.csv"), here(&home, "e.parquet"), here(&home, "parts"));
    for line in [
        &["query", "SELECT 1", "-o", &query][..],
        &["export", "events", "-o", &export],
        &["export", "events", "-o", &folder, "--partition-by", "agent"],
    ] {
        let mut shell = std::process::Command::new("sh");
        let command = home.command(line);
        shell.env_clear().envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        shell.args(["-c", "umask 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_devlog")]).args(line);
        assert!(shell.output().unwrap().status.success(), "{line:?}");
    }
    assert_eq!((mode(&query), mode(&export), mode(&folder)), (0o600, 0o600, 0o700));
    assert_eq!(mode(&format!("{folder}/agent=claude")), 0o700);
    assert_eq!(mode(&format!("{folder}/agent=claude/part-0.parquet")), 0o600);
}

#[test]
fn a_folder_holds_the_files_of_one_export_only() {
    let home = home();
    turn_at(&home, "t", "2026-05-29T09:00:00Z");
    let folder = here(&home, "out");
    let path = Path::new(&folder);
    let days = [
        "export",
        "SELECT *, local_date(ts) AS day FROM events",
        "-o",
        &folder,
        "--partition-by",
        "day",
        "--partition-by",
        "agent",
    ];
    home.ok(&days);
    let both = ["day=2026-05-28/agent=claude/part-0.parquet", "day=2026-05-29/agent=claude/part-0.parquet"];
    assert_eq!(files(path), both.map(str::to_owned).into());
    assert!(refused(&home, &days).contains("--force"));
    // Another layout, another format, fewer rows: nothing of the old one is left.
    let types =
        ["export", "SELECT * FROM events WHERE session_id = 's'", "-o", &folder, "--partition-by", "event_type"];
    home.ok(&[&types[..], &["--force", "--format", "csv"]].concat());
    assert_eq!(
        files(path),
        ["event_type=llm_response/part-0.csv", "event_type=user_interaction/part-0.csv"].map(str::to_owned).into()
    );
    assert_eq!(fs::read_dir(path).unwrap().count(), 3, "two folders and the list");
    // A query that fails leaves what was there.
    let wrong = ["export", "SELECT nope FROM events", "-o", &folder, "--partition-by", "agent", "--force"];
    refused(&home, &wrong);
    assert_eq!(files(path).len(), 2);
    // What others put there is nobody's to delete.
    fs::write(path.join("mine.txt"), "").unwrap();
    let told = refused(&home, &[&days[..], &["--force"]].concat());
    assert!(told.contains("mine.txt") && told.contains("was not written by devlog export"), "{told}");
    assert_eq!(files(path).len(), 3);
}

#[test]
fn no_name_or_value_of_a_partition_leaves_the_folder() {
    let home = home();
    let folder = home.path().join("a/b/out");
    let sql = "SELECT 1 AS n, '../../../evil' AS \"../../evil\" UNION ALL SELECT 2, '/tmp/evil'";
    home.ok(&["export", sql, "-o", folder.to_str().unwrap(), "--partition-by", "../../evil"]);
    assert_eq!(files(&folder).len(), 2, "{:?}", files(&folder));
    for outside in ["a", "a/b"] {
        assert_eq!(fs::read_dir(home.path().join(outside)).unwrap().count(), 1, "{outside}");
    }
}

/// Starts a command that writes for a long time, and waits until it does.
fn writing(home: &Home, args: &[&str], begun: impl Fn() -> bool) -> Child {
    let mut command = home.command(args);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the first rows", begun);
    child
}

const ENDLESS: &str = "SELECT a.value % 3 AS k, a.value + b.value AS n \
                       FROM generate_series(1, 3000000) a, generate_series(1, 3000000) b";

#[cfg(unix)]
#[test]
fn an_interrupted_export_leaves_nothing() {
    use rustix::process::{Pid, Signal, kill_process};
    let home = home();
    let (file, folder) = (here(&home, "big.ndjson"), here(&home, "out"));
    for (line, signal) in [
        (&["export", ENDLESS, "-o", &file][..], Signal::INT),
        (&["query", ENDLESS, "-o", &file], Signal::TERM),
        (&["export", ENDLESS, "-o", &folder, "--partition-by", "k", "--format", "csv"], Signal::INT),
    ] {
        let begun =
            || !parts(home.path()).is_empty() || Path::new(&folder).is_dir() && !parts(folder.as_ref()).is_empty();
        let mut child = writing(&home, line, begun);
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{line:?}");
        let left: BTreeSet<String> =
            fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        assert_eq!(left, [".claude", ".devlog"].map(str::to_owned).into(), "{line:?}");
    }
}

#[test]
fn what_a_killed_export_left_is_removed_by_the_next() {
    let home = home();
    let (file, folder) = (here(&home, "big.ndjson"), here(&home, "out"));
    let mut child = writing(&home, &["export", ENDLESS, "-o", &file], || !parts(home.path()).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(parts(home.path()).len(), 1);
    home.ok(&["export", "events", "-o", &file]);
    assert_eq!(parts(home.path()), Vec::<String>::new());
    let line = ["export", ENDLESS, "-o", &folder, "--partition-by", "k"];
    let mut child = writing(&home, &line, || Path::new(&folder).is_dir() && !parts(folder.as_ref()).is_empty());
    // One that still writes is not disturbed.
    let told = refused(&home, &["export", "events", "-o", &folder, "--partition-by", "agent"]);
    assert!(told.contains("another devlog export"), "{told}");
    child.kill().unwrap();
    child.wait().unwrap();
    home.ok(&["export", "events", "-o", &folder, "--partition-by", "agent"]);
    assert_eq!(files(folder.as_ref()), ["agent=claude/part-0.parquet".to_owned()].into());
    assert_eq!(parts(folder.as_ref()), Vec::<String>::new());
}
