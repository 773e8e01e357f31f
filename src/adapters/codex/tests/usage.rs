//! Usage: the published oracle, and each trap of the counters.

use super::{Decoded, decode};
use crate::adapters::codex::usage::{Call, Counter, Tokens};
use crate::schema::UsageSource;

/// Fresh input, cache reads, raw input, output, reasoning, total.
fn sums(decoded: &[Decoded]) -> [i64; 6] {
    let sum = |column: &str| decoded.iter().map(|d| d.sum(column)).sum::<i64>();
    let (fresh, cached) = (sum("input_tokens"), sum("cache_read_tokens"));
    [fresh, cached, fresh + cached, sum("output_tokens"), sum("reasoning_tokens"), sum("total_tokens")]
}

macro_rules! fixture {
    ($name:literal) => {
        decode(include_str!(concat!("../../../../tests/fixtures/codex/", $name)))
    };
}

#[test]
fn oracle_replay_that_spans_several_seconds() {
    assert_eq!(sums(&[fixture!("fork_several_seconds.jsonl")]), [2_000, 3_000, 5_000, 500, 50, 5_500]);
}

#[test]
fn oracle_counter_reset_makes_two_epochs() {
    assert_eq!(sums(&[fixture!("two_epochs.jsonl")]), [400, 1_500, 1_900, 160, 60, 2_060]);
}

#[test]
fn oracle_not_a_fork_in_the_same_second() {
    let decoded = fixture!("same_second.jsonl");
    assert_eq!(decoded.of_type("llm_request").len(), 3);
    assert_eq!(sums(&[decoded]), [600, 2_400, 3_000, 120, 30, 3_120]);
}

#[test]
fn oracle_parent() {
    assert_eq!(sums(&[fixture!("tree_parent.jsonl")]), [50, 50, 100, 10, 1, 110]);
}

#[test]
fn oracle_child_with_an_inherited_baseline() {
    let decoded = fixture!("tree_child.jsonl");
    assert_eq!(sums(&[decoded]), [3_000, 2_000, 5_000, 200, 50, 5_200]);
}

#[test]
fn oracle_parent_and_child_tree() {
    let tree = [fixture!("tree_parent.jsonl"), fixture!("tree_child.jsonl")];
    assert_eq!(sums(&tree), [3_050, 2_050, 5_100, 210, 51, 5_310]);
}

