//! The traps of the format, one test each.

use serde_json::{Value, json};

use super::*;
use crate::adapters::SourceInfo;
use crate::adapters::tests::decode_with;
use crate::schema::{Record, RowContext, Rows, Value as Cell};

fn one(bubble: Value) -> Decoded {
    let rows = [(format!("composerData:{CHAT}"), chat(&[("b", 2)], json!({}))), (key("b"), bubble)];
    let rows: Vec<(&str, Value)> = rows.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    read(&state("cursorDiskKV", &rows), GLOBAL, &[])
}

#[test]
fn trap_1_of_a_chat_in_four_stores_no_prompt_counts_twice() {
    let sql = state(
        "cursorDiskKV",
        &[
            (&format!("composerData:{CHAT}"), chat(&[("b", 1)], json!({}))),
            (&key("b"), json!({"type": 1, "text": "once"})),
            ("agentKv:blob:00ff", json!({"role": "user", "content": [{"type": "text", "text": "once"}]})),
        ],
    );
    assert_eq!(read(&sql, GLOBAL, &[]).of("user_interaction").len(), 1);
    let line = br#"{"role":"user","message":{"content":[{"type":"text","text":"<user_query>once</user_query>"}]}}
{"role":"assistant","message":{"content":[{"type":"text","text":"ok"},{"type":"tool_use","name":"Shell","input":{"command":"ls"}}]}}
"#;
    let path = format!("/home/me/.cursor/projects/w/agent-transcripts/{CHAT}/{CHAT}.jsonl");
    for owner in ["composerData:c", "store.db"] {
        let owner = Companion { name: owner, text: "" };
        let copy = decode_with(Format::CursorTranscript, &path, &[owner], line);
        assert_eq!(types(&copy), ["prompt_history"]);
        assert_eq!((copy.rows[0]["session_id"].as_str(), copy.rows[0]["text"].as_str()), (Some(CHAT), Some("once")));
    }
    let alone = decode_with(Format::CursorTranscript, &path, &[], line);
    assert_eq!(types(&alone), ["command_execution", "llm_response", "user_interaction"]);
}

#[test]
fn trap_2_bubbles_inside_of_the_chat_and_beside_it_are_the_same_events() {
    let bubbles = json!([{"type": 1, "bubbleId": "aaaaaaaa-0000-4000-8000-000000000001", "text": "Q"},
        {"type": 2, "bubbleId": "aaaaaaaa-0000-4000-8000-000000000002", "text": "A"}]);
    let data = json!({"tool": 7, "name": "read_file", "params": "{\"targetFile\":\"a.rs\"}", "status": "completed", "result": "{}"});
    for map in [
        json!({"aaaaaaaa-0000-4000-8000-000000000002": data}),
        json!(json!({"aaaaaaaa-0000-4000-8000-000000000002": data}).to_string()),
    ] {
        let inline = json!({"composerId": CHAT, "createdAt": 1_750_000_000_000_i64, "conversation": bubbles,
            "capabilities": [{"type": 15, "data": {"bubbleDataMap": map}}]});
        let old = read(&state("cursorDiskKV", &[(&format!("composerData:{CHAT}"), inline.clone())]), GLOBAL, &[]);
        assert_eq!(types(&old), ["file_read", "llm_response", "session_start", "tool_result", "user_interaction"]);
        assert_eq!(old.only("file_read")["file_path"], "a.rs");
        let workspace =
            read(&state("ItemTable", &[("composer.composerData", json!({"allComposers": [inline]}))]), WORKSPACE, &[]);
        let ids = |decoded: &Decoded| decoded.ids().into_iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(ids(&old), ids(&workspace));
        let beside: Vec<(String, Value)> =
            bubbles.as_array().unwrap().iter().map(|b| (key(b["bubbleId"].as_str().unwrap()), b.clone())).collect();
        let list =
            json!({"composerId": CHAT, "createdAt": 1_750_000_000_000_i64, "fullConversationHeadersOnly": bubbles});
        let mut rows = vec![(format!("composerData:{CHAT}"), list)];
        rows.extend(beside);
        let rows: Vec<(&str, Value)> = rows.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        assert!(ids(&read(&state("cursorDiskKV", &rows), GLOBAL, &[])).is_subset(&ids(&old)));
    }
}

