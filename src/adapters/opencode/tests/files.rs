//! The tree of JSON files, and exports.

use serde_json::{Value, json};

use super::{T, assistant, bash, text, user};
use crate::adapters::Companion;
use crate::adapters::tests::{Decoded, decode, decode_with, provisional};
use crate::schema::Format;

const MESSAGE: &str = "/h/.local/share/opencode/storage/message/ses_1/msg_2.json";

/// `record` with ids, as a file has it.
fn named(mut record: Value, ids: Value) -> String {
    let (Value::Object(into), Value::Object(ids)) = (&mut record, ids) else { panic!("records are objects") };
    into.extend(ids);
    serde_json::to_string_pretty(&record).unwrap()
}

fn info(completed: Option<i64>) -> String {
    named(assistant("msg_1", 20, completed), json!({"id": "msg_2", "sessionID": "ses_1"}))
}

fn session() -> String {
    json!({"id": "ses_1", "version": "1.0.1", "projectID": "0123abc", "directory": "/home/u/app", "title": "A title",
        "time": {"created": T, "updated": T + 9}, "share": {"url": "https://share/x"}})
    .to_string()
}

fn part_of(id: &str, data: Value) -> (String, String) {
    (format!("{id}.json"), named(data, json!({"id": id, "sessionID": "ses_1", "messageID": "msg_2"})))
}

fn message_with(completed: Option<i64>, parts: &[(String, String)]) -> Decoded {
    let session = session();
    let mut beside = vec![Companion { name: "ses_1.json", text: &session }];
    beside.extend(parts.iter().map(|(name, text)| Companion { name, text }));
    decode_with(Format::OpencodeMessage, MESSAGE, &beside, info(completed).as_bytes())
}

#[test]
fn a_message_is_read_with_its_parts_and_its_session() {
    let parts =
        [part_of("prt_6", text("I run it.")), part_of("prt_7", bash("completed", 50)), part_of("prt_9", text("Done."))];
    let decoded = message_with(Some(400), &parts);
    let answer = decoded.only("llm_response");
    assert_eq!((&answer["text"], &answer["total_tokens"]), (&json!("I run it.\nDone."), &json!(1115)));
    assert_eq!((&answer["agent_version"], &answer["workspace_id"]), (&json!("1.0.1"), &json!("0123abc")));
    assert_eq!(decoded.only("tool_result")["tool_output"], "ok\n");
    assert_eq!(decoded.only("command_execution")["session_id"], "ses_1");
}

#[test]
fn a_message_that_its_model_still_writes_is_open_and_its_final_state_replaces_it() {
    let first = decode(Format::OpencodeMessage, MESSAGE, info(None).as_bytes());
    assert_eq!(provisional(Format::OpencodeMessage, MESSAGE, info(None).as_bytes()).len(), 1);
    let last = message_with(Some(400), &[part_of("prt_6", text("I run it."))]);
    let mut both = Decoded { rows: first.rows, rejects: Vec::new(), counts: last.counts };
    both.rows.extend(last.rows.clone());
    assert_eq!(both.events().len(), 1);
    assert_eq!(both.events()[0]["text"], "I run it.");
    // The same state again changes nothing.
    both.rows.extend(last.rows);
    assert_eq!(both.events()[0]["text"], "I run it.");
}

#[test]
fn a_part_by_itself_is_less_complete_than_its_message() {
    let path = "/h/.local/share/opencode/storage/part/msg_2/prt_6.json";
    let (name, file) = part_of("prt_7", bash("completed", 50));
    let alone = decode(Format::OpencodePart, path, file.as_bytes());
    let with = message_with(Some(400), &[(name, file)]);
    for kind in ["command_execution", "tool_result"] {
        assert_eq!(alone.only(kind)["event_id"], with.only(kind)["event_id"]);
        assert!(alone.only(kind)["completeness"].as_i64() < with.only(kind)["completeness"].as_i64());
    }
    let mut spoken = text("I run it.");
    spoken["time"] = json!({"start": T + 31, "end": T + 40});
    let alone = decode(Format::OpencodePart, path, part_of("prt_6", spoken).1.as_bytes());
    assert_eq!(alone.only("llm_response")["event_id"], with.only("llm_response")["event_id"]);
    assert_eq!(alone.only("llm_response")["text"], "I run it.");
    let asked = decode(Format::OpencodePart, path, part_of("prt_6", text("Fix it")).1.as_bytes());
    assert_eq!(asked.only("user_interaction")["text"], "Fix it");
    let running = part_of("prt_7", bash("running", 50)).1;
    assert_eq!(provisional(Format::OpencodePart, path, running.as_bytes()).len(), 1);
}

