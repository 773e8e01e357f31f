//! Tests of the decoders of Cline, Roo Code and Kilo.

mod calls;
mod corpus;
mod session;
mod task;
mod traps;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, Row, decode, decode_with, finish};
use crate::adapters::{Companion, Line, SourceInfo, decoder};
use crate::schema::{Counts, Format, RowContext, Rows};

const TASK: &str = "/h/globalStorage/saoudrizwan.claude-dev/tasks/1767644899000/ui_messages.json";
const CALLS: &str = "/h/globalStorage/saoudrizwan.claude-dev/tasks/1767644899000/api_conversation_history.json";

/// A message that the agent says.
fn say(ts: i64, kind: &str, text: impl Into<String>) -> Value {
    json!({"ts": ts, "type": "say", "say": kind, "text": text.into()})
}

/// A message that asks the user.
fn ask(ts: i64, kind: &str, text: impl Into<String>) -> Value {
    json!({"ts": ts, "type": "ask", "ask": kind, "text": text.into()})
}

/// A finished request.
fn request(ts: i64, numbers: (i64, i64, i64, i64), cost: f64, request: &str) -> Value {
    let (tokens_in, out, writes, reads) = numbers;
    let info = json!({"request": request, "tokensIn": tokens_in, "tokensOut": out, "cacheWrites": writes,
        "cacheReads": reads, "cost": cost});
    say(ts, "api_req_started", info.to_string())
}

fn tool(ts: i64, tool: &str, path: &str) -> Value {
    say(ts, "tool", json!({"tool": tool, "path": path}).to_string())
}

fn task_of(messages: &[Value]) -> Decoded {
    decode(Format::ClineTask, TASK, Value::from(messages.to_vec()).to_string().as_bytes())
}

/// What a lake holds after it has seen these versions of a document, each settled.
fn replayed(format: Format, path: &str, versions: &[String]) -> Vec<Row> {
    let rows = versions.iter().flat_map(|v| decode(format, path, v.as_bytes()).rows).collect();
    let all = Decoded { rows, rejects: Vec::new(), counts: Counts::default() };
    sorted(all.events().into_iter().cloned().collect())
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|r| r["event_id"].as_str().unwrap().to_owned());
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_make_a_decoder_panic(cut in 0usize..900, at in 0usize..900, byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..40)) {
        let ui = Value::from(vec![
            say(1, "task", "go"), request(2, (1, 2, 3, 4), 0.5, "[x for 'y'] Result:\nz"), tool(3, "readFile", "a"),
            ask(4, "followup", json!({"question": "q", "options": ["é"], "selected": "é"}).to_string()),
            json!({"ts": null, "say": 3, "ask": ["x"], "type": {}, "partial": "no", "images": [1]}),
        ]).to_string();
        let api = json!([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": null}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read_file", "input": []}]}]).to_string();
        let session = json!({"sessionId": "s", "messages": [{"role": "user", "content": "x"}, 4]}).to_string();
        for (format, text) in [(Format::ClineTask, &ui), (Format::RooCalls, &api), (Format::ClineSession, &session)] {
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            decode(format, TASK, &bytes);
            bytes.truncate(cut % (bytes.len() + 1));
            decode(format, TASK, &bytes);
            decode(format, TASK, &noise);
            let torn = String::from_utf8_lossy(&bytes).into_owned();
            let companions = [Companion { name: "ui_messages.json", text: &torn }, Companion { name: "task_metadata.json", text: &torn }];
            decode_with(format, CALLS, &companions, text.as_bytes());
        }
    }
}

#[test]
fn a_document_of_another_shape_is_a_reject_and_an_empty_one_nothing() {
    for (format, text, rejects) in [
        (Format::ClineTask, "{}", 1),
        (Format::ClineTask, "[1, 2]", 1),
        (Format::ClineTask, "[{\"ts\":1", 1),
        (Format::ClineTask, "[]", 0),
        (Format::ClineCalls, "\"x\"", 1),
        (Format::ClineCalls, "[]", 0),
        (Format::ClineSession, "[]", 1),
        (Format::ClineSession, "{\"messages\":3}", 1),
    ] {
        let decoded = decode(format, TASK, text.as_bytes());
        assert_eq!(decoded.rejects.len(), rejects, "{text}");
        assert!(decoded.rows.is_empty(), "{text}");
    }
}

#[test]
fn what_its_agent_has_finished_is_settled_in_history_and_what_it_has_not_is_not() {
    let settled = |text: &Value| {
        let bytes = text.to_string().into_bytes();
        let mut decoder = decoder(Format::ClineTask, SourceInfo { path: TASK, ..SourceInfo::default() }, None).unwrap();
        let mut rows = Rows::new(RowContext::new("cline", TASK));
        decoder.line(Line { bytes: &bytes, offset: 0, end: bytes.len() as u64 }, &mut rows);
        assert!(decoder.is_open());
        decoder.settle_finished(&mut rows);
        !decoder.is_open()
    };
    assert!(settled(&json!([say(1, "text", "x"), request(2, (1, 1, 0, 0), 0.1, "")])));
    assert!(!settled(&json!([say(1, "text", "x"), say(2, "api_req_started", "{\"request\":\"x\"}")])));
}
