//! What each store becomes, and that no trap of the formats is stepped into.

mod corpus;
mod lines;
mod traps;

use std::path::Path;

use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, database, decode_database_with};
use crate::adapters::{Companion, database_decoder};
use crate::schema::{Format, Query, Tables};

/// Path of the editor's database.
const GLOBAL: &str = "/home/me/.config/Cursor/User/globalStorage/state.vscdb";

/// Path of a workspace's database.
const WORKSPACE: &str = "/home/me/.config/Cursor/User/workspaceStorage/0a1b/state.vscdb";

const CHAT: &str = "11111111-2222-4333-8444-555555555555";

/// Statements that make a `state.vscdb` with these keys; `null` is a deleted value.
fn state(table: &str, rows: &[(&str, Value)]) -> String {
    let mut sql = String::new();
    for name in ["ItemTable", "cursorDiskKV"] {
        sql.push_str(&format!("CREATE TABLE {name} (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);"));
    }
    for (key, value) in rows {
        sql.push_str(&insert(table, key, value));
    }
    sql
}

fn insert(table: &str, key: &str, value: &Value) -> String {
    let text = match value {
        Value::Null => "NULL".to_owned(),
        // Text that need not be JSON.
        Value::String(raw) => format!("'{}'", raw.replace('\'', "''")),
        value => format!("'{}'", value.to_string().replace('\'', "''")),
    };
    format!("INSERT INTO {table} VALUES ('{key}', {text});")
}

fn chat(bubbles: &[(&str, i64)], more: Value) -> Value {
    let list: Vec<Value> = bubbles.iter().map(|(id, kind)| json!({"bubbleId": id, "type": kind})).collect();
    let mut chat = json!({"_v": 3, "composerId": CHAT, "createdAt": 1_750_000_000_000_i64,
        "fullConversationHeadersOnly": list});
    chat.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    chat
}

fn key(bubble: &str) -> String {
    format!("bubbleId:{CHAT}:{bubble}")
}

