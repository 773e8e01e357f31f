//! Described formats, decoded.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::adapters::tests::{Decoded, MODIFIED_US, finish, lines};
use crate::schema::{Condition, RowContext, Test, TimeFormat};

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

fn columns(all: &[(&str, &str)]) -> Vec<(&'static Target, Vec<Pointer>)> {
    all.iter().map(|(name, at)| (Target::named(name).unwrap(), at.split(' ').map(pointer).collect())).collect()
}

fn rule(at: &str, equals: &str, event_type: Option<&'static str>) -> TypeRule {
    let test = Test::OneOf(vec![Constant::Text(equals.to_owned())]);
    let set = event_type.map(|_| (Target::named("role").unwrap(), Constant::Text(equals.to_owned())));
    TypeRule {
        when: vec![Condition { pointer: pointer(at), test }],
        event_type: event_type.and_then(EventType::named),
        set: set.into_iter().collect(),
    }
}

fn mapping() -> Mapping {
    Mapping {
        agent: "mytool",
        path: "/h/adapters/mytool.toml".into(),
        files: Vec::new(),
        packing: Compression::Lines,
        records: Pointer::default(),
        time: TimeFormat::Auto(chrono_tz::UTC),
        columns: columns(&[
            ("ts", "/time"),
            ("session_id", "/session"),
            ("text", "/message/text /message"),
            ("model", "/model"),
            ("tool_name", "/tool/name"),
            ("tool_input", "/tool/args"),
            ("is_error", "/failed"),
            ("turn", "/turn"),
            ("input_tokens", "/usage/in"),
            ("cache_read_tokens", "/usage/cached"),
            ("output_tokens", "/usage/out"),
            ("cost_usd_reported", "/usage/cost"),
        ]),
        document: Vec::new(),
        constants: vec![(Target::named("provider").unwrap(), Constant::Text("acme".into()))],
        types: vec![
            rule("/kind", "user", Some("user_interaction")),
            rule("/kind", "assistant", Some("llm_response")),
            rule("/kind", "ping", None),
        ],
        event_type: None,
        id: vec![pointer("/id")],
        input_includes_cache: true,
    }
}

fn decoded(mapping: Mapping, text: &str) -> Decoded {
    decoded_from(&Arc::new(mapping), text, None)
}

fn decoded_from(mapping: &Arc<Mapping>, text: &str, checkpoint: Option<&Checkpoint>) -> Decoded {
    let info = SourceInfo { path: "/x", companions: &[], modified_us: MODIFIED_US, zone: None };
    let mut rows = Rows::new(RowContext::new(mapping.agent, "/x"));
    let mut decoder = decoder(mapping, info, checkpoint);
    match mapping.packing {
        Compression::Lines => lines(text.as_bytes()).into_iter().for_each(|line| decoder.line(line, &mut rows)),
        Compression::Document => {
            decoder.line(Line { bytes: text.as_bytes(), offset: 0, end: text.len() as u64 }, &mut rows);
        }
    }
    let decoded = finish(&mut rows);
    let c = decoded.counts;
    assert_eq!(c.lines, c.line_rows + c.ignored + c.rejects, "every line is counted once");
    decoded
}

const ANSWER: &str = concat!(
    r#"{"id":"2","time":1700000001000,"kind":"assistant","session":"s","message":{"text":"hi","lang":"en"},"model":"m1","#,
    r#""usage":{"in":100,"cached":"40","out":7.0,"cost":0.25,"unit":"USD"},"turn":"many","tool":{"name":"sh","args":"{\"a\":1}"},"failed":0}"#,
    "\n"
);

#[test]
fn every_value_goes_where_the_description_says_and_the_rest_to_extra() {
    let decoded = decoded(mapping(), ANSWER);
    let row = decoded.only("llm_response");
    let expected = json!({"session_id": "s", "text": "hi", "model": "m1", "provider": "acme", "role": "assistant",
        "input_tokens": 60, "cache_read_tokens": 40, "output_tokens": 7, "total_tokens": 107,
        "cost_usd_reported": "0.250000000", "usage_source": "reported", "is_error": false, "tool_name": "sh",
        "tool_input": {"a": 1}, "ts": 1_700_000_001_000_000i64, "ts_source": "log", "agent": "mytool",
        "extra": {"id": "2", "kind": "assistant", "message": {"lang": "en"}, "usage": {"unit": "USD"}, "turn": "many"}});
    for (column, value) in expected.as_object().unwrap() {
        assert_eq!(row.get(column), Some(value), "{column}");
    }
    assert!(!row.contains_key("turn"), "a text is no number");
}

