//! Usage records: alone, beside counts in any order, and in copies.

use super::{Decoded, decode};

const META: &str = r#"{"timestamp":"2026-09-01T08:00:00.000Z","type":"session_meta","payload":{"id":"019f1000-0000-7000-8000-000000000001","timestamp":"2026-09-01T08:00:00.000Z","cwd":"/w"}}
{"timestamp":"2026-09-01T08:00:00.000Z","type":"turn_context","payload":{"turn_id":"019f1000-1000-7000-8000-000000000001","model":"gpt-5.6"}}
"#;
const THREAD: &str = "019f1000-0000-7000-8000-000000000001";

fn usage(input: i64, output: i64) -> String {
    format!(
        r#"{{"input_tokens":{input},"cached_input_tokens":2,"cache_write_input_tokens":1,"output_tokens":{output},"reasoning_output_tokens":1,"total_tokens":{}}}"#,
        input + output
    )
}

fn record_of(thread: &str, response: &str, input: i64, output: i64) -> String {
    let usage = usage(input, output);
    format!(
        r#"{{"timestamp":"2026-09-01T08:00:01.000Z","type":"token_usage_record","payload":{{"thread_id":"{thread}","response_id":"{response}","usage":{usage},"turn_token_usage":{usage}}}}}"#
    ) + "\n"
}

fn record(response: &str, input: i64, output: i64) -> String {
    record_of(THREAD, response, input, output)
}

/// A count whose call took `last`, `n` calls of which were counted so far.
fn count(n: i64, total: [i64; 2], last: [i64; 2]) -> String {
    let part = |[input, output]: [i64; 2], n: i64| {
        format!(
            r#"{{"input_tokens":{input},"cached_input_tokens":{},"cache_write_input_tokens":{n},"output_tokens":{output},"reasoning_output_tokens":{n}}}"#,
            2 * n
        )
    };
    format!(
        r#"{{"timestamp":"2026-09-01T08:00:01.010Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{},"last_token_usage":{}}}}}}}"#,
        part(total, n),
        part(last, 1)
    ) + "\n"
}

fn calls(decoded: &Decoded) -> Vec<(Option<&str>, Option<i64>)> {
    let rows = decoded.of_type("llm_request");
    rows.iter().map(|row| (decoded.text(*row, "request_id"), decoded.i64(*row, "output_tokens"))).collect()
}

#[test]
fn records_alone_are_the_usage_and_a_response_counts_once() {
    let decoded = decode(&(META.to_owned() + &record("r1", 10, 3) + &record("r1", 10, 3) + &record("r2", 10, 3)));
    assert_eq!(calls(&decoded), [(Some("r1"), Some(3)), (Some("r2"), Some(3))]);
    let row = decoded.of_type("llm_request")[0];
    assert_eq!(decoded.i64(row, "input_tokens"), Some(7), "neither the cached part nor what was written");
    assert_eq!(decoded.text(row, "model"), Some("gpt-5.6"));
    assert_eq!(decoded.text(row, "usage_source"), Some("reported"));
    assert!(decoded.of_type("unknown").is_empty());
}

#[test]
fn a_count_and_the_record_of_its_response_are_one_call_in_either_order() {
    let (one, two) = (count(1, [10, 3], [10, 3]), count(2, [20, 6], [10, 3]));
    let (r1, r2) = (record("r1", 10, 3), record("r2", 10, 3));
    for log in [
        [&r1, &one, &r2, &two],
        [&one, &r1, &two, &r2],
        [&r1, &r2, &one, &two],
        [&one, &two, &r1, &r2],
        [&r1, &one, &two, &r2],
    ] {
        let text = log.iter().fold(META.to_owned(), |text, line| text + line);
        assert_eq!(decode(&text).of_type("llm_request").len(), 2, "{text}");
        assert_eq!(decode(&text).sum("output_tokens"), 6, "{text}");
    }
}

#[test]
fn a_count_that_spans_two_responses_is_neither_of_them_once_more() {
    let decoded = decode(
        &(META.to_owned()
            + &record("r0", 5, 1)
            + &count(1, [5, 1], [5, 1])
            + &record("r1", 10, 3)
            + &record("r2", 20, 4)
            + &count(3, [35, 8], [19, 4])),
    );
    assert_eq!(calls(&decoded), [(Some("r0"), Some(1)), (Some("r1"), Some(3)), (Some("r2"), Some(4))]);
}

#[test]
fn a_compactions_call_stands_in_its_record_or_in_the_compaction_only() {
    let compacted = |response: &str| {
        format!(
            r#"{{"timestamp":"2026-09-01T08:00:02.000Z","type":"compacted","payload":{{"message":"","compaction_response_id":"{response}","latest_token_usage_record":{{"thread_id":"{THREAD}","response_id":"{response}","usage":{}}}}}}}"#,
            usage(99, 9)
        ) + "\n"
    };
    let before = META.to_owned() + &record("r1", 10, 3) + &count(1, [10, 3], [10, 3]);
    let after = count(1, [10, 3], [0, 0]) + &record("r2", 20, 4) + &count(2, [30, 7], [20, 4]);
    let want = [(Some("r1"), Some(3)), (Some("c"), Some(9)), (Some("r2"), Some(4))];
    assert_eq!(calls(&decode(&(before.clone() + &record("c", 99, 9) + &compacted("c") + &after))), want);
    assert_eq!(calls(&decode(&(before + &compacted("c") + &after))), want);
}

#[test]
fn counts_of_a_version_without_records_are_calls_of_their_own() {
    let turn = META.lines().last().unwrap().replace("1000-7000", "2000-7000") + "\n";
    let log = count(1, [10, 3], [10, 3]) + &turn + &record("r1", 10, 3) + &count(2, [20, 6], [10, 3]);
    assert_eq!(calls(&decode(&(META.to_owned() + &log))), [(None, Some(3)), (Some("r1"), Some(3))]);
}

#[test]
fn a_copy_of_a_record_is_the_call_of_the_thread_that_made_it() {
    let parent = META.to_owned() + &record("r1", 10, 3) + &count(1, [10, 3], [10, 3]);
    let child = parent
        .replace(THREAD, "019f1100-0000-7000-8000-000000000002")
        .replace(r#""cwd""#, &format!(r#""forked_from_id":"{THREAD}","cwd""#));
    // As Codex keeps the thread's name in the copy, and as it may be rewritten.
    let kept =
        child.replace(r#""thread_id":"019f1100-0000-7000-8000-000000000002""#, &format!(r#""thread_id":"{THREAD}""#));
    let parent = decode(&parent);
    let original = parent.of_type("llm_request")[0];
    for text in [&child, &kept] {
        let copy = decode(text);
        let row = copy.only("llm_request");
        assert_eq!(copy.batch.ids[row], parent.batch.ids[original], "{text}");
    }
    let kept = decode(&kept);
    let row = kept.only("llm_request");
    assert_eq!((kept.text(row, "session_id"), kept.i64(row, "completeness")), (Some(THREAD), Some(0)));
}
