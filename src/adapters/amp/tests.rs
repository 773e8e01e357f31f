use serde_json::{Value, json};

use crate::adapters::chat::tests::{corpus, played, survives_damage, survives_wrong_types};
use crate::adapters::tests::{Decoded, corpus as folder, decode, files_below, provisional};
use crate::schema::{Counts, Format};

const THREAD: &str = include_str!("../../../tests/fixtures/amp/thread.json");
const PATH: &str = "/h/.local/share/amp/threads/T-019c0000-0000-7000-8000-000000000001.json";

#[test]
fn a_thread_tells_who_where_and_what() {
    let decoded = decode(Format::AmpThread, PATH, THREAD.as_bytes());
    let start = decoded.only("session_start");
    assert_eq!(start["session_id"], "T-019c0000-0000-7000-8000-000000000001");
    assert_eq!(start["ts"], 1_772_000_000_000_000i64);
    assert_eq!(start["cwd"], "/w/my shop");
    assert_eq!(
        (&start["project"], &start["git_branch"], &start["git_commit"]),
        (&json!("acme/shop"), &json!("main"), &json!("abc123"))
    );
    assert_eq!(start["agent_version"], "0.0.177");
    assert_eq!(decoded.only("title")["text"], "Add a greeting");
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["turn"], &prompt["ts"]),
        (&json!("Add a greeting"), &json!(1), &json!(1_772_000_001_000_000i64))
    );
    assert_eq!(prompt["extra"]["userState"]["currentlyVisibleFiles"][0], "a.rs");
    assert_eq!(prompt["extra"]["attachments"][0]["type"], "image");
    let thinking = decoded.only("thinking");
    assert_eq!((&thinking["text"], &thinking["provider"]), (&json!("Look first."), &json!("anthropic")));
    assert!(!format!("{:?}", decoded.rows).contains("c2VjcmV0"), "signatures are not kept");
    assert_eq!(decoded.of("llm_response").len(), 3);
}

#[test]
fn results_repeat_their_calls_and_have_the_time_of_the_tools_trace() {
    let decoded = decode(Format::AmpThread, PATH, THREAD.as_bytes());
    assert_eq!(decoded.only("file_read")["file_path"], "/w/shop/a.rs");
    assert_eq!(decoded.only("command_execution")["command"], "ls -a");
    let results = decoded.of("tool_result");
    assert_eq!(results[0]["tool_output"], "1: fn main() {}");
    assert_eq!(
        (&results[0]["tool_name"], &results[0]["is_error"], &results[0]["ts_source"]),
        (&json!("Read"), &json!(false), &json!("log"))
    );
    assert_eq!(results[0]["ts"], 1_772_000_006_000_000i64);
    assert_eq!(
        (&results[1]["exit_code"], &results[1]["is_error"], &results[1]["command"]),
        (&json!(2), &json!(true), &json!("ls -a"))
    );
    assert_eq!((&results[2]["lines_added"], &results[2]["lines_removed"]), (&json!(3), &json!(1)));
    assert_eq!(results[2]["ts_source"], "inferred");
}

#[test]
fn of_gpt_models_the_uncached_prompt_is_fresh_input_and_the_total_is_not_added() {
    let decoded = decode(Format::AmpThread, PATH, THREAD.as_bytes());
    let answers = decoded.of("llm_response");
    let counts = |i: usize| {
        ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens", "total_tokens"]
            .map(|c| answers[i].get(c).and_then(serde_json::Value::as_i64))
    };
    assert_eq!(counts(0), [Some(3), Some(13_000), Some(1_600), Some(70), Some(14_673)]);
    assert_eq!(counts(1), [Some(400), Some(600), None, Some(20), Some(1_020)]);
    assert_eq!(answers[0]["duration_ms"], 3501);
    assert_eq!(answers[0]["stop_reason"], "tool_use");
    assert!(!answers[0].contains_key("text"), "blank lines are no answer");
}

#[test]
fn the_ledger_adds_credits_and_only_calls_that_no_message_tells() {
    let decoded = decode(Format::AmpThread, PATH, THREAD.as_bytes());
    let answers = decoded.of("llm_response");
    assert_eq!(answers[0]["credits"], "1.500000000");
    // A message without usage of its own has that of the ledger.
    assert_eq!((&answers[2]["input_tokens"], &answers[2]["output_tokens"]), (&json!(50), &json!(9)));
    let own = decoded.only("system");
    assert_eq!(
        (&own["model"], &own["total_tokens"], &own["credits"]),
        (&json!("title-model"), &json!(15), &json!("0.010000000"))
    );
    assert_eq!(decoded.sum("total_tokens"), 14_673 + 1_020 + 59 + 15);
}

#[test]
fn older_threads_without_ids_and_with_plain_texts_are_read() {
    let text = r#"{"id":"T-2","title":"Old","messages":[{"role":"user","text":"Hello","createdAt":1700000000000},
        {"role":"assistant","text":"Hi","createdAt":1700000005000},{"role":"info","content":[{"type":"text","text":"note"}]},{"role":"alien","x":1}]}"#;
    let decoded = decode(Format::AmpThread, "/h/T-2.json", text.as_bytes());
    assert_eq!(decoded.only("user_interaction")["text"], "Hello");
    assert_eq!(decoded.only("llm_response")["ts"], 1_700_000_005_000_000i64);
    assert_eq!(decoded.only("system")["text"], "note");
    assert_eq!((decoded.only("unknown")["extra"]["x"].clone(), decoded.counts.unknown_types), (json!(1), 1));
}