#[test]
fn rules_decide_types_and_what_makes_no_row() {
    let text = concat!(
        "{\"id\":1,\"kind\":\"user\",\"message\":\"do it\"}\n",
        "{\"id\":2,\"kind\":\"ping\"}\n",
        "{\"id\":3,\"kind\":\"odd\"}\n\n",
        "[1]\n",
        "rubbish\n",
    );
    let decoded = decoded(mapping(), text);
    assert_eq!(decoded.only("user_interaction")["text"], "do it");
    assert_eq!(decoded.only("unknown")["extra"], json!({"id": 3, "kind": "odd"}));
    assert_eq!(decoded.rejects, ["wrong_shape", "not_json"]);
    assert_eq!((decoded.counts.ignored, decoded.counts.unknown_types), (2, 1));
    let own = decoded_type("event_type");
    assert_eq!(own, "title");
}

/// A type that stands in the record itself.
fn decoded_type(key: &str) -> String {
    let own = Mapping { columns: columns(&[("event_type", &format!("/{key}"))]), types: Vec::new(), ..mapping() };
    let decoded = decoded(own, "{\"id\":1,\"event_type\":\"title\"}\n");
    decoded.rows[0]["event_type"].as_str().unwrap().to_owned()
}

#[test]
fn ids_come_from_the_named_values_or_from_the_whole_record() {
    let ids = |mapping: Mapping, text: &str| decoded(mapping, text).ids();
    let same = ids(mapping(), "{\"id\":7,\"kind\":\"user\"}\n{\"kind\":\"user\",\"x\":1,\"id\":7}\n");
    assert_eq!(same[0], same[1]);
    let whole = || Mapping { id: Vec::new(), ..mapping() };
    let ids = ids(whole(), "{\"id\":7,\"a\":1}\n{\"id\":7,\"a\":2}\n{\"id\":7,\"a\":1}\n");
    assert!(ids[0] != ids[1] && ids[0] == ids[2]);
    let missing = decoded(mapping(), "{\"a\":1}\n{\"a\":2}\n").ids();
    assert_ne!(missing[0], missing[1], "without the named value the record is its own identity");
}

#[test]
fn equal_lines_beside_each_other_are_as_many_events_in_every_copy_of_the_file() {
    let own = Arc::new(Mapping { id: Vec::new(), ..mapping() });
    let line = "{\"time\":1700000000,\"kind\":\"assistant\",\"message\":\"ok\"}\n";
    let text = format!("{line}{line}{{\"time\":1700000001,\"kind\":\"user\"}}\n{line}{line}{line}");
    let all = decoded_from(&own, &text, None).ids();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (6, 4), "what comes again later is a copy, as far as anyone can tell");
    assert_eq!(decoded_from(&own, &text, None).ids(), all);
    for cut in lines(text.as_bytes()) {
        let end = usize::try_from(cut.end).unwrap();
        let info = SourceInfo { path: "/x", companions: &[], modified_us: MODIFIED_US, zone: None };
        let mut rows = Rows::new(RowContext::new(own.agent, "/x"));
        let mut first = decoder(&own, info, None);
        lines(&text.as_bytes()[..end]).into_iter().for_each(|line| first.line(line, &mut rows));
        let after = decoded_from(&own, &text, Some(&first.checkpoint())).ids();
        assert_eq!([finish(&mut rows).ids(), after].concat(), all, "after {end}");
    }
}

#[test]
fn every_form_of_time_is_read() {
    let time = |format: TimeFormat, value: &str| {
        let decoded = decoded(Mapping { time: format, ..mapping() }, &format!("{{\"id\":1,\"time\":{value}}}\n"));
        let row = decoded.rows[0].clone();
        (row["ts"].as_i64().unwrap(), row["ts_source"] == "log")
    };
    let berlin = |pattern: &str| TimeFormat::Pattern(pattern.into(), chrono_tz::Europe::Berlin);
    let local = || TimeFormat::Auto(chrono_tz::Europe::Berlin);
    let second = 1_700_000_000_000_000;
    for (format, value, expected) in [
        (TimeFormat::Auto(chrono_tz::UTC), "1700000000", Some(second)),
        (TimeFormat::Auto(chrono_tz::UTC), "\"1700000000000\"", Some(second)),
        (TimeFormat::Auto(chrono_tz::UTC), "\"2023-11-14T22:13:20Z\"", Some(second)),
        (TimeFormat::Auto(chrono_tz::UTC), "\"2023-11-14T22:13:20\"", Some(second)),
        (TimeFormat::Auto(chrono_tz::UTC), "\"1700000000.25\"", Some(second + 250_000)),
        (TimeFormat::Auto(chrono_tz::UTC), "\"nan\"", None),
        (local(), "\"2023-11-14T23:13:20.123456\"", Some(second + 123_456)),
        (local(), "\"2023-11-14 23:13:20\"", Some(second)),
        (local(), "\"2023-11-14T22:13:20Z\"", Some(second)),
        (local(), "\"0001-01-01 00:00:00\"", None),
        (TimeFormat::Rfc3339, "\"2023-11-14T23:13:20+01:00\"", Some(second)),
        (TimeFormat::Rfc3339, "1700000000", None),
        (TimeFormat::Unix(1), "1700000000.5", Some(second + 500_000)),
        (TimeFormat::Unix(1_000), "1700000000000", Some(second)),
        (TimeFormat::Unix(1_000_000), "1700000000000000", Some(second)),
        (TimeFormat::Unix(1), "9223372036854775807", None),
        (berlin("%d.%m.%Y %H:%M:%S"), "\"14.11.2023 23:13:20\"", Some(second)),
        (berlin("%Y-%m-%d %H:%M:%S %z"), "\"2023-11-14 22:13:20 +0000\"", Some(second)),
        (berlin("%Y-%m-%d"), "\"2023-11-15\"", Some(second + 2_800_000_000)),
        (berlin("%Y-%m-%d"), "\"soon\"", None),
    ] {
        let wanted = expected.map_or((MODIFIED_US, false), |us| (us, true));
        assert_eq!(time(format.clone(), value), wanted, "{format:?} {value}");
    }
}

