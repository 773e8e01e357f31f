//! What Claude Code writes into several files is one event: the most complete record of it, for the session
//! and the chain that it was made in, whichever file is older.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use crate::home::Home;

const SESSION: &str = "5e000000-0000-4000-8000-000000000001";
const BRANCH: &str = "5e000000-0000-4000-8000-000000000002";
const OTHER: &str = "5e000000-0000-4000-8000-000000000003";

/// A line of `session`; `rest` are more fields.
fn line(session: &str, uuid: &str, second: u32, rest: &str) -> String {
    format!(
        "{{\"sessionId\":\"{session}\",\"version\":\"2.1.92\",\"cwd\":\"/srv/app\",\"uuid\":\"{uuid}\",\
         \"timestamp\":\"2026-04-08T10:00:{second:02}.000Z\",{rest}}}\n"
    )
}

fn prompt(session: &str, uuid: &str, second: u32, text: &str, rest: &str) -> String {
    line(
        session,
        uuid,
        second,
        &format!("\"type\":\"user\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}{rest}"),
    )
}

/// A line of the response `id`; one with a stop reason is finished.
fn answer(session: &str, id: &str, second: u32, output: u32, stop: &str, rest: &str) -> String {
    let message = format!(
        "{{\"id\":\"msg_{id}\",\"role\":\"assistant\",\"model\":\"claude-opus-4-6\",\"content\":[{{\"type\":\"text\",\
         \"text\":\"{id}\"}}],\"stop_reason\":{stop},\"usage\":{{\"input_tokens\":3,\"cache_read_input_tokens\":100,\
         \"output_tokens\":{output}}}}}"
    );
    line(session, id, second, &format!("\"type\":\"assistant\",\"requestId\":\"req_{id}\",\"message\":{message}{rest}"))
}

/// A home with these files below its project, the first the oldest; read at once, or one after the other.
fn read(files: &[(&str, &str)], one_by_one: bool) -> Home {
    let home = Home::new();
    for (n, (name, text)) in files.iter().enumerate() {
        let path = home.path().join(".claude/projects/-srv-app").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let age = Duration::from_secs(7200 - 60 * n as u64);
        File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        if one_by_one {
            home.ok(&["backfill"]);
        }
    }
    home.ok(&["backfill"]);
    home
}

/// The answer to `sql` must be `want` for every age of the files and every order in which they come.
fn always(files: &[(&str, &str)], sql: &str, want: &serde_json::Value) {
    let reversed: Vec<_> = files.iter().rev().copied().collect();
    for files in [files, &reversed] {
        for one_by_one in [false, true] {
            let rows = serde_json::Value::from(read(files, one_by_one).query(sql));
            let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
            assert_eq!(rows, *want, "{names:?}, one by one: {one_by_one}");
        }
    }
}

const FINISHED: &str = "\"end_turn\"";

#[test]
fn a_finished_copy_in_a_side_log_beats_the_unfinished_line_of_the_main_log() {
    let side = ",\"isSidechain\":true,\"agentId\":\"acompact-c0ffee\"";
    for name in ["agent-acompact-c0ffee", "agent-aside_question-c0ffee"] {
        let main = prompt(SESSION, "u1", 0, "go", "") + &answer(SESSION, "a1", 4, 36, "null", "");
        let copy = prompt(SESSION, "u1", 0, "go", side) + &answer(SESSION, "a1", 4, 611, FINISHED, side);
        let (main_name, side_name) = (format!("{SESSION}.jsonl"), format!("{SESSION}/subagents/{name}.jsonl"));
        let sql = "SELECT prompts, calls, partial_calls, output_tokens FROM sessions";
        let want = serde_json::json!([{"prompts": 1, "calls": 1, "partial_calls": 0, "output_tokens": 611}]);
        always(&[(&main_name, &main), (&side_name, &copy)], sql, &want);
        // And the other way round.
        let main = prompt(SESSION, "u1", 0, "go", "") + &answer(SESSION, "a1", 4, 611, FINISHED, "");
        let copy = prompt(SESSION, "u1", 0, "go", side) + &answer(SESSION, "a1", 4, 36, "null", side);
        always(&[(&main_name, &main), (&side_name, &copy)], sql, &want);
    }
}

