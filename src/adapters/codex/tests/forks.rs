//! Copied history: whose it is, where it ends, and that the original wins.

use super::{Decoded, decode};

const PARENT: &str = include_str!("../../../../tests/fixtures/codex/fork_parent.jsonl");
const CHILD: &str = include_str!("../../../../tests/fixtures/codex/fork_several_seconds.jsonl");

fn ids_of(decoded: &Decoded, session: &str) -> Vec<(usize, crate::schema::EventId)> {
    (0..decoded.len())
        .filter(|i| decoded.text(*i, "session_id") == Some(session))
        .map(|i| (i, decoded.batch.ids[i]))
        .collect()
}

fn id_in(text: &str, line: usize) -> String {
    let value: serde_json::Value = serde_json::from_str(text.lines().nth(line).unwrap()).unwrap();
    value["payload"]["id"].as_str().unwrap().to_owned()
}

#[test]
fn copied_lines_have_the_ids_of_the_parents_own_file_and_less_completeness() {
    let (parent, child) = (decode(PARENT), decode(CHILD));
    let parent_id = id_in(PARENT, 0);
    let copied = ids_of(&child, &parent_id);
    let originals: Vec<_> = ids_of(&parent, &parent_id)
        .into_iter()
        .filter(|(i, _)| parent.text(*i, "event_type") != Some("llm_request"))
        .map(|(_, id)| id)
        .collect();
    assert_eq!(copied.iter().map(|(_, id)| *id).collect::<Vec<_>>(), originals);
    for (row, _) in &copied {
        assert_eq!(child.i64(*row, "completeness"), Some(0));
        assert_eq!(child.i64(*row, "total_tokens"), None);
    }
    assert!((0..parent.len()).all(|i| parent.i64(i, "completeness") == Some(1)));
}

#[test]
fn copied_rows_carry_the_time_of_their_turn_marked_as_inferred() {
    let child = decode(CHILD);
    let prompt = child.of_type("user_interaction")[0];
    assert_eq!(child.text(prompt, "ts_source"), Some("inferred"));
    assert_eq!(child.i64(prompt, "ts"), crate::adapters::time::rfc3339_us("2026-04-11T08:00:01.000Z"));
    let own = child.of_type("user_interaction")[2];
    assert_eq!(child.text(own, "ts_source"), Some("log"));
}

#[test]
fn the_childs_own_part_belongs_to_the_child_and_counts_its_turns_anew() {
    let child = decode(CHILD);
    let own = ids_of(&child, &id_in(CHILD, 0));
    let types: Vec<_> = own.iter().map(|(i, _)| child.text(*i, "event_type").unwrap()).collect();
    assert_eq!(
        types,
        [
            "session_start",
            "progress",
            "system",
            "user_interaction",
            "llm_response",
            "llm_request",
            "llm_response",
            "llm_request"
        ]
    );
    assert_eq!(child.i64(own[3].0, "turn"), Some(1));
    let parent_id = id_in(PARENT, 0);
    assert_eq!(child.text(own[3].0, "parent_session_id"), Some(&*parent_id));
}

