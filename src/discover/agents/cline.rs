//! Where Cline, Roo Code and Kilo log, and how their logs are known.
//!
//! The extensions keep a folder for each task in `globalStorage` of the editor they run in; Cline's CLI keeps the same, and
//! the sessions of its SDK, in `~/.cline/data`. Roo's `customStoragePath` is read with `--path`.

use super::Shared;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

/// Small files that say more of a task, and what the model saw: it names the folder.
const ABOUT: &[&str] =
    &["task_metadata.json", "history_item.json", "../../state/taskHistory.json", "api_conversation_history.json"];

/// What the model saw is read with what the user saw.
const BESIDE: &[&str] = &[
    "ui_messages.json",
    "claude_messages.json",
    "task_metadata.json",
    "history_item.json",
    "../../state/taskHistory.json",
];

const BARREN: &[&str] = &["checkpoints", "cache", "settings"];

const CLINE: Files = Files {
    folders: &["saoudrizwan.claude-dev/tasks", "saoudrizwan.cline-nightly/tasks"],
    files: &[],
    skip_dirs: BARREN,
    patterns: &[
        with("saoudrizwan.cl*/tasks/*/ui_messages.json", Format::ClineTask, ABOUT),
        with("saoudrizwan.cl*/tasks/*/claude_messages.json", Format::ClineTask, ABOUT),
        with("saoudrizwan.cl*/tasks/*/api_conversation_history.json", Format::ClineCalls, BESIDE),
    ],
};

const ROO: Files = Files {
    folders: &["rooveterinaryinc.roo-cline/tasks", "rooveterinaryinc.roo-code-nightly/tasks"],
    files: &[],
    skip_dirs: BARREN,
    patterns: &[
        with("rooveterinaryinc.roo-*/tasks/*/ui_messages.json", Format::RooTask, ABOUT),
        with("rooveterinaryinc.roo-*/tasks/*/claude_messages.json", Format::RooTask, ABOUT),
        with("rooveterinaryinc.roo-*/tasks/*/api_conversation_history.json", Format::RooCalls, BESIDE),
    ],
};

const KILO: Files = Files {
    folders: &["kilocode.kilo-code/tasks"],
    files: &[],
    skip_dirs: BARREN,
    patterns: &[
        with("kilocode.kilo-code/tasks/*/ui_messages.json", Format::KiloTask, ABOUT),
        with("kilocode.kilo-code/tasks/*/claude_messages.json", Format::KiloTask, ABOUT),
        with("kilocode.kilo-code/tasks/*/api_conversation_history.json", Format::KiloCalls, BESIDE),
    ],
};

/// Cline's own data folder.
const DATA: Files = Files {
    folders: &["tasks", "sessions"],
    files: &[],
    skip_dirs: BARREN,
    patterns: &[
        with("tasks/*/ui_messages.json", Format::ClineTask, ABOUT),
        with("tasks/*/claude_messages.json", Format::ClineTask, ABOUT),
        with("tasks/*/api_conversation_history.json", Format::ClineCalls, BESIDE),
        with("sessions/**/*.messages.json", Format::ClineSession, &["{id}.json"]),
        with("sessions/**/*.compaction.json", Format::ClineSession, &["{id}.json"]),
    ],
};

/// A folder of sessions by itself.
const SESSIONS: Files = Files {
    folders: &[""],
    files: &[],
    skip_dirs: BARREN,
    patterns: &[
        with("**/*.messages.json", Format::ClineSession, &["{id}.json"]),
        with("**/*.compaction.json", Format::ClineSession, &["{id}.json"]),
    ],
};

/// Tasks of Roo and Kilo outside of an editor's folder, when the user says whose they are.
const ROO_TASKS: Files = Files {
    folders: &[],
    files: &[],
    skip_dirs: &[],
    patterns: &[
        with("tasks/*/ui_messages.json", Format::RooTask, ABOUT),
        with("tasks/*/api_conversation_history.json", Format::RooCalls, BESIDE),
    ],
};

