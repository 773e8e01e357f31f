//! Decoding against a plain SELECT of the same rows.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::{SCHEMA, assistant, bash, message, part, text, user};
use crate::adapters::SourceInfo;
use crate::adapters::database_decoder;
use crate::adapters::tests::database;
use crate::schema::{Format, RowContext, Rows};
use crate::watch::{Cursor, Database};

/// Messages in the test's database; each answer has seven parts.
const MESSAGES: i64 = 20_000;

fn fill(path: &Path) {
    let mut connection = Connection::open(path).unwrap();
    let filling = connection.transaction().unwrap();
    let long = "All work and no play makes a long answer. ".repeat(30);
    for n in 0..MESSAGES {
        let (id, session, at) = (format!("msg_{n:08}"), format!("ses_{}", n / 200), n * 10);
        if n % 10 == 0 {
            filling.execute_batch(&message(&id, &session, at, at, &user(at))).unwrap();
            filling.execute_batch(&part(&format!("prt_{n:08}a"), &id, &session, at, at, &text("Go on"))).unwrap();
            continue;
        }
        let mut tool = bash("completed", at);
        tool["state"]["output"] = json!(long);
        let parts = [
            json!({"type": "step-start"}),
            json!({"type": "reasoning", "text": long, "time": {"start": at, "end": at}}),
            text(&long),
            tool.clone(),
            tool,
            json!({"type": "step-finish", "reason": "stop", "cost": 0, "tokens": {"input": 1}}),
            json!({"type": "patch", "hash": "h", "files": ["/a"]}),
        ];
        let mut sql = message(&id, &session, at, at, &assistant("m", at, Some(at + 5)));
        for (index, data) in parts.iter().enumerate() {
            sql.push_str(&part(&format!("prt_{n:08}{index}"), &id, &session, at, at, data));
        }
        filling.execute_batch(&sql).unwrap();
    }
    filling.commit().unwrap();
}

#[test]
#[ignore = "measures; run it by itself, optimised"]
#[expect(clippy::print_stderr, reason = "a measurement says what it measured")]
fn how_fast_decoding_is_against_selecting_the_same_rows() {
    let (_folder, path) = database(SCHEMA);
    fill(&path);
    let best = |work: &dyn Fn() -> usize| -> (Duration, usize) {
        let runs = (0..3).map(|_| {
            let start = Instant::now();
            let count = black_box(work());
            (start.elapsed(), count)
        });
        runs.min().unwrap()
    };
    let (plain, selected) = best(&|| {
        let connection = Connection::open(&path).unwrap();
        let mut count = 0;
        for sql in [
            "SELECT id, session_id, time_created, time_updated, data FROM message",
            "SELECT id, message_id, session_id, time_created, time_updated, data FROM part",
        ] {
            let mut statement = connection.prepare(sql).unwrap();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                count += 1;
                black_box(row.get_ref(0).unwrap());
                black_box(row.get_ref(4).unwrap());
            }
        }
        count
    });
    let reading = |decode: bool| {
        let info = SourceInfo { path: "/x/opencode.db", ..SourceInfo::default() };
        let mut rows = Rows::new(RowContext::new("opencode", "/x/opencode.db"));
        let mut decoder = database_decoder(Format::OpencodeStore, info).unwrap();
        let database = Database::open(&path, Format::OpencodeStore).unwrap();
        let mut count = 0;
        for query in decoder.queries(&database.tables().unwrap()).unwrap() {
            let each = database.each(&query, Cursor::START, |record| {
                if decode {
                    decoder.record(record, false, &mut rows);
                } else {
                    black_box(record.size());
                }
                if rows.stored_bytes() > 4 << 20 {
                    count += rows.finish().ids.len();
                }
                true
            });
            each.unwrap();
        }
        count + rows.finish().ids.len()
    };
    let (asking, _) = best(&|| reading(false));
    let (decoding, events) = best(&|| reading(true));
    let ratio = plain.as_secs_f64() / decoding.as_secs_f64();
    eprintln!(
        "{selected} rows: plain SELECT {plain:?}, the decoder's query alone {asking:?}, with decoding {decoding:?} \
         ({events} events); ratio {ratio:.2}"
    );
    assert!(events > selected / 2);
}