#[test]
fn a_prompt_and_a_call_of_the_main_thread_stay_that_whatever_older_side_log_copies_them() {
    let side = ",\"isSidechain\":true,\"agentId\":\"aside_question-c0ffee\"";
    let main = prompt(SESSION, "u1", 0, "count", "") + &answer(SESSION, "a1", 4, 7, FINISHED, "");
    let copy = prompt(SESSION, "u1", 0, "count", side)
        + &answer(SESSION, "a1", 4, 7, FINISHED, side)
        + &prompt(SESSION, "s1", 6, "which?", side)
        + &answer(SESSION, "s2", 9, 9, FINISHED, side);
    let files =
        [(format!("{SESSION}.jsonl"), main), (format!("{SESSION}/subagents/agent-aside_question-c0ffee.jsonl"), copy)];
    let files = files.each_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    always(
        &files,
        "SELECT prompts, calls, subagent_calls, output_tokens FROM sessions",
        &serde_json::json!([{"prompts": 1, "calls": 2, "subagent_calls": 1, "output_tokens": 16}]),
    );
}

#[test]
fn what_a_branch_copied_is_of_the_session_it_was_copied_from_which_is_the_branchs_parent() {
    let from = |session: &str, uuid: &str| {
        format!(",\"forkedFrom\":{{\"sessionId\":\"{session}\",\"messageUuid\":\"{uuid}\"}}")
    };
    let main = prompt(SESSION, "u1", 0, "start", "") + &answer(SESSION, "a1", 5, 10, FINISHED, "");
    let branch = |session: &str, parent: &str, n: u32| {
        prompt(session, "u1", 0, "start", &from(parent, "u1"))
            + &answer(session, "a1", 5, 10, FINISHED, &from(parent, "a1"))
            + &prompt(session, &format!("b{n}"), 20 + n, "other way", "")
            + &answer(session, &format!("c{n}"), 25 + n, 50, FINISHED, "")
    };
    // A sub-agent that began with a copy of the conversation.
    let side = ",\"isSidechain\":true,\"agentId\":\"af0c4d\"";
    let forked = prompt(SESSION, "u1", 0, "start", &(side.to_owned() + &from(SESSION, "u1")))
        + &answer(SESSION, "a1", 5, 10, FINISHED, &(side.to_owned() + &from(SESSION, "a1")))
        + &prompt(SESSION, "s1", 7, "look", side)
        + &answer(SESSION, "s2", 9, 40, FINISHED, side);
    let files = [
        (format!("{SESSION}.jsonl"), main),
        (format!("{BRANCH}.jsonl"), branch(BRANCH, SESSION, 1)),
        (format!("{OTHER}.jsonl"), branch(OTHER, SESSION, 2)),
        (format!("{SESSION}/subagents/agent-af0c4d.jsonl"), forked),
    ];
    let all = files.each_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    let sql = "SELECT session_id AS s, parent_session_id AS p, prompts, calls, subagent_calls AS side, output_tokens AS o \
               FROM sessions ORDER BY 1";
    let row = |session: &str, parent: Option<&str>, prompts: u32, calls: u32, side: u32, output: u32| serde_json::json!({"s": session, "p": parent, "prompts": prompts, "calls": calls, "side": side, "o": output});
    let branches = [row(BRANCH, Some(SESSION), 1, 1, 0, 50), row(OTHER, Some(SESSION), 1, 1, 0, 50)];
    let want = serde_json::json!([row(SESSION, None, 1, 2, 1, 50), branches[0], branches[1]]);
    always(&all, sql, &want);
    // The original's log is gone: what was copied is still its, and counts once.
    let want = serde_json::json!([row(SESSION, None, 1, 1, 0, 10), branches[0], branches[1]]);
    always(&all[1..3], sql, &want);
}

#[test]
fn a_session_from_the_web_says_so() {
    let head =
        "{\"type\":\"teleported-from\",\"remoteSessionId\":\"session_1\",\"branch\":\"claude/x\",\"messageCount\":0}\n";
    let text = head.to_owned() + &prompt(SESSION, "u1", 0, "go on", "") + &answer(SESSION, "a1", 4, 5, FINISHED, "");
    let home = read(&[(&format!("{SESSION}.jsonl"), &text)], false);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE event_type = 'unknown'"), 0);
    let rows = home
        .query("SELECT session_id, text, extra->>'remoteSessionId' AS remote FROM events WHERE event_type = 'system'");
    assert_eq!(rows, [serde_json::json!({"session_id": SESSION, "text": "claude/x", "remote": "session_1"})]);
}
