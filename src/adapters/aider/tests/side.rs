//! Input history, log of requests, analytics.

use super::*;

#[test]
fn what_was_typed_has_its_time_and_all_its_lines() {
    let text = "\n# 2025-05-10 15:14:13.842487\n+yes\n\n# 2025-05-10 15:17:32.490543\n+one\n+\n+three\n";
    let path = "/w/shop/.aider.input.history";
    let decoded = decode(Format::AiderInput, path, text.as_bytes());
    let rows = decoded.of("prompt_history");
    assert_eq!(
        (&rows[0]["text"], &rows[0]["ts"], &rows[0]["ts_source"]),
        (&json!("yes"), &json!(1_746_890_053_842_487_i64), &json!("log"))
    );
    assert_eq!((&rows[1]["text"], &rows[1]["project"]), (&json!("one\n\nthree"), &json!("shop")));
    assert_eq!(provisional(Format::AiderInput, path, text.as_bytes()).len(), 1);
    resumes_anywhere(Format::AiderInput, path, text.as_bytes());
    let windows = decode(Format::AiderInput, path, text.replace('\n', "\r\n").as_bytes());
    assert_eq!(windows.ids(), decoded.ids());
}

#[test]
fn requests_are_told_by_time_and_size_and_count_no_answer_twice() {
    let text = "TO LLM 2025-05-04T17:06:58\n-------\nSYSTEM Act\n-------\nUSER rename\nLLM RESPONSE 2025-05-04T17:07:07\nASSISTANT Sure\nTO LLM 2025-05-04T17:07:07\nUSER x\nTO LLM 2025-05-04T17:07:07\nUSER y\n";
    let path = "/w/shop/.aider.llm.history";
    let decoded = decode(Format::AiderCalls, path, text.as_bytes());
    let asked = decoded.of("llm_request");
    assert_eq!((asked.len(), &asked[0]["extra"]["messages"], &asked[0]["extra"]["bytes"]), (3, &json!(2), &json!(39)));
    let answered = decoded.only("system");
    assert_eq!((&answered["duration_ms"], &answered["status"]), (&json!(9000), &json!("response")));
    assert!(decoded.rows.iter().all(|r| !r.contains_key("text") && !r.contains_key("total_tokens")));
    assert_eq!(decoded.events().len(), 4, "two requests of one second are two");
    resumes_anywhere(Format::AiderCalls, path, text.as_bytes());
}

const LOG: &str = concat!(
    "{\"event\":\"launched\",\"properties\":{},\"user_id\":\"u\",\"time\":1755099880}\n",
    "{\"event\":\"message_send\",\"properties\":{\"main_model\":\"m\",\"prompt_tokens\":2412,\"completion_tokens\":104,\"total_tokens\":2516,\"cost\":0.00042,\"total_cost\":0.5},\"user_id\":\"u\",\"time\":1755099881}\n",
    "{\"event\":\"message_send\",\"properties\":{\"main_model\":\"m\"},\"user_id\":\"u\",\"time\":1755099881}\n",
    "{\"event\":\"exit\",\"properties\":{\"main_model\":\"None\"},\"user_id\":\"u\",\"time\":1755099882}\n",
);

#[test]
fn analytics_keep_exact_figures_beside_the_columns_so_that_no_sum_counts_a_call_twice() {
    let decoded = decode(Format::AiderAnalytics, "/x/a.jsonl", LOG.as_bytes());
    let send = decoded.rows.iter().find(|r| r["status"] == "message_send").unwrap();
    assert_eq!(
        (&send["extra"]["completion_tokens"], &send["model"], &send["ts"]),
        (&json!(104), &json!("m"), &json!(1_755_099_881_000_000_i64))
    );
    assert!(decoded.rows.iter().all(|r| !r.contains_key("total_tokens") && !r.contains_key("cost_usd_reported")));
    assert_eq!(decoded.events().len(), 4, "two events of one second are two");
    assert!(!decoded.rows[3].contains_key("model"));
    resumes_anywhere(Format::AiderAnalytics, "/x/a.jsonl", LOG.as_bytes());
    let bad = decode(Format::AiderAnalytics, "/x/a.jsonl", b"{\"x\":1}\n[]\n{\n\n");
    assert_eq!((bad.rejects.len(), bad.counts.ignored), (3, 1));
}

#[test]
fn chat_and_analytics_together_sum_to_the_chat_alone() {
    let mut rows = chat_of(super::chat::WHOLE).rows;
    let alone = chat_of(super::chat::WHOLE).sum("output_tokens");
    rows.extend(decode(Format::AiderAnalytics, "/x/a.jsonl", LOG.as_bytes()).rows);
    let both = Decoded { rows, rejects: Vec::new(), counts: Counts::default() };
    assert_eq!(both.sum("output_tokens"), alone);
}
