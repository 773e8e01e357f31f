//! Pruning, one cut, refusals, errors in words, parameters.

use crate::schema::EventType;
use std::sync::Arc;
use std::time::Duration;

use super::*;

fn prompt(ts: &str, session: &'static str) -> EventRow<'static> {
    EventRow {
        ts_us: at(ts),
        event_type: EventType::UserInteraction,
        session_id: Some(session),
        text: Some("hello"),
        ..EventRow::default()
    }
}

/// Three months of one row each on disk, one row in memory.
fn three_months() -> Bench {
    let month = |agent: &str, ts: &str, session| events(agent, &[prompt(ts, session)]);
    Bench::new(
        vec![month("claude", "2026-04-10T12:00:00Z", "d")],
        &[
            month("a1", "2026-01-10T12:00:00Z", "a"),
            month("a2", "2026-02-10T12:00:00Z", "b"),
            month("a3", "2026-03-10T12:00:00Z", "c"),
        ],
    )
}

fn explain(bench: &Bench, sql: &str) -> String {
    bench.rows(&format!("EXPLAIN {sql}")).join("\n")
}

#[test]
fn each_row_is_seen_once_from_memory_and_disk() {
    let bench = three_months();
    assert_eq!(bench.rows("SELECT session_id FROM events ORDER BY ts"), ["a", "b", "c", "d"]);
    assert_eq!(bench.value("SELECT count(*) FROM events"), "4");
    assert_eq!(bench.value("SELECT count(*) FROM sources"), "0");
    assert_eq!(bench.value("SELECT count(*) FROM rejects"), "0");
}

#[test]
fn replaced_rows_are_not_seen_from_the_lake() {
    let old = events("claude", &[prompt("2026-01-10T12:00:00Z", "old"), prompt("2026-01-11T12:00:00Z", "kept")]);
    let new = events("claude", &[prompt("2026-01-10T12:00:00Z", "new")]);
    let replaced = Arc::new(ids(&new));
    let bench = Bench::with(vec![new], &[old], |cut, _| cut.replaced = replaced);
    assert_eq!(bench.rows("SELECT session_id FROM events ORDER BY 1"), ["kept", "new"]);
    assert_eq!(bench.value("SELECT count(*) FROM events"), "2");
    assert_eq!(bench.value("SELECT count(*) FROM events WHERE session_id = 'old'"), "0");
    assert_eq!(bench.rows("SELECT event_type FROM events"), ["user_interaction", "user_interaction"]);
}

#[test]
fn files_outside_the_time_range_are_not_in_the_plan() {
    let bench = three_months();
    for filter in [
        "ts >= '2026-02-01T00:00:00Z' AND ts < '2026-03-01T00:00:00Z'",
        "agent = 'a2'",
        "local_date(ts) = '2026-02-10'",
        "session_id = 'b'",
        "local_date(ts) BETWEEN '2026-02-02' AND '2026-02-20'",
    ] {
        let plan = explain(&bench, &format!("SELECT session_id FROM events WHERE {filter}"));
        assert!(plan.contains("part-1.parquet"), "{filter}\n{plan}");
        assert!(!plan.contains("part-0.parquet") && !plan.contains("part-2.parquet"), "{filter}\n{plan}");
        assert_eq!(bench.rows(&format!("SELECT session_id FROM events WHERE {filter}")), ["b"], "{filter}");
    }
}

#[test]
fn a_time_needs_no_seconds_and_a_text_that_looks_like_one_stays() {
    let bench = three_months();
    for filter in [
        "ts < '2026-02-10 12:01'",
        "ts <= '2026-02-10T12:00'",
        "'2026-02-10 12:01Z' > ts",
        "ts BETWEEN '2026-01-10 12:00' AND '2026-02-10 12:00'",
        "ts IN ('2026-01-10 12:00', '2026-02-10 12:00')",
        "ts < TIMESTAMP '2026-02-10 12:01'",
        "EXISTS (SELECT 1 FROM events e WHERE e.ts <= '2026-02-10 12:00' AND e.session_id = events.session_id)",
    ] {
        let sql = format!("SELECT session_id FROM events WHERE {filter} ORDER BY ts");
        assert_eq!(bench.rows(&sql), ["a", "b"], "{filter}");
    }
    assert_eq!(bench.value("SELECT ts < '2026-02-10 12:01' FROM events ORDER BY ts LIMIT 1"), "true");
    let text = "SELECT x FROM (VALUES ('2026-02-10 12:00')) AS v(x) WHERE x = '2026-02-10 12:00'";
    assert_eq!(bench.value(text), "2026-02-10 12:00");
}

#[test]
fn a_pruned_file_is_never_opened() {
    let bench = three_months();
    let lake = bench.dir.path().join("a b%20ü=c/events");
    fs::write(lake.join("month=2026-01/part-0.parquet"), "no parquet").unwrap();
    assert_eq!(bench.rows("SELECT session_id FROM events WHERE ts > '2026-02-01' ORDER BY 1"), ["b", "c", "d"]);
    assert!(bench.try_rows("SELECT session_id FROM events").is_err());
}

#[test]
fn days_of_a_view_prune_files_too() {
    let bench = three_months();
    let plan = explain(&bench, "SELECT * FROM daily WHERE day = '2026-02-10' AND agent = 'a2'");
    assert!(plan.contains("part-1.parquet"), "{plan}");
    assert!(!plan.contains("part-0.parquet") && !plan.contains("part-2.parquet"), "{plan}");
}

#[test]
fn only_the_columns_asked_for_are_read_and_filters_reach_the_reader() {
    let bench = three_months();
    let plan = explain(&bench, "SELECT session_id FROM events WHERE text = 'hello'");
    assert!(plan.contains("projection=[session_id], file_type=parquet, predicate=text@"), "{plan}");
    // What no file can hold opens none: the column is null everywhere.
    assert!(!explain(&bench, "SELECT session_id FROM events WHERE model = 'x'").contains("parquet"));
}

#[test]
fn counts_and_time_bounds_come_from_statistics() {
    let bench = three_months();
    assert!(!explain(&bench, "SELECT count(*) FROM events").contains("parquet"));
    let settled = Bench::new(Vec::new(), &[events("a", &[prompt("2026-01-10T12:00:00Z", "a")])]);
    assert!(!explain(&settled, "SELECT count(*), count(model), min(ts), max(ts) FROM events").contains("parquet"));
    assert_eq!(settled.value("SELECT count(*), count(model), count(text) FROM events"), "1|0|1");
    assert_eq!(bench.value("SELECT min(ts), max(ts) FROM events"), "2026-01-10T12:00:00Z|2026-04-10T12:00:00Z");
    // Texts in the log are shortened: they never become values.
    assert_eq!(bench.value("SELECT max(agent), min(agent) FROM events"), "claude|a1");
    assert_eq!(bench.value("SELECT max(source_path) FROM events"), "/logs/claude.jsonl");
}

#[test]
fn statements_that_do_more_than_read_are_refused() {
    let bench = three_months();
    for sql in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY events TO '/tmp/devlog-test-out.csv'",
        "EXPLAIN ANALYZE COPY events TO '/tmp/devlog-test-out.csv'",
        "SET datafusion.runtime.memory_limit = '100G'",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO events VALUES (1)",
        "PREPARE p AS SELECT 1",
        "DROP TABLE events",
        "DELETE FROM events",
        "SHOW ALL",
    ] {
        let error = bench.try_rows(sql).expect_err(sql);
        assert!(matches!(error, QueryError::ReadOnly { .. }), "{sql}: {error:?}");
    }
    assert!(matches!(bench.try_rows("SELECT * FROM '/etc/passwd'"), Err(QueryError::UnknownTable { .. })));
    assert!(bench.try_rows("SELECT * FROM information_schema.df_settings").is_err());
    assert!(matches!(bench.try_rows("SELECT 1; SELECT 2"), Err(QueryError::NotOneStatement { found: 2 })));
    assert!(matches!(bench.try_rows("  "), Err(QueryError::NotOneStatement { found: 0 })));
    assert_eq!(
        bench.error("DROP TABLE events"),
        "DROP is not possible: queries only read; use SELECT, WITH, EXPLAIN or DESCRIBE"
    );
}