#[test]
fn records_inside_a_document_take_columns_from_around_them() {
    let own = || Mapping {
        packing: Compression::Document,
        records: pointer("/log/messages"),
        document: columns(&[("session_id", "/session"), ("model", "/model")]),
        ..mapping()
    };
    let first = r#"{"session":"s","model":"m1","log":{"messages":[{"id":1,"kind":"user","message":"a"}]}}"#;
    let decoded_first = decoded(own(), first);
    assert_eq!(decoded_first.only("user_interaction")["session_id"], "s");
    let second = r#"{"session":"s","model":"m1","log":{"messages":[{"id":1,"kind":"user","message":"a","done":true},{"id":2,"kind":"assistant","model":"m2"},5]}}"#;
    let decoded_second = decoded(own(), second);
    assert_eq!(decoded_second.ids()[0], decoded_first.ids()[0]);
    let level = |d: &Decoded| d.rows[0]["completeness"].as_i64().unwrap();
    assert!(level(&decoded_second) > level(&decoded_first), "a longer record replaces the shorter");
    assert_eq!(decoded_second.only("llm_response")["model"], "m2", "the record wins");
    assert_eq!(decoded_second.rejects, ["wrong_shape"]);
    let nothing = decoded(own(), r#"{"session":"s"}"#);
    assert_eq!(nothing.rejects, ["wrong_shape"]);
    let array = decoded(Mapping { records: Pointer::default(), ..own() }, r#"[{"id":1,"kind":"user"},{"id":2}]"#);
    assert_eq!(array.rows.len(), 2);
}

#[test]
fn elements_of_arrays_are_found_and_the_others_are_kept() {
    let own = Mapping { columns: columns(&[("text", "/parts/0/text"), ("file_path", "/parts/1")]), ..mapping() };
    let decoded = decoded(own, "{\"id\":1,\"parts\":[{\"text\":\"a\",\"x\":1},\"f\",\"g\"]}\n");
    assert_eq!((&decoded.rows[0]["text"], &decoded.rows[0]["file_path"]), (&json!("a"), &json!("f")));
    assert_eq!(decoded.rows[0]["extra"], json!({"id": 1, "parts": [{"x": 1}, null, "g"]}));
}

#[test]
fn a_stop_after_any_line_changes_nothing() {
    let mapping = Arc::new(mapping());
    let text = format!("{{\"id\":0,\"kind\":\"user\",\"time\":1700000000}}\n{ANSWER}{{\"id\":3,\"kind\":\"odd\"}}\n");
    let all = decoded_from(&mapping, &text, None);
    for line in lines(text.as_bytes()) {
        let end = usize::try_from(line.end).unwrap();
        let info = SourceInfo { path: "/x", companions: &[], modified_us: MODIFIED_US, zone: None };
        let mut rows = Rows::new(RowContext::new(mapping.agent, "/x"));
        let mut first = decoder(&mapping, info, None);
        lines(&text.as_bytes()[..end]).into_iter().for_each(|line| first.line(line, &mut rows));
        let before = finish(&mut rows);
        let after = decoded_from(&mapping, &text, Some(&first.checkpoint()));
        assert_eq!([before.rows, after.rows].concat(), all.rows, "after {end}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(text in "(\\{\"id\":[0-9]{1,3},\"time\":[0-9.e+-]{0,12},\"message\":(\"\\PC{0,5}\"|\\[\\]|\\{\"text\":null\\})\\}|\\PC{0,20}|\\[[0-9,]{0,5}\\]\n){0,6}") {
        let _rows = decoded(mapping(), &text);
        let _rows = decoded(Mapping { packing: Compression::Document, ..mapping() }, &text);
    }
}
