//! Logs of changes and transcripts.

use serde_json::{Value, json};

use super::*;
use crate::adapters::SourceInfo;
use crate::adapters::tests::{decode_of, provisional, resumes_anywhere};

/// A log in which everything happens: typing, streaming with rewrites, two turns, a title, a late result.
fn busy() -> Vec<Value> {
    let first = json!({"requestId": "r1", "timestamp": T, "message": {"text": "one"}, "response": [],
        "agent": {"extensionVersion": "0.30.0"}, "modelState": {"value": 0}});
    let whole = request("r1", "one", "0.30.0", &json!([]));
    vec![
        json!({"kind": 0, "v": {"version": 3, "sessionId": ID, "creationDate": T - 5, "requests": [], "inputState": {"inputText": "o"}}}),
        json!({"kind": 1, "k": ["inputState", "inputText"], "v": "one"}),
        json!({"kind": 2, "k": ["requests"], "v": [first]}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": "He"}]}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": "Hello"}, {"kind": "thinking", "value": "t"}], "i": 0}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "i": 1}),
        json!({"kind": 1, "k": ["requests", 0, "modelState"], "v": whole["modelState"]}),
        json!({"kind": 1, "k": ["requests", 0, "result"], "v": whole["result"]}),
        json!({"kind": 1, "k": ["requests", 0, "followups"]}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": " there"}]}),
        json!({"kind": 1, "k": ["customTitle"], "v": "Greeting"}),
        json!({"kind": 3, "k": ["hasPendingEdits"]}),
        json!({"kind": 9, "k": ["x"], "why": "new"}),
        json!({"kind": 2, "k": ["requests"], "v": [request("r2", "two", "0.30.0", &json!([{"value": "Two"}]))]}),
        json!({"kind": 1, "k": ["requests", 0, "vote"], "v": 1}),
        json!({"kind": 2, "k": ["requests"], "v": [{"requestId": "r3", "timestamp": T, "message": {"text": "three"}, "response": [{"value": "..."}]}]}),
    ]
}