#[test]
fn errors_name_the_mistake_its_place_and_the_nearest_right_word() {
    let bench = three_months();
    assert_eq!(
        bench.error("SELECT ts,\n modle FROM events"),
        "no column `modle` in events (line 2, column 2); did you mean `model`?"
    );
    assert_eq!(
        bench.error("SELECT e.modle FROM events e JOIN sources s ON s.path = e.source_path"),
        "no column `modle` in e (line 1, column 10); did you mean `model`?"
    );
    let error = bench.error("SELECT * FROM sesions");
    assert!(error.starts_with("no table or view `sesions` (line 1, column 15); did you mean `sessions`?"), "{error}");
    assert!(error.contains("tables events, rejects, sources and the views activity, commands, daily"), "{error}");
    assert_eq!(
        bench.error("SELECT lenght(text) FROM events"),
        "no function `lenght` (line 1, column 8); did you mean `length`?"
    );
    assert_eq!(
        bench.error("SELECT agent FROM events a, events b"),
        "column `agent` (line 1, column 8) is in more than one table of the query; write the table's name before it"
    );
    assert_eq!(
        bench.error("SELECT FROM WHERE"),
        "cannot read the query (line 1, column 13): expected an expression, found FROM"
    );
    for sql in [
        "SELECT model + 1 FROM events",
        "SELECT sum(model) FROM events",
        "SELECT agent, count(*) FROM events",
        "SELECT count(*) FROM events WHERE ts > 'nonsense'",
        "SELECT text[ FROM events",
        "SELECT 'a",
    ] {
        let error = bench.error(sql);
        for jargon in
            ["DataFusion", "Error during planning", "Schema error", "Arrow error", "Utf8", "Int64", "caused by"]
        {
            assert!(!error.contains(jargon), "{sql}: {error}");
        }
    }
}