#[test]
fn trap_3_times_of_all_kinds_are_read_and_missing_ones_rise_with_the_order() {
    let at = |created: Value| {
        let decoded = one(json!({"type": 2, "text": "x", "createdAt": created}));
        let row = decoded.only("llm_response");
        (row["ts"].as_i64().unwrap(), row["ts_source"].as_str().unwrap().to_owned())
    };
    assert_eq!(at(json!(1_750_000_001_000_i64)), (1_750_000_001_000_000, "log".to_owned()));
    assert_eq!(at(json!("2025-06-15T15:06:41.000Z")), (1_750_000_001_000_000, "log".to_owned()));
    assert_eq!(at(json!(null)).1, "inferred");
    let list = json!({"fullConversationHeadersOnly": [{"bubbleId": "a", "type": 1}, {"bubbleId": "b", "type": 2, "createdAt": "2025-06-15T15:06:50Z"},
        {"bubbleId": "c", "type": 2}]});
    let decoded = read(
        &state(
            "cursorDiskKV",
            &[
                (&format!("composerData:{CHAT}"), chat(&[], list)),
                (&key("c"), json!({"type": 2, "text": "3"})),
                (&key("a"), json!({"type": 1, "text": "1"})),
                (&key("b"), json!({"type": 2, "text": "2"})),
            ],
        ),
        GLOBAL,
        &[],
    );
    let mut said: Vec<(i64, &str)> =
        decoded.rows.iter().filter_map(|row| Some((row["ts"].as_i64()?, row.get("text")?.as_str()?))).collect();
    said.sort_unstable();
    assert_eq!(said.iter().map(|(_, text)| *text).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn trap_4_milliseconds_with_a_fraction_are_times_and_small_ones_are_none() {
    let decoded = one(
        json!({"type": 2, "text": "x", "timingInfo": {"clientStartTime": 1_750_000_000_000.5, "clientRpcSendTime": 1.25, "clientEndTime": 1_750_000_000_250.75}}),
    );
    let row = decoded.only("llm_response");
    assert_eq!((&row["ts"], &row["duration_ms"]), (&json!(1_750_000_000_000_500_i64), &json!(250)));
    let relative =
        one(json!({"type": 2, "text": "x", "timingInfo": {"clientStartTime": 12345.5, "clientEndTime": 12350.5}}));
    assert_eq!(relative.only("llm_response")["ts_source"], "inferred");
}

#[test]
fn trap_5_arguments_and_results_that_are_no_json_are_kept_as_text() {
    for (raw, result) in [("{\"command\":\"ls -", "plain text"), ("", "{\"output\":\"cut o"), ("nonsense", "[1,2]")] {
        let tool = json!({"tool": 15, "name": "run_terminal_cmd", "rawArgs": raw, "result": result, "status": "error", "error": "boom"});
        let decoded = one(json!({"type": 2, "toolFormerData": tool}));
        let call = decoded.only("command_execution");
        assert_eq!(call.get("tool_input").map(|input| input == raw), (!raw.is_empty()).then_some(true));
        let answer = decoded.only("tool_result");
        assert_eq!(
            (&answer["tool_output"], &answer["is_error"], &answer["status"]),
            (&json!(result), &json!(true), &json!("failed"))
        );
        assert!(decoded.rejects.is_empty());
    }
}

#[test]
fn trap_6_a_deleted_bubble_leaves_a_key_without_a_value() {
    let decoded = one(Value::Null);
    assert_eq!((types(&decoded), decoded.counts.ignored), (vec!["session_start"], 1));
    let gone = read(
        &state(
            "cursorDiskKV",
            &[(&format!("composerData:{CHAT}"), Value::Null), (&key("b"), json!({"type": 1, "text": "x"}))],
        ),
        GLOBAL,
        &[],
    );
    assert!(gone.rows.is_empty() && gone.rejects.is_empty());
}

#[test]
fn trap_7_a_bubble_that_no_list_names_is_no_part_of_the_conversation() {
    let named = chat(&[("u", 1)], json!({}));
    let sql = state(
        "cursorDiskKV",
        &[
            (&key("old"), json!({"type": 1, "text": "rewound"})),
            (&format!("composerData:{CHAT}"), named.clone()),
            (&key("u"), json!({"type": 1, "text": "kept"})),
            (&key("new"), json!({"type": 2, "text": "being written"})),
        ],
    );
    let (decoded, held) = read_open(&sql, GLOBAL, &[]);
    assert_eq!(decoded.of("user_interaction").len(), 1);
    assert!(decoded.of("llm_response").is_empty() && held.is_empty());
    // Younger than the list: it may be named in a moment; older: never.
    let open = held_bubbles(&sql);
    assert_eq!(open, ["new"]);
    let later = format!(
        "{sql}{}",
        insert("cursorDiskKV", &format!("composerData:{CHAT}"), &chat(&[("u", 1), ("new", 2)], json!({})))
    );
    assert_eq!(read(&later, GLOBAL, &[]).only("llm_response")["text"], "being written");
}

/// Bubbles that the decoder wants to be held.
fn held_bubbles(sql: &str) -> Vec<String> {
    let (_folder, path) = database(sql);
    let info = SourceInfo { path: GLOBAL, ..SourceInfo::default() };
    let mut decoder = database_decoder(Format::CursorState, info).unwrap();
    let store = crate::watch::Database::open(&path, Format::CursorState).unwrap();
    let queries = decoder.queries(&store.tables().unwrap()).unwrap();
    let mut rows = Rows::new(RowContext::new("cursor", GLOBAL));
    let mut held = Vec::new();
    for query in &queries {
        let visit = |record: &Record<'_>| {
            if decoder.is_settled(record) {
                decoder.record(record, false, &mut rows);
            } else {
                held.push(record.text(1).unwrap().into_owned());
            }
            true
        };
        store.each(query, crate::watch::Cursor::START, visit).unwrap();
    }
    held
}

#[test]
fn a_bubble_that_is_being_written_is_held() {
    let tool = |status: &str| json!({"type": 2, "toolFormerData": {"name": "read_file", "status": status}});
    let sql = state(
        "cursorDiskKV",
        &[
            (
                &format!("composerData:{CHAT}"),
                chat(
                    &[("a", 2), ("t", 2), ("d", 2), ("z", 2)],
                    json!({"status": "generating", "generatingBubbleIds": ["a"]}),
                ),
            ),
            (&key("a"), json!({"type": 2, "text": "listed as generating"})),
            (&key("t"), tool("running")),
            (&key("d"), tool("completed")),
            (&key("z"), json!({"type": 2, "text": "the last"})),
        ],
    );
    assert_eq!(held_bubbles(&sql), ["a", "t", "z"]);
}

#[test]
fn trap_8_a_transcripts_folder_is_no_path_and_cwd_stays_null() {
    let path = format!("/h/.cursor/projects/home-me-my-shop/agent-transcripts/{CHAT}/{CHAT}.jsonl");
    let line = br#"{"role":"user","message":{"content":[{"type":"text","text":"Q"}]}}"#;
    let decoded = decode_with(Format::CursorTranscript, &path, &[], line);
    assert!(decoded.rows.iter().all(|row| !row.contains_key("cwd") && !row.contains_key("project")));
}

#[test]
fn trap_9_no_query_walks_the_index_or_reads_what_did_not_change() {
    let (_folder, path) = database(&state("cursorDiskKV", &[]));
    for (sql, plan) in plans(&path) {
        assert!(!sql.to_lowercase().contains(" like "));
        for line in plan.lines().filter(|line| line.contains("SCAN")) {
            let own = ["changed", "todo", "t", "(subquery", "CONSTANT ROW"]
                .iter()
                .any(|name| line.contains(&format!("SCAN {name}")));
            assert!(own, "{plan}");
        }
        assert!(plan.contains("(rowid>? AND rowid<?)") || sql.contains("ItemTable"), "{plan}");
        assert!(plan.contains("(key=?)"), "{plan}");
    }
}

#[test]
fn trap_10_after_a_rewrite_of_the_whole_database_the_ids_are_the_same() {
    let sql = state(
        "cursorDiskKV",
        &[
            (&key("b"), json!({"type": 1, "text": "Q"})),
            (&key("b"), json!({"type": 1, "text": "Q"})),
            (&format!("composerData:{CHAT}"), chat(&[("b", 1)], json!({}))),
        ],
    );
    let again = format!(
        "{sql} CREATE TABLE c AS SELECT * FROM cursorDiskKV; DELETE FROM cursorDiskKV; INSERT INTO cursorDiskKV SELECT * FROM c; DROP TABLE c; VACUUM;"
    );
    assert_eq!(read(&sql, GLOBAL, &[]).ids(), read(&again, GLOBAL, &[]).ids());
}

#[test]
fn trap_11_secrets_in_the_same_tables_are_never_asked_for() {
    let (_folder, path) = database(&format!(
        "{}{}",
        state(
            "ItemTable",
            &[
                ("cursorAuth/accessToken", json!("T0KEN")),
                ("cursorAuth/refreshToken", json!("T0KEN")),
                ("aiService.prompts", json!([{"text": "p"}]))
            ]
        ),
        insert("cursorDiskKV", "cursorAuth/x", &json!("T0KEN"))
    ));
    let store = crate::watch::Database::open(&path, Format::CursorState).unwrap();
    let mut decoder = database_decoder(Format::CursorState, SourceInfo::default()).unwrap();
    for query in decoder.queries(&store.tables().unwrap()).unwrap() {
        let visit = |record: &Record<'_>| {
            let text = |cell: &Cell<'_>| cell.text().unwrap_or_default().into_owned();
            assert!(
                record.values.iter().all(|cell| !text(cell).contains("T0KEN") && !text(cell).contains("cursorAuth"))
            );
            true
        };
        store.each(&query, crate::watch::Cursor::START, visit).unwrap();
    }
}

