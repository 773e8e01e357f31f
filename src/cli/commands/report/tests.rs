//! The SQL of the reports, run over a handful of events.

use std::sync::Arc;

use clap::Parser;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use super::super::super::args::{Arguments, Command};
use super::*;
use crate::schema::{EventRow, RowContext, Rows, events_schema};

/// 2026-11-22T23:30:00Z: already the 23rd in Berlin.
const LATE_US: i64 = 1_795_390_200_000_000;

fn event(event_type: &str) -> EventRow<'_> {
    EventRow { event_type, ts_us: LATE_US, session_id: Some("s-1"), project: Some("acme/api"), ..EventRow::default() }
}

fn call(input: i64, output: i64) -> EventRow<'static> {
    EventRow {
        model: Some("model-a"),
        usage_source: Some("reported"),
        input_tokens: Some(input),
        output_tokens: Some(output),
        ..event("llm_response")
    }
}

fn events() -> RecordBatch {
    let mut rows = Rows::new(RowContext::new("claude", "/a.jsonl"));
    let mut offset = 0;
    let mut push = |rows: &mut Rows, row: EventRow<'_>| {
        offset += 1;
        rows.event(&EventRow { source_offset: offset, ..row });
    };
    push(&mut rows, event("user_interaction"));
    push(&mut rows, EventRow { cache_read_tokens: Some(1000), cache_write_5m_tokens: Some(20), ..call(10, 5) });
    push(&mut rows, EventRow { usage_source: Some("partial"), ts_us: LATE_US - 3_600_000_000, ..call(1, 2) });
    push(&mut rows, EventRow { usage_source: Some("estimated"), ..call(7_000, 7_000) });
    push(&mut rows, EventRow { tool_name: Some("Bash"), ..event("command_execution") });
    let failed = EventRow { tool_name: Some("Bash"), is_error: Some(true), ..event("tool_result") };
    push(&mut rows, failed);
    rows.begin(RowContext::new("codex", "/b.jsonl"));
    let other = EventRow { session_id: Some("s-2"), project: Some("ledger"), model: Some("model-b"), ..call(300, 40) };
    push(&mut rows, other);
    push(&mut rows, EventRow { ts_us: LATE_US + 86_400_000_000 * 7, ..other });
    rows.finish().events
}

