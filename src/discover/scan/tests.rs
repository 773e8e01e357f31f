use std::fs;
use std::path::Path;

use super::*;

fn claude(path: &Path) -> Root {
    Root { agent: "claude", layout: Layout::Claude, path: path.to_owned(), wildcard: false, sibling_roots: [].into() }
}

fn write(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "{}\n").unwrap();
}

/// Files (relative) and notes of a scan, sorted.
fn seen(root: &Root) -> (Vec<String>, Vec<String>) {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    scan(root, |seen| match seen {
        ScanItem::File(file) => {
            files.push(file.path.strip_prefix(&root.path).unwrap().to_string_lossy().into_owned());
        }
        ScanItem::Link(_) => {}
        ScanItem::ScanWarning(note) => notes.push(note.to_string()),
    });
    files.sort();
    notes.sort();
    (files, notes)
}

#[test]
fn a_scan_finds_the_logs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = claude(folder.path());
    for name in [
        "history.jsonl",
        "projects/p/a.jsonl",
        "projects/p/s/subagents/agent-1.jsonl",
        "projects/p/s/subagents/agent-1.meta.json",
        "projects/p/s/tool-results/x.jsonl",
        "projects/p/.hidden.jsonl",
        "todos/x.jsonl",
        "settings.json",
    ] {
        write(&folder.path().join(name));
    }
    fs::create_dir(folder.path().join("projects/p/dir.jsonl")).unwrap();
    let (files, notes) = seen(&root);
    assert_eq!(files, ["history.jsonl", "projects/p/a.jsonl", "projects/p/s/subagents/agent-1.jsonl"]);
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_root_that_does_not_exist_is_nothing_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(seen(&claude(&folder.path().join("none"))), (vec![], vec![]));
}

