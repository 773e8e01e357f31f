//! Counters at the ends of a session: of one leg or of all, beside messages, checkpoints and charges.

use serde_json::{Value, json};

use super::{SESSION, event, events, sums};
use crate::adapters::tests::{Decoded, resumes_anywhere};
use crate::schema::Format;

fn start(version: &str) -> String {
    event("session.start", 0, &json!({"sessionId": SESSION, "copilotVersion": version}))
}

fn resume(n: usize) -> String {
    event("session.resume", n, &json!({"resumeTime": "2026-08-01T00:00:00.000Z"}))
}

fn message(n: usize, model: &str, output: i64) -> String {
    event("assistant.message", n, &json!({"messageId": format!("m{n}"), "model": model, "outputTokens": output}))
}

/// A message of a version that does not say what it took.
fn silent(n: usize) -> String {
    event("assistant.message", n, &json!({"messageId": format!("m{n}"), "model": "m"}))
}

/// A shutdown whose only model has these counters: requests, input, output, cache reads, reasoning.
fn end(n: usize, [requests, input, output, read, reasoning]: [i64; 5]) -> String {
    let metric = json!({"requests": {"count": requests, "cost": requests}, "usage": {"inputTokens": input,
        "outputTokens": output, "cacheReadTokens": read, "cacheWriteTokens": 0, "reasoningTokens": reasoning}});
    event("session.shutdown", n, &json!({"shutdownType": "routine", "modelMetrics": {"m": metric}}))
}

fn calls(decoded: &Decoded) -> usize {
    decoded.events().iter().filter(|row| row["event_type"] == "llm_request" && row.contains_key("total_tokens")).count()
}

fn credits(decoded: &Decoded) -> Vec<Value> {
    decoded.events().iter().filter_map(|row| row.get("credits")).cloned().collect()
}

#[test]
fn what_the_messages_of_a_leg_say_tells_whether_its_counters_began_again() {
    for version in ["0.0.422", "1.0.14", "1.0.80"] {
        let first = [start(version), message(1, "m", 70), message(2, "m", 30), end(3, [2, 900, 100, 500, 0])].concat();
        let second = [resume(4), message(5, "m", 200), message(6, "m", 40), message(7, "m", 20)].concat();
        let own = [&*first, &second, &end(8, [3, 2_000, 260, 1_500, 0])].concat();
        assert_eq!(sums(&events(&own)), [900, 2_000, 0, 360], "of one leg, {version}");
        let all = [&*first, &second, &end(8, [5, 2_900, 360, 2_000, 0])].concat();
        assert_eq!(sums(&events(&all)), [900, 2_000, 0, 360], "of all, {version}");
        for text in [own, all] {
            assert_eq!(calls(&events(&text)), 5);
            resumes_anywhere(Format::CopilotCliEvents, super::PATH, text.as_bytes());
        }
    }
}

#[test]
fn requests_are_the_witness_where_messages_say_no_output() {
    let first = [start("1.0.80"), silent(1), silent(2), end(3, [2, 900, 100, 500, 0]), resume(4)].concat();
    let own = [&*first, &silent(5), &silent(6), &silent(7), &end(8, [3, 2_000, 260, 1_500, 0])].concat();
    assert_eq!(sums(&events(&own)), [900, 2_000, 0, 360]);
    let all = [&*first, &silent(5), &end(6, [3, 2_000, 260, 1_500, 0])].concat();
    assert_eq!(sums(&events(&all)), [500, 1_500, 0, 260]);
}

#[test]
fn hidden_calls_do_not_hide_what_counters_are() {
    // A title is made without a message: 5 more tokens in each leg.
    let first = [start("1.0.40"), message(1, "m", 100), end(2, [2, 900, 105, 500, 0]), resume(3)].concat();
    let all = [&*first, &message(4, "m", 50), &end(5, [4, 1_000, 160, 600, 0])].concat();
    assert_eq!(sums(&events(&all)), [400, 600, 0, 160]);
    let own = [&*first, &message(4, "m", 50), &end(5, [2, 300, 55, 100, 0])].concat();
    assert_eq!(sums(&events(&own)), [600, 600, 0, 160], "smaller ones have begun again");
}