#[test]
fn a_log_of_changes_makes_the_rows_of_its_document() {
    let out = read_log(&busy());
    let events = out.events();
    let texts = |kind: &str| {
        events
            .iter()
            .filter(|r| r["event_type"] == kind)
            .map(|r| r["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts("user_interaction"), ["one", "two", "three"]);
    assert_eq!(texts("llm_response"), ["Hello there", "Two", "..."]);
    assert!(texts("thinking").is_empty());
    assert_eq!(texts("title"), ["Greeting"]);
    assert_eq!((out.counts.ignored, out.counts.unknown_types, out.counts.rejects), (2, 1, 0));
    assert_eq!(out.only("unknown")["extra"]["why"], "new");
    // The document at the end says the same.
    let mut document = session(&[
        request("r1", "one", "0.30.0", &json!([{"value": "Hello"}, {"value": " there"}])),
        request("r2", "two", "0.30.0", &json!([{"value": "Two"}])),
        json!({"requestId": "r3", "timestamp": T, "message": {"text": "three"}, "response": [{"value": "..."}]}),
    ]);
    document["customTitle"] = json!("Greeting");
    let ids = |d: &Decoded| {
        let known = d.events().into_iter().filter(|r| r["event_type"] != "unknown");
        let mut ids: Vec<_> = known.map(|r| r["event_id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&out), ids(&read(&document)));
}

#[test]
fn a_log_of_changes_resumes_at_any_line() {
    resumes_anywhere(Format::CopilotOpLog, LOG, log(&busy()).as_bytes());
}

/// The title that the view of sessions shows.
fn title(out: &Decoded) -> Value {
    let mut titles: Vec<_> = out.events().into_iter().filter(|r| r["event_type"] == "title").collect();
    titles.sort_by_key(|r| (r["ts"].as_i64(), r["completeness"].as_i64()));
    titles.last().unwrap()["text"].clone()
}

#[test]
fn of_several_titles_the_last_one_counts_also_when_it_was_there_before() {
    let given = |title: &str| json!({"kind": 1, "k": ["customTitle"], "v": title});
    let mut untitled = session(&[request("r1", "one", "0.42.0", &json!([]))]);
    untitled.as_object_mut().unwrap().remove("customTitle");
    let mut lines = vec![json!({"kind": 0, "v": untitled})];
    for name in ["Zebra", "Ant", "Moth", "Zebra", "Bee", "Ant"] {
        lines.push(given(name));
        lines.push(json!({"kind": 3, "k": ["hasPendingEdits"]}));
        assert_eq!(title(&read_log(&lines)), name);
        resumes_anywhere(Format::CopilotOpLog, LOG, log(&lines).as_bytes());
    }
    // A title is not younger than what is asked after it.
    lines.push(json!({"kind": 2, "k": ["requests"], "v": [with(request("r2", "two", "0.42.0", &json!([])), &["timestamp"], json!(T + 60_000))]}));
    let out = read_log(&lines);
    assert!(
        out.of("title").iter().all(|r| r["ts"].as_i64() < Some((T + 60_000) * 1000) && r["ts_source"] == "inferred")
    );
    // The document that was there before has an older one.
    let stale = read(&session(&[request("r1", "one", "0.42.0", &json!([]))]));
    assert_eq!(title(&together(vec![out, stale])), "Ant");
}

#[test]
fn a_document_that_is_renamed_without_a_request_has_its_last_title() {
    let read_at = |modified_us: i64, name: &str| {
        let text = with(session(&[request("r1", "one", "0.42.0", &json!([]))]), &["customTitle"], json!(name));
        let info = SourceInfo { path: SESSION, modified_us, ..SourceInfo::default() };
        decode_of(Format::CopilotSession, info, text.to_string().as_bytes())
    };
    let names = ["Zebra", "Ant", "Moth", "Zebra"];
    for end in 1..=names.len() {
        let seen = names[..end].iter().zip(1..).map(|(name, at)| read_at(T * 1000 + at * 1_000_000, name));
        assert_eq!(title(&together(seen.collect())), names[end - 1]);
    }
}

#[test]
fn a_compacted_log_and_an_undone_turn_leave_what_was_known() {
    let mut lines = busy();
    lines.push(json!({"kind": 0, "v": session(&[request("r1", "one", "0.30.0", &json!([{"value": "Hello there"}]))])}));
    lines.push(json!({"kind": 2, "k": ["requests"], "v": [request("r4", "four", "0.30.0", &json!([{"value": "Four"}]))], "i": 1}));
    let out = read_log(&lines);
    let prompts = out.events().into_iter().filter(|r| r["event_type"] == "user_interaction");
    // The third was open when it was undone: it was never handed out.
    assert_eq!(prompts.map(|r| r["text"].clone()).collect::<Vec<_>>(), ["one", "two", "four"]);
    resumes_anywhere(Format::CopilotOpLog, LOG, log(&lines).as_bytes());
}

#[test]
fn lines_that_do_not_fit_the_document_are_rejects_and_change_nothing() {
    let lines = [
        json!({"kind": 0, "v": session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))])}),
        json!({"kind": 1, "k": ["requests", 7, "vote"], "v": 1}),
        json!({"kind": 1, "k": ["requests", "x"], "v": 1}),
        json!({"kind": 2, "k": ["requests", 0, "message", "text", 3], "v": [1]}),
        json!({"kind": 1, "v": 1}),
        json!({"kind": 0, "v": 3}),
        json!({"no": "kind"}),
        json!([1]),
        json!({"kind": 1, "k": ["requests", 0, "response", 999_999], "v": 1}),
    ];
    let out = read_log(&lines);
    assert!(out.rejects.iter().all(|r| r == "wrong_shape"));
    assert_eq!(
        (out.counts.rejects, out.events().len()),
        (8, read(&session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))])).events().len())
    );
    let torn = decode(Format::CopilotOpLog, LOG, b"{\"kind\":0,\"v\":{\"requests\":[]}}\n{\"kind\":2,\"k\":[\"req");
    assert_eq!(torn.rejects, ["not_json"]);
}

