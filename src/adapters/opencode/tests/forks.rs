//! Sessions that begin with copies of another's messages.

use rusqlite::Connection;
use serde_json::json;

use super::{SCHEMA, T, assistant, bash, conversation, message, part, session, text, user};
use crate::adapters::tests::{Decoded, Looks, database, decode_database};
use crate::schema::Format;

const DB: &str = "/home/u/.local/share/opencode/opencode.db";

/// Sessions whose names and projects are made after [`conversation`].
fn fork(id: &str, letter: &str, created: i64) -> String {
    let named = |name: &str, number: u8| format!("{name}_{letter}{number}");
    let (prompt, answer) = (named("msg", 1), named("msg", 2));
    let title = format!(
        "UPDATE session SET title = 'Own title', time_created = {}, time_updated = {}",
        T + created,
        T + created
    );
    [
        session(id, None, "/home/u/app", "0123abc"),
        format!("{title} WHERE id = '{id}';"),
        message(&prompt, id, 10, created, &user(10)),
        part(&named("prt", 1), &prompt, id, created, created, &text("Fix the test")),
        message(&answer, id, 20, created, &assistant(&prompt, 20, Some(400))),
        part(&named("prt", 2), &answer, id, created, created, &text("I run it.\nDone.")),
        part(&named("prt", 3), &answer, id, created, created, &bash("completed", 50)),
    ]
    .concat()
}

/// What is said in a fork itself.
fn goes_on(id: &str, letter: &str, at: i64) -> String {
    let (prompt, answer) = (format!("msg_{letter}8"), format!("msg_{letter}9"));
    [
        message(&prompt, id, at, at, &user(at)),
        part(&format!("prt_{letter}8"), &prompt, id, at, at, &text("And now?")),
        message(&answer, id, at + 10, at + 90, &assistant(&prompt, at + 10, Some(at + 90))),
    ]
    .concat()
}

fn decode(sql: &[String]) -> Decoded {
    let (_folder, path) = database(&format!("{SCHEMA}{}", sql.concat()));
    decode_database(Format::OpencodeStore, &path, DB).0
}

fn sessions_of(decoded: &Decoded, kind: &str) -> Vec<String> {
    decoded.of(kind).iter().map(|row| row["session_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_fork_copies_stays_its_parents_and_what_follows_is_its_own() {
    let decoded = decode(&[conversation(), fork("ses_0", "x", 900), goes_on("ses_0", "x", 1000)]);
    assert_eq!(sessions_of(&decoded, "user_interaction"), ["ses_1", "ses_0"]);
    assert_eq!(sessions_of(&decoded, "llm_response"), ["ses_1", "ses_0"]);
    assert_eq!(sessions_of(&decoded, "command_execution"), ["ses_1"]);
    assert_eq!(decoded.sum("total_tokens"), 2 * 1115);
    assert_eq!(decoded.of("user_interaction")[1]["turn"], json!(2), "the copied prompts are turns of the fork too");
    assert_eq!(decoded.of("session_start").len(), 2);
    assert!(decoded.rejects.is_empty());
}

#[test]
fn a_fork_that_is_made_between_two_looks_adds_nothing_and_a_fork_of_it_neither() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", conversation()));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    looks.look(false);
    for sql in [fork("ses_0", "x", 900), goes_on("ses_0", "x", 1000), fork("ses_00", "y", 2000)] {
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        looks.look(false);
    }
    assert_eq!(looks.all.sum("total_tokens"), 2 * 1115);
    assert_eq!(looks.all.events().iter().filter(|row| row["event_type"] == "tool_result").count(), 2);
}

#[test]
fn a_fork_whose_parent_is_gone_keeps_what_it_copied() {
    let gone = "DELETE FROM session WHERE id = 'ses_1'; DELETE FROM message WHERE session_id = 'ses_1'; \
                DELETE FROM part WHERE session_id = 'ses_1';";
    let alone = decode(&[conversation(), fork("ses_0", "x", 900), gone.to_owned()]);
    assert_eq!(sessions_of(&alone, "llm_response"), ["ses_0"]);
    let with_its_own = [conversation(), fork("ses_0", "x", 900), fork("ses_00", "y", 950), gone.to_owned()];
    let decoded = decode(&with_its_own);
    assert_eq!(sessions_of(&decoded, "user_interaction"), ["ses_0"], "the older of two forks");
    assert_eq!(decoded.sum("total_tokens"), 1115);
}

#[test]
fn messages_of_one_moment_in_two_sessions_are_two() {
    let other = [
        session("ses_2", None, "/home/u/app", "0123abc"),
        message("msg_z", "ses_2", 20, 400, &assistant("msg_y", 20, Some(400))),
    ];
    let decoded = decode(&[conversation(), other.concat()]);
    assert_eq!(sessions_of(&decoded, "llm_response"), ["ses_1", "ses_2"]);
}