fn streaming() -> String {
    THREAD.replace(
        r#"{"type":"text","text":"Done."}],"state":{"type":"complete","stopReason":"end_turn"}"#,
        r#"{"type":"text","text":"Do"}],"state":{"type":"streaming"}"#,
    )
}

#[test]
fn an_answer_that_is_still_written_waits_and_gives_way_to_the_whole_one() {
    let open = provisional(Format::AmpThread, PATH, streaming().as_bytes());
    assert_eq!(open.len(), 1);
    assert_eq!((&open[0]["event_type"], &open[0]["text"]), (&json!("llm_response"), &json!("Do")));
    assert!(provisional(Format::AmpThread, PATH, THREAD.as_bytes()).is_empty());
    let (begun, _) = THREAD.split_once(r#" {"role":"user","messageId":2"#).unwrap();
    let begun = format!("{}]}}", begun.trim_end().trim_end_matches(','));
    let last = played(Format::AmpThread, PATH, &[THREAD]);
    assert_eq!(played(Format::AmpThread, PATH, &[&streaming(), THREAD]), last);
    let grown = played(Format::AmpThread, PATH, &[&begun, &streaming(), THREAD]);
    assert_eq!(grown.keys().collect::<Vec<_>>(), last.keys().collect::<Vec<_>>());
}

#[test]
fn damage_is_rejected_or_read_around() {
    survives_damage(Format::AmpThread, PATH, THREAD.as_bytes());
    survives_wrong_types(Format::AmpThread, PATH, &[], THREAD);
    for bad in ["[]", "7", "{\"id\":\"T-1\"}", "{\"messages\":3}", "{\"messages\":[1,null,[]"] {
        assert_eq!(decode(Format::AmpThread, PATH, bad.as_bytes()).rejects.len(), 1, "{bad}");
    }
}

#[test]
fn real_threads_have_the_counts_that_a_plain_reading_gives() {
    let wanted = |path: &str| (path.contains("/amp") && path.ends_with(".json")).then_some(Format::AmpThread);
    let Some((files, rows)) = corpus(wanted) else { return };
    assert!(files >= 5 && rows > 30, "{files} files, {rows} rows");
    for path in files_below(&folder("others").unwrap()).iter().filter(|p| wanted(&p.to_string_lossy()).is_some()) {
        let bytes = std::fs::read(path).unwrap();
        let plain: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let decoded = decode(Format::AmpThread, &path.to_string_lossy(), &bytes);
        let messages = plain["messages"].as_array().unwrap();
        let answers = messages.iter().filter(|m| m["role"] == "assistant");
        assert_eq!(decoded.of("llm_response").len(), answers.clone().count());
        let total: i64 = answers
            .map(|m| {
                m["usage"]["totalInputTokens"].as_i64().unwrap_or(0) + m["usage"]["outputTokens"].as_i64().unwrap_or(0)
            })
            .sum();
        assert_eq!(decoded.sum("total_tokens"), total);
        let blocks = messages.iter().flat_map(|m| m["content"].as_array().cloned().unwrap_or_default());
        let results = blocks.filter(|b| b["type"] == "tool_result").count();
        assert_eq!(decoded.of("tool_result").len(), results);
    }
}

#[test]
fn calls_of_a_thread_that_was_edited_count_once() {
    let answer = |number: i64| {
        json!({"role": "assistant", "messageId": number, "content": [{"type": "text", "text": "b"}],
            "usage": {"model": "m", "inputTokens": 10, "outputTokens": 5, "timestamp": "2026-02-25T06:13:25.000Z"}})
    };
    let billed = |id: &str, number: i64| {
        json!({"id": id, "timestamp": "2026-02-25T06:13:25.000Z", "model": "m", "credits": 1.0, "toMessageId": number,
            "tokens": {"input": 10, "output": 5}})
    };
    let thread = |messages: &[Value], events: &[Value]| {
        json!({"id": "T-9", "created": 1_772_000_000_000_i64, "messages": messages, "usageLedger": {"events": events}})
            .to_string()
    };
    let before = thread(&[answer(1), answer(3)], &[billed("e1", 1), billed("e3", 3)]);
    let after = thread(&[answer(1), answer(5)], &[billed("e1", 1), billed("e3", 3), billed("e5", 5)]);
    for versions in [&[&before, &after][..], &[&after, &before], &[&after]] {
        let rows = versions.iter().flat_map(|v| decode(Format::AmpThread, PATH, v.as_bytes()).rows).collect();
        let lake = Decoded { rows, rejects: Vec::new(), counts: Counts::default() };
        assert_eq!(lake.sum("total_tokens"), 45);
        let credits = lake.events().iter().filter(|r| r.contains_key("credits")).count();
        assert_eq!(credits, 3);
    }
}

#[test]
fn the_address_of_a_repository_stands_in_no_other_column() {
    let text = json!({"id": "T-8", "created": 1_772_000_000_000_i64, "messages": [], "env": {"initial": {"trees": [
        {"displayName": "shop", "repository": {"type": "git", "url": "https://me:hush-hush@example.com/acme/shop", "ref": "refs/heads/main"}}]}}});
    let decoded = decode(Format::AmpThread, PATH, text.to_string().as_bytes());
    let trees = &decoded.only("session_start")["extra"]["trees"];
    assert_eq!(trees, &json!([{"displayName": "shop", "repository": {"type": "git", "ref": "refs/heads/main"}}]));
}
