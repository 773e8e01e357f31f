//! Tests of the decoders of Continue.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::adapters::Companion;
use crate::adapters::tests::{Decoded, MODIFIED_US, Row, corpus, decode, decode_with, files_below, resumes_anywhere};
use crate::discover::{SNIFF_BYTES, sniff};
use crate::schema::{Counts, Format};

const PATH: &str = "/h/.continue/sessions/2dbfd673-096d-4773-b5f3-9023894a7355.json";

fn session(id: &str, history: &[Value]) -> String {
    json!({"sessionId": id, "title": "T", "workspaceDirectory": "file:///w/my%20shop", "history": history}).to_string()
}

fn history() -> Vec<Value> {
    vec![
        json!({"message": {"role": "user", "content": [{"type": "text", "text": "fix it"}], "id": "u1"},
            "contextItems": [{"name": "a.rs", "description": "/w/a.rs", "content": "code", "uri": {"type": "file", "value": "file:///w/a.rs"}}],
            "editorState": {"type": "doc", "content": []}}),
        json!({"message": {"role": "assistant", "content": "I edit.", "id": "a1",
                "toolCalls": [{"id": "c1", "type": "function", "function": {"name": "MultiEdit", "arguments": "{\"file_path\":\"/w/a.rs\",\"edits\":[{\"old_string\":\"a\",\"new_string\":\"b\\nc\"}]}"}}]},
            "contextItems": [], "reasoning": {"text": "hm"},
            "promptLogs": [{"modelTitle": "GPT", "modelProvider": "openai", "prompt": "PPPP", "completion": "I edit."}],
            "toolCallStates": [{"toolCallId": "c1", "toolCall": {"id": "c1", "type": "function", "function": {"name": "MultiEdit", "arguments": "{}"}},
                "status": "done", "parsedArgs": {}, "output": [{"name": "Tool Result", "description": "d", "content": "edited"}]}]}),
        json!({"message": {"role": "tool", "content": "edited", "toolCallId": "c1"}}),
        json!({"message": {"role": "thinking", "content": "deep", "id": "t1"}}),
        json!({"message": {"role": "assistant", "content": "Done.", "id": "a2"}, "conversationSummary": "so far"}),
    ]
}

fn sorted(decoded: &Decoded) -> Vec<Row> {
    let mut rows: Vec<Row> = decoded.events().into_iter().cloned().collect();
    rows.sort_by_key(|r| r["event_id"].as_str().unwrap().to_owned());
    rows
}

#[test]
fn a_session_becomes_prompts_context_answers_thoughts_tools_and_results() {
    let index =
        json!([{"sessionId": "s", "title": "T", "dateCreated": "1734518111194", "workspaceDirectory": ""}]).to_string();
    let companions = [Companion { name: "sessions.json", text: &index }];
    let decoded = decode_with(Format::ContinueSession, PATH, &companions, session("s", &history()).as_bytes());
    assert_eq!(
        (&decoded.only("user_interaction")["text"], &decoded.only("user_interaction")["turn"]),
        (&json!("fix it"), &json!(1))
    );
    let context = decoded.only("attachment");
    assert_eq!((&context["file_path"], &context["text"]), (&json!("/w/a.rs"), &json!("code")));
    let answers = decoded.of("llm_response");
    assert_eq!(
        (&answers[0]["model"], &answers[0]["provider"], &answers[0]["message_id"]),
        (&json!("GPT"), &json!("openai"), &json!("a1"))
    );
    assert_eq!(answers[0]["extra"], json!({"prompts": 1, "prompt_bytes": 4, "completion_bytes": 7}));
    assert_eq!(decoded.of("thinking").len(), 2);
    let edit = decoded.only("file_modify");
    assert_eq!(
        (&edit["lines_added"], &edit["lines_removed"], &edit["file_path"]),
        (&json!(2), &json!(1), &json!("/w/a.rs"))
    );
    // The message of the tool repeats the state of its call.
    let results: Vec<_> = sorted(&decoded).into_iter().filter(|r| r["event_type"] == "tool_result").collect();
    assert_eq!(
        (results.len(), &results[0]["tool_output"], &results[0]["status"]),
        (1, &json!("edited"), &json!("completed"))
    );
    assert_eq!(results[0]["tool_call_id"], edit["tool_call_id"]);
    assert_eq!((&decoded.only("title")["text"], &decoded.only("compaction")["text"]), (&json!("T"), &json!("so far")));
    assert!(decoded.rows.iter().all(|r| r["cwd"] == "/w/my shop" && r["project"] == "my shop"));
    let times: Vec<i64> = decoded.rows.iter().map(|r| r["ts"].as_i64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] == 1_734_518_111_194_000);
    assert!(decoded.rows.iter().all(|r| r["ts_source"] == "inferred"));
}

