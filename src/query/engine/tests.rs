//! Every function that the engine lists, called through the planner that queries go through.

use std::collections::BTreeSet;

use crate::query::tests::{Bench, at, events};
use crate::schema::{EventRow, EventType};

/// Arguments of every type.
const VALUES: [&str; 20] = [
    "2",
    "0.5",
    "'abc'",
    "'2026-03-01'",
    "true",
    "ts",
    "text",
    "[1, 2]",
    "NULL",
    "input_tokens",
    "DATE '2026-03-01'",
    "TIMESTAMP '2026-03-01 10:00:00'",
    "TIME '10:00:00'",
    "INTERVAL '1 day'",
    "['a', 'b']",
    "[[1], [2]]",
    "MAP {'a': 1}",
    "struct(1 AS a, 'b' AS b)",
    "'{\"a\": 1}'",
    "X'6162'",
];

/// Of these, those that pairs are made of.
const PAIRED: usize = 8;

/// Calls with more arguments, or with rarer ones, than are made by turns.
const CALLS: [&str; 58] = [
    "array_any_value([NULL, 1])",
    "array_position([1, 2], 2)",
    "array_replace([1, 2], 2, 3)",
    "array_replace_all([1, 2], 2, 3)",
    "array_replace_n([1, 2], 2, 3, 1)",
    "array_remove_n([1, 2], 2, 1)",
    "array_resize([1, 2], 3, 0)",
    "array_slice([1, 2], 1, 1)",
    "array_to_string(['a', 'b'], ',')",
    "array_union([1], [2])",
    "arrow_cast(1, 'Int32')",
    "arrow_field(1)",
    "arrow_metadata(1)",
    "arrow_try_cast(1, 'Int32')",
    "approx_percentile_cont(input_tokens, 0.5)",
    "approx_percentile_cont_with_weight(input_tokens, 1, 0.5)",
    "btrim('xax', 'x')",
    "cast_to_type('1', 1)",
    "date_bin(INTERVAL '1 day', ts)",
    "date_part('day', ts)",
    "date_trunc('day', ts)",
    "decode('6162', 'hex')",
    "digest('abc', 'sha256')",
    "encode('abc', 'hex')",
    "find_in_set('a', 'a,b')",
    "get_field(struct(1 AS a), 'a')",
    "grouping(agent)",
    "levenshtein('abc', 'abd')",
    "lpad('a', 3, 'x')",
    "make_date(2026, 3, 1)",
    "make_time(10, 0, 0)",
    "map(['a'], [1])",
    "map_extract(MAP {'a': 1}, 'a')",
    "map_entries(MAP {'a': 1})",
    "map_keys(MAP {'a': 1})",
    "map_values(MAP {'a': 1})",
    "named_struct('a', 1)",
    "nth_value(text, 1)",
    "ntile(2)",
    "overlay('abcd' PLACING 'x' FROM 2 FOR 1)",
    "percentile_cont(input_tokens, 0.5)",
    "regexp_count('aab', 'a')",
    "regexp_instr('aab', 'b')",
    "regexp_like('aab', 'b')",
    "regexp_match('aab', 'b')",
    "regexp_replace('aab', 'b', 'c')",
    "replace('abc', 'b', 'x')",
    "rpad('a', 3, 'x')",
    "split_part('a,b', ',', 1)",
    "string_to_array('a,b', ',')",
    "substr_index('a.b', '.', 1)",
    "to_char(ts, '%Y')",
    "to_local_time(ts)",
    "translate('abc', 'a', 'x')",
    "trunc(1.5)",
    "union_extract(json_get('{\"a\": 1}', 'a'), 'int')",
    "union_tag(json_get('{\"a\": 1}', 'a'))",
    "width_bucket(1, 0, 10, 5)",
];

/// Types that the engine has no comparison, no sum or no sketch of: it says so as an internal error.
const WITHOUT: [&str; 3] = ["[[1], [2]]", "MAP {'a': 1}", "approx_distinct(0.5)"];

fn bench() -> Bench {
    let row = |ts: &str, tokens| EventRow {
        ts_us: at(ts),
        event_type: EventType::LlmResponse,
        session_id: Some("s"),
        text: Some("[1, 2]"),
        input_tokens: Some(tokens),
        ..EventRow::default()
    };
    Bench::new(vec![events("claude", &[row("2026-03-01T10:00:00Z", 3), row("2026-03-02T10:00:00Z", 4)])], &[])
}

