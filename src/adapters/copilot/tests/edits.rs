//! Groups of edits: every write is one row with its file, whoever made it.

use serde_json::{Value, json};

use super::*;

fn call_id(n: u8) -> String {
    format!("0b9f8a52-1111-4222-8333-9444444444{n:02}")
}

/// A group that adds this many lines to a file.
fn group(uri: &Value, lines: usize) -> Value {
    let edit = json!({"text": "x\n".repeat(lines), "range": {"startLineNumber": 1, "startColumn": 1,
        "endLineNumber": 1, "endColumn": 1}});
    json!({"kind": "textEditGroup", "uri": uri, "edits": [[], [edit]], "done": true})
}

fn unix(path: &str) -> Value {
    json!({"$mid": 1, "path": path, "scheme": "file"})
}

/// What a finished request of this response and these rounds' calls wrote: tool, file, lines added.
fn writes(response: &Value, calls: &[Value]) -> Vec<(String, Value, Value)> {
    let rounds = json!([{"id": "round", "toolCalls": calls}]);
    let one = with(request("r1", "x", "0.30.0", response), &["result", "metadata", "toolCallRounds"], rounds);
    let out = read_one(one);
    let made = out.of("file_modify");
    let lines = |call: &Value| {
        let results = out.of("tool_result");
        let of_call: Vec<_> = results.iter().filter(|r| r["tool_call_id"] == *call).collect();
        assert_eq!(of_call.len(), 1, "one result of {call}");
        of_call[0].get("lines_added").cloned().unwrap_or_default()
    };
    let write = |row: &&crate::adapters::tests::Row| {
        let file = row.get("file_path").cloned().unwrap_or_default();
        (row["tool_name"].as_str().unwrap().to_owned(), file, lines(&row["tool_call_id"]))
    };
    assert_eq!(out.of("tool_result").len(), made.len());
    made.iter().map(write).collect()
}

#[test]
fn an_edit_on_windows_counts_once_however_the_drive_is_written() {
    let uri = json!({"$mid": 1, "_sep": 1, "fsPath": "c:\\Users\\me\\p\\a.py", "external": "file:///c%3A/Users/me/p/a.py",
        "path": "/c:/Users/me/p/a.py", "scheme": "file"});
    let response = json!([shown(&call_id(1), "copilot_replaceString"), group(&uri, 2)]);
    for path in ["c:\\Users\\me\\p\\a.py", "C:\\Users\\me\\p\\a.py", "c:/Users/me/p/a.py", "C:\\users\\ME\\p\\a.py"] {
        let arguments = json!({"filePath": path, "oldString": "a", "newString": "b"});
        let found = writes(&response, &[made("toolu_1__vscode-1", "replace_string_in_file", &arguments)]);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].1.as_str().unwrap().starts_with("C:\\"), "{found:?}");
        assert_eq!(found[0].2, 2, "{path}");
        let patch = json!({"input": format!("*** Begin Patch\n*** Update File: {path}\n+x\n+y\n*** End Patch")});
        let patched = json!([shown(&call_id(1), "copilot_applyPatch")]);
        let found = writes(&patched, &[made("toolu_1__vscode-1", "apply_patch", &patch)]);
        assert!(found.is_empty() || found[0].1.as_str().unwrap().starts_with("C:\\"), "{found:?}");
    }
}

#[test]
fn a_call_for_several_files_writes_each_of_them() {
    let patch =
        json!({"input": "*** Begin Patch\n*** Update File: /p/a\n+x\n*** Update File: /p/b\n+y\n*** End Patch"});
    let list = json!({"replacements": [{"filePath": "/p/a", "oldString": "", "newString": "x"},
        {"filePath": "/p/b", "oldString": "", "newString": "y"}]});
    for (shown_as, name, arguments) in [
        ("copilot_applyPatch", "apply_patch", patch),
        ("copilot_multiReplaceString", "multi_replace_string_in_file", list),
    ] {
        let calls = [made("toolu_1__vscode-1", name, &arguments)];
        let response = json!([
            shown(&call_id(1), shown_as),
            group(&unix("/p/a"), 1),
            group(&unix("/p/a"), 2),
            group(&unix("/p/b"), 4)
        ]);
        let own = |file: &str, lines: i64| (name.to_owned(), json!(file), json!(lines));
        let other = |file: &str, lines: i64| ("textEditGroup".to_owned(), json!(file), json!(lines));
        assert_eq!(writes(&response, &calls), [own("/p/a", 3), other("/p/b", 4)]);
        // The call has the file that it wrote first, and no file twice.
        let response = json!([shown(&call_id(1), shown_as), group(&unix("/p/b"), 4), group(&unix("/p/a"), 1)]);
        assert_eq!(writes(&response, &calls), [own("/p/b", 4), other("/p/a", 1)]);
        // It has looked at one more file and left it as it was.
        let untouched = json!({"kind": "textEditGroup", "uri": unix("/p/c"), "edits": [[]], "done": true});
        let response = json!([shown(&call_id(1), shown_as), untouched, group(&unix("/p/b"), 4)]);
        assert_eq!(writes(&response, &calls), [own("/p/b", 4)]);
    }
}