#[test]
fn a_leg_without_an_answer_adds_nothing_and_one_that_was_killed_its_messages() {
    let first = [start("1.0.40"), message(1, "m", 100), end(2, [1, 900, 100, 500, 0])].concat();
    let again = [&*first, &resume(3), &end(4, [1, 900, 100, 500, 0])].concat();
    assert_eq!(sums(&events(&again)), [400, 500, 0, 100]);
    let none = [&*first, &resume(3), &end(4, [0, 0, 0, 0, 0])].concat();
    assert_eq!(sums(&events(&none)), [400, 500, 0, 100]);
    let killed = [&*first, &resume(3), &message(4, "m", 30), &resume(5), &message(6, "m", 7)].concat();
    let own = [&*killed, &end(8, [1, 60, 7, 20, 0])].concat();
    assert_eq!(sums(&events(&own)), [440, 520, 0, 137]);
    let on = [&*killed, &end(8, [2, 960, 107, 520, 0])].concat();
    assert_eq!(sums(&events(&on)), [440, 520, 0, 137], "it goes on with the last shutdown");
    let all = [&*killed, &end(8, [3, 1_000, 137, 540, 0])].concat();
    assert_eq!(sums(&events(&all)), [460, 540, 0, 137], "it goes on with all");
}

#[test]
fn a_model_that_is_named_no_more_belongs_to_a_leg_that_is_over() {
    let of = |n, model: &str, [input, output]: [i64; 2]| super::shutdown(n, &[(model, [input, output, 0, 0])]);
    let text = [
        start("1.0.20"),
        message(1, "a", 10),
        of(2, "a", [100, 10]),
        resume(3),
        message(4, "b", 30),
        of(5, "b", [400, 30]),
        resume(6),
        message(7, "a", 20),
        of(8, "a", [200, 20]),
    ];
    assert_eq!(sums(&events(&text.concat())), [700, 0, 0, 60]);
}

#[test]
fn counters_are_no_calls_and_reasoning_is_a_part_of_the_output_of_its_row() {
    let thinks = |n: usize, output: i64| {
        event(
            "assistant.message",
            n,
            &json!({"messageId": format!("m{n}"), "model": "m", "outputTokens": output,
            "reasoningText": format!("thought {n}")}),
        )
    };
    let first = [start("1.0.27"), message(1, "m", 9), thinks(2, 30), end(3, [2, 500, 39, 300, 25])].concat();
    let text = [&*first, &resume(4), &thinks(5, 10), &end(6, [3, 700, 55, 400, 40])].concat();
    let decoded = events(&text);
    assert_eq!((calls(&decoded), decoded.sum("output_tokens"), decoded.sum("reasoning_tokens")), (3, 55, 40));
    let of: Vec<_> = decoded
        .events()
        .iter()
        .filter_map(|row| {
            Some((row.get("output_tokens")?.as_i64()?, row.get("reasoning_tokens").and_then(Value::as_i64)))
        })
        .collect();
    // The last leg's counters hold 6 more than its messages: a call without one.
    assert_eq!(of, [(9, None), (30, Some(25)), (6, Some(6)), (10, Some(9))]);
    let row = decoded.events().into_iter().find(|row| row.get("output_tokens") == Some(&json!(30))).unwrap().clone();
    assert_eq!((&row["usage_source"], &row["message_id"]), (&json!("derived"), &json!("m2")));
    resumes_anywhere(Format::CopilotCliEvents, super::PATH, text.as_bytes());
}

