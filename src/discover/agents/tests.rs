//! Places and contents of the agents with small logs.

use std::path::Path;

use crate::config::{Os, Places};
use crate::discover::sniff::sniff;
use crate::discover::{Layout, classify, roots};
use crate::schema::Format;

/// Paths of the roots of one agent's pattern layouts.
fn places(agent: &str, os: Os, env: &[(&str, &str)]) -> Vec<String> {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let all = roots(&Places { os, home: "/h".into(), env });
    let own = all.into_iter().filter(|r| r.agent == agent && matches!(r.layout, Layout::Files(_)));
    own.map(|r| r.path.to_string_lossy().into_owned()).collect()
}

/// What the file at `path` is for `agent` on `os` with an empty environment.
fn found(agent: &str, os: Os, path: &str) -> Option<(Format, usize)> {
    let all = roots(&Places { os, home: "/h".into(), env: Default::default() });
    let mut own = all.iter().filter(|r| r.agent == agent && matches!(r.layout, Layout::Files(_)));
    own.find_map(|root| {
        let below = Path::new(path).strip_prefix(&root.path).ok()?;
        classify(root, below).map(|found| (found.format, found.companions.len()))
    })
}

#[test]
fn each_agent_has_its_places_on_each_system() {
    for (agent, os, path) in [
        ("amp", Os::Linux, "/h/.local/share/amp"),
        ("amp", Os::MacOs, "/h/.local/share/amp"),
        ("amp", Os::Windows, "/h/AppData/Local/amp"),
        ("windsurf", Os::Windows, "/h/.windsurf"),
        ("antigravity", Os::Linux, "/h/.gemini/antigravity"),
        ("antigravity", Os::MacOs, "/h/.gemini/antigravity-ide"),
        ("antigravity", Os::Windows, "/h/.gemini/antigravity-cli"),
        ("kiro", Os::Linux, "/h/.config/Kiro/User"),
        ("kiro", Os::Linux, "/h/.kiro-server/data/User"),
        ("kiro", Os::MacOs, "/h/Library/Application Support/Kiro/User"),
        ("kiro", Os::MacOs, "/h/Library/Application Support/kiro-cli"),
        ("kiro", Os::Linux, "/h/.local/share/amazon-q"),
        ("kiro", Os::Windows, "/h/.kiro"),
        ("droid", Os::MacOs, "/h/.factory"),
        ("warp", Os::Linux, "/h/.local/state/warp-terminal"),
        ("warp", Os::Windows, "/h/AppData/Local/warp/Warp/data"),
        ("pi", Os::Linux, "/h/.pi/agent"),
        ("omp", Os::Linux, "/h/.omp/agent"),
        ("openclaw", Os::MacOs, "/h/.openclaw"),
        ("claude", Os::MacOs, "/h/Library/Logs/Claude"),
        ("claude", Os::Windows, "/h/AppData/Roaming/Claude/logs"),
        ("cursor", Os::Linux, "/h/.config/Cursor/logs"),
        ("cursor", Os::Windows, "/h/.cursor/logs"),
    ] {
        assert!(places(agent, os, &[]).iter().any(|p| p == path), "{agent} {os:?} {path}");
    }
}

#[test]
fn variables_add_places_and_the_defaults_stay() {
    for (agent, name, default) in [
        ("amp", "AMP_DATA_DIR", "/h/.local/share/amp"),
        ("amp", "AMP_DIR", "/h/.local/share/amp"),
        ("kiro", "KIRO_HOME", "/h/.kiro"),
        ("droid", "FACTORY_DIR", "/h/.factory"),
        ("pi", "PI_CODING_AGENT_DIR", "/h/.pi/agent"),
        ("openclaw", "OPENCLAW_STATE_DIR", "/h/.openclaw"),
    ] {
        let found = places(agent, Os::Linux, &[(name, "/own")]);
        assert!(found.iter().any(|p| p == "/own") && found.iter().any(|p| p == default), "{name}: {found:?}");
        assert!(crate::config::AGENT_VARIABLES.contains(&name), "{name}");
    }
}

