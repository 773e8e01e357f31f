//! Promises of this agent's decoders.

mod attempts;
mod corpus;
mod edits;
mod logs;
mod sessions;
mod stores;
mod traps;

use serde_json::{Value, json};

use crate::adapters::Companion;
use crate::adapters::tests::{Decoded, decode, decode_with};
use crate::schema::Format;

/// Where a session of the workspace `w1` lies.
const SESSION: &str = "/u/User/workspaceStorage/w1/chatSessions/5a7d0f10-0000-4000-8000-000000000001.json";
/// The same as a log of changes.
const LOG: &str = "/u/User/workspaceStorage/w1/chatSessions/5a7d0f10-0000-4000-8000-000000000001.jsonl";
/// Its transcript.
const TRANSCRIPT: &str =
    "/u/User/workspaceStorage/w1/GitHub.copilot-chat/transcripts/5a7d0f10-0000-4000-8000-000000000001.jsonl";
/// Its id.
const ID: &str = "5a7d0f10-0000-4000-8000-000000000001";
/// Time of its first request, milliseconds.
const T: i64 = 1_770_000_000_000;

const WORKSPACE: Companion<'_> =
    Companion { name: "workspace.json", text: "{\"folder\":\"file:///home/u/My%20Proj\"}" };

/// A session of these requests.
fn session(requests: &[Value]) -> Value {
    json!({"version": 3, "sessionId": ID, "creationDate": T - 1000, "customTitle": "A title",
        "initialLocation": "panel", "responderUsername": "GitHub Copilot", "requesterUsername": "u",
        "requests": requests})
}

/// A finished request with this response, answered by this version of the extension.
fn request(id: &str, text: &str, version: &str, response: &Value) -> Value {
    json!({"requestId": id, "timestamp": T, "message": {"text": text, "parts": [{"kind": "text", "text": text}]},
        "response": response, "responseId": format!("response_{id}"), "modelId": "copilot/gpt-4.1",
        "agent": {"id": "github.copilot.editsAgent", "extensionVersion": version},
        "modelState": {"value": 1, "completedAt": T + 9000},
        "result": {"timings": {"firstProgress": 500, "totalElapsed": 9000}, "details": "GPT-4.1 • 1x",
            "metadata": {"responseId": format!("turn_{id}"), "sessionId": "ext"}}})
}

/// The same with something changed or added.
fn with(mut value: Value, path: &[&str], what: Value) -> Value {
    let (last, before) = path.split_last().unwrap();
    let parent = before.iter().fold(&mut value, |v, key| &mut v[*key]);
    parent[*last] = what;
    value
}

fn read(value: &Value) -> Decoded {
    decode_with(Format::CopilotSession, SESSION, &[WORKSPACE], value.to_string().as_bytes())
}

fn read_one(request: Value) -> Decoded {
    read(&session(&[request]))
}

fn read_log(lines: &[Value]) -> Decoded {
    decode_with(Format::CopilotOpLog, LOG, &[WORKSPACE], log(lines).as_bytes())
}

fn read_transcript(lines: &[Value]) -> Decoded {
    decode(Format::CopilotTranscript, TRANSCRIPT, log(lines).as_bytes())
}

fn log(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What a lake holds after these, in this order.
fn together(all: Vec<Decoded>) -> Decoded {
    let mut all = all.into_iter();
    let mut sum = all.next().unwrap();
    all.for_each(|next| sum.rows.extend(next.rows));
    sum
}

/// A tool call as the response shows it.
fn shown(id: &str, tool: &str) -> Value {
    json!({"kind": "toolInvocationSerialized", "toolId": tool, "toolCallId": id, "isComplete": true,
        "isConfirmed": {"type": 1}, "invocationMessage": {"value": "Doing"}, "pastTenseMessage": {"value": "Did"}})
}

/// A tool call as the model made it.
fn made(id: &str, name: &str, arguments: &Value) -> Value {
    json!({"id": id, "name": name, "arguments": arguments.to_string()})
}
