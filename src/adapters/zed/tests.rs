//! Tests of the decoder, on databases of our own.

use proptest::prelude::*;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, Looks, database, decode_database};
use crate::schema::Format;
use crate::watch::Database;

const DB: &str = "/home/u/.local/share/zed/threads/threads.db";
const EARLY: &str = "CREATE TABLE threads (id TEXT PRIMARY KEY, summary TEXT NOT NULL, updated_at TEXT NOT NULL, \
                     data_type TEXT NOT NULL, data BLOB NOT NULL);";
const LATER: &str = "ALTER TABLE threads ADD COLUMN parent_id TEXT; ALTER TABLE threads ADD COLUMN folder_paths TEXT; \
                     ALTER TABLE threads ADD COLUMN folder_paths_order TEXT; ALTER TABLE threads ADD COLUMN created_at TEXT;";

fn usage(input: i64, output: i64) -> Value {
    json!({"input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100})
}

/// A thread of one prompt and its answers so far.
fn thread(answers: usize) -> Value {
    let call = json!({"ToolUse": {"id": "call_1", "name": "edit_file", "raw_input": "{}", "is_input_complete": true,
        "input": {"path": "app/a.rs", "display_description": "Edit"}}});
    let all = [
        json!({"Agent": {"content": [{"Thinking": {"text": "Hm", "signature": "c2VhbGVk"}}, {"Text": "I edit."}, call],
            "tool_results": {"call_1": {"tool_use_id": "call_1", "tool_name": "edit_file", "is_error": false,
                "content": [{"Text": "edited"}], "output": {"diff": "@@"}}}}}),
        json!({"Agent": {"content": [{"Text": "Done."}, {"RedactedThinking": "zz"}], "tool_results": {}}}),
    ];
    let image = json!({"Image": {"source": "data:image/png;base64,".to_owned() + &"QUJD".repeat(64)}});
    let mut messages = vec![json!({"User": {"id": "u-1", "content": [{"Text": "Fix it"},
        {"Mention": {"uri": {"File": {"abs_path": "/home/u/app/a.rs"}}, "content": "fn main() {}"}}, image]}})];
    messages.extend(all[..answers].iter().cloned());
    json!({"title": "A title", "version": "0.3.0", "messages": messages, "updated_at": "2026-03-01T10:00:00Z",
        "model": {"provider": "anthropic", "model": "claude-x"}, "profile": "write", "draft_prompt": [{"type": "text", "text": "unsent"}],
        "request_token_usage": {"u-1": usage(10 * i64::try_from(answers).unwrap(), 20)},
        "cumulative_token_usage": {"input_tokens": 50, "output_tokens": 60, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 300},
        "initial_project_snapshot": {"worktree_snapshots": [{"worktree_path": "/home/u/app", "git_state":
            {"remote_url": "https://github.com/o/app", "head_sha": "abc", "current_branch": "main"}}]}})
}

fn put(connection: &Connection, id: &str, updated: &str, kind: &str, data: &[u8]) {
    let sql = "INSERT INTO threads (id, summary, updated_at, data_type, data) VALUES (?1, 'A title', ?2, ?3, ?4) \
               ON CONFLICT(id) DO UPDATE SET updated_at = excluded.updated_at, data = excluded.data";
    connection.execute(sql, params![id, updated, kind, data]).unwrap();
}

fn decode(kind: &str, data: &[u8]) -> Decoded {
    let (_folder, path) = database(EARLY);
    put(&Connection::open(&path).unwrap(), "t-1", "2026-03-01T10:00:00.5+00:00", kind, data);
    decode_database(Format::ZedStore, &path, DB).0
}

#[test]
fn a_thread_becomes_rows_packed_or_not() {
    let text = thread(2).to_string();
    let plain = decode("json", text.as_bytes());
    let packed = decode("zstd", &zstd::encode_all(text.as_bytes(), 3).unwrap());
    assert_eq!(plain.rows, packed.rows);
    let prompt = plain.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["turn"], &prompt["cwd"]),
        (&json!("Fix it"), &json!(1), &json!("/home/u/app"))
    );
    assert_eq!((&prompt["ts"], &prompt["ts_source"]), (&json!(1_772_359_200_500_000i64), &json!("inferred")));
    assert_eq!(
        (&prompt["git_commit"], &prompt["git_branch"], &prompt["project"]),
        (&json!("abc"), &json!("main"), &json!("o/app"))
    );
    let attachments = plain.of("attachment");
    assert_eq!(
        (&attachments[0]["file_path"], &attachments[0]["extra"]["Mention"]["content"]),
        (&json!("/home/u/app/a.rs"), &json!("fn main() {}"))
    );
    assert_eq!(attachments[1]["extra"]["Image"]["source"]["bytes"], 192);
    let answers = plain.of("llm_response");
    assert_eq!(
        (&answers[0]["text"], &answers[0]["model"], &answers[0]["provider"]),
        (&json!("I edit."), &json!("claude-x"), &json!("anthropic"))
    );
    assert_eq!(plain.only("thinking")["text"], "Hm");
    assert_eq!(plain.only("file_modify")["file_path"], "app/a.rs");
    let result = plain.only("tool_result");
    assert_eq!(
        (&result["tool_output"], &result["tool_name"], &result["extra"]["output"]["diff"]),
        (&json!("edited"), &json!("edit_file"), &json!("@@"))
    );
    assert_eq!(plain.only("session_start")["extra"]["profile"], "write");
    assert!(!format!("{:?}", plain.rows).contains("unsent"), "a draft is not stored");
}