#[test]
fn a_file_is_known_by_its_place() {
    use Format::{
        AmpThread, AntigravityTranscript, DroidSession, KiroChat, KiroSession, KiroStore, LegacyClaude, LegacyCursor,
        OmpSession, OpenclawSession, PiSession, WarpStore, WindsurfSteps,
    };
    let kiro = "/h/.config/Kiro/User/globalStorage/kiro.kiroagent";
    let inside = |path: &str| format!("{kiro}/{path}");
    for (agent, path, expected) in [
        ("amp", "/h/.local/share/amp/threads/T-1.json".to_owned(), Some((AmpThread, 0))),
        ("amp", "/h/.local/share/amp/threads/T-1.json.tmp".to_owned(), None),
        ("windsurf", "/h/.windsurf/transcripts/a.jsonl".to_owned(), Some((WindsurfSteps, 0))),
        (
            "antigravity",
            "/h/.gemini/antigravity/brain/0a/.system_generated/logs/transcript_full.jsonl".to_owned(),
            Some((AntigravityTranscript, 0)),
        ),
        ("antigravity", "/h/.gemini/antigravity/brain/0a/.system_generated/logs/x.jsonl".to_owned(), None),
        ("kiro", inside("0a/1b.chat"), Some((KiroChat, 0))),
        ("kiro", inside("0a/414d1636299d2b9e4ce7e17fb11f63e9/1b"), Some((KiroChat, 0))),
        ("kiro", inside("workspace-sessions/L2g_/1b.json"), Some((KiroChat, 0))),
        ("kiro", inside("index/x/y"), None),
        ("kiro", "/h/.kiro/sessions/cli/1b.jsonl".to_owned(), Some((KiroSession, 1))),
        ("kiro", "/h/.kiro/sessions/ws/sess_1/messages.jsonl".to_owned(), Some((KiroSession, 1))),
        ("kiro", "/h/.local/share/kiro-cli/data.sqlite3".to_owned(), Some((KiroStore, 0))),
        ("droid", "/h/.factory/sessions/-h-p/1b.jsonl".to_owned(), Some((DroidSession, 1))),
        ("droid", "/h/.factory/sessions/1b.jsonl".to_owned(), Some((DroidSession, 1))),
        ("warp", "/h/.local/state/warp-terminal/warp.sqlite".to_owned(), Some((WarpStore, 0))),
        ("pi", "/h/.pi/agent/sessions/--h-p--/t_1b.jsonl".to_owned(), Some((PiSession, 0))),
        ("omp", "/h/.omp/agent/sessions/-h/t_1b/sub.jsonl".to_owned(), Some((OmpSession, 0))),
        ("openclaw", "/h/.openclaw/agents/main/sessions/1b.jsonl".to_owned(), Some((OpenclawSession, 0))),
        ("claude", "/h/.claude/logs/mcp.log".to_owned(), Some((LegacyClaude, 0))),
        ("cursor", "/h/.config/Cursor/logs/main.log".to_owned(), Some((LegacyCursor, 0))),
        ("cursor", "/h/.config/Cursor/logs/20260101T000000/renderer.log".to_owned(), None),
    ] {
        assert_eq!(found(agent, Os::Linux, &path), expected, "{path}");
    }
}

