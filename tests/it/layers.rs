//! Which room may use which: the table of ARCHITECTURE.md, held by reading the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("hierarchy", &[]),
    ("schema", &["hierarchy"]),
    ("config", &["schema"]),
    ("discover", &["schema", "config"]),
    ("watch", &["schema", "discover"]),
    ("adapters", &["schema", "hierarchy"]),
    ("ring", &["schema"]),
    ("lake", &["schema"]),
    ("query", &["schema", "ring", "lake"]),
    ("pipeline", &["schema", "hierarchy", "config", "discover", "watch", "adapters", "ring", "lake"]),
    ("backfill", &["schema", "config", "discover", "watch", "pipeline", "lake"]),
    ("serve", &["schema", "config", "query", "pipeline", "lake"]),
    ("demo", &[]),
    (
        "cli",
        &[
            "demo", "schema", "config", "discover", "watch", "adapters", "ring", "lake", "query", "pipeline",
            "backfill", "serve",
        ],
    ),
];

/// Words that must not stand in a room's sources.
const NEVER: &[(&str, &[&str])] = &[
    ("hierarchy", &["std::fs", "std::path", "std::env"]),
    ("discover", &["arrow::", "datafusion"]),
    ("watch", &["arrow::", "datafusion", "tokio"]),
    ("adapters", &["std::fs", "File::open", "SystemTime", "Instant", "datafusion", "tokio", "mpsc"]),
    ("ring", &["std::fs", "tokio", "std::path", "SystemTime", "Instant"]),
    ("lake", &["datafusion", "tokio"]),
    ("query", &["notify::"]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Production lines of each room: `src/room.rs` and `src/room/**`, without tests and comments.
fn rooms() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut rooms: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if inside.ends_with("tests.rs") || inside.iter().any(|c| c == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code: Vec<&str> = text
            .lines()
            .take_while(|l| l.trim() != "#[cfg(test)]")
            .filter(|l| !l.trim_start().starts_with("//"))
            .collect();
        rooms.entry(room).or_default().push((file.clone(), code.join("\n")));
    }
    rooms
}

#[test]
fn every_room_uses_only_the_rooms_that_the_architecture_allows() {
    let rooms = rooms();
    for (room, files) in &rooms {
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed = MAY_USE.iter().find(|(name, _)| name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("room {room} is not in the table"));
        for (file, code) in files {
            for (other, _) in MAY_USE {
                let named = code.contains(&format!("crate::{other}::")) || code.contains(&format!("crate::{other};"));
                assert!(
                    !named || other == room || allowed.contains(other),
                    "{} names {other}, but {room} may use only {allowed:?}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn no_room_reaches_for_what_is_not_its_business() {
    let rooms = rooms();
    for (room, words) in NEVER {
        for (file, code) in rooms.get(*room).into_iter().flatten() {
            for word in *words {
                assert!(!code.contains(word), "{} uses {word}, which is not the business of {room}", file.display());
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, _) in rooms().values().flatten() {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.starts_with("//!"), "{} has no head comment", file.display());
    }
}

#[test]
fn the_environment_is_read_in_config_only() {
    for (room, files) in rooms() {
        if room == "config" {
            continue;
        }
        for (file, code) in files {
            assert!(
                !code.contains("env::var") && !code.contains("home_dir("),
                "{} reads the environment",
                file.display()
            );
        }
    }
}