const KILO_TASKS: Files = Files {
    folders: &[],
    files: &[],
    skip_dirs: &[],
    patterns: &[
        with("tasks/*/ui_messages.json", Format::KiloTask, ABOUT),
        with("tasks/*/api_conversation_history.json", Format::KiloCalls, BESIDE),
        log("tasks/*/claude_messages.json", Format::KiloTask),
    ],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("cline", Layout::Files(&CLINE), ANY, Start::Editors, "globalStorage"),
    row("roo", Layout::Files(&ROO), ANY, Start::Editors, "globalStorage"),
    row("kilo", Layout::Files(&KILO), ANY, Start::Editors, "globalStorage"),
    row("cline", Layout::Files(&DATA), ANY, Start::List("CLINE_DATA_DIR"), ""),
    row("cline", Layout::Files(&DATA), ANY, Start::List("CLINE_DIR"), "data"),
    row("cline", Layout::Files(&DATA), ANY, Start::Home, ".cline/data"),
    row("cline", Layout::Files(&SESSIONS), ANY, Start::List("CLINE_SESSION_DATA_DIR"), ""),
    // Patterns only: no system has a place for them.
    row("roo", Layout::Files(&ROO_TASKS), &[], Start::Home, ""),
    row("kilo", Layout::Files(&KILO_TASKS), &[], Start::Home, ""),
];

const CLINES: &[&str] = &["/saoudrizwan.cl", "/.cline/"];
const ROOS: &[&str] = &["/rooveterinaryinc.roo-"];
const KILOS: &[&str] = &["/kilocode.kilo-code"];

const TASKS: Shared = Shared {
    formats: &[(Format::ClineTask, CLINES), (Format::KiloTask, KILOS), (Format::RooTask, ROOS)],
    has_word: |path, word| path.contains(word),
};

const CALLS: Shared = Shared {
    formats: &[(Format::ClineCalls, CLINES), (Format::KiloCalls, KILOS), (Format::RooCalls, ROOS)],
    has_word: |path, word| path.contains(word),
};