fn event(kind: &str, data: Value, n: u32) -> Value {
    json!({"type": kind, "data": data, "id": format!("e{n}"), "timestamp": format!("2026-02-02T02:40:{n:02}Z"), "parentId": null})
}

fn spoken() -> Vec<Value> {
    vec![
        event(
            "session.start",
            json!({"sessionId": ID, "copilotVersion": "0.40.0", "vscodeVersion": "1.110.0", "context": {"cwd": "/p"}}),
            0,
        ),
        event("user.message", json!({"content": "Run it", "attachments": [{"kind": "file", "path": "/p/a"}]}), 1),
        event("assistant.turn_start", json!({"turnId": "0"}), 2),
        event(
            "assistant.message",
            json!({"messageId": "m1", "content": "Running.", "toolRequests": [
            {"toolCallId": "call_0", "name": "run_in_terminal", "arguments": "{\"command\":\"ls\"}"}]}),
            3,
        ),
        event(
            "tool.execution_start",
            json!({"toolCallId": "call_0", "toolName": "run_in_terminal", "arguments": {"command": "ls"}}),
            4,
        ),
        event(
            "tool.execution_complete",
            json!({"toolCallId": "call_0", "success": false, "result": {"content": "no"}}),
            5,
        ),
        event("assistant.message", json!({"messageId": "m2", "content": "It failed."}), 6),
        event("user.message", json!({"content": "Run it"}), 7),
        event("assistant.message", json!({"content": "", "toolRequests": []}), 8),
        event("brand.new", json!({"x": 1}), 9),
    ]
}

