//! Shapes of the chat history.

use chrono_tz::Europe::Berlin;

use super::*;
use crate::adapters::tests::{Row, lines};
use crate::adapters::{Line, SourceInfo, decoder};
use crate::schema::{RowContext, Rows};

pub(super) const WHOLE: &str = "\n# aider chat started at 2025-10-20 09:12:44\n\n\
> /usr/bin/aider --model sonnet  \n> Aider v0.86.1  \n> Main model: anthropic/claude-x with diff edit format, infinite output  \n> Weak model: y  \n> Git repo: .git with 61 files  \n\
\n#### make it  \n#### faster  \n\nSure:\n\nsrc/a.py\n```python\n<<<<<<< SEARCH\na\n=======\nb\nc\n>>>>>>> REPLACE\n```\n\n\
> Tokens: 12k sent, 8.4k cache write, 3k cache hit, 1k received. Cost: $0.05 message, $0.12 session.  \n> Applied edit to src/a.py  \n> Commit 1a2b3c4 feat: faster  \n\
\n#### /add b.py  \n> Added b.py to the chat  \n\n#### /ask why?  \n\nBecause.\n\n> Tokens: 900 sent, 104 received.  \n";

#[test]
fn a_chat_becomes_prompts_answers_with_figures_edits_and_commits() {
    let decoded = chat_of(WHOLE);
    let prompts: Vec<_> =
        decoded.of("user_interaction").iter().map(|r| (r["text"].clone(), r["turn"].clone())).collect();
    assert_eq!(prompts, [(json!("make it\nfaster"), json!(1)), (json!("/ask why?"), json!(2))]);
    let answers = decoded.of("llm_response");
    assert_eq!(answers.len(), 2);
    let first = answers[0];
    assert!(first["text"].as_str().unwrap().starts_with("Sure:\n\nsrc/a.py\n```python\n"));
    assert_eq!(
        (&first["model"], &first["provider"], &first["agent_version"]),
        (&json!("anthropic/claude-x"), &json!("anthropic"), &json!("0.86.1"))
    );
    assert_eq!(
        (&first["input_tokens"], &first["cache_read_tokens"], &first["cache_write_5m_tokens"]),
        (&json!(600), &json!(3000), &json!(8400))
    );
    assert_eq!(
        (&first["output_tokens"], &first["usage_source"], &first["cost_usd_reported"]),
        (&json!(1000), &json!("estimated"), &json!("0.050000000"))
    );
    let second = answers[1];
    assert_eq!(
        (&second["text"], &second["usage_source"], &second["output_tokens"]),
        (&json!("Because."), &json!("reported"), &json!(104))
    );
    assert!(!second.contains_key("cost_usd_reported"));
    let edit = decoded.only("file_modify");
    assert_eq!(
        (&edit["file_path"], &edit["lines_added"], &edit["lines_removed"]),
        (&json!("src/a.py"), &json!(2), &json!(1))
    );
    let commit = decoded.only("snapshot");
    assert_eq!((&commit["git_commit"], &commit["text"]), (&json!("1a2b3c4"), &json!("feat: faster")));
    let command = decoded.of("system").into_iter().find(|r| r.get("status") == Some(&json!("command"))).unwrap();
    assert_eq!((&command["text"], &command["extra"]["command"]), (&json!("/add b.py"), &json!("/add")));
    assert!(
        decoded
            .rows
            .iter()
            .all(|r| r["session_id"] == "2025-10-20 09:12:44" && r["project"] == "shop" && r["cwd"] == "/w/shop")
    );
    assert_eq!(decoded.events().len(), decoded.rows.len());
    resumes_anywhere(Format::AiderChat, CHAT, WHOLE.as_bytes());
}

#[test]
fn an_answer_waits_for_its_figures_and_a_silent_one_is_replaced_when_they_come() {
    let (before, after) = WHOLE.split_once("> Tokens: 12k").unwrap();
    let open = provisional(Format::AiderChat, CHAT, before.as_bytes());
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["event_type"], "llm_response");
    assert!(!open[0].contains_key("output_tokens"));
    // Silence in the middle of anything changes nothing in the end.
    let info = SourceInfo { path: CHAT, ..SourceInfo::default() };
    let all = lines(WHOLE.as_bytes());
    assert!(!after.is_empty());
    let sorted = |decoded: &Decoded| {
        let mut rows: Vec<Row> = decoded.events().into_iter().cloned().collect();
        rows.sort_by_key(|r| r["event_id"].as_str().unwrap().to_owned());
        rows.iter()
            .map(|r| {
                (r["event_id"].clone(), r.get("text").cloned(), r.get("output_tokens").cloned(), r["turn"].clone())
            })
            .collect::<Vec<_>>()
    };
    for stop in 0..all.len() {
        let mut rows = Rows::new(RowContext::new("aider", CHAT));
        let mut decoder = decoder(Format::AiderChat, info, None).unwrap();
        for (at, line) in all.iter().enumerate() {
            decoder.line(*line, &mut rows);
            if at == stop {
                decoder.settle(&mut rows);
                assert!(!decoder.is_open());
            }
        }
        decoder.settle(&mut rows);
        let batch = crate::adapters::tests::finish(&mut rows);
        assert_eq!(sorted(&batch), sorted(&chat_of(WHOLE)), "after silence behind line {stop}");
    }
}