#[test]
fn what_requests_took_adds_up_to_what_the_thread_took() {
    let decoded = decode("json", thread(2).to_string().as_bytes());
    let answers = decoded.of("llm_response");
    assert_eq!((&answers[0]["total_tokens"], &answers[0]["usage_source"]), (&json!(145), &json!("partial")));
    assert!(!answers[1].contains_key("total_tokens"));
    let rest = decoded.only("system");
    assert_eq!(
        (&rest["input_tokens"], &rest["cache_read_tokens"], &rest["usage_source"]),
        (&json!(30), &json!(200), &json!("derived"))
    );
    assert_eq!((decoded.sum("input_tokens"), decoded.sum("total_tokens")), (50, 415));
}

#[test]
fn a_thread_that_goes_on_ends_with_the_events_of_its_last_state() {
    let (_folder, path) = database(&[EARLY, LATER].concat());
    let connection = Connection::open(&path).unwrap();
    let mut looks = Looks::new(Format::ZedStore, &path, DB);
    for (answers, updated) in
        [(0, "2026-03-01T10:00:00+00:00"), (1, "2026-03-01T10:00:05+00:00"), (2, "2026-03-01T10:00:09+00:00")]
    {
        put(&connection, "t-1", updated, "json", thread(answers).to_string().as_bytes());
        put(&connection, "t-0", "2026-03-01T09:00:00+00:00", "json", thread(1).to_string().as_bytes());
        looks.look(false);
    }
    assert_eq!(looks.look(false).records, 1, "only the thread that changed last comes again");
    let (whole, _) = decode_database(Format::ZedStore, &path, DB);
    let sorted = |decoded: &Decoded| {
        let mut all: Vec<String> = decoded
            .events()
            .into_iter()
            .map(|row| {
                let mut row = row.clone();
                // No message has a time of its own: the first that was known stays.
                row.remove("ts");
                serde_json::to_string(&row).unwrap()
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(looks.all.sum("total_tokens"), whole.sum("total_tokens"));
    assert_eq!(sorted(&looks.all).len(), sorted(&whole).len());
    assert_eq!(
        looks.all.ids().into_iter().collect::<std::collections::BTreeSet<_>>(),
        whole.ids().into_iter().collect()
    );
}

#[test]
fn threads_before_0_3_have_usage_by_message_and_results_in_the_next_one() {
    let legacy = json!({"version": "0.1.0", "summary": "Old", "updated_at": "2025-05-01T10:00:00Z", "messages": [
        {"id": 0, "role": "user", "segments": [{"type": "text", "text": "Hi"}], "context": "<file>"},
        {"id": 1, "role": "assistant", "segments": [{"type": "thinking", "text": "Hm"}, {"type": "text", "text": "Yes"}],
            "tool_uses": [{"id": "c", "name": "terminal", "input": {"command": "ls"}}]},
        {"id": 2, "role": "user", "segments": [], "tool_results": [{"tool_use_id": "c", "is_error": true, "content": "no", "output": null}]},
        {"id": 3, "role": "system", "segments": [{"type": "text", "text": "be kind"}]}, {"id": 4, "role": "wizard"}],
        "request_token_usage": [{}, {"input_tokens": 7, "output_tokens": 3}], "cumulative_token_usage": {"input_tokens": 7, "output_tokens": 3}});
    let decoded = decode("json", legacy.to_string().as_bytes());
    assert_eq!(
        (&decoded.only("user_interaction")["text"], &decoded.only("attachment")["text"]),
        (&json!("Hi"), &json!("<file>"))
    );
    assert_eq!(
        (&decoded.only("llm_response")["text"], &decoded.only("llm_response")["total_tokens"]),
        (&json!("Yes"), &json!(10))
    );
    assert_eq!(
        (&decoded.only("command_execution")["command"], &decoded.only("tool_result")["tool_output"]),
        (&json!("ls"), &json!("no"))
    );
    assert_eq!((decoded.only("tool_result")["is_error"].clone(), decoded.sum("total_tokens")), (json!(true), 10));
    assert_eq!((&decoded.of("system")[0]["text"], decoded.of("unknown").len()), (&json!("be kind"), 1));
    // Earlier still: one text, no version.
    let first = json!({"summary": "Old", "updated_at": "2025-03-01T10:00:00Z", "messages": [
        {"id": 0, "role": "user", "text": "Hi"}, {"id": 1, "role": "assistant", "text": "Yes"}]});
    assert_eq!(decode("json", first.to_string().as_bytes()).only("llm_response")["text"], "Yes");
}

#[test]
fn a_sub_agents_thread_names_its_parent_and_its_folder() {
    let (_folder, path) = database(&[EARLY, LATER].concat());
    let connection = Connection::open(&path).unwrap();
    put(&connection, "t-2", "2026-03-01T10:00:00+00:00", "json", thread(1).to_string().as_bytes());
    let more = "UPDATE threads SET parent_id = 't-1', folder_paths = '/work/a\n/work/b', created_at = '2026-03-01T09:59:00+00:00'";
    connection.execute_batch(more).unwrap();
    let (decoded, _) = decode_database(Format::ZedStore, &path, DB);
    let start = decoded.only("session_start");
    assert_eq!(
        (&start["parent_session_id"], &start["is_subagent"], &start["cwd"]),
        (&json!("t-1"), &json!(true), &json!("/work/a"))
    );
    assert_eq!((&start["ts"], &start["ts_source"]), (&json!(1_772_359_140_000_000i64), &json!("log")));
}

#[test]
fn bad_threads_are_rejects_and_foreign_tables_are_refused() {
    for (kind, data) in
        [("json", &b"{\"mess"[..]), ("zstd", b"not packed"), ("brotli", b"x"), ("json", b"{}"), ("json", b"[]")]
    {
        assert_eq!(decode(kind, data).rejects.len(), 1, "{kind}");
    }
    let odd = json!({"messages": [{"Robot": {}}, "Resume", 7, {"Agent": {"content": [{"Song": "la"}]}}, {"User": {}}]});
    assert_eq!(decode("json", odd.to_string().as_bytes()).of("unknown").len(), 3);
    let (_folder, path) = database("CREATE TABLE threads (id TEXT)");
    let tables = Database::open(&path, Format::ZedStore).unwrap().tables().unwrap();
    let mut decoder = super::database(Format::ZedStore, Default::default()).unwrap();
    assert!(decoder.queries(&tables).unwrap_err().detail.contains("`threads`"));
}

#[test]
fn the_diff_of_an_edit_says_which_lines_it_changed_and_remotes_over_ssh_are_kept() {
    let mut thread = thread(1);
    thread["messages"][1]["Agent"]["tool_results"]["call_1"]["output"] =
        json!({"diff": "@@ -1,3 +1,3 @@\n fn main() {\n--- old\n+++i\n }\n"});
    thread["initial_project_snapshot"]["worktree_snapshots"][0]["git_state"]["remote_url"] =
        json!("git@github.com:o/app.git");
    let decoded = decode("json", thread.to_string().as_bytes());
    let result = decoded.only("tool_result");
    assert_eq!((&result["lines_added"], &result["lines_removed"]), (&json!(1), &json!(1)));
    assert!(decoded.rows.iter().all(|row| row["project"] == "o/app" && row.contains_key("repo_url")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_thread_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), packed in any::<bool>()) {
        let mut bytes = thread(2).to_string().into_bytes();
        if packed {
            bytes = zstd::encode_all(&bytes[..], 3).unwrap();
        }
        let at = at.index(bytes.len());
        bytes[at] = byte;
        decode(if packed { "zstd" } else { "json" }, &bytes);
    }
}