#[test]
fn a_transcript_by_itself_is_a_conversation() {
    let out = read_transcript(&spoken());
    assert_eq!(out.of("user_interaction").iter().map(|r| r["turn"].clone()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(out.only("llm_response")["text"], "Running.\n\nIt failed.");
    let call = out.only("command_execution");
    assert_eq!((&call["command"], &call["cwd"], &call["session_id"]), (&json!("ls"), &json!("/p"), &json!(ID)));
    let result = out.only("tool_result");
    assert_eq!(
        (&result["tool_output"], &result["is_error"], &result["command"]),
        (&json!("no"), &json!(true), &json!("ls"))
    );
    assert_eq!(out.only("session_start")["extra"]["vscodeVersion"], "1.110.0");
    assert_eq!(out.only("unknown")["extra"]["data"]["x"], 1);
    assert!(out.rows.iter().all(|r| r["ts_source"] == "inferred"));
    assert_eq!((out.counts.ignored, out.counts.rejects), (1, 0));
}

#[test]
fn calls_that_share_a_short_id_are_calls_of_their_own_in_both_stores() {
    let call = |n: u32| {
        let made =
            json!({"toolCallId": "call_0", "name": "read_file", "arguments": format!("{{\"filePath\":\"/p/{n}\"}}")});
        [
            event("assistant.message", json!({"content": "", "toolRequests": [made]}), n),
            event("tool.execution_start", json!({"toolCallId": "call_0", "toolName": "read_file"}), n),
            event("tool.execution_complete", json!({"toolCallId": "call_0", "success": true}), n),
        ]
    };
    let ask = |n: u32| event("user.message", json!({"content": format!("ask {n}")}), n);
    let lines = [
        vec![event("session.start", json!({"sessionId": ID}), 0), ask(1)],
        call(2).to_vec(),
        call(3).to_vec(),
        vec![ask(4)],
        call(5).to_vec(),
    ]
    .concat();
    let spoken = read_transcript(&lines);
    assert_eq!(spoken.of("file_read").len(), 3);
    assert_eq!(spoken.events().len(), spoken.rows.len());
    let turn = |id: &str, text: &str, counters: &[u32]| {
        let response: Vec<Value> =
            counters.iter().map(|n| shown(&format!("call_0__vscode-{n}"), "copilot_readFile")).collect();
        let rounds: Vec<Value> = counters
            .iter()
            .map(|n| {
                json!({"id": format!("q{n}"), "toolCalls": [
            made(&format!("call_0__vscode-{n}"), "read_file", &json!({"filePath": format!("/p/{n}")}))]})
            })
            .collect();
        with(request(id, text, "0.40.0", &json!(response)), &["result", "metadata", "toolCallRounds"], json!(rounds))
    };
    let whole = || read(&session(&[turn("r1", "ask 1", &[2, 3]), turn("r2", "ask 4", &[5])]));
    let paths: Vec<_> = whole().of("file_read").iter().map(|r| r["file_path"].clone()).collect();
    assert_eq!(paths, ["/p/2", "/p/3", "/p/5"]);
    let both = together(vec![spoken, whole()]);
    assert_eq!(both.events().iter().filter(|r| r["event_type"] == "file_read").count(), 3);
    resumes_anywhere(Format::CopilotTranscript, TRANSCRIPT, log(&lines).as_bytes());
}

#[test]
fn a_transcript_resumes_at_any_line() {
    resumes_anywhere(Format::CopilotTranscript, TRANSCRIPT, log(&spoken()).as_bytes());
}

#[test]
fn the_answer_of_the_last_turn_is_open_until_it_is_silent() {
    let lines = spoken();
    let tail = provisional(Format::CopilotTranscript, TRANSCRIPT, log(&lines[..4]).as_bytes());
    assert_eq!(tail.iter().map(|r| r["text"].clone()).collect::<Vec<_>>(), ["Running."]);
    // What comes after a silence completes the same answer.
    let both = together(vec![read_transcript(&lines[..4]), read_transcript(&lines[..7])]);
    let answers: Vec<_> = both.events().into_iter().filter(|r| r["event_type"] == "llm_response").collect();
    assert_eq!((answers.len(), &answers[0]["text"]), (1, &json!("Running.\n\nIt failed.")));
}

proptest::proptest! {
    #[test]
    fn no_log_panics_and_every_line_is_counted(
        cut in proptest::collection::vec((0_usize..4000, proptest::prelude::any::<u8>()), 0..12),
        format in proptest::sample::select(vec![Format::CopilotOpLog, Format::CopilotTranscript, Format::CopilotSession,
            Format::CopilotEdits, Format::CopilotReplay, Format::VisualStudioTraces]),
        of_log in proptest::prelude::any::<bool>(),
    ) {
        let mut bytes = if of_log { log(&busy()) } else { log(&spoken()) }.into_bytes();
        if format == Format::CopilotSession {
            bytes = session(&[request("r1", "x", "0.40.0", &json!([shown("c", "copilot_readFile"), {"value": "y"}]))]).to_string().into_bytes();
        }
        for (at, byte) in cut {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        decode(format, LOG, &bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        for format in [Format::CopilotOpLog, Format::CopilotTranscript, Format::CopilotSession, Format::CopilotEdits,
            Format::CopilotReplay, Format::VisualStudioTraces] {
            decode(format, LOG, &bytes);
        }
    }

    #[test]
    fn changes_of_any_path_and_value_do_not_panic(
        ops in proptest::collection::vec((0_i64..4, proptest::collection::vec(proptest::sample::select(vec![
            json!("requests"), json!(0), json!(1), json!("response"), json!("result"), json!("message"), json!("x")]), 0..5),
            proptest::sample::select(vec![Value::Null, json!(1), json!("t"), json!([]), json!({}), json!([{"value": "v"}]),
                json!({"requestId": "r", "message": "m", "response": ["a"], "result": {"metadata": {"toolCallRounds": [{}]}}})]),
            proptest::option::of(0_usize..4)), 0..20)
    ) {
        let lines: Vec<Value> = ops.into_iter().map(|(kind, path, value, from)| json!({"kind": kind, "k": path, "v": value, "i": from})).collect();
        resumes_anywhere(Format::CopilotOpLog, LOG, log(&lines).as_bytes());
    }
}