#[test]
fn a_pattern_stands_for_the_folders_that_fit_it() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["Claude_b/x", "Claude_a/x", "Other/x", "Claude/x"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let root = Root { wildcard: true, ..claude(&folder.path().join("Claude_*").join("x")) };
    let found: Vec<_> = expand(&root).into_iter().map(|r| r.path).collect();
    assert_eq!(found, [folder.path().join("Claude_a/x"), folder.path().join("Claude_b/x")]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_whose_name_is_no_text_is_told_of_and_not_read() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("projects/p/a.jsonl"));
    let projects = folder.path().join("projects");
    write(&projects.join(std::ffi::OsStr::from_bytes(b"p\xff")).join("b.jsonl"));
    write(&projects.join("p").join(std::ffi::OsStr::from_bytes(b"\xfe.jsonl")));
    write(&projects.join("p").join(std::ffi::OsStr::from_bytes(b"\xfe.png")));
    let (files, notes) = seen(&claude(folder.path()));
    assert_eq!(files, ["projects/p/a.jsonl"]);
    assert!(notes.len() == 2 && notes.iter().all(|note| note.contains("not valid UTF-8")), "{notes:?}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_wherever_they_lead_each_folder_once_and_never_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (base, out) = (folder.path(), elsewhere.path());
        write(&base.join("projects/p/a.jsonl"));
        write(&base.join("old/q/b.jsonl"));
        write(&out.join("r/s/c.jsonl"));
        write(&out.join("d.jsonl"));
        write(&out.join("notes/MEMORY.md"));
        let link = |target: &Path, name: &str| symlink(target, base.join("projects").join(name)).unwrap();
        link(&base.join("projects"), "p/up");
        link(base, "p/root");
        link(Path::new("/"), "p/everything");
        link(Path::new("/proc"), "p/system");
        link(&base.join("old"), "old");
        link(&base.join("old"), "once-more");
        link(&base.join("projects/p"), "same");
        link(&out.join("r"), "out");
        link(&out.join("r/s"), "out-below");
        link(&out.join("notes"), "p/memory");
        link(&out.join("d.jsonl"), "p/d.jsonl");
        link(&out.join("d.jsonl"), "p/e.jsonl");
        link(Path::new("a.jsonl"), "p/f.jsonl");
        link(Path::new("nowhere"), "p/dangling.jsonl");
        link(Path::new("circle"), "circle");
        let (files, notes) = seen(&claude(base));
        let expected = ["projects/old/q/b.jsonl", "projects/out/s/c.jsonl", "projects/p/a.jsonl", "projects/p/d.jsonl"];
        assert_eq!(files, expected);
        assert_eq!(notes.iter().filter(|n| n.contains("contains it")).count(), 2, "{notes:#?}");
        assert_eq!(notes.iter().filter(|n| n.contains("not a place for logs")).count(), 1, "{notes:#?}");
        assert_eq!(notes.len(), 3, "{notes:#?}");
    }

    #[test]
    fn links_behind_links_are_followed_and_a_folder_above_one_is_walked_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (base, out) = (folder.path(), elsewhere.path());
        write(&base.join("projects/p/a.jsonl"));
        write(&out.join("x/y/b.jsonl"));
        write(&out.join("z/c.jsonl"));
        symlink(out.join("x/y"), base.join("projects/first")).unwrap();
        symlink(out.join("x"), base.join("projects/second")).unwrap();
        symlink(out.join("z"), out.join("x/third")).unwrap();
        symlink(out.join("x"), out.join("z/back")).unwrap();
        let (files, notes) = seen(&claude(base));
        assert_eq!(files, ["projects/first/b.jsonl", "projects/p/a.jsonl", "projects/second/third/c.jsonl"]);
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn what_another_root_walks_is_met_there() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (claude(&folder.path().join("one")), claude(&folder.path().join("two")));
        write(&one.path.join("projects/p/a.jsonl"));
        write(&two.path.join("projects/q/b.jsonl"));
        symlink(two.path.join("projects/q"), one.path.join("projects/q")).unwrap();
        symlink(two.path.join("projects/q/b.jsonl"), one.path.join("projects/p/b.jsonl")).unwrap();
        let roots = [one, two];
        let elsewhere = Elsewhere::new(&roots);
        let mut found = Vec::new();
        for root in &roots {
            scan_among(root, &elsewhere, |seen| found.push(format!("{seen:?}")));
        }
        assert_eq!(found.len(), 2, "{found:#?}");
    }

    #[test]
    fn a_root_and_its_own_folders_may_be_links_to_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        write(&elsewhere.path().join("logs/p/a.jsonl"));
        write(&elsewhere.path().join("h.jsonl"));
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink(elsewhere.path().join("logs"), folder.path().join("real/projects")).unwrap();
        symlink(elsewhere.path().join("h.jsonl"), folder.path().join("real/history.jsonl")).unwrap();
        symlink(folder.path().join("real"), folder.path().join("linked")).unwrap();
        let (files, notes) = seen(&claude(&folder.path().join("linked")));
        assert_eq!(files, ["history.jsonl", "projects/p/a.jsonl"]);
        assert!(notes.is_empty(), "{notes:?}");
    }

    #[test]
    fn special_files_are_named_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("projects/p/a.jsonl"));
        let fifo = folder.path().join("projects/p/fifo.jsonl");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        symlink("/dev/zero", folder.path().join("projects/p/zero.jsonl")).unwrap();
        let (files, notes) = seen(&claude(folder.path()));
        assert_eq!(files, ["projects/p/a.jsonl"]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes.iter().all(|n| n.contains("not a regular file")), "{notes:?}");
    }

    #[test]
    fn a_folder_nested_too_deeply_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let deep = (0..40).fold(folder.path().join("projects"), |path, _| path.join("d"));
        write(&deep.join("a.jsonl"));
        let (files, notes) = seen(&claude(folder.path()));
        assert!(files.is_empty());
        assert!(notes[0].contains("nested deeper"), "{notes:?}");
    }

    #[test]
    fn an_unreadable_folder_is_reported_and_the_walk_goes_on() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("projects/p/a.jsonl"));
        write(&folder.path().join("projects/q/b.jsonl"));
        let closed = folder.path().join("projects/q");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
        let refused = fs::read_dir(&closed).is_err();
        let (files, notes) = seen(&claude(folder.path()));
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        // The superuser is refused nothing; then both files are found.
        assert_eq!(files.len(), if refused { 1 } else { 2 });
        assert_eq!(notes.len(), usize::from(refused), "{notes:?}");
    }
}

#[test]
fn two_threads_find_what_one_finds_and_follow_each_link_once() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    let mut expected = Vec::new();
    for i in 0..300 {
        for name in [format!("projects/p{i:03}/a.jsonl"), format!("projects/p{i:03}/s/subagents/agent-1.jsonl")] {
            write(&base.join(&name));
            expected.push(name);
        }
    }
    #[cfg(unix)]
    {
        write(&base.join("old/q/b.jsonl"));
        for i in 0..300 {
            std::os::unix::fs::symlink(base.join("old"), base.join(format!("projects/p{i:03}/old"))).unwrap();
        }
        expected.push("projects/p000/old/q/b.jsonl".to_owned());
        expected.sort();
    }
    let (files, notes) = seen(&claude(base));
    assert_eq!(files, expected);
    assert!(notes.is_empty(), "{notes:?}");
}

/// `cargo test --release --lib discover::scan -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn twenty_thousand_files() {
    let folder = tempfile::tempdir().unwrap();
    for project in 0..1000 {
        for session in 0..20 {
            write(&folder.path().join(format!("projects/-home-u-project-{project}/0a1b2c3d-{session}.jsonl")));
        }
    }
    let root = claude(folder.path());
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let mut files = 0;
        scan(&root, |seen| files += usize::from(matches!(seen, ScanItem::File(_))));
        let took = start.elapsed();
        assert_eq!(files, 20_000);
        std::io::Write::write_all(&mut std::io::stderr(), format!("{files} files in {took:?}\n").as_bytes()).unwrap();
    }
}