#[test]
fn an_edit_of_a_sub_agent_has_the_file_that_its_group_names() {
    let inner = |n| with(shown(&call_id(n), "copilot_replaceString"), &["fromSubAgent"], json!(true));
    let response = json!([inner(1), group(&unix("/p/a"), 1), inner(2), group(&unix("/p/b"), 2)]);
    let own = |file: &str, lines: i64| ("copilot_replaceString".to_owned(), json!(file), json!(lines));
    assert_eq!(writes(&response, &[]), [own("/p/a", 1), own("/p/b", 2)]);
}

#[test]
fn calls_side_by_side_have_the_groups_of_their_own_files() {
    let linked = |n, path: &str| {
        let message = json!({"value": "Replacing", "uris": {format!("file://{path}#1-1"): unix(path)}});
        with(shown(&call_id(n), "copilot_replaceString"), &["invocationMessage"], message)
    };
    let call = |n: u8, path: &str| {
        let arguments = json!({"filePath": path, "oldString": "", "newString": "x"});
        made(&format!("toolu_{n}__vscode-{n}"), "replace_string_in_file", &arguments)
    };
    let response = json!([
        linked(1, "/p/a"),
        linked(2, "/p/b"),
        group(&unix("/p/a"), 1),
        group(&unix("/p/b"), 2),
        group(&unix("/p/c"), 3)
    ]);
    let alone = ("textEditGroup".to_owned(), json!("/p/c"), json!(3));
    for (name, calls) in
        [("replace_string_in_file", vec![call(1, "/p/a"), call(2, "/p/b")]), ("copilot_replaceString", Vec::new())]
    {
        let own = |file: &str, lines: i64| (name.to_owned(), json!(file), json!(lines));
        assert_eq!(writes(&response, &calls), [own("/p/a", 1), own("/p/b", 2), alone.clone()]);
    }
}

#[test]
fn an_edit_that_the_editor_carries_out_by_a_call_of_its_own_is_one_write() {
    let hidden = |n, tool| with(shown(&call_id(n), tool), &["presentation"], json!("hidden"));
    let outer = |n| hidden(n, "copilot_insertEdit");
    let inner = |n| hidden(n, "vscode_editFile_internal");
    let call = |n: u8, path: &str| {
        let arguments = json!({"filePath": path, "code": "x"});
        made(&format!("toolu_{n}__vscode-{n}"), "insert_edit_into_file", &arguments)
    };
    let own = |file: &str, lines: i64| ("insert_edit_into_file".to_owned(), json!(file), json!(lines));
    let one_by_one = json!([outer(1), inner(2), group(&unix("/p/a"), 1), outer(3), inner(4), group(&unix("/p/b"), 2)]);
    let side_by_side =
        json!([outer(1), outer(3), inner(2), inner(4), group(&unix("/p/a"), 1), group(&unix("/p/b"), 2)]);
    for response in [one_by_one, side_by_side] {
        assert_eq!(writes(&response, &[call(1, "/p/a"), call(2, "/p/b")]), [own("/p/a", 1), own("/p/b", 2)]);
    }
    // Without rounds, and when the editor's call is the only one shown.
    let response = json!([outer(1), inner(2), group(&unix("/p/a"), 1)]);
    assert_eq!(writes(&response, &[]), [("copilot_insertEdit".to_owned(), json!("/p/a"), json!(1))]);
    let response = json!([inner(2), group(&unix("/p/a"), 1)]);
    assert_eq!(writes(&response, &[call(1, "/p/a")]), [own("/p/a", 1)]);
    assert_eq!(writes(&response, &[]), [("vscode_editFile_internal".to_owned(), json!("/p/a"), json!(1))]);
    // What the editor said of its call stays.
    let out = read_one(request("r1", "x", "0.30.0", &json!([outer(1), inner(2)])));
    assert_eq!(out.only("file_modify")["extra"]["inner_call"]["toolCallId"], call_id(2));
}

#[test]
fn on_a_mac_a_group_belongs_to_its_call_in_whatever_case_and_on_linux_it_does_not() {
    for (home, writes_made) in [("/Users/me", 2), ("/home/me", 3)] {
        let (said, real) = (format!("{home}/p/User-guide.md"), format!("{home}/p/User-Guide.md"));
        let other = format!("{home}/p/Notes.md");
        let response = json!([
            shown(&call_id(1), "copilot_createFile"),
            shown(&call_id(2), "copilot_createFile"),
            group(&unix(&real), 2),
            group(&unix(&other), 3)
        ]);
        let create = |call: &str, path: &str| made(call, "create_file", &json!({"filePath": path, "content": "x"}));
        let rounds = json!([{"id": "round", "toolCalls": [create("toolu_1", &said), create("toolu_2", &other)]}]);
        let one = with(request("r1", "x", "0.30.0", &response), &["result", "metadata", "toolCallRounds"], rounds);
        let out = read_one(one);
        let writes = out.of("file_write").len() + out.of("file_modify").len();
        assert_eq!((writes, out.of("tool_result").len()), (writes_made, writes_made), "{home}");
    }
}