#[test]
fn parameters_take_the_type_that_the_query_needs() {
    let bench = three_months();
    let one = |sql: &str, params: &[(&str, &str)]| bench.rows_with(sql, params).map(|r| r.join(","));
    assert_eq!(one("SELECT session_id FROM events WHERE agent = $a", &[("a", "a2")]).unwrap(), "b");
    assert_eq!(one("SELECT count(*) FROM events WHERE project = $p", &[("p", "123")]).unwrap(), "0");
    assert_eq!(one("SELECT count(*) FROM events WHERE ts >= $since", &[("since", "2026-03-01")]).unwrap(), "2");
    assert_eq!(
        one("SELECT count(*) FROM events WHERE ts >= $since", &[("since", "2026-03-10T13:00:00+01:00")]).unwrap(),
        "2"
    );
    assert_eq!(one("SELECT $n + 1, $f * 2, $b", &[("n", "41"), ("f", "0.5"), ("b", "true")]).unwrap(), "42|1.0|true");
    assert_eq!(one("SELECT $t", &[("t", "x'; DROP TABLE events")]).unwrap(), "x'; DROP TABLE events");
    assert!(matches!(one("SELECT $x", &[]), Err(QueryError::MissingParameter { .. })));
    assert!(matches!(one("SELECT $x", &[("x", "1"), ("y", "1")]), Err(QueryError::UnusedParameter { .. })));
    let wrong = one("SELECT 1 FROM events WHERE ts > $x", &[("x", "soon")]).unwrap_err().to_string();
    assert_eq!(wrong, "the value \"soon\" of the parameter $x is not a time (2026-03-01 or 2026-03-01T12:00:00Z)");
}

#[test]
fn the_time_limit_ends_a_query() {
    let bench = Bench::with(Vec::new(), &[], |_, o| o.timeout = Some(Duration::from_millis(200)));
    let endless = "SELECT count(*) FROM generate_series(1, 100000000000) a CROSS JOIN generate_series(1, 1000000) b";
    assert!(matches!(bench.try_rows(endless), Err(QueryError::Timeout { .. })), "{:?}", bench.try_rows(endless));
    assert_eq!(bench.value("SELECT 1"), "1");
}

/// Compares each of 12,000 rows with each other one, without listening to anybody for seconds.
const DEAF: &str = "SELECT count(*) FROM generate_series(1, 12000) a(x) JOIN generate_series(1, 12000) b(y) \
                    ON repeat(CAST(x AS VARCHAR), 5) LIKE '%' || CAST(y AS VARCHAR) || '%7%'";

#[test]
fn the_reader_of_a_query_that_does_not_listen_leaves_at_the_time_limit() {
    let bench = Bench::with(Vec::new(), &[], |_, o| o.timeout = Some(Duration::from_millis(200)));
    let mut answer = bench.engine.run_blocking(DEAF, &[]).unwrap();
    assert!(matches!(answer.next_blocking(), Some(Err(QueryError::Timeout { .. }))));
    assert!(answer.is_abandoned());
    assert!(answer.next_blocking().is_none());
}

#[test]
fn a_query_whose_reader_has_gone_is_left() {
    let bench = Bench::new(Vec::new(), &[]);
    let mut answer = bench.engine.run_blocking(DEAF, &[]).unwrap();
    assert!(matches!(answer.next_while(&|| false), Some(Err(_))));
    assert!(answer.is_abandoned());
}