#[test]
fn trap_12_windows_paths_and_places_are_read_too() {
    let companion = Companion { name: "workspace.json", text: r#"{"folder":"file:///c%3A/Users/me/shop"}"# };
    let shown = r"C:\Users\me\AppData\Roaming\Cursor\User\workspaceStorage\0a1b\state.vscdb";
    let sql = state("ItemTable", &[("aiService.prompts", json!([{"text": "p", "commandType": 2}]))]);
    let decoded = read(&sql, shown, &[companion]);
    let row = decoded.only("prompt_history");
    assert_eq!(
        (&row["cwd"], &row["workspace_id"], &row["project"]),
        (&json!(r"c:\Users\me\shop"), &json!("0a1b"), &json!("shop"))
    );
}

#[test]
fn zero_tokens_are_no_usage_and_a_prompts_count_is_not_a_calls() {
    let zero = one(json!({"type": 2, "text": "x", "tokenCount": {"inputTokens": 0, "outputTokens": 0}}));
    let row = zero.only("llm_response");
    assert!(
        !row.contains_key("input_tokens") && !row.contains_key("total_tokens") && !row.contains_key("usage_source")
    );
    let prompt = one(json!({"type": 1, "text": "x", "tokenCount": {"inputTokens": 12, "outputTokens": 0}}));
    assert!(!prompt.only("user_interaction").contains_key("input_tokens"));
    assert_eq!(prompt.only("user_interaction")["extra"]["tokenCount"]["inputTokens"], 12);
    let silent = one(
        json!({"type": 2, "toolFormerData": {"name": "read_file", "status": "completed"}, "tokenCount": {"inputTokens": 3, "outputTokens": 4}}),
    );
    assert_eq!(silent.sum("total_tokens"), 7, "usage stands on one row");
}

#[test]
fn odd_bubbles_and_odd_values_are_rows_or_rejects() {
    assert_eq!(one(json!({"type": 99, "message": "from a tool"})).only("unknown")["text"], "from a tool");
    assert_eq!(one(json!({"rawText": "older", "workspaceUris": ["file:///w/a"]})).only("llm_response")["cwd"], "/w/a");
    let torn = one(json!("{\"type\":2,"));
    assert_eq!(torn.rejects, ["not_json"]);
    let wrong = read(
        &state("ItemTable", &[("aiService.prompts", json!({"a": 1})), ("composer.composerData", json!("[1]"))]),
        WORKSPACE,
        &[],
    );
    assert_eq!(wrong.rejects, ["wrong_shape", "wrong_shape"]);
    assert_eq!(one(json!({"type": 2})).counts.ignored, 1);
    let mut decoder = database_decoder(Format::CursorState, SourceInfo::default()).unwrap();
    assert!(decoder.queries(&Tables::default()).unwrap_err().to_string().contains("ItemTable"));
    assert!(database_decoder(Format::CursorChat, SourceInfo::default()).unwrap().queries(&Tables::default()).is_err());
}

#[test]
fn pictures_are_kept_as_what_they_are() {
    let data = json!({"type": 1, "text": "see", "images": [{"data": (0..300).map(|n| n % 256).collect::<Vec<_>>(), "dimension": {"width": 1}}]});
    let image = &one(data).only("user_interaction")["extra"]["images"][0]["data"].clone();
    assert_eq!((image["bytes"].as_i64(), image["sha256"].as_str().map(str::len)), (Some(300), Some(64)));
}

#[test]
fn a_rest_of_a_tools_data_that_names_no_tool_is_no_call() {
    let rest = json!({"additionalData": {"status": "error"}, "status": "loading"});
    for rest in [rest.clone(), json!({}), json!({"tool": 0, "status": "error"}), json!({"tool": null, "params": "{}"})]
    {
        let said = one(json!({"type": 2, "text": "So.", "thinking": {"text": "hm"}, "toolFormerData": rest}));
        assert_eq!(types(&said), ["llm_response", "session_start", "thinking"], "{rest}");
    }
    let kept = one(json!({"type": 2, "text": "So.", "toolFormerData": rest}));
    assert_eq!(kept.only("llm_response")["extra"]["toolFormerData"]["additionalData"]["status"], "error");
    for tool in [json!({"name": "new_tool"}), json!({"tool": 7, "status": "completed"}), json!({"tool": "grep"})] {
        assert_eq!(one(json!({"type": 2, "toolFormerData": tool})).of("tool_use").len(), 1, "{tool}");
    }
    let map = json!({"u": rest, "v": {"tool": 7, "name": "read_file", "status": "completed"}});
    let old = json!({"composerId": CHAT, "createdAt": 1, "conversation": [{"type": 2, "bubbleId": "u", "text": "A"},
        {"type": 2, "bubbleId": "v", "text": ""}], "capabilities": [{"type": 15, "data": {"bubbleDataMap": map}}]});
    let decoded = read(&state("cursorDiskKV", &[(&format!("composerData:{CHAT}"), old)]), GLOBAL, &[]);
    assert_eq!((decoded.of("file_read").len(), decoded.of("tool_use").len()), (1, 0));
}

#[test]
fn what_the_requests_of_a_chat_cost_is_reported_by_model_and_once_in_its_copies() {
    let bubble = "aaaaaaaa-0000-4000-8000-000000000001";
    let usage = |cents: f64| {
        json!({"usageData": {"default": {"costInCents": 28, "amount": 7},
        "claude-x": {"costInCents": cents, "amount": 2}, "free": {"amount": 1}}})
    };
    let copy = "11111111-2222-4333-8444-000000000000";
    let sql = state(
        "cursorDiskKV",
        &[
            (&format!("composerData:{CHAT}"), chat(&[(bubble, 1)], usage(16.0))),
            (&format!("composerData:{copy}"), chat(&[(bubble, 1)], usage(20.5))),
        ],
    );
    let decoded = read(&sql, GLOBAL, &[]);
    let mut costs: Vec<_> = decoded
        .events()
        .into_iter()
        .filter_map(|row| {
            Some((row.get("model")?.as_str()?.to_owned(), row.get("cost_usd_reported")?.as_str()?.to_owned()))
        })
        .collect();
    costs.sort();
    let of = |model: &str, cost: &str| (model.to_owned(), cost.to_owned());
    assert_eq!(costs, [of("claude-x", "0.205000000"), of("default", "0.280000000")]);
    assert!(decoded.rows.iter().all(|row| !row.contains_key("total_tokens")), "they are no calls");
}

#[test]
fn prompts_of_2023_have_their_words_in_other_fields_and_an_empty_field_is_none() {
    let tree = |words: &str| {
        json!({"root": {"children": [{"type": "paragraph", "children": [{"type": "text", "text": words}]}]}})
            .to_string()
    };
    let prompt = |id: &str, words: &str, more: Value| {
        let mut bubble = json!({"type": "user", "id": id, "rawText": "", "selections": [], "initText": tree(words),
            "delegate": {"a": "", "b": tree(words)}});
        bubble.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bubble
    };
    let answer = |id: &str| json!({"type": "ai", "id": id, "rawText": "So."});
    let chosen = json!({"selections": [{"rawText": "fn a()"}]});
    let tab = json!({"tabId": "t", "bubbles": [prompt("p1", "How?", json!({})), answer("a1"), prompt("p2", "", json!({})),
        answer("a2"), prompt("p3", "", json!({"delegate": {"a": "And this?"}, "selections": [{"rawText": "x"}]})), answer("a3"),
        prompt("p4", "", chosen), answer("a4"), prompt("p5", "", json!({}))]});
    let typed = json!([{"text": "How?", "commandType": 2}, {"text": "And this?", "commandType": 2}]);
    let key = "workbench.panel.aichat.view.aichat.chatdata";
    let decoded =
        read(&state("ItemTable", &[(key, json!({"tabs": [tab]})), ("aiService.prompts", typed)]), WORKSPACE, &[]);
    let said: Vec<_> =
        decoded.of("user_interaction").iter().map(|row| (row["turn"].clone(), row.get("text").cloned())).collect();
    assert_eq!(said, [(json!(1), Some(json!("How?"))), (json!(2), Some(json!("And this?"))), (json!(3), None)]);
    let answers: Vec<_> = decoded.of("llm_response").iter().map(|row| row["turn"].clone()).collect();
    assert_eq!(answers, [json!(1), json!(1), json!(2), json!(3)]);
    assert!(decoded.of("prompt_history").is_empty(), "what was said in a chat is no other prompt");
    assert!(!format!("{:?}", decoded.of("user_interaction")).contains("delegate"));
}

#[test]
fn bubbles_may_be_called_anything() {
    let names = ["store:v1:00ff", "store:v1:00ff:2", ""];
    let headers: Vec<(&str, i64)> = names.iter().map(|name| (*name, 2)).collect();
    let mut rows = vec![(format!("composerData:{CHAT}"), chat(&headers, json!({})))];
    rows.extend(names.iter().map(|name| (key(name), json!({"type": 2, "text": format!("said by {name:?}")}))));
    let rows: Vec<(&str, Value)> = rows.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let decoded = read(&state("cursorDiskKV", &rows), GLOBAL, &[]);
    assert_eq!((decoded.of("llm_response").len(), decoded.of("session_start").len()), (3, 1));
    let inline = json!({"composerId": CHAT, "createdAt": 1, "conversation": [{"type": 1, "bubbleId": "", "text": "Q"},
        {"type": 2, "bubbleId": "", "text": "A"}, {"type": 2, "text": "B"}]});
    let decoded = read(&state("cursorDiskKV", &[(&format!("composerData:{CHAT}"), inline)]), GLOBAL, &[]);
    assert_eq!((decoded.only("user_interaction")["text"].as_str(), decoded.of("llm_response").len()), (Some("Q"), 2));
    assert_eq!(decoded.events().len(), decoded.rows.len(), "each is an event of its own");
}