/// A child's file without ids or times of turns.
fn undated_fork(marker: &str, gap: &str) -> Decoded {
    let usage = |n: i64| {
        format!(r#"{{"input_tokens":{n},"cached_input_tokens":0,"output_tokens":{n},"reasoning_output_tokens":0}}"#)
    };
    let meta = |id: &str, made: &str, rest: &str| {
        format!(
            r#"{{"timestamp":"2026-02-01T10:00:00.000Z","type":"session_meta","payload":{{"id":"{id}","timestamp":"{made}","cwd":"/w"{rest}}}}}"#
        )
    };
    let count = |ts: &str, total: i64, last: i64| {
        format!(
            r#"{{"timestamp":"{ts}","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{},"last_token_usage":{}}}}}}}"#,
            usage(total),
            usage(last)
        )
    };
    decode(&format!(
        "{}\n{}{}\n{}\n{}\n",
        meta("child", "2026-02-01T10:00:00.000Z", marker),
        if gap.is_empty() { String::new() } else { meta("parent", gap, "") + "\n" },
        count("2026-02-01T10:00:00.100Z", 10, 10),
        count("2026-02-01T10:00:00.900Z", 30, 20),
        count("2026-02-01T10:00:09.000Z", 37, 7),
    ))
}

#[test]
fn without_dates_of_turns_a_copy_ends_at_the_first_gap() {
    assert_eq!(undated_fork(r#","forked_from_id":"parent""#, "2026-01-01T10:00:00.000Z").sum("input_tokens"), 7);
    let forked = undated_fork(r#","forked_from_id":"parent""#, "");
    assert_eq!(forked.sum("input_tokens"), 37, "the parent used it, and its log may be gone");
    let calls = forked.of_type("llm_request");
    assert!(calls.iter().all(|call| forked.i64(*call, "completeness") < Some(0)), "if it is there, it has it");
}

#[test]
fn a_review_and_a_plain_session_copy_nothing() {
    assert_eq!(undated_fork(r#","source":{"subagent":"review"}"#, "").sum("input_tokens"), 37);
    assert_eq!(undated_fork("", "").sum("input_tokens"), 37);
}

#[test]
fn a_later_thread_in_the_same_file_is_a_session_of_its_own() {
    let decoded = undated_fork("", "2026-02-01T10:00:01.000Z");
    assert_eq!(decoded.sum("input_tokens"), 37);
    assert_eq!(decoded.text(decoded.len() - 1, "session_id"), Some("parent"));
}

#[test]
fn a_subagent_that_started_empty_is_counted_whole() {
    let child = include_str!("../../../../tests/fixtures/codex/tree_child.jsonl");
    let lines: Vec<_> = child.lines().collect();
    let own = format!(
        "{}\n{}\n{}\n{}\n",
        lines[0].replace("forked_from_id", "forked"),
        lines[2],
        lines[3],
        lines[9]
            .replace("22000", "2000")
            .replace("17000", "1000")
            .replace(":1000,\"reasoning_output_tokens\":220", ":100,\"reasoning_output_tokens\":20")
    );
    let decoded = decode(&own);
    assert_eq!(decoded.sum("output_tokens"), 100);
    let row = decoded.only("llm_request");
    assert_eq!(decoded.bool(row, "is_subagent"), Some(true));
    assert_eq!(decoded.text(row, "subagent_type"), Some("explorer"));
}

#[test]
fn ordinals_say_where_the_copied_history_of_a_paginated_file_ends() {
    let line = |ordinal: i64, payload: &str| {
        format!("{{\"timestamp\":\"2026-08-02T10:00:00.000Z\",\"ordinal\":{ordinal},\"type\":{payload}}}\n")
    };
    let text = [
        line(
            0,
            r#""session_meta","payload":{"id":"child","timestamp":"2026-08-02T10:00:00.000Z","history_mode":"paginated","parent_thread_id":"root","subagent_history_start_ordinal":3}"#,
        ),
        line(
            1,
            r#""response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"the parent's"}]}"#,
        ),
        line(
            3,
            r#""response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"its own"}]}"#,
        ),
    ];
    let decoded = decode(&text.concat());
    let sessions: Vec<_> = (0..decoded.len()).map(|i| decoded.text(i, "session_id").unwrap()).collect();
    assert_eq!(sessions, ["child", "root", "child"]);
}

#[test]
fn stamps_that_were_kept_in_a_copy_are_times_of_the_log() {
    let text = CHILD.replace("2026-04-11T20:15:03.8", "2026-04-11T08:00:03.8");
    let decoded = decode(&text);
    assert_eq!(decoded.sum("output_tokens"), 500);
    let kept = (0..decoded.len())
        .filter(|i| decoded.text(*i, "ts_source") == Some("log") && decoded.i64(*i, "completeness") == Some(0));
    assert!(kept.count() > 1);
}