#[test]
fn content_tells_the_format() {
    let table: &[(&str, &str, Option<Format>)] = &[
        ("/x/T-1.json", r#"{"v":3,"id":"T-1","created":1,"messages":[]}"#, Some(Format::AmpThread)),
        ("/x/a.json", r#"{"id":"1","title":"t","messages":[]}"#, None),
        (
            "/x/a.jsonl",
            r#"{"status":"done","type":"user_input","user_input":{"user_response":"x"}}"#,
            Some(Format::WindsurfSteps),
        ),
        (
            "/x/a.jsonl",
            r#"{"step_index":0,"source":"MODEL","type":"PLANNER_RESPONSE","status":"DONE","created_at":"t"}"#,
            Some(Format::AntigravityTranscript),
        ),
        ("/x/a.jsonl", r#"{"version":"v1","kind":"Prompt","data":{}}"#, Some(Format::KiroSession)),
        ("/x/messages.jsonl", r#"{"timestamp":1,"payload":{"type":"user"}}"#, Some(Format::KiroSession)),
        ("/x/a.chat", r#"{"executionId":"e","actionId":"a","chat":[],"metadata":{}}"#, Some(Format::KiroChat)),
        ("/x/a", r#"{"executionId":"e","workflowType":"chat-agent","actions":[]}"#, Some(Format::KiroChat)),
        (
            "/x/a.json",
            r#"{"sessionId":"s","workspaceDirectory":"/p","selectedModel":"m","history":[]}"#,
            Some(Format::KiroChat),
        ),
        ("/x/a.jsonl", r#"{"type":"session_start","id":"s","title":"t","owner":"o"}"#, Some(Format::DroidSession)),
        (
            "/x/a.jsonl",
            r#"{"type":"tool_call","session_id":"s","toolName":"Execute","parameters":{}}"#,
            Some(Format::DroidSession),
        ),
        ("/x/a.jsonl", r#"{"type":"session","id":"s","timestamp":"t","cwd":"/p"}"#, Some(Format::PiSession)),
        ("/h/.omp/a.jsonl", r#"{"type":"session","id":"s","timestamp":"t","cwd":"/p"}"#, Some(Format::OmpSession)),
        (
            "/h/.openclaw/a.jsonl",
            r#"{"type":"session","id":"s","timestamp":"t","cwd":"/p"}"#,
            Some(Format::OpenclawSession),
        ),
        (
            "/x/a.log",
            r#"{"timestamp":"t","type":"llm_request","conversation_id":"c","prompt":"p"}"#,
            Some(Format::LegacyClaude),
        ),
        (
            "/x/a.log",
            r#"{"timestamp":"t","type":"tool_use","session_id":"c","tool":"x","tool_args":{}}"#,
            Some(Format::LegacyCursor),
        ),
        ("/x/a.log", r#"{"timestamp":"t","level":"info","message":"x"}"#, None),
    ];
    for (path, text, expected) in table {
        assert_eq!(sniff(path, text.as_bytes(), None).ok(), *expected, "{text}");
    }
    let database = |sql: &str| [&b"SQLite format 3\0...."[..], sql.as_bytes()].concat();
    let tables: &[(&str, Option<Format>)] = &[
        ("CREATE TABLE conversations_v2 (key TEXT)", Some(Format::KiroStore)),
        ("CREATE TABLE ai_queries (id INTEGER)", Some(Format::WarpStore)),
        ("CREATE TABLE conversations (id TEXT)", None),
    ];
    for (sql, expected) in tables {
        assert_eq!(sniff("/x/a.db", &database(sql), None).ok(), *expected, "{sql}");
    }
}

/// Formats that these agents may find in the folders of the corpus that are not their own.
#[test]
fn no_file_of_another_agent_is_claimed() {
    const OWN: [Format; 12] = [
        Format::AmpThread,
        Format::WindsurfSteps,
        Format::KiroChat,
        Format::KiroSession,
        Format::KiroStore,
        Format::DroidSession,
        Format::WarpStore,
        Format::PiSession,
        Format::OmpSession,
        Format::OpenclawSession,
        Format::LegacyClaude,
        Format::LegacyCursor,
    ];
    let Some(folder) = crate::adapters::tests::corpus(".") else { return };
    for path in crate::adapters::tests::files_below(&folder) {
        let shown = path.to_string_lossy().replace('\\', "/");
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let head = &bytes[..bytes.len().min(crate::discover::SNIFF_BYTES)];
        let Ok(format) = sniff(&shown, head, None) else { continue };
        if shown.contains("/claude-via-vscode/") {
            assert_eq!(format, Format::ClaudeSession, "{shown}");
        }
        if !shown.contains("/corpus/others/") && !shown.contains("/corpus/./others/") {
            assert!(!OWN.contains(&format), "{shown} is no {}", format.name());
        }
    }
}