#[test]
fn giant_values_and_deep_expressions_are_errors_not_crashes() {
    let bench = three_months();
    for sql in [
        "SELECT length(repeat('x', 2000000000))",
        "SELECT generate_series(1, 1000000000)",
        "SELECT range(0, 1000000000)",
        "SELECT length(repeat(source_path, 100000000)) FROM events",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT array_repeat(1, 2000000000)",
    ] {
        let error = bench.error(sql);
        assert!(error.contains("more than 67108864"), "{sql}: {error}");
    }
    assert_eq!(bench.value("SELECT repeat('ab', 3), lpad('x', 3, '-'), range(0, 3)"), "ababab|--x|[0, 1, 2]");
    let chain = format!("SELECT count(*) FROM events WHERE agent = ''{}", " OR agent = '1'".repeat(950));
    assert_eq!(bench.value(&chain), "0");
    let sum = format!("SELECT 1{}", " + 1".repeat(1_900));
    assert_eq!(bench.value(&sum), "1901");
    let deep = format!("SELECT 1 WHERE 1=2{}", " OR 1=2".repeat(50_000));
    assert!(bench.try_rows(&deep).is_err());
}

#[test]
fn too_little_memory_is_an_error_that_says_so() {
    let bench = Bench::with(Vec::new(), &[], |_, o| o.memory_bytes = 10_000);
    assert_eq!(
        bench.error("SELECT * FROM generate_series(1, 100000) ORDER BY 1 DESC"),
        "the query needs more memory than it may use (10000 bytes); select fewer or shorter columns, narrow it, or \
         raise --memory"
    );
    assert_eq!(bench.value("SELECT count(*) FROM generate_series(1, 20000)"), "20000");
}

#[test]
fn a_join_too_large_for_memory_is_sorted_instead() {
    let bench = Bench::with(Vec::new(), &[], |_, o| o.memory_bytes = 64 << 20);
    let side = "SELECT repeat('x', 100) || CAST(value AS VARCHAR) AS v FROM generate_series(1, 800000)";
    assert_eq!(bench.value(&format!("SELECT count(*) FROM ({side}) a JOIN ({side}) b ON a.v = b.v")), "800000");
}

/// Rows that are handed on must never be spilled: readers and writers could wait for each other for ever.
#[test]
fn queries_that_fill_their_memory_end() {
    let bench = Bench::with(Vec::new(), &[], |_, o| o.memory_bytes = 2 << 20);
    let rows = "SELECT value % 13 AS g, repeat('x', 20) || CAST(value % 337 AS VARCHAR) AS v \
                FROM generate_series(1, 40000)";
    for _ in 0..12 {
        let counted = bench.rows(&format!("SELECT g, count(DISTINCT v) FROM ({rows}) GROUP BY g ORDER BY g"));
        assert_eq!(counted.len(), 13);
    }
}

#[test]
fn own_views_join_the_built_in_ones_and_a_broken_one_stops_only_itself() {
    let own = tempfile::tempdir().unwrap();
    let write = |name: &str, sql: &str| fs::write(own.path().join(name), sql).unwrap();
    write("late.sql", "-- Late work.\nSELECT * FROM prompts_only WHERE ts > '2026-03-01'");
    write("prompts_only.sql", "SELECT ts, session_id FROM events WHERE event_type = 'user_interaction'");
    write("broken.sql", "SELECT modle FROM events");
    write("worse.sql", "SELEC");
    write("ring_a.sql", "SELECT * FROM ring_b");
    write("ring_b.sql", "SELECT * FROM ring_a");
    write("events.sql", "SELECT 1");
    write("bad name.sql", "SELECT 1");
    write("danger.sql", "DROP TABLE events");
    let path = own.path().to_owned();
    let bench = Bench::with(vec![events("a", &[prompt("2026-04-01T00:00:00Z", "s")])], &[], |_, o| {
        o.user_queries = Some(path);
    });
    assert_eq!(bench.rows("SELECT session_id FROM late"), ["s"]);
    let error = bench.error("SELECT * FROM broken");
    assert!(error.starts_with("the view `broken` in "), "{error}");
    assert!(
        error.ends_with("is broken: no column `modle` in events (line 1, column 8); did you mean `model`?"),
        "{error}"
    );
    let error = bench.error("SELECT * FROM ring_a");
    assert_eq!(error, "the view `ring_a` is defined by itself, through ring_a → ring_b → ring_a");
    assert!(bench.error("SELECT * FROM danger").contains("DROP is not possible"));
    let warnings = bench.engine.warnings().join("\n");
    assert!(warnings.contains("`events` is a table") && warnings.contains("bad name.sql"), "{warnings}");
    assert!(warnings.contains("the view `worse`"), "{warnings}");
    assert_eq!(bench.value("SELECT 1"), "1");
}

