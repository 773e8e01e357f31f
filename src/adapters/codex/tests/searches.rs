//! Records with one call id are one call.

use super::{Decoded, decode};

fn event(call_id: &str, action: &str, rest: &str) -> String {
    line("event_msg", &format!(r#""type":"web_search_end","call_id":"{call_id}","query":"q"{action}{rest}"#))
}

fn item(id: &str, action: &str) -> String {
    line("response_item", &format!(r#""type":"web_search_call","id":"{id}","status":"completed"{action}"#))
}

fn line(kind: &str, payload: &str) -> String {
    format!("{{\"timestamp\":\"2026-07-24T10:00:05.000Z\",\"type\":\"{kind}\",\"payload\":{{{payload}}}}}\n")
}

fn run(name: &str) -> String {
    line(
        "response_item",
        &format!(
            r#""type":"function_call","name":"run","namespace":"web","arguments":"{{\"search_query\":[]}}","call_id":"{name}""#
        ),
    )
}

const OTHER: &str = r#","action":{"type":"other"}"#;
const SEARCH: &str = r#","action":{"type":"search","query":"q"}"#;
const RESULTS: &str = r#","results":[{"title":"T"}]"#;

/// Ids of the rows of calls, in the order of the log; of one id the most complete is the row.
fn calls(decoded: &Decoded) -> usize {
    let ids: std::collections::HashSet<_> =
        decoded.of_type("tool_use").into_iter().map(|row| decoded.batch.ids[row]).collect();
    ids.len()
}

#[test]
fn a_search_is_one_call_whatever_its_two_records_say_of_it() {
    for [one, two] in [["", OTHER], [OTHER, ""], [OTHER, SEARCH], [SEARCH, OTHER], [SEARCH, SEARCH], ["", ""]] {
        for text in [event("ws_1", one, "") + &item("ws_1", two), item("ws_1", one) + &event("ws_1", two, "")] {
            let decoded = decode(&text);
            assert_eq!(calls(&decoded), 1, "{text}");
            let said = |row: &usize| decoded.i64(*row, "completeness");
            let best = decoded.of_type("tool_use").into_iter().max_by_key(said).unwrap();
            let input = decoded.text(best, "tool_input").unwrap_or_default();
            assert_eq!(input.contains("search"), one == SEARCH || two == SEARCH, "{text}");
        }
    }
}

#[test]
fn equal_searches_with_different_ids_are_as_many_calls() {
    let text =
        event("a", SEARCH, "") + &event("b", SEARCH, "") + &item("a", SEARCH) + &item("b", SEARCH) + &item("c", SEARCH);
    assert_eq!(calls(&decode(&text)), 3);
    let text = event("a", OTHER, "") + &item("a", "") + &event("b", OTHER, "") + &item("b", "") + &item("c", "");
    assert_eq!(calls(&decode(&text)), 3);
}

#[test]
fn the_search_of_a_web_run_call_is_that_call() {
    let output = line("response_item", r#""type":"function_call_output","call_id":"call_1","output":"300 m""#);
    let told = event("call_1", SEARCH, RESULTS);
    let decoded = decode(&(run("call_1") + &told + &output));
    assert_eq!(calls(&decoded), 1);
    let row = decoded.only("progress");
    assert_eq!(decoded.text(row, "tool_output"), Some(r#"[{"title":"T"}]"#), "what was found is kept beside it");
    let decoded = decode(&(run("call_1") + &output + &told));
    assert_eq!((calls(&decoded), decoded.of_type("progress").len()), (1, 1));
    let decoded = decode(&(told + &run("call_1") + &output));
    let rows = decoded.of_type("tool_use");
    assert_eq!(calls(&decoded), 1);
    assert!(decoded.i64(rows[1], "completeness") > decoded.i64(rows[0], "completeness"), "the call says more");
    assert_eq!(decoded.text(rows[1], "tool_name"), Some("run"));
}