#[test]
fn trap_1_what_was_pasted_stays_with_its_prompt_and_prompt_logs_are_not_stored_twice() {
    let decoded = decode(Format::ContinueSession, PATH, session("s", &history()).as_bytes());
    let all = format!("{:?}", decoded.rows);
    assert_eq!((all.contains("PPPP"), all.matches("\"code\"").count()), (false, 1));
}

#[test]
fn trap_2_a_broken_index_or_one_without_the_session_leaves_the_files_own_time() {
    for index in ["[{\"sessionId\":\"s\"", "[]", "not json", "[{\"sessionId\":\"missing\",\"dateCreated\":\"1\"}]"] {
        let companions = [Companion { name: "sessions.json", text: index }];
        let decoded = decode_with(Format::ContinueSession, PATH, &companions, session("s", &history()).as_bytes());
        assert_eq!(decoded.rows[0]["ts"], MODIFIED_US, "{index}");
    }
}

#[test]
fn a_copied_session_repeats_the_same_messages() {
    let own = decode(Format::ContinueSession, PATH, session("s", &history()).as_bytes());
    let copy = decode(Format::ContinueSession, "/x/other.json", session("s2", &history()).as_bytes());
    for kind in ["user_interaction", "llm_response", "file_modify", "attachment"] {
        let ids = |d: &Decoded| d.of(kind).iter().map(|r| r["event_id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&own), ids(&copy), "{kind}");
    }
}

#[test]
fn sessions_of_2023_have_no_ids_and_their_places_are_their_names() {
    let text = json!({"session_id": "old", "title": "T", "workspace_directory": "/w", "history": {"timeline": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}, {"stride": {"name": "x"}}]}})
    .to_string();
    let decoded = decode(Format::ContinueSession, PATH, text.as_bytes());
    assert_eq!(
        (&decoded.only("user_interaction")["text"], &decoded.only("llm_response")["text"]),
        (&json!("hi"), &json!("yo"))
    );
    assert_eq!((decoded.counts.unknown_types, decoded.of("unknown").len()), (1, 1));
    assert_eq!(decoded.events().len(), decoded.rows.len());
}

#[test]
fn the_running_sum_of_a_session_is_one_row_that_grows_unless_messages_have_their_own() {
    let with = |usage: Value, history: &[Value]| {
        json!({"sessionId": "s", "title": "T", "workspaceDirectory": "", "history": history, "usage": usage})
            .to_string()
    };
    let usage = |prompt: i64, output: i64| {
        json!({"totalCost": 0.25, "promptTokens": prompt, "completionTokens": output,
        "promptTokensDetails": {"cachedTokens": 4366, "cacheWriteTokens": 2183}})
    };
    let first = decode(Format::ContinueSession, PATH, with(usage(1800, 300), &history()).as_bytes());
    let later = decode(Format::ContinueSession, PATH, with(usage(1813, 305), &history()).as_bytes());
    let lake = Decoded { rows: [first.rows, later.rows].concat(), rejects: Vec::new(), counts: Counts::default() };
    assert_eq!((lake.sum("output_tokens"), lake.sum("input_tokens"), lake.sum("cache_read_tokens")), (305, 1813, 4366));
    // OpenAI's way: the prompt includes the cache.
    let includes = decode(Format::ContinueSession, PATH, with(usage(10_000, 5), &[]).as_bytes());
    assert_eq!(
        (includes.sum("input_tokens"), includes.only("system")["usage_source"].as_str()),
        (10_000 - 4366 - 2183, Some("derived"))
    );
    let mut own = history();
    own[4]["message"]["usage"] = json!({"promptTokens": 7, "completionTokens": 2});
    let own = decode(Format::ContinueSession, PATH, with(usage(1813, 305), &own).as_bytes());
    assert_eq!((own.sum("output_tokens"), own.of("system").len()), (2, 0));
}