/// `name` with no argument, each value, each pair of some, and three of each.
fn calls(name: &str) -> Vec<String> {
    let mut all = vec![format!("{name}()")];
    all.extend(VALUES.iter().map(|value| format!("{name}({value})")));
    for first in &VALUES[..PAIRED] {
        all.extend(VALUES[..PAIRED].iter().map(|second| format!("{name}({first}, {second})")));
    }
    all.extend(VALUES.iter().map(|value| format!("{name}({value}, {value})")));
    all.extend(VALUES.iter().map(|value| format!("{name}({value}, {value}, {value})")));
    let own = format!("{name}(");
    all.extend(CALLS.iter().filter(|call| call.starts_with(&own)).map(|call| (*call).to_owned()));
    all
}

/// Calls every function of `names` in many ways; none may fail by itself, and each must answer once.
fn assert_usable(names: &BTreeSet<String>, query: impl Fn(&str) -> String) {
    let bench = bench();
    let (mut silent, mut broken) = (Vec::new(), Vec::new());
    for name in names {
        let mut answers = 0;
        for call in calls(name) {
            match bench.try_rows(&query(&call)) {
                Ok(_) => answers += 1,
                Err(error) => {
                    let text = error.to_string();
                    let is_ours = ["internal error", "Internal error", "a bug", "panicked", "not implemented"];
                    if is_ours.iter().any(|word| text.contains(word)) && !WITHOUT.iter().any(|what| call.contains(what))
                    {
                        broken.push(format!("{call}: {text}"));
                    }
                }
            }
        }
        if answers == 0 {
            silent.push(name);
        }
    }
    assert!(silent.is_empty() && broken.is_empty(), "never answers: {silent:?}\n{}", broken.join("\n"));
}

#[test]
fn every_scalar_function_answers_and_none_fails_by_itself() {
    let names = bench().engine.session.scalar_functions().values().map(|udf| udf.name().to_owned()).collect();
    assert_usable(&names, |call| format!("SELECT {call} FROM events"));
}

#[test]
fn every_aggregate_function_answers_and_none_fails_by_itself() {
    let names = bench().engine.session.aggregate_functions().values().map(|udf| udf.name().to_owned()).collect();
    assert_usable(&names, |call| format!("SELECT {call} FROM events GROUP BY agent"));
}

#[test]
fn every_window_function_answers_and_none_fails_by_itself() {
    let names = bench().engine.session.window_functions().values().map(|udf| udf.name().to_owned()).collect();
    assert_usable(&names, |call| format!("SELECT {call} OVER (ORDER BY ts) FROM events"));
}

#[test]
fn every_table_function_answers_and_none_fails_by_itself() {
    let names = bench().engine.session.table_functions().keys().cloned().collect();
    assert_usable(&names, |call| format!("SELECT * FROM {call}"));
}

#[test]
fn the_present_is_one_moment_in_the_whole_query_and_a_day_on_the_wall_of_its_zone() {
    let bench = bench();
    let before = chrono::Utc::now();
    let instants =
        "SELECT now() AS a, current_timestamp AS b, (SELECT now() FROM events LIMIT 1) AS c, now() = current_timestamp";
    let shown = bench.value(instants);
    let parts: Vec<&str> = shown.split('|').collect();
    assert_eq!((parts[0], parts[0], "true"), (parts[1], parts[2], parts[3]), "{shown}");
    let now = chrono::DateTime::parse_from_rfc3339(parts[0]).unwrap().to_utc();
    assert!(now.timestamp_micros() >= before.timestamp_micros() && now <= chrono::Utc::now(), "{shown}");
    let wall = "SELECT current_date = local_date(now()), today() = current_date,
        CAST(date_trunc('second', local_time(now())) AS TIME) = CAST(date_trunc('second', current_time) AS TIME)";
    assert_eq!(bench.value(wall), "true|true|true");
    assert_eq!(bench.value("SELECT count(*) FROM events WHERE ts < now() - INTERVAL '1 day'"), "2");
    assert_eq!(bench.value("SELECT count(*) FROM daily WHERE day > current_date - 14"), "0");
    assert_eq!(bench.value("SELECT arrow_typeof(now()) = arrow_typeof(ts) FROM events LIMIT 1"), "true");
    assert_eq!(
        bench.value("SELECT count(*) FROM generate_series(now(), now() + INTERVAL '2 day', INTERVAL '1 day')"),
        "3"
    );
    assert_eq!(bench.value("SELECT count(*) FROM (VALUES (now()), (now())) AS v(at) WHERE at = now()"), "2");
}