fn answered(line: &str) -> (Outcome, String) {
    let mut settings = Settings::for_home("/home/ann".as_ref());
    settings.timezone = "Europe/Berlin".into();
    let arguments = Arguments::try_parse_from(["devlog", "report"].into_iter().chain(line.split(' '))).unwrap();
    let Command::Report(args) = arguments.command else { unreachable!("parsed as report") };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams { input: &mut std::io::empty(), out: &mut out, err: &mut err, now_us: LATE_US };
    let edge = |edge, text: &Option<String>| when(&settings, LATE_US, "--since", edge, text.as_deref()).unwrap();
    let filter = Filter {
        since_us: edge(Edge::Since, &args.since),
        until_us: edge(Edge::Until, &args.until),
        agents: &args.agent,
        projects: &args.project,
        timezone: &settings.timezone,
    };
    let sql = sql::report(args.kind, &filter);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(async {
        let context = SessionContext::new();
        let table = MemTable::try_new(events_schema(), vec![vec![events()]]).unwrap();
        context.register_table("events", Arc::new(table)).unwrap();
        let frame = context.sql(&sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        frame.collect().await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    });
    let outcome = render(&settings, &args, &batches, &mut streams).unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

#[test]
fn days_are_those_of_the_zone_and_estimates_are_not_summed() {
    insta::assert_snapshot!(answered("daily").1, @"
    day         agents         sessions  calls  input  cache write  cache read  output  total
    ──────────  ─────────────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    2026-11-22  claude                1      1      1            -           -       2      3
    2026-11-23  claude, codex         2      3    310           20       1,000      45  1,375
    2026-11-30  codex                 1      1    300            -           -      40    340
    ──────────  ─────────────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    total                                    5    611           20       1,000      87  1,718

    Times are in Europe/Berlin.
    1 call under-reported by the agent itself: real output is higher.
    1 call with estimated tokens only, not in the sums.
    ");
}

#[test]
fn every_report_answers() {
    insta::assert_snapshot!(answered("weekly").1, @"
    week        agents         sessions  calls  input  cache write  cache read  output  total
    ──────────  ─────────────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    2026-11-16  claude                1      1      1            -           -       2      3
    2026-11-23  claude, codex         2      3    310           20       1,000      45  1,375
    2026-11-30  codex                 1      1    300            -           -      40    340
    ──────────  ─────────────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    total                                    5    611           20       1,000      87  1,718

    Times are in Europe/Berlin.
    1 call under-reported by the agent itself: real output is higher.
    1 call with estimated tokens only, not in the sums.
    ");
    insta::assert_snapshot!(answered("monthly").1, @"
    month    agents         sessions  calls  input  cache write  cache read  output  total
    ───────  ─────────────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    2026-11  claude, codex         2      5    611           20       1,000      87  1,718

    Times are in Europe/Berlin.
    1 call under-reported by the agent itself: real output is higher.
    1 call with estimated tokens only, not in the sums.
    ");
    insta::assert_snapshot!(answered("sessions").1, @"
    session  agent   project   started           ended             prompts  calls  output  total
    ───────  ──────  ────────  ────────────────  ────────────────  ───────  ─────  ──────  ─────
    s-1      claude  acme/api  2026-11-22 23:30  2026-11-23 00:30        1      3       7  1,038
    s-2      codex   ledger    2026-11-23 00:30  2026-11-30 00:30        0      2      80    680
    ───────  ──────  ────────  ────────────────  ────────────────  ───────  ─────  ──────  ─────
    total                                                                1      5      87  1,718

    Times are in Europe/Berlin.
    1 call under-reported by the agent itself: real output is higher.
    1 call with estimated tokens only, not in the sums.
    ");
    insta::assert_snapshot!(answered("models").1, @"
    model    agents  sessions  calls  input  cache write  cache read  output  total
    ───────  ──────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    model-a  claude         1      3     11           20       1,000       7  1,038
    model-b  codex          1      2    600            -           -      80    680
    ───────  ──────  ────────  ─────  ─────  ───────────  ──────────  ──────  ─────
    total                          5    611           20       1,000      87  1,718

    Times are in Europe/Berlin.
    1 call under-reported by the agent itself: real output is higher.
    1 call with estimated tokens only, not in the sums.
    ");
    insta::assert_snapshot!(answered("tools").1, @"
    tool  agents  sessions  calls  errors  lines added  lines removed
    ────  ──────  ────────  ─────  ──────  ───────────  ─────────────
    Bash  claude         1      1       1            -              -

    Times are in Europe/Berlin.
    ");
    insta::assert_snapshot!(answered("projects").1, @"
    project   agents  sessions  prompts  calls  input  cache write  cache read  output  total
    ────────  ──────  ────────  ───────  ─────  ─────  ───────────  ──────────  ──────  ─────
    acme/api  claude         1        1      3     11           20       1,000       7  1,038
    ledger    codex          1        0      2    600            -           -      80    680
    ────────  ──────  ────────  ───────  ─────  ─────  ───────────  ──────────  ──────  ─────
    total                             1      5    611           20       1,000      87  1,718

    Times are in Europe/Berlin.
    1 call under-reported by the agent itself: real output is higher.
    1 call with estimated tokens only, not in the sums.
    ");
}

#[test]
fn filters_pick_agent_project_and_time() {
    let days = |line: &str| {
        let (outcome, text) = answered(&format!("daily --json {line}"));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["timezone"], "Europe/Berlin");
        let rows: Vec<(String, u64)> = json["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["day"].as_str().unwrap().to_owned(), row["total_tokens"].as_u64().unwrap()))
            .collect();
        assert_eq!(rows.is_empty(), outcome == Outcome::Nothing);
        rows
    };
    let day = |day: &str, tokens| (day.to_owned(), tokens);
    assert_eq!(days("--agent codex --until 2026-11-29"), [day("2026-11-23", 340)]);
    assert_eq!(days("--project ledger --since 2026-11-24"), [day("2026-11-30", 340)]);
    assert_eq!(days("--project api"), [day("2026-11-22", 3), day("2026-11-23", 1035)]);
    assert_eq!(days("--project o'brien"), []);
    assert_eq!(answered("daily --agent nobody").1, "nothing found (days in Europe/Berlin)\n");
}