#[test]
fn a_sessions_file_is_its_start_and_title() {
    let decoded = decode(Format::OpencodeSession, "/d/storage/session/0123abc/ses_1.json", session().as_bytes());
    assert_eq!(
        (&decoded.only("session_start")["cwd"], &decoded.only("title")["text"]),
        (&json!("/home/u/app"), &json!("A title"))
    );
    assert!(!format!("{:?}", decoded.rows).contains("https://share"), "a link that opens a session is not stored");
}

#[test]
fn messages_of_the_time_before_summer_2025_hold_everything_in_metadata_and_parts() {
    let message = json!({"id": "msg_2", "role": "assistant", "parts": [
        {"type": "step-start"}, {"type": "text", "text": "Hello"},
        {"type": "tool-invocation", "toolInvocation": {"state": "result", "step": 0, "toolCallId": "call_1", "toolName": "bash",
            "args": {"command": "ls"}, "result": "a\nb"}}],
        "metadata": {"sessionID": "ses_1", "time": {"created": T, "completed": T + 50}, "tool": {"call_1": {"title": "ls"}},
            "assistant": {"modelID": "claude-x", "providerID": "anthropic", "cost": 0.5, "path": {"cwd": "/p", "root": "/p"},
                "tokens": {"input": 3, "output": 4, "reasoning": 0}}}});
    let path = "/d/project/home-u-p/storage/session/message/ses_1/msg_2.json";
    let decoded = decode(Format::OpencodeMessage, path, message.to_string().as_bytes());
    let answer = decoded.only("llm_response");
    assert_eq!(
        (&answer["text"], &answer["model"], &answer["cwd"]),
        (&json!("Hello"), &json!("claude-x"), &json!("/p"))
    );
    assert_eq!((&answer["total_tokens"], &answer["session_id"]), (&json!(7), &json!("ses_1")));
    assert!(!answer.contains_key("cache_read_tokens"), "what was not counted is not zero");
    assert_eq!(decoded.only("command_execution")["command"], "ls");
    assert_eq!(decoded.only("tool_result")["tool_output"], "a\nb");
}

#[test]
fn an_export_has_the_same_events_after_whatever_was_printed_before_it() {
    let parts = [part_of("prt_6", text("I run it.")), part_of("prt_7", bash("completed", 50))];
    let with = message_with(Some(400), &parts);
    let list: Vec<Value> = parts.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    let session: Value = serde_json::from_str(&session()).unwrap();
    let info: Value = serde_json::from_str(&info(Some(400))).unwrap();
    let asked: Value = serde_json::from_str(&named(user(10), json!({"id": "msg_1", "sessionID": "ses_1"}))).unwrap();
    let said = json!({"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1", "type": "text", "text": "Go"});
    let export =
        json!({"info": session, "messages": [{"info": asked, "parts": [said]}, {"info": info, "parts": list}]});
    let printed = format!("Exporting session: ses_1\n{{not json\n{}", serde_json::to_string_pretty(&export).unwrap());
    let decoded = decode(Format::OpencodeExport, "/x/session.json", printed.as_bytes());
    assert_eq!(decoded.only("llm_response")["event_id"], with.only("llm_response")["event_id"]);
    assert_eq!(decoded.only("llm_response")["turn"], 1);
    assert_eq!(decoded.only("tool_result")["event_id"], with.only("tool_result")["event_id"]);
    assert_eq!(
        (&decoded.only("user_interaction")["text"], &decoded.only("title")["text"]),
        (&json!("Go"), &json!("A title"))
    );
}