fn count(total: [i64; 5], last: [i64; 5]) -> String {
    let usage = |t: [i64; 5]| {
        format!(
            r#"{{"input_tokens":{},"cached_input_tokens":{},"cache_write_input_tokens":{},"output_tokens":{},"reasoning_output_tokens":{},"total_tokens":9}}"#,
            t[0], t[1], t[2], t[3], t[4]
        )
    };
    format!(
        "{{\"timestamp\":\"2026-01-02T03:04:05.000Z\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":{{\"total_token_usage\":{},\"last_token_usage\":{}}}}}}}\n",
        usage(total),
        usage(last)
    )
}

#[test]
fn an_unchanged_total_is_no_call_and_its_line_is_ignored() {
    let decoded =
        decode(&[count([10, 5, 0, 2, 1], [10, 5, 0, 2, 1]), count([10, 5, 0, 2, 1], [10, 5, 0, 2, 1])].concat());
    assert_eq!((decoded.len(), decoded.counts.ignored), (1, 1));
}

#[test]
fn the_input_parts_are_disjoint_and_reasoning_is_part_of_the_output() {
    let decoded = decode(&count([100, 60, 10, 20, 5], [100, 60, 10, 20, 5]));
    let row = decoded.only("llm_request");
    assert_eq!(decoded.i64(row, "input_tokens"), Some(30));
    assert_eq!(decoded.i64(row, "cache_read_tokens"), Some(60));
    assert_eq!(decoded.i64(row, "cache_write_5m_tokens"), Some(10));
    assert_eq!(decoded.i64(row, "output_tokens"), Some(20));
    assert_eq!(decoded.i64(row, "reasoning_tokens"), Some(5));
    assert_eq!(decoded.i64(row, "total_tokens"), Some(120));
    assert_eq!(decoded.text(row, "usage_source"), Some("reported"));
}

#[test]
fn a_step_larger_than_last_is_derived_and_a_first_total_is_not_counted_whole() {
    let decoded =
        decode(&[count([900, 0, 0, 90, 0], [10, 0, 0, 1, 0]), count([950, 0, 0, 95, 0], [20, 0, 0, 2, 0])].concat());
    assert_eq!((decoded.sum("input_tokens"), decoded.sum("output_tokens")), (60, 6));
    assert_eq!(decoded.text(1, "usage_source"), Some("derived"));
}

#[test]
fn an_estimate_after_an_edit_and_a_full_window_are_no_calls() {
    let full = "{\"timestamp\":\"2026-01-02T03:04:05.000Z\",\"type\":\"event_msg\",\"payload\":{\"type\":\"token_count\",\"info\":{\"total_token_usage\":{\"input_tokens\":0,\"cached_input_tokens\":0,\"output_tokens\":0,\"reasoning_output_tokens\":0,\"total_tokens\":258400},\"last_token_usage\":{\"input_tokens\":0,\"cached_input_tokens\":0,\"output_tokens\":0,\"reasoning_output_tokens\":0,\"total_tokens\":258400}}}}\n";
    let decoded = decode(
        &[
            count([100, 0, 0, 10, 0], [100, 0, 0, 10, 0]),
            count([100, 0, 0, 10, 0], [0; 5]),
            full.to_owned(),
            count([30, 0, 0, 3, 0], [30, 0, 0, 3, 0]),
        ]
        .concat(),
    );
    assert_eq!((decoded.sum("input_tokens"), decoded.len()), (130, 2));
}

#[test]
fn equal_calls_after_a_restart_of_the_counter_are_two_calls() {
    let call = count([10, 0, 0, 1, 0], [10, 0, 0, 1, 0]);
    let decoded = decode(&[call.clone(), count([5, 0, 0, 0, 0], [5, 0, 0, 0, 0]), call].concat());
    assert_eq!(decoded.sum("input_tokens"), 25);
    assert_ne!(decoded.batch.ids[0], decoded.batch.ids[2]);
}

#[test]
fn a_counter_that_started_anew_above_the_old_one_counts_its_first_call_whole() {
    let mut counter = Counter::default();
    counter.step(Some(Tokens([10, 0, 0, 1, 0])), Some(Tokens([10, 0, 0, 1, 0])));
    let call = counter.step(Some(Tokens([12, 0, 0, 1, 0])), Some(Tokens([12, 0, 0, 1, 0])));
    assert_eq!(call, Some(Call { tokens: Tokens([12, 0, 0, 1, 0]), source: UsageSource::Reported }));
}

#[test]
fn the_model_comes_from_the_turn_or_the_event_and_is_null_where_neither_says() {
    let context = "{\"timestamp\":\"2026-01-02T03:04:05.000Z\",\"type\":\"turn_context\",\"payload\":{\"cwd\":\"/w\",\"model\":\"gpt-5-codex\"}}\n";
    let named =
        count([30, 0, 0, 3, 0], [10, 0, 0, 1, 0]).replace("\"info\":{", "\"info\":{\"model\":\"codex-auto-review\",");
    let text = [
        count([10, 0, 0, 1, 0], [10, 0, 0, 1, 0]),
        context.to_owned(),
        count([20, 0, 0, 2, 0], [10, 0, 0, 1, 0]),
        named,
    ];
    let decoded = decode(&text.concat());
    let models: Vec<_> = decoded.of_type("llm_request").into_iter().map(|r| decoded.text(r, "model")).collect();
    assert_eq!(models, [None, Some("gpt-5-codex"), Some("codex-auto-review")]);
}

#[test]
fn totals_alone_are_counted_by_their_steps() {
    let line = |n: i64| {
        format!(
            "{{\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":{{\"total_token_usage\":{{\"input_tokens\":{n},\"total_tokens\":{n}}}}}}}}}\n"
        )
    };
    let decoded = decode(&[line(100), line(100), line(250)].concat());
    assert_eq!((decoded.sum("input_tokens"), decoded.len()), (250, 2));
}
