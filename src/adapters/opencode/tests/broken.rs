//! Bad input is data: nothing panics, everything is counted.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;

use super::{SCHEMA, assistant, conversation, message, text, user};
use crate::adapters::tests::{database, decode, decode_database};
use crate::schema::Format;

const KINDS: [Format; 4] =
    [Format::OpencodeMessage, Format::OpencodePart, Format::OpencodeSession, Format::OpencodeExport];

#[test]
fn torn_files_and_records_of_another_kind_are_rejects() {
    for (bytes, reason) in
        [(&b"{\"id\":\"msg_1\",\"ro"[..], "not_json"), (b"[1]", "wrong_shape"), (b"{}", "wrong_shape")]
    {
        for format in KINDS {
            assert_eq!(decode(format, "/d/x.json", bytes).rejects, [reason], "{format:?}");
        }
    }
}

#[test]
fn a_broken_message_is_a_reject_and_a_broken_part_leaves_its_message_whole() {
    let sql = [
        SCHEMA.to_owned(),
        conversation(),
        "INSERT INTO message VALUES ('msg_8', 'ses_1', 1, 1, '{\"role\":\"us'), ('msg_9', 'ses_1', 1, 1, '[]'), \
         ('msg_a', 'ses_1', 'soon', NULLIF('x', ''), x'ff00');"
            .to_owned(),
        "INSERT INTO part VALUES ('prt_y', 'msg_2', 'ses_1', 1, 1, '{\"type\":\"te');".to_owned(),
    ];
    let (_folder, path) = database(&sql.concat());
    let (decoded, _) = decode_database(Format::OpencodeStore, &path, "/x/opencode.db");
    assert_eq!(decoded.rejects, ["not_json", "wrong_shape", "not_json"]);
    assert_eq!(decoded.only("unknown")["text"], "{\"type\":\"te");
    assert_eq!(decoded.only("llm_response")["text"], "I run it.\nDone.");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0usize..4) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|b| *b != b'\n').collect();
        decode(KINDS[kind], "/d/x.json", &bytes);
    }

    #[test]
    fn no_mutated_record_panics(at in 0usize..400, byte in any::<u8>(), kind in 0usize..4) {
        let record = match kind {
            0 => assistant("msg_1", 20, Some(30)),
            1 => user(3),
            2 => text("said"),
            _ => json!({"info": {"id": "s", "time": {}}, "messages": [{"info": user(1), "parts": [text("x")]}]}),
        };
        let mut bytes = record.to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = if byte == b'\n' { b'x' } else { byte };
        decode(KINDS[kind], "/d/x.json", &bytes);
    }

    #[test]
    fn no_database_of_wrong_types_panics(data in "[a-z0-9\"{}:\\[\\],]{0,40}", time in any::<i64>(), kind in 0usize..3) {
        let (_folder, path) = database(SCHEMA);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(&message("msg_1", "ses_1", 1, 1, &assistant("m", 1, Some(2)))).unwrap();
        let sql = match kind {
            0 => "INSERT INTO part VALUES ('p', 'msg_1', 's', ?2, ?2, ?1)",
            1 => "INSERT INTO message VALUES ('m', 'msg_1', ?2, ?2, ?1)",
            _ => "INSERT INTO session (id, project_id, slug, directory, title, version, revert, model, metadata, time_created, \
                  time_updated) VALUES ('ses_1', '', '', '', '', '', ?1, ?1, ?1, ?2, ?2)",
        };
        connection.execute(sql, rusqlite::params![data, time]).unwrap();
        decode_database(Format::OpencodeStore, &path, "/x/opencode.db");
    }
}

#[test]
fn parts_without_an_id_or_times_are_read_and_counts_below_zero_are_none() {
    let mut answer = assistant("msg_1", 20, Some(90));
    answer["tokens"] = json!({"input": 7, "output": -3, "reasoning": 0, "cache": {"read": 0, "write": 0}});
    let bare = "CREATE TABLE message (id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);\
                CREATE TABLE part (id TEXT, message_id TEXT, session_id TEXT, time_created INTEGER, time_updated INTEGER, \
                data TEXT);";
    let part = |id: &str, time: &str, said: &str| {
        format!("INSERT INTO part VALUES ({id}, 'msg_2', 's', {time}, {time}, '{}');", text(said))
    };
    let sql = [
        bare.to_owned(),
        message("msg_2", "s", 20, 90, &answer),
        message("msg_3", "s", 30, 90, &answer),
        part("'prt_1'", "NULL", "no times"),
        part("NULL", "20", "no id"),
        format!(
            "INSERT INTO part VALUES (NULL, 'msg_2', 's', 20, 20, '{}');",
            json!({"type": "reasoning", "text": "Hm"})
        ),
    ];
    let (_folder, path) = database(&sql.concat());
    let (decoded, _) = decode_database(Format::OpencodeStore, &path, "/home/u/.local/share/opencode/opencode.db");
    let answers = decoded.of("llm_response");
    assert_eq!(answers[0]["text"], "no id\nno times");
    assert_eq!((&answers[0]["input_tokens"], &answers[0]["output_tokens"]), (&json!(7), &json!(0)));
    assert_eq!(decoded.only("thinking")["text"], "Hm");
    assert!(!answers[1].contains_key("text"), "a message without parts has none");
}
