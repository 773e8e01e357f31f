//! The traps that the notes on the format name, one by one.

use super::*;

const HEAD: &str = "# aider chat started at 2025-10-20 09:12:44\n\n> Aider v0.86.1  \n";

#[test]
fn trap_1_headings_quotes_and_pasted_headers_stay_in_the_answer() {
    let text = format!(
        "{HEAD}\n#### go  \n\nPlan:\n\n#### Step 1\nwrap\n\n> a quote\n\n  # aider chat started at 2024-01-01 00:00:00\n# aider chat started at noon\n\n> Applied edit to a  \n"
    );
    let decoded = chat_of(&text);
    assert_eq!(decoded.of("user_interaction").len(), 1);
    assert_eq!(decoded.of("session_start").len(), 1);
    let answer = decoded.only("llm_response")["text"].as_str().unwrap();
    assert!(["#### Step 1", "> a quote", "started at noon"].iter().all(|part| answer.contains(part)));
}

#[test]
fn trap_1_where_blanks_were_trimmed_away_the_marks_alone_decide() {
    let text = "# aider chat started at 2026-06-09 14:01:00\n\n#### add a retry\nI'll add it.\n\n> Applied edit to w.py\n\n#### more\nok\n";
    let decoded = chat_of(text);
    assert_eq!(
        (decoded.of("user_interaction").len(), decoded.of("llm_response").len(), decoded.of("file_modify").len()),
        (2, 2, 1)
    );
    resumes_anywhere(Format::AiderChat, CHAT, text.as_bytes());
}

#[test]
fn trap_2_a_message_of_thousands_of_lines_is_one_prompt_and_blank_lines_in_it_are_kept() {
    let text = format!("{HEAD}\n{}####   \n####\u{20}\u{20}\n#### end  \n", "#### line  \n".repeat(6400));
    let decoded = chat_of(&text);
    let prompt = decoded.only("user_interaction")["text"].as_str().unwrap();
    assert_eq!((prompt.lines().count(), prompt.ends_with("\n\n\nend")), (6403, true));
}

#[test]
fn trap_3_figures_of_all_ages_are_read_and_rounded_ones_say_so() {
    let figures = |line: &str| {
        let decoded = chat_of(&format!("{HEAD}\n#### go  \n\nok\n\n> {line}  \n"));
        let row = decoded.only("llm_response").clone();
        (
            row.get("input_tokens").cloned(),
            row.get("output_tokens").cloned(),
            row.get("usage_source").cloned(),
            row.get("cost_usd_reported").cloned(),
        )
    };
    let some = |n: i64| Some(json!(n));
    assert_eq!(
        figures("Tokens: 26,200 sent, 680 received. Cost: $0.09 request, $0.12 session."),
        (some(26200), some(680), Some(json!("reported")), Some(json!("0.090000000")))
    );
    assert_eq!(
        figures("Tokens: 2.4k sent, 104 received. Cost: $0.00042 message, $0.00042 session."),
        (some(2400), some(104), Some(json!("estimated")), Some(json!("0.000420000")))
    );
    assert_eq!(
        figures("Tokens: 12k sent, 8.4k cache write, 4.2k cache hit, 1k received."),
        (some(0), some(1000), Some(json!("estimated")), None)
    );
    assert_eq!(figures("Tokens: 900 sent, 100 received."), (some(900), some(100), Some(json!("reported")), None));
    assert_eq!(figures("Tokens: many sent"), (None, None, None, None));
}

#[test]
fn trap_4_a_line_of_aiders_own_that_goes_on_without_a_mark_is_no_answer() {
    let text = format!("{HEAD}\n#### go  \n> Add it?\nsecond line\nthird (Y)es/(N)o [Yes]: y  \n\nThe answer.\n");
    let decoded = chat_of(&text);
    assert_eq!(decoded.only("llm_response")["text"], "The answer.");
    let own: Vec<_> = decoded.of("system").iter().filter_map(|r| r["text"].as_str()).collect();
    assert!(own.contains(&"Add it?\nsecond line\nthird (Y)es/(N)o [Yes]: y"));
    resumes_anywhere(Format::AiderChat, CHAT, text.as_bytes());
    // Figures are such lines when their costs are not all.
    let text = format!(
        "{HEAD}\n#### go  \n\nHola.\n\n> Tokens: 529 sent, 90 received.\nCost: $0.00024 message, $0.00024 session.\nCosts do not reflect caching, use --no-stream  \n\n#### more  \n"
    );
    let row = chat_of(&text).only("llm_response").clone();
    assert_eq!(
        (&row["text"], &row["output_tokens"], &row["cost_usd_reported"]),
        (&json!("Hola."), &json!(90), &json!("0.000240000"))
    );
    resumes_anywhere(Format::AiderChat, CHAT, text.as_bytes());
}

#[test]
fn trap_5_the_two_blanks_are_format_and_more_blanks_are_content() {
    let decoded = chat_of(&format!("{HEAD}\n#### def f():  \n####     return 1    \n"));
    assert_eq!(decoded.only("user_interaction")["text"], "def f():\n    return 1");
    let decoded = chat_of(&format!("{HEAD}\n#### a    \n#### b  \n"));
    assert_eq!(decoded.only("user_interaction")["text"], "a  \nb");
}

#[test]
fn trap_6_commands_and_confirmations_are_no_prompts() {
    let decoded = chat_of(&format!(
        "{HEAD}\n#### /clear  \n> All chat history cleared.  \n\n#### /undo  \n> Removed: x  \n\n#### /run ls -l  \n> a.py  \n> Add 1 line to the chat? (Y)es/(N)o [Yes]: n  \n\n#### /ask  \n\n#### /etc/hosts is wrong  \n"
    ));
    assert_eq!(decoded.only("user_interaction")["text"], "/etc/hosts is wrong");
    let commands: Vec<_> = decoded
        .of("system")
        .iter()
        .filter(|r| r.get("status") == Some(&json!("command")))
        .map(|r| r["text"].clone())
        .collect();
    assert_eq!(commands, ["/clear", "/undo", "/run ls -l", "/ask"]);
    let run = decoded.of("system").into_iter().find(|r| r.contains_key("command")).unwrap();
    assert_eq!(run["command"], "ls -l");
}

#[test]
fn trap_7_rows_without_a_time_of_their_own_follow_the_header_and_say_so() {
    let decoded = chat_of(super::chat::WHOLE);
    let start = decoded.only("session_start");
    assert_eq!((&start["ts_source"], &start["ts"]), (&json!("log"), &json!(1_760_951_564_000_000_i64)));
    assert!(
        decoded
            .rows
            .iter()
            .filter(|r| r["event_type"] != "session_start")
            .all(|r| r["ts_source"] == "inferred" && r["ts"].as_i64() > start["ts"].as_i64())
    );
}

#[test]
fn trap_8_a_session_that_a_merge_doubled_is_one_and_a_banner_starts_none() {
    let twice = format!("{}\n{}", super::chat::WHOLE, super::chat::WHOLE.replace("09:12:44", "10:00:00"));
    let merged = format!("{twice}\n{}", super::chat::WHOLE);
    assert_eq!(chat_of(&merged).events().len(), chat_of(&twice).events().len());
    let again = chat_of(&format!(
        "{HEAD}\n#### /model y  \n> Aider v0.86.1  \n> Main model: y with whole edit format  \n\n#### go  \n\nok\n"
    ));
    assert_eq!((again.of("session_start").len(), &again.only("llm_response")["model"]), (1, &json!("y")));
}