fn read(sql: &str, shown: &str, companions: &[Companion<'_>]) -> Decoded {
    read_open(sql, shown, companions).0
}

fn read_open(sql: &str, shown: &str, companions: &[Companion<'_>]) -> (Decoded, Vec<crate::adapters::tests::Row>) {
    let (_folder, path) = database(sql);
    decode_database_with(Format::CursorState, &path, shown, companions)
}

fn types(decoded: &Decoded) -> Vec<&str> {
    let mut all: Vec<&str> = decoded.rows.iter().map(|row| row["event_type"].as_str().unwrap()).collect();
    all.sort_unstable();
    all
}

/// A chat with each kind of bubble.
fn third_generation() -> Decoded {
    let tool = json!({"tool": 15, "name": "run_terminal_cmd", "toolCallId": "call_1", "status": "completed",
        "rawArgs": "{\"command\":\"ls\"}", "params": "{\"command\":\"ls\",\"cwd\":\"/w\"}",
        "result": "{\"output\":\"a\\nb\",\"exitCodeV2\":0,\"rejected\":false}", "userDecision": "accepted"});
    let edit = json!({"tool": 7, "name": "edit_file_v2", "status": "completed",
        "params": {"relativeWorkspacePath": "src/a.rs"},
        "result": "{\"diff\":{\"chunks\":[{\"linesAdded\":3,\"linesRemoved\":1},{\"linesAdded\":2,\"linesRemoved\":0}]}}"});
    read(
        &state(
            "cursorDiskKV",
            &[
                (
                    &format!("composerData:{CHAT}"),
                    chat(
                        &[("u1", 1), ("t1", 2), ("c1", 2), ("e1", 2), ("a1", 2), ("u2", 1)],
                        json!({
                "name": "Listing", "status": "completed", "modelConfig": {"modelName": "gpt-5"}, "text": "a draft",
                "blobEncryptionKey": "k", "contextTokensUsed": 900, "subComposerIds": ["s"],
                "workspaceIdentifier": {"id": "ws", "uri": {"fsPath": "/w/shop"}}}),
                    ),
                ),
                (
                    &key("u1"),
                    json!({"_v": 3, "bubbleId": "u1", "type": 1, "text": "List it", "createdAt": "2025-06-15T15:06:41.000Z",
                "richText": "{}", "tokenCount": {"inputTokens": 0, "outputTokens": 0}}),
                ),
                (
                    &key("t1"),
                    json!({"bubbleId": "t1", "type": 2, "text": "", "thinking": {"text": "hm"}, "thinkingDurationMs": 7,
                "capabilityType": 30, "createdAt": 1_750_000_002_000_i64}),
                ),
                (
                    &key("c1"),
                    json!({"bubbleId": "c1", "type": 2, "text": "", "capabilityType": 15, "toolFormerData": tool,
                "timingInfo": {"clientStartTime": 1_750_000_003_000.25, "clientEndTime": 1_750_000_003_500.75}}),
                ),
                (
                    &key("e1"),
                    json!({"bubbleId": "e1", "type": 2, "toolFormerData": edit, "createdAt": 1_750_000_004_000_i64}),
                ),
                (
                    &key("a1"),
                    json!({"bubbleId": "a1", "type": 2, "text": "Two files.", "createdAt": 1_750_000_005_000_i64,
                "modelInfo": {"modelName": "claude-4"}, "requestId": "r1", "tokenCount": {"inputTokens": 10, "outputTokens": 5},
                "timingInfo": {"clientStartTime": 1_750_000_004_000.0, "clientEndTime": 1_750_000_005_250.0}}),
                ),
                (
                    &key("u2"),
                    json!({"bubbleId": "u2", "type": 1, "text": "Thanks", "createdAt": 1_750_000_006_000_i64}),
                ),
            ],
        ),
        GLOBAL,
        &[],
    )
}

#[test]
fn a_chat_of_the_third_generation_becomes_prompts_thoughts_answers_calls_and_results() {
    let decoded = third_generation();
    let all = [
        "command_execution",
        "file_modify",
        "llm_response",
        "session_start",
        "thinking",
        "title",
        "tool_result",
        "tool_result",
        "user_interaction",
        "user_interaction",
    ];
    assert_eq!(types(&decoded), all);
    assert!(
        decoded.rows.iter().all(|row| row["session_id"] == CHAT && row["cwd"] == "/w/shop" && row["project"] == "shop")
    );
    let call = decoded.only("command_execution");
    assert_eq!((&call["command"], &call["tool_call_id"], &call["turn"]), (&json!("ls"), &json!("call_1"), &json!(1)));
    assert_eq!(call["tool_input"], json!({"command": "ls", "cwd": "/w"}));
    assert_eq!(call["extra"]["rawArgs"], json!({"command": "ls"}));
    let results = decoded.of("tool_result");
    let ran = results.iter().find(|row| row["tool_name"] == "run_terminal_cmd").unwrap();
    assert_eq!((&ran["tool_output"], &ran["exit_code"], &ran["command"]), (&json!("a\nb"), &json!(0), &json!("ls")));
    assert_eq!(
        (&ran["is_error"], &ran["duration_ms"], &ran["ts"]),
        (&json!(false), &json!(500), &json!(1_750_000_003_500_750_i64))
    );
    let edited = results.iter().find(|row| row["tool_name"] == "edit_file_v2").unwrap();
    assert_eq!(
        (&edited["lines_added"], &edited["lines_removed"], &edited["file_path"]),
        (&json!(5), &json!(1), &json!("src/a.rs"))
    );
    let answer = decoded.only("llm_response");
    assert_eq!(
        (&answer["input_tokens"], &answer["output_tokens"], &answer["total_tokens"]),
        (&json!(10), &json!(5), &json!(15))
    );
    assert_eq!(
        (&answer["model"], &answer["usage_source"], &answer["duration_ms"]),
        (&json!("claude-4"), &json!("reported"), &json!(1250))
    );
    assert_eq!(decoded.only("thinking")["text"], "hm");
    let turns: Vec<_> = decoded.of("user_interaction").iter().map(|row| row["turn"].clone()).collect();
    assert_eq!(turns, [json!(1), json!(2)]);
    let start = decoded.only("session_start");
    assert_eq!((&start["status"], &start["workspace_id"]), (&json!("completed"), &json!("ws")));
    assert_eq!(start["extra"]["contextTokensUsed"], 900);
    let everything = format!("{:?}", decoded.rows);
    assert!(
        !everything.contains("a draft") && !everything.contains("blobEncryptionKey"),
        "drafts and keys are not stored"
    );
}

#[test]
fn a_workspace_of_2024_becomes_its_tabs_chats_edits_and_prompts() {
    let companion = Companion { name: "workspace.json", text: r#"{"folder":"file:///w/shop"}"# };
    let uri = json!({"fsPath": "/w/shop/a.css", "external": "file:///w/shop/a.css", "scheme": "file"});
    let decoded = read(
        &state(
            "ItemTable",
            &[
                (
                    "workbench.panel.aichat.view.aichat.chatdata",
                    json!({"tabs": [{"tabId": "tab", "chatTitle": "Old", "lastSendTime": 1_731_818_231_743_i64,
                "bubbles": [{"type": "user", "id": "x1", "text": "How?", "initText": "{}", "selections": [{"text": "fn a()"}]},
                    {"type": "ai", "id": "x2", "text": "So.", "rawText": "So.", "modelType": "claude-3.5-sonnet"}]},
                {"tabId": "empty", "bubbles": []}]}),
                ),
                (
                    "composer.composerData",
                    json!({"allComposers": [{"composerId": CHAT, "name": "Sidebar", "createdAt": 1_731_784_818_255_i64, "status": "completed",
                "conversation": [{"type": 1, "bubbleId": "b1", "text": "Blue", "context": {"selections": []}},
                    {"type": 2, "bubbleId": "b2", "text": "Done", "codeBlocks": [{"uri": uri, "version": 0}]}],
                "codeBlockData": {"file:///w/shop/a.css": [{"uri": uri, "version": 0, "content": "a{}", "languageId": "css", "status": "accepted"}]}}]}),
                ),
                (
                    "aiService.prompts",
                    json!([{"text": "How?", "commandType": 2}, {"text": "Blue", "commandType": 4}, {"text": "gone", "commandType": 2}, {"text": "gone", "commandType": 2}]),
                ),
                (
                    "aiService.generations",
                    json!([{"unixMs": 1_731_818_000_000.5, "generationUUID": "g1", "type": "cmdk", "textDescription": "inline"}]),
                ),
                ("cursorAuth/accessToken", json!("secret")),
            ],
        ),
        WORKSPACE,
        &[companion],
    );
    assert!(decoded.rows.iter().all(|row| row["cwd"] == "/w/shop" && row["workspace_id"] == "0a1b"));
    let prompts: Vec<_> = decoded.of("user_interaction").iter().map(|row| row["text"].clone()).collect();
    assert_eq!(prompts, [json!("How?"), json!("Blue")]);
    let history: Vec<_> = decoded.of("prompt_history").iter().map(|row| row["text"].clone()).collect();
    assert_eq!(history, [json!("inline"), json!("gone"), json!("gone")]);
    let edit = decoded.only("file_modify");
    assert_eq!(
        (&edit["file_path"], &edit["turn"], &edit["message_id"]),
        (&json!("/w/shop/a.css"), &json!(1), &json!("b2"))
    );
    assert_eq!(edit["tool_input"]["content"], "a{}");
    assert_eq!(decoded.of("title").len(), 2);
    assert_eq!(decoded.of("llm_response")[0]["model"], "claude-3.5-sonnet");
    assert_eq!(decoded.of("user_interaction")[0]["extra"]["selections"], json!([{"text": "fn a()"}]));
}

#[test]
fn a_workspace_whose_chats_are_elsewhere_names_their_folder_and_doubles_no_prompt() {
    let companion = Companion { name: "workspace.json", text: r#"{"folder":"file:///w/shop"}"# };
    let decoded = read(
        &state(
            "ItemTable",
            &[
                (
                    "composer.composerData",
                    json!({"allComposers": [{"composerId": CHAT, "name": "N", "createdAt": 1_750_000_000_000_i64},
                {"composerId": "other", "unifiedMode": "agent"}], "selectedComposerIds": [CHAT]}),
                ),
                (
                    "aiService.prompts",
                    json!([{"text": "in the chat", "commandType": 4}, {"text": "inline edit", "commandType": 1}]),
                ),
            ],
        ),
        WORKSPACE,
        &[companion],
    );
    assert_eq!(types(&decoded), ["prompt_history", "system", "system", "title"]);
    assert_eq!(decoded.only("prompt_history")["text"], "inline edit");
    let title = decoded.only("title");
    assert_eq!(
        (&title["session_id"], &title["cwd"], &title["project"]),
        (&json!(CHAT), &json!("/w/shop"), &json!("shop"))
    );
}

#[test]
fn the_table_of_chats_tells_folder_parent_and_kind() {
    let head = json!({"name": "Sub", "subagentInfo": {"parentComposerId": "p"}, "workspaceIdentifier": {"id": "ws", "uri": {"fsPath": "/w/shop"}}});
    let mut sql = state(
        "cursorDiskKV",
        &[
            (&format!("composerData:{CHAT}"), chat(&[("u", 1)], json!({}))),
            (&key("u"), json!({"type": 1, "text": "Go"})),
        ],
    );
    sql.push_str("CREATE TABLE composerHeaders (composerId TEXT PRIMARY KEY, workspaceId TEXT, createdAt INTEGER, lastUpdatedAt INTEGER, isArchived INTEGER, isSubagent INTEGER, recency INTEGER, checkpointAt INTEGER, value TEXT, subagentTypeName TEXT);");
    sql.push_str(&format!("INSERT INTO composerHeaders VALUES ('{CHAT}', 'ws', 1, 2, 0, 1, 0, 0, '{head}', 'explore'), ('x', NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL);"));
    let decoded = read(&sql, GLOBAL, &[]);
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["is_subagent"], &prompt["parent_session_id"], &prompt["subagent_type"]),
        (&json!(true), &json!("p"), &json!("explore"))
    );
    assert_eq!((&prompt["cwd"], &prompt["workspace_id"]), (&json!("/w/shop"), &json!("ws")));
    assert_eq!(decoded.events().iter().filter(|row| row["event_type"] == "title").count(), 1);
}

/// A blob's statement; its id is the SHA-256 of its data.
fn blob(data: &[u8]) -> (String, [u8; 32]) {
    use sha2::Digest as _;
    let id: [u8; 32] = sha2::Sha256::digest(data).into();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    (format!("INSERT INTO blobs VALUES ('{}', x'{}');", hex(&id), hex(data)), id)
}

fn cli(messages: &[Value], left_over: &[Value], root: bool) -> String {
    let mut sql =
        "CREATE TABLE blobs (id TEXT PRIMARY KEY, data BLOB); CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);"
            .to_owned();
    let mut node = Vec::new();
    for message in messages {
        let (statement, id) = blob(message.to_string().as_bytes());
        sql.push_str(&statement.replace("INSERT", "INSERT OR IGNORE"));
        node.extend([0x0a, 0x20]);
        node.extend(id);
    }
    left_over.iter().for_each(|message| sql.push_str(&blob(message.to_string().as_bytes()).0));
    // The root leads to a node with the messages.
    let (statement, inner) = blob(&node);
    sql.push_str(&statement);
    let outer: Vec<u8> = [&[0x12, 0x20][..], &inner, &[0x08, 0x96, 0x01, 0x4a, 0x07], b"/w/shop"].concat();
    let (statement, id) = blob(&outer);
    sql.push_str(&statement);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let root = if root { hex(&id) } else { String::new() };
    let meta = json!({"agentId": "agent", "name": "Backup", "mode": "default", "createdAt": 1_750_000_000_000_i64, "lastUsedModel": "gpt-5", "latestRootBlobId": root});
    sql.push_str(&format!("INSERT INTO meta VALUES ('0', '{}');", hex(meta.to_string().as_bytes())));
    sql
}

fn talk() -> Vec<Value> {
    vec![
        json!({"role": "system", "content": "You are"}),
        json!({"role": "user", "content": [{"type": "text", "text": "<user_info>\nWorkspace Path: /w/told\n</user_info>"}]}),
        json!({"role": "user", "content": [{"type": "text", "text": "<user_query>\nList\n</user_query>"}], "id": "user-message-1", "providerOptions": {"cursor": {"requestId": "r"}}}),
        json!({"role": "assistant", "id": "assistant-1", "content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "Sure"},
            {"type": "tool-call", "toolCallId": "t1", "toolName": "Shell", "args": {"command": "ls"}}]}),
        json!({"role": "tool", "content": [{"type": "tool-result", "toolCallId": "t1", "toolName": "Shell", "result": "a"}]}),
        json!({"role": "user", "content": [{"type": "text", "text": "<user_query>again</user_query>"}]}),
        json!({"role": "user", "content": [{"type": "text", "text": "<user_query>again</user_query>"}]}),
    ]
}

#[test]
fn a_chat_of_the_cli_is_put_together_from_its_root() {
    let (_folder, path) = database(&cli(&talk(), &[json!({"role": "user", "content": "rewound"})], true));
    let shown = "/home/me/.cursor/chats/0f/agent/store.db";
    let decoded = decode_database_with(Format::CursorChat, &path, shown, &[]).0;
    let all = [
        "command_execution",
        "llm_response",
        "session_start",
        "system",
        "system",
        "thinking",
        "title",
        "tool_result",
        "user_interaction",
        "user_interaction",
        "user_interaction",
    ];
    assert_eq!(types(&decoded), all);
    assert_eq!(decoded.events().len(), all.len(), "the same words twice are two prompts");
    let result = decoded.only("tool_result");
    assert_eq!((&result["command"], &result["tool_output"], &result["turn"]), (&json!("ls"), &json!("a"), &json!(1)));
    assert_eq!(decoded.only("llm_response")["model"], "gpt-5");
    assert!(decoded.rows.iter().all(|row| row["session_id"] == "agent" && row["cwd"] == "/w/shop"));
    let times: Vec<i64> = decoded.rows.iter().map(|row| row["ts"].as_i64().unwrap()).collect();
    assert!(times.is_sorted());
    let companion = Companion { name: "meta.json", text: r#"{"cwd":"/w/side","isSubagent":true,"title":"Side"}"# };
    let beside = decode_database_with(Format::CursorChat, &path, shown, &[companion]).0;
    assert!(beside.rows.iter().all(|row| row["cwd"] == "/w/side" && row["is_subagent"] == true));
    assert_eq!(beside.only("title")["text"], "Side");
}

#[test]
fn a_chat_without_a_root_is_read_in_the_order_it_was_written() {
    let (_folder, path) = database(&cli(&talk(), &[], false));
    let decoded = decode_database_with(Format::CursorChat, &path, "/c/agent/store.db", &[]).0;
    assert_eq!(decoded.of("user_interaction").len(), 2, "equal blobs are one without a root");
    assert!(
        decoded.rows.iter().all(|row| row["event_type"] == "system" || row.get("cwd").is_none_or(|c| c == "/w/told"))
    );
}

#[test]
fn a_growing_chat_ends_with_the_same_events_as_its_last_state() {
    let messages = talk();
    let mut grown: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    for length in 1..=messages.len() {
        let (_folder, path) = database(&cli(&messages[..length], &[], true));
        grown.extend(decode_database_with(Format::CursorChat, &path, "/c/agent/store.db", &[]).0.ids());
    }
    let (_folder, path) = database(&cli(&messages, &[], true));
    let last = decode_database_with(Format::CursorChat, &path, "/c/agent/store.db", &[]).0.ids();
    assert_eq!(grown, last.into_iter().collect());
}

/// The plan of each query of a decoder, as SQLite tells it.
fn plans(path: &Path) -> Vec<(String, String)> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let info = crate::adapters::SourceInfo { path: GLOBAL, ..Default::default() };
    let mut decoder = database_decoder(Format::CursorState, info).unwrap();
    let columns = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let tables =
        [("cursorDiskKV".to_owned(), columns(&["key", "value"])), ("ItemTable".to_owned(), columns(&["key", "value"]))];
    let queries: Vec<Query> = decoder.queries(&Tables::new(tables.into())).unwrap();
    let plan = |query: &Query| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let mut rows = statement.query(&[(":rowid", &5_i64)]).unwrap();
        let mut plan = String::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push_str(&row.get::<_, String>(3).unwrap());
            plan.push('\n');
        }
        (query.sql.clone(), plan)
    };
    queries.iter().map(plan).collect()
}