#[test]
fn premium_requests_are_credits_where_no_other_unit_is_named() {
    let end = |n: usize, total: f64, models: Value| {
        event(
            "session.shutdown",
            n,
            &json!({"shutdownType": "routine", "totalPremiumRequests": total,
            "modelMetrics": models}),
        )
    };
    let of = |count: i64, cost: f64, output: i64| {
        json!({"requests": {"count": count, "cost": cost}, "usage": {"inputTokens": 10 * output,
            "outputTokens": output}})
    };
    let one = [start("1.0.27"), message(1, "m", 5), end(2, 3.0, json!({"m": of(1, 3.0, 5)}))].concat();
    assert_eq!(credits(&events(&one)), [json!("3.000000000")]);
    // A multiplier, and a charge that no model names.
    let two = [start("1.0.27"), message(1, "m", 5), end(2, 1.33, json!({"m": of(1, 0.33, 5)}))].concat();
    assert_eq!(credits(&events(&two)), [json!("0.330000000"), json!("1.000000000")]);
    let none = [start("1.0.27"), end(2, 2.0, json!({}))].concat();
    assert_eq!(credits(&events(&none)), [json!("2.000000000")]);
    let legs = [&*one, &resume(3), &message(4, "m", 9), &end(5, 2.0, json!({"m": of(1, 2.0, 9)}))].concat();
    assert_eq!(credits(&events(&legs)), [json!("5.000000000")]);
    let on = [&*one, &resume(3), &message(4, "m", 9), &end(5, 5.0, json!({"m": of(2, 5.0, 14)}))].concat();
    assert_eq!(credits(&events(&on)), [json!("5.000000000")]);
    let units = event(
        "session.shutdown",
        2,
        &json!({"totalPremiumRequests": 1, "totalNanoAiu": 2_500_000_000_i64,
        "modelMetrics": {"m": {"requests": 2}}}),
    );
    assert_eq!(credits(&events(&[start("1.0.80"), units].concat())), [json!("2.500000000")]);
}

#[test]
fn a_checkpoint_tells_what_a_killed_session_cost() {
    let mark = |n: usize, premium: f64| event("session.usage_checkpoint", n, &json!({"totalPremiumRequests": premium}));
    let killed = [start("1.0.40"), mark(1, 1.0), message(2, "m", 4), mark(3, 2.0)].concat();
    assert_eq!(credits(&events(&killed)), [json!("2.000000000")]);
    let ended = event(
        "session.shutdown",
        4,
        &json!({"totalPremiumRequests": 3, "modelMetrics": {"m":
        {"requests": {"count": 1, "cost": 3}, "usage": {"inputTokens": 9, "outputTokens": 4}}}}),
    );
    assert_eq!(credits(&events(&[killed, ended].concat())), [json!("3.000000000")], "and a shutdown knows better");
}

#[test]
fn a_persons_prompt_is_theirs_whatever_task_it_names_and_a_sub_agents_has_its_id() {
    let prompt = |n: usize, agent: Option<&str>| {
        let mut line: Value = serde_json::from_str(&event(
            "user.message",
            n,
            &json!({"content": format!("p{n}"),
            "parentAgentTaskId": format!("task-{n}")}),
        ))
        .unwrap();
        if let Some(agent) = agent {
            line["agentId"] = json!(agent);
        }
        format!("{line}\n")
    };
    let mut began: Value =
        serde_json::from_str(&event("subagent.started", 2, &json!({"toolCallId": "t", "agentName": "explore"})))
            .unwrap();
    began["agentId"] = json!("ag1");
    let text = [start("1.0.60"), prompt(1, None), format!("{began}\n"), prompt(3, Some("ag1")), prompt(4, None)];
    let decoded = events(&text.concat());
    let said: Vec<_> =
        decoded.of("user_interaction").iter().map(|row| (row["turn"].clone(), row["text"].clone())).collect();
    assert_eq!(said, [(json!(1), json!("p1")), (json!(2), json!("p4"))]);
    let handed = decoded.rows.iter().find(|row| row.get("text") == Some(&json!("p3"))).unwrap();
    assert_eq!((&handed["is_subagent"], &handed["subagent_type"]), (&json!(true), &json!("explore")));
}

#[test]
fn what_stands_in_an_event_and_beside_it_is_in_extra_once() {
    let mut line: Value = serde_json::from_str(&event(
        "session.shutdown",
        1,
        &json!({"shutdownType": "routine", "currentModel": "m", "modelMetrics": {}}),
    ))
    .unwrap();
    for (beside, kept) in
        [("m", json!({"currentModel": "m"})), ("n", json!({"currentModel": "m", "currentModel_2": "n"}))]
    {
        line["currentModel"] = json!(beside);
        let decoded = events(&format!("{line}\n"));
        assert_eq!(decoded.only("session_end")["extra"], kept);
    }
}