#[test]
fn a_growing_session_ends_with_the_events_of_its_last_version() {
    let all = history();
    let rows = (1..=all.len())
        .flat_map(|n| decode(Format::ContinueSession, PATH, session("s", &all[..n]).as_bytes()).rows)
        .collect();
    let lake = Decoded { rows, rejects: Vec::new(), counts: Counts::default() };
    assert_eq!(sorted(&lake), sorted(&decode(Format::ContinueSession, PATH, session("s", &all).as_bytes())));
}

const DATA: &str = concat!(
    "{\"model\":\"qwen\",\"provider\":\"ollama\",\"promptTokens\":252,\"generatedTokens\":370}\n",
    "{\"model\":\"qwen\",\"provider\":\"ollama\",\"promptTokens\":252,\"generatedTokens\":370}\n",
    "{\"eventName\":\"tokensGenerated\",\"schema\":\"0.2.0\",\"timestamp\":\"2026-10-02T10:00:05.000Z\",\"model\":\"m\",\"provider\":\"p\",\"promptTokens\":5,\"generatedTokens\":6}\n",
    "\n",
    "[1]\n",
    "{\"model\":\n",
    "{\"eventName\":\"somethingNew\",\"schema\":\"0.3.0\",\"timestamp\":1,\"x\":2}\n",
);

#[test]
fn tokens_are_estimates_and_equal_lines_are_two_calls() {
    let path = "/h/.continue/dev_data/tokens_generated.jsonl";
    let decoded = decode(Format::ContinueTokens, path, DATA.as_bytes());
    assert_eq!((decoded.events().len(), decoded.sum("output_tokens")), (4, 746));
    assert!(decoded.of("llm_response").iter().all(|r| r["usage_source"] == "estimated"));
    assert_eq!(
        (decoded.rejects.clone(), decoded.counts.unknown_types),
        (vec!["wrong_shape".to_owned(), "not_json".to_owned()], 1)
    );
    assert_eq!(decoded.of("llm_response")[2]["ts"], 1_790_935_205_000_000_i64);
    resumes_anywhere(Format::ContinueTokens, path, DATA.as_bytes());
}

#[test]
fn a_completion_keeps_what_it_proposed_and_the_size_of_what_it_saw() {
    let line = json!({"time": 3122, "completion": "x()", "prefix": "abc", "suffix": "de", "prompt": "PROMPT", "modelProvider": "ollama",
        "modelName": "qwen", "completionOptions": {"a": 1}, "cacheHit": false, "filepath": "/w/a.rs", "completionId": "c1", "gitRepo": "https://github.com/acme/shop",
        "timestamp": 1_734_529_452_858_i64, "accepted": false}).to_string();
    let decoded = decode(Format::ContinueTokens, "/h/.continue/dev_data/autocomplete.jsonl", line.as_bytes());
    let row = decoded.only("system");
    assert_eq!((&row["text"], &row["status"], &row["duration_ms"]), (&json!("x()"), &json!("denied"), &json!(3122)));
    assert_eq!(
        (&row["project"], &row["message_id"], &row["extra"]["prefix_bytes"]),
        (&json!("acme/shop"), &json!("c1"), &json!(3))
    );
    assert!(!row["extra"].to_string().contains("PROMPT"));
}