#[test]
fn json_operators_read_tool_input() {
    let row = EventRow {
        tool_input: Some(r#"{"file":"a.rs","n":[1,2],"deep":{"x":1.5}}"#),
        ..prompt("2026-04-01T00:00:00Z", "s")
    };
    let bench = Bench::new(vec![events("a", &[row])], &[]);
    let sql = "SELECT tool_input->>'file', (tool_input->'n'->1)::int, tool_input->'deep', tool_input ? 'n' FROM events";
    assert_eq!(bench.value(sql), "a.rs|2|{\"x\":1.5}|true");
}

#[test]
fn operators_bind_as_people_write_them() {
    let row = EventRow { tool_input: Some(r#"{"file":"a.rs","n":3}"#), ..prompt("2026-04-01T00:00:00Z", "s") };
    let bench = Bench::new(vec![events("a", &[row])], &[]);
    for sql in [
        "tool_input->>'file' = 'a.rs'",
        "tool_input->>'file' LIKE 'a%' AND tool_input->>'file' IN ('a.rs', 'b')",
        "tool_input->>'gone' IS NULL AND tool_input->>'file' IS NOT NULL",
        "(tool_input->'n')::int + 1 > 3",
        "tool_input->>'file' || 'x' = 'a.rsx'",
        "NOT (true IS DISTINCT FROM true AND false)",
        "agent IS NOT DISTINCT FROM 'a' AND session_id = 's'",
        "is_error IS DISTINCT FROM true AND session_id = 's'",
        "session_id IS DISTINCT FROM agent || 'x' OR false",
    ] {
        assert_eq!(bench.value(&format!("SELECT count(*) FROM events WHERE {sql}")), "1", "{sql}");
    }
}

#[test]
fn a_text_list_holds_each_text_once_in_order() {
    let bench = Bench::new(Vec::new(), &[]);
    let rows = "(VALUES (1, 'b'), (1, 'a'), (2, NULL), (1, 'b'), (3, ''), (3, 'x')) t(g, v)";
    assert_eq!(
        bench.rows(&format!("SELECT g, text_list(v) FROM {rows} GROUP BY g ORDER BY g")),
        ["1|a, b", "2|-", "3|, x"]
    );
    assert_eq!(
        bench.value(&format!("SELECT text_list(v) FILTER (WHERE g = 1), text_list(v) FROM {rows}")),
        "a, b|, a, b, x"
    );
    assert_eq!(bench.value(&format!("SELECT text_list(v) FROM {rows} WHERE g > 9")), "-");
    // Enough groups and rows that states are made, sent and merged.
    let many = "SELECT count(*), min(l), max(l) FROM (SELECT value % 50000 AS g, text_list(CAST(value % 3 AS VARCHAR)) AS l \
                FROM generate_series(1, 300000) GROUP BY 1)";
    assert_eq!(bench.value(many), "50000|0, 1, 2|0, 1, 2");
}

#[test]
fn an_unknown_zone_is_refused_with_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let options = EngineOptions { timezone: "Europe/Berln".to_owned(), ..options(dir.path()) };
    let error = Engine::new(cut(dir.path(), Vec::new(), &[]), options).unwrap_err();
    assert!(error.to_string().contains("did you mean `Europe/Berlin`?"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_spill_directory_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(Vec::new(), &[]);
    let mode = fs::metadata(bench.dir.path().join("spill")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn an_answer_that_nobody_reads_on_ends_and_an_engine_may_go_first() {
    let bench = three_months();
    let mut answer = bench.engine.run_blocking("SELECT * FROM generate_series(1, 10000000)", &[]).unwrap();
    assert!(answer.next_blocking().unwrap().is_ok());
    drop(answer);
    let answer = bench.engine.run_blocking("SELECT session_id FROM events ORDER BY ts", &[]).unwrap();
    drop(bench.engine);
    assert_eq!(rows_of(answer).unwrap(), ["a", "b", "c", "d"]);
}

#[test]
fn describe_and_explain_work() {
    let bench = three_months();
    assert!(bench.rows("DESCRIBE events")[0].starts_with("event_id|"));
    assert!(bench.rows("EXPLAIN SELECT 1").len() >= 2);
    assert!(bench.rows("EXPLAIN ANALYZE SELECT count(text) FROM events").len() == 1);
    assert_eq!(bench.value("SELECT count(*) FROM (FROM events)"), "4");
    assert_eq!(bench.value("SELECT * EXCLUDE (text) FROM events LIMIT 0"), "");
}
