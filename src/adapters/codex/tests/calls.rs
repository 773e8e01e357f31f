//! Calls, their ends and their results: a failure is told once, lines count where they were applied.

use super::resume::in_pieces;
use super::shapes::{events, extra, file, items};
use super::{Decoded, decode, lines};

const CALL: (&str, &str) = (
    "response_item",
    r#"{"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"make\"}","call_id":"c"}"#,
);
const END: (&str, &str) =
    ("event_msg", r#"{"type":"exec_command_end","call_id":"c","command":["make"],"exit_code":2}"#);
const PATCH: &str = r#"{"type":"custom_tool_call","name":"apply_patch","call_id":"p","input":"*** Begin Patch\n*** Update File: a.py\n@@\n-o\n+n\n*** Add File: b.py\n+1\n+2\n*** Update File: a.py\n@@\n+m\n*** End Patch"}"#;

fn output(text: &str) -> String {
    format!(r#"{{"type":"function_call_output","call_id":"c","output":"{text}"}}"#)
}

/// Decodes in one run and with a stop after each line; both give the same rows.
fn decode_with_stops(records: &[(&str, &str)]) -> Decoded {
    let text = file(records);
    let whole = decode(&text);
    for stop in 0..lines(text.as_bytes()).len() {
        let pieces = in_pieces(&text, &[stop], false);
        assert_eq!(pieces.dump(), whole.dump(), "stop after line {stop}");
        assert_eq!(pieces.counts, whole.counts, "stop after line {stop}");
    }
    whole
}

#[test]
fn a_failed_command_is_one_error_in_any_order_of_its_records() {
    let told = output(r"Process exited with code 2\nOutput:\n");
    let silent = output("something");
    for result in [&told, &silent] {
        let result = ("response_item", result.as_str());
        for records in [&[CALL, END, result][..], &[CALL, result, END], &[END, result], &[END, END, result]] {
            let decoded = decode_with_stops(records);
            assert_eq!(decoded.errors().len(), 1, "{records:?}");
        }
    }
    let decoded = decode_with_stops(&[CALL, END, ("response_item", &silent)]);
    let result = decoded.only("tool_result");
    assert_eq!(decoded.errors(), [result], "the result tells it");
    assert_eq!(decoded.i64(result, "exit_code"), Some(2), "the end's code");
    assert_eq!(decoded.i64(decoded.only("progress"), "exit_code"), Some(2));
    let decoded = decode_with_stops(&[CALL, ("response_item", &silent), END]);
    assert_eq!(decoded.errors(), [decoded.only("progress")], "where the result came first, the end tells it");
}

#[test]
fn a_refused_tool_whose_answer_says_nothing_is_an_error_of_its_result() {
    let decoded = decode_with_stops(&[
        ("response_item", r#"{"type":"function_call","name":"s__t","arguments":"{}","call_id":"c"}"#),
        (
            "event_msg",
            r#"{"type":"mcp_tool_call_end","call_id":"c","invocation":{"server":"s","tool":"t"},"result":{"Err":"gone"}}"#,
        ),
        ("response_item", &output("gone")),
    ]);
    assert_eq!(decoded.errors(), [decoded.only("tool_result")]);
}

#[test]
fn ends_without_any_id_are_each_a_call_of_their_own() {
    let end = r#"{"type":"exec_command_end","command":["ls"],"exit_code":1}"#;
    let decoded = events(&[end, end]);
    assert_eq!(decoded.types(), ["command_execution"; 2]);
    assert_eq!(decoded.errors(), [0, 1]);
}

#[test]
fn failures_in_the_words_of_older_builds_are_errors() {
    let shell = |text: &str| {
        let decoded = items(&[
            r#"{"type":"function_call","name":"shell","arguments":"{\"command\":[\"pytest\"]}","call_id":"c"}"#,
            &output(text),
        ]);
        (decoded.bool(1, "is_error"), decoded.i64(1, "exit_code"))
    };
    let denied =
        "failed in sandbox LinuxSeccomp with execution error: sandbox denied exec error, exit code: 2, stdout: x";
    assert_eq!(shell(denied), (Some(true), Some(2)));
    assert_eq!(shell("failed in sandbox None with execution error: command timed out"), (Some(true), None));
    assert_eq!(shell("failed in sandbox: it printed exit code: 7, stdout"), (Some(true), None));
    for text in [
        r#"error: Failed to find expected lines [\"o\"] in /w/a.py"#,
        "error: Failed to read file to update /w/a.py",
        "error: invalid hunk at line 2, no header",
        "error: invalid patch: The first line of the patch must be",
        "patch rejected: empty patch",
        "exec_command failed for `ls`: refused",
        "tool call error: gone",
    ] {
        assert_eq!(shell(text), (Some(true), None), "{text}");
    }
}

#[test]
fn what_a_tool_itself_prints_is_no_verdict() {
    let printed = r"Exit code: 0\nWall time: 0.1 seconds\nOutput:\nerror: Failed to find expected lines";
    for (tool, text) in [("shell_command", printed), ("search__query", "error: Failed to find a page")] {
        let call = format!(r#"{{"type":"function_call","name":"{tool}","arguments":"{{}}","call_id":"c"}}"#);
        let decoded = items(&[&call, &output(text)]);
        assert!(decoded.errors().is_empty(), "{tool}");
    }
}

#[test]
fn a_patch_of_several_files_counts_the_lines_of_each_once() {
    let result = r#"{"type":"custom_tool_call_output","call_id":"p","output":"Success. Updated the following files:\nM a.py\nA b.py"}"#;
    let decoded = decode_with_stops(&[("response_item", PATCH), ("response_item", result)]);
    assert_eq!((decoded.i64(0, "lines_added"), decoded.i64(1, "lines_added")), (None, Some(4)));
    assert_eq!((decoded.sum("lines_added"), decoded.sum("lines_removed")), (4, 1));
    assert_eq!(extra(&decoded, 0)["edits"], "a.py\t0\t0\nb.py\t0\t0");
    assert_eq!(extra(&decoded, 1)["edits"], "a.py\t2\t1\nb.py\t2\t0");
}

#[test]
fn a_patch_that_was_not_applied_has_no_lines() {
    let refused = r#"{"type":"custom_tool_call_output","call_id":"p","output":"apply_patch verification failed: no"}"#;
    let stopped = r#"{"type":"custom_tool_call_output","call_id":"p","output":"aborted by user after 1.0s"}"#;
    for result in [Some(refused), Some(stopped), None] {
        let records: Vec<_> = std::iter::once(PATCH).chain(result).collect();
        let decoded = items(&records);
        assert_eq!((decoded.sum("lines_added"), decoded.sum("lines_removed")), (0, 0), "{result:?}");
    }
    let failed = r#"{"type":"patch_apply_end","call_id":"p","success":false,"changes":{"/w/a.py":{"type":"add","content":"x\n"}}}"#;
    let silent = r#"{"type":"custom_tool_call_output","call_id":"p","output":""}"#;
    let decoded = decode_with_stops(&[("response_item", PATCH), ("event_msg", failed), ("response_item", silent)]);
    assert_eq!(decoded.sum("lines_added"), 0);
    assert_eq!(decoded.errors(), [decoded.only("tool_result")]);
}

#[test]
fn a_patch_that_no_call_announced_has_the_lines_of_each_file() {
    let decoded = events(&[
        r#"{"type":"patch_apply_end","call_id":"x","success":true,"changes":{"/w/a":{"type":"add","content":"x\ny\n"},"/w/b":{"type":"update","unified_diff":"@@ -1 +1 @@\n-o\n+n\n"}}}"#,
    ]);
    let patch = decoded.only("file_modify");
    assert_eq!((decoded.i64(patch, "lines_added"), decoded.i64(patch, "lines_removed")), (Some(3), Some(1)));
    assert_eq!(extra(&decoded, patch)["edits"], "/w/a\t2\t0\n/w/b\t1\t1");
}

#[test]
fn a_command_that_runs_on_is_known_however_late_it_ends() {
    let running = output(r"Process running with session ID 5\nOutput:\n");
    let mut records = vec![CALL, ("response_item", running.as_str())];
    let others: Vec<_> = (0..65)
        .flat_map(|i| {
            [
                format!(r#"{{"type":"function_call","name":"exec_command","arguments":"{{}}","call_id":"k{i}"}}"#),
                format!(r#"{{"type":"function_call_output","call_id":"k{i}","output":"Process exited with code 0"}}"#),
            ]
        })
        .collect();
    records.extend(others.iter().map(|text| ("response_item", text.as_str())));
    records.push(END);
    let text = file(&records);
    let decoded = decode(&text);
    assert_eq!(decoded.of_type("command_execution").len(), 66);
    assert_eq!(decoded.errors(), [decoded.only("progress")]);
    assert_eq!(decoded.text(decoded.only("progress"), "tool_name"), Some("exec_command"));
    let pieces = in_pieces(&text, &[1, 80, 131], false);
    assert_eq!(pieces.dump(), decoded.dump());
}

#[test]
fn a_saved_stream_names_every_file_of_a_change() {
    let decoded = decode(
        "{\"type\":\"item.completed\",\"item\":{\"id\":\"i\",\"type\":\"file_change\",\"status\":\"completed\",\"changes\":[{\"path\":\"a\",\"kind\":\"add\"},{\"path\":\"b\",\"kind\":\"update\"}]}}\n",
    );
    let change = decoded.only("file_modify");
    assert_eq!(decoded.text(change, "file_path"), Some("a"));
    assert_eq!(extra(&decoded, change)["edits"], "a\t0\t0\nb\t0\t0");
}