/// Tasks are told by the extension whose folder they are in.
pub(super) const SHARED: &[Shared] = &[TASKS, CALLS];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    match head.shape {
        Shape::Object if head.has(&["version", "updated_at", "sessionId", "messages"]) => Some(Format::ClineSession),
        Shape::Array if head.name() == "api_conversation_history.json" => Some(CALLS.of(head.path)),
        Shape::Array => {
            let is_named = matches!(head.name(), "ui_messages.json" | "claude_messages.json");
            let is_message = head.has(&["ts", "type"])
                && (head.has(&["say"]) || head.has(&["ask"]))
                && matches!(head.kind(), "say" | "ask");
            (is_named || is_message).then(|| TASKS.of(head.path))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Os, Places};
    use crate::discover::classify::classify;
    use crate::discover::places::{Root, roots};
    use crate::discover::sniff::sniff as sniff_bytes;

    fn own(os: Os, env: &[(&str, &str)]) -> Vec<Root> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places { os, home: "/h".into(), env };
        roots(&places).into_iter().filter(|r| matches!(r.agent, "cline" | "roo" | "kilo")).collect()
    }

    #[test]
    fn every_editor_on_every_system_and_clines_own_folder_are_places() {
        for (os, editor) in [
            (Os::Linux, "/h/.config/VSCodium/User/globalStorage"),
            (Os::MacOs, "/h/Library/Application Support/Cursor/User/globalStorage"),
            (Os::Windows, "/r/Windsurf/User/globalStorage"),
        ] {
            let found = own(os, &[("APPDATA", "/r")]);
            for agent in ["cline", "roo", "kilo"] {
                assert!(found.iter().any(|r| r.agent == agent && r.path == Path::new(editor)), "{agent} on {os:?}");
            }
            for path in ["/h/.vscode-server/data/User/globalStorage", "/h/.cline/data"] {
                assert!(found.iter().any(|r| r.agent == "cline" && r.path == Path::new(path)), "{path}");
            }
        }
    }

    #[test]
    fn clines_variables_add_places_and_the_default_stays() {
        let env = [("CLINE_DIR", "/a"), ("CLINE_DATA_DIR", "/b"), ("CLINE_SESSION_DATA_DIR", "/c")];
        let found = own(Os::Linux, &env);
        for path in ["/a/data", "/b", "/c", "/h/.cline/data"] {
            assert!(found.iter().any(|r| r.path == Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_file_is_known_by_its_place_and_its_companions_are_named() {
        let found = own(Os::Linux, &[("CLINE_SESSION_DATA_DIR", "/c")]);
        let at = |agent: &str, path: &str| {
            let roots = found.iter().filter(|r| r.agent == agent);
            roots.filter_map(|r| classify(r, Path::new(path).strip_prefix(&r.path).ok()?)).next()
        };
        let storage = "/h/.config/Code/User/globalStorage";
        let table: &[(&str, &str, Option<Format>)] = &[
            ("cline", "saoudrizwan.claude-dev/tasks/1/ui_messages.json", Some(Format::ClineTask)),
            ("cline", "saoudrizwan.claude-dev/tasks/1/claude_messages.json", Some(Format::ClineTask)),
            ("cline", "saoudrizwan.claude-dev/tasks/1/api_conversation_history.json", Some(Format::ClineCalls)),
            ("cline", "saoudrizwan.claude-dev/tasks/1/task_metadata.json", None),
            ("cline", "saoudrizwan.claude-dev/state/taskHistory.json", None),
            ("roo", "rooveterinaryinc.roo-cline/tasks/1/ui_messages.json", Some(Format::RooTask)),
            ("roo", "rooveterinaryinc.roo-cline/tasks/_index.json", None),
            ("kilo", "kilocode.kilo-code/tasks/1/api_conversation_history.json", Some(Format::KiloCalls)),
        ];
        for (agent, path, expected) in table {
            let found = at(agent, &format!("{storage}/{path}"));
            assert_eq!(found.as_ref().map(|f| f.format), *expected, "{path}");
        }
        let calls = at("cline", &format!("{storage}/saoudrizwan.claude-dev/tasks/1/api_conversation_history.json"));
        let names: Vec<String> = calls.unwrap().companions.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        assert_eq!(names[0], format!("{storage}/saoudrizwan.claude-dev/tasks/1/ui_messages.json"));
        assert_eq!(names[4], format!("{storage}/saoudrizwan.claude-dev/state/taskHistory.json"));
        let session = at("cline", "/h/.cline/data/sessions/s1/s1.messages.json").unwrap();
        assert_eq!(session.format, Format::ClineSession);
        assert_eq!(session.companions, [Path::new("/h/.cline/data/sessions/s1/s1.json")]);
        assert_eq!(at("cline", "/c/s1/s1.compaction.json").unwrap().format, Format::ClineSession);
        assert!(at("cline", "/h/.cline/data/sessions/s1/s1.json").is_none());
    }

    #[test]
    fn content_tells_a_task_and_the_path_whose_it_is() {
        let say = r#"[{"ts":1,"type":"say","say":"text","text":"x"}]"#;
        let session = r#"{"version":1,"updated_at":"t","agent":"lead","sessionId":"s","messages":[]}"#;
        let table: &[(&str, &str, Option<Format>)] = &[
            ("/x/any.json", say, Some(Format::ClineTask)),
            ("/x/rooveterinaryinc.roo-cline/tasks/1/ui_messages.json", say, Some(Format::RooTask)),
            ("/x/kilocode.kilo-code/tasks/1/ui_messages.json", say, Some(Format::KiloTask)),
            ("/x/api_conversation_history.json", r#"[{"role":"user","content":"x"}]"#, Some(Format::ClineCalls)),
            ("/x/any.json", r#"[{"role":"user","content":"x"}]"#, None),
            ("/x/any.json", session, Some(Format::ClineSession)),
        ];
        for (path, text, expected) in table {
            assert_eq!(sniff_bytes(path, text.as_bytes(), None).ok(), *expected, "{path}");
        }
        assert_eq!(sniff_bytes("/x/any.json", say.as_bytes(), Some("roo")), Ok(Format::RooTask), "it is asked for");
    }
}