#[test]
fn every_real_file_is_decoded_and_counts_agree_with_an_independent_one() {
    let Some(folder) = corpus("continue") else { return };
    let (mut files, mut lake) = (0, Vec::new());
    let mut ids = std::collections::HashSet::new();
    for path in files_below(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let shown = path.to_string_lossy();
        let format = sniff(&shown, &bytes[..bytes.len().min(SNIFF_BYTES)], None).unwrap();
        assert_eq!(format.agent(), "continue");
        let decoded = decode(format, &shown, &bytes);
        assert!(decoded.rejects.is_empty());
        files += 1;
        if format == Format::ContinueSession {
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            let items = document["history"].as_array().unwrap();
            let of = |role: &str| items.iter().filter(|i| i["message"]["role"] == role).count();
            assert_eq!(
                (decoded.of("user_interaction").len(), decoded.of("llm_response").len()),
                (of("user"), of("assistant"))
            );
            ids.extend(
                items
                    .iter()
                    .filter(|i| i["message"]["role"] == "user")
                    .filter_map(|i| i["message"]["id"].as_str().map(str::to_owned)),
            );
            lake.extend(
                decoded
                    .rows
                    .into_iter()
                    .filter(|r| r["event_type"] == "user_interaction" && r.contains_key("message_id")),
            );
        } else {
            assert_eq!(decoded.rows.len(), bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count());
        }
    }
    assert_eq!(files, 17);
    let lake = Decoded { rows: lake, rejects: Vec::new(), counts: Counts::default() };
    assert_eq!(lake.events().len(), ids.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_make_a_decoder_panic(cut in 0usize..2000, at in 0usize..2000, byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut bytes = session("s", &history()).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        decode(Format::ContinueSession, PATH, &bytes);
        bytes.truncate(cut);
        decode(Format::ContinueSession, PATH, &bytes);
        decode(Format::ContinueSession, PATH, &noise);
        let mut data = DATA.as_bytes().to_vec();
        let at = at % data.len();
        data[at] = byte;
        decode(Format::ContinueTokens, PATH, &data);
        decode(Format::ContinueTokens, PATH, &noise);
    }
}

#[test]
fn steps_of_2023_say_what_they_have_in_their_context() {
    let step = |class: &str, hide: bool, context: &[Value]| {
        json!({"step": {"name": class, "hide": hide, "description": format!("{class} done"),
        "class_name": class, "chat_context": context}, "observation": null, "deleted": false, "logs": []})
    };
    let message = |role: &str, content: &str| json!({"role": role, "content": content, "summary": content, "function_call": null});
    let mut typed = step("UserInputStep", false, &[]);
    typed["step"]["user_input"] = json!("typed only");
    let mut taken_back = step("SimpleChatStep", false, &[message("assistant", "Never mind.")]);
    taken_back["deleted"] = json!(true);
    let text = json!({"history": {"timeline": [step("StepsOnStartupStep", true, &[]),
        step("UserInputStep", false, &[message("user", "why?")]), step("SimpleChatStep", false, &[message("assistant", "Because.")]),
        step("EditFileStep", false, &[]), step("SetupStep", false, &[message("user", "put in by a step")]), typed, taken_back], "current_index": 6},
        "session_info": {"session_id": "old", "title": "A title", "date_created": "1697600000.5", "workspace_directory": "/w/shop"},
        "config": {"models": {"default": {"model": "gpt-4"}}}}).to_string();
    let decoded = decode(Format::ContinueSession, PATH, text.as_bytes());
    let prompts: Vec<_> =
        decoded.of("user_interaction").iter().map(|row| (row["turn"].clone(), row["text"].clone())).collect();
    assert_eq!(prompts, [(json!(1), json!("why?")), (json!(2), json!("typed only"))]);
    let [answer, reverted] = decoded.of("llm_response")[..] else { panic!("two answers") };
    assert_eq!(
        (&answer["text"], &answer["model"], &answer["cwd"]),
        (&json!("Because."), &json!("gpt-4"), &json!("/w/shop"))
    );
    assert_eq!((&reverted["status"], &reverted["turn"]), (&json!("reverted"), &json!(2)));
    assert_eq!(
        (&decoded.only("title")["text"], &decoded.only("title")["session_id"]),
        (&json!("A title"), &json!("old"))
    );
    assert_eq!(
        (decoded.only("system")["text"].as_str(), decoded.only("attachment")["text"].as_str()),
        (Some("EditFileStep done"), Some("put in by a step"))
    );
    assert_eq!(
        (decoded.of("unknown").len(), decoded.only("session_start")["ts"].clone()),
        (0, json!(1_697_600_000_500_000_i64))
    );
}
