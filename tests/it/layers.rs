//! Which room may use which: the table of ARCHITECTURE.md, held by reading the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::modules::{Modules, circles};

/// Room, and the rooms it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("hierarchy", &[]),
    ("text", &[]),
    ("zone", &[]),
    ("schema", &["hierarchy"]),
    ("config", &["schema", "text", "zone"]),
    ("discover", &["schema", "config"]),
    ("watch", &["schema", "discover"]),
    ("adapters", &["schema", "hierarchy"]),
    ("ring", &["schema"]),
    ("lake", &["schema"]),
    ("query", &["schema", "ring", "lake", "text", "zone"]),
    ("pipeline", &["schema", "hierarchy", "config", "discover", "watch", "adapters", "ring", "lake"]),
    ("backfill", &["schema", "config", "discover", "watch", "pipeline", "lake"]),
    ("serve", &["schema", "config", "query", "pipeline", "lake"]),
    (
        "ops",
        &[
            "schema", "config", "discover", "watch", "adapters", "ring", "lake", "query", "pipeline", "backfill",
            "serve", "text", "zone",
        ],
    ),
    ("demo", &[]),
    ("cli", &["demo", "schema", "config", "discover", "lake", "query", "pipeline", "ops", "text", "zone"]),
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
        rooms.entry(room).or_default().push((file.clone(), production(&text)));
    }
    rooms
}

/// A file without comments and without the module of tests that ends it; a test module in a file of its
/// own ends nothing.
fn production(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let opens_tests = |at: &usize| {
        lines[*at].trim() == "#[cfg(test)]"
            && lines[*at..].iter().map(|l| l.trim()).find(|l| !l.starts_with("#[")).is_some_and(|l| l.ends_with('{'))
    };
    let end = (0..lines.len()).find(opens_tests).unwrap_or(lines.len());
    let code: Vec<&str> = lines[..end].iter().copied().filter(|l| !l.trim_start().starts_with("//")).collect();
    code.join("\n")
}

#[test]
fn no_adapter_knows_another() {
    let rooms = rooms();
    let adapters = &rooms["adapters"];
    let (_, room) = adapters.iter().find(|(file, _)| file.ends_with("src/adapters.rs")).unwrap();
    let entries = room.lines().filter_map(|l| l.trim().strip_suffix("::ADAPTER,"));
    let agents: Vec<&str> = entries.chain(["mapped"]).collect();
    assert!(agents.len() > 20, "the agents are in the list of adapters: {agents:?}");
    let own = |file: &Path| {
        let mut parts = file.iter().skip_while(|part| *part != "adapters").skip(1);
        parts.next().map(|name| name.to_str().unwrap().trim_end_matches(".rs").to_owned())
    };
    for (file, code) in adapters {
        let Some(own) = own(file) else { continue };
        for agent in agents.iter().filter(|agent| **agent != own) {
            let named = code.contains(&format!("adapters::{agent}::"));
            assert!(!named, "{} names {agent}; what two share is a piece that both call", file.display());
        }
    }
}

#[test]
fn every_room_uses_only_the_rooms_that_the_architecture_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (file, named) in Modules::read(&src).names() {
        let Some(room) = file.first() else { continue };
        let allowed = MAY_USE.iter().find(|(name, _)| name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("room {room} is not in the table"));
        for other in named.iter().filter_map(|path| path.first()) {
            let is_room = MAY_USE.iter().any(|(name, _)| name == other);
            assert!(
                !is_room || other == room || allowed.contains(&other.as_str()),
                "{} names {other}, but {room} may use only {allowed:?}",
                file.join("/")
            );
        }
    }
}

#[test]
fn a_list_of_rooms_in_one_use_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("ring")).unwrap();
    fs::write(dir.path().join("ring.rs"), "mod tail;").unwrap();
    fs::write(dir.path().join("lake.rs"), "").unwrap();
    fs::write(dir.path().join("ring/tail.rs"), "use crate::{lake::Part, ring};\nfn f() { crate::query::run(); }")
        .unwrap();
    fs::write(dir.path().join("query.rs"), "pub use crate::ring::tail::Tail;").unwrap();
    let modules = Modules::read(dir.path());
    let tail = vec!["ring".to_owned(), "tail".to_owned()];
    let rooms: Vec<&str> = modules.names()[&tail].iter().map(|path| path[0].as_str()).collect();
    assert_eq!(rooms, ["lake", "query", "ring"]);
    assert_eq!(circles(&modules.uses()), [["query", "ring/tail"]], "what is handed on counts where it is written");
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

/// First files of the circles that are left, all between decoders and the types that they share. No other may come, and
/// one that is gone leaves this list.
const LEFT: [&str; 11] = [
    "adapters/amp/content",
    "adapters/claude/assistant",
    "adapters/claude/call",
    "adapters/codex/doubles",
    "adapters/copilot/groups",
    "adapters/copilot_cli/calls",
    "adapters/cursor/bubble",
    "adapters/cursor/items",
    "adapters/opencode/message",
    "adapters/opencode/newer",
    "adapters/zed/legacy",
];

#[test]
fn no_files_use_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = Modules::read(&src);
    let circles = circles(&modules.uses());
    let first: Vec<&str> = circles.iter().map(|files| files[0].as_str()).collect();
    assert_eq!(first, LEFT, "files that reach each other in a circle: move what they share down\n{circles:#?}");
}