#[test]
fn the_header_is_local_time_in_the_zone_of_the_source() {
    let info = SourceInfo { path: CHAT, zone: Some(Berlin), ..SourceInfo::default() };
    let mut decoder = decoder(Format::AiderChat, info, None).unwrap();
    let mut rows = Rows::new(RowContext::new("aider", CHAT));
    let line = b"# aider chat started at 1970-01-01 01:00:05";
    decoder.line(Line { bytes: line, offset: 0, end: line.len() as u64 }, &mut rows);
    assert_eq!(decoder.last_us(), Some(5_000_000));
}

#[test]
fn figures_without_an_answer_are_a_call_and_errors_and_new_files_are_told() {
    let text = "# aider chat started at 2025-10-20 09:12:44\n\n> Models: gpt-4o, weak model z  \n\n#### x  \n> litellm.RateLimitError: slow  \n> Creating empty file n.py  \n> Tokens: 26,200 sent, 680 received. Cost: $0.09 request, $0.12 session.  \n\n#### <blank>  \n\n#### !ls  \n";
    let decoded = chat_of(text);
    let call = decoded.only("llm_response");
    assert_eq!(
        (&call["input_tokens"], &call["output_tokens"], &call["usage_source"], &call["model"]),
        (&json!(26200), &json!(680), &json!("reported"), &json!("gpt-4o"))
    );
    assert_eq!(decoded.only("error_encountered")["is_error"], true);
    assert_eq!(decoded.only("file_write")["file_path"], "n.py");
    let status =
        |s: &str| decoded.of("system").into_iter().find(|r| r.get("status") == Some(&json!(s))).unwrap().clone();
    assert!(!status("blank").contains_key("text"));
    assert_eq!(status("command")["command"], "ls");
    resumes_anywhere(Format::AiderChat, CHAT, text.as_bytes());
}

#[test]
fn only_the_head_of_a_session_and_a_switch_say_which_model_answers() {
    let text = "# aider chat started at 2025-10-20 09:12:44\n\n> Main model: gpt-4o with diff edit format  \n\n\
        #### /run python plot.py  \n> Models: ['claude-3-opus-20240229', 'gpt-4']  \n> Model: other  \n\n\
        one\n\n> Tokens: 26 sent, 68 received.  \n\n#### /model sonnet  \n> Aider v0.86.1  \n\
        > Main model: claude-sonnet-4 with diff edit format  \n\n#### go on  \n\ntwo\n\n> Tokens: 26 sent, 68 received.  \n\n\
        #### !cat notes  \n> Model: other  \n\nthree\n\n> Tokens: 1 sent, 1 received.  \n\n";
    let decoded = chat_of(text);
    let models: Vec<_> = decoded.of("llm_response").iter().map(|row| row["model"].clone()).collect();
    assert_eq!(models, [json!("gpt-4o"), json!("claude-sonnet-4"), json!("claude-sonnet-4")]);
    resumes_anywhere(Format::AiderChat, CHAT, text.as_bytes());
}

#[test]
fn a_published_transcript_without_headers_is_read_too() {
    let text = "---\nparent: x\n---\n\n> $ aider index.html  \n\n#### add a border  \n\n```css\na.css\n<<<<<<< ORIGINAL\nx\n=======\ny\n>>>>>>> UPDATED\n```\n\n> Applied edit to a.css  \n";
    let decoded = decode(Format::AiderChat, "/x/css.md", text.as_bytes());
    assert_eq!((decoded.of("llm_response").len(), decoded.of("user_interaction").len()), (1, 1));
    assert_eq!(
        (&decoded.only("file_modify")["lines_added"], &decoded.only("file_modify")["session_id"]),
        (&json!(1), &json!("css"))
    );
    resumes_anywhere(Format::AiderChat, "/x/css.md", text.as_bytes());
}
