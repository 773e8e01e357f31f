//! Reports over a small lake.

use super::*;
use crate::query::tests::{Bench, at, events};
use crate::schema::{EventRow, EventType, UsageSource};

fn bench() -> Bench {
    let row = |ts: &str, session: &'static str, source: UsageSource, output: i64| EventRow {
        ts_us: at(ts),
        event_type: EventType::LlmResponse,
        session_id: Some(session),
        project: Some("me/app"),
        model: Some("claude-opus-4-6"),
        provider: Some("anthropic"),
        usage_source: Some(source),
        input_tokens: Some(1_000),
        cache_read_tokens: Some(1_200_000),
        output_tokens: Some(output),
        ..EventRow::default()
    };
    let prompt = EventRow {
        event_type: EventType::UserInteraction,
        total_tokens: None,
        input_tokens: None,
        cache_read_tokens: None,
        output_tokens: None,
        usage_source: None,
        text: Some("hi"),
        ..row("2026-03-28T22:30:00Z", "night", UsageSource::Reported, 0)
    };
    let claude = events(
        "claude",
        &[
            prompt,
            row("2026-03-28T22:50:00Z", "night", UsageSource::Reported, 4_000),
            row("2026-03-28T23:10:00Z", "night", UsageSource::Partial, 17),
            EventRow {
                event_type: EventType::Title,
                text: Some("A \u{1b}[31mlong title | with <html>"),
                total_tokens: None,
                input_tokens: None,
                cache_read_tokens: None,
                output_tokens: None,
                usage_source: None,
                ..row("2026-03-28T23:11:00Z", "night", UsageSource::Reported, 0)
            },
            EventRow {
                event_type: EventType::CommandExecution,
                tool_name: Some("Bash"),
                tool_call_id: Some("t"),
                command: Some("ls"),
                ..prompt
            },
        ],
    );
    let codex = events(
        "codex",
        &[
            EventRow {
                project: Some("me/other"),
                model: Some("gpt-5"),
                ..row("2026-03-30T08:00:00Z", "day", UsageSource::Reported, 50)
            },
            EventRow { model: Some("gpt-5"), ..row("2026-03-30T09:00:00Z", "day", UsageSource::Estimated, 60) },
        ],
    );
    Bench::new(vec![codex], &[claude])
}

fn show(bench: &Bench, kind: ReportKind, filter: ReportFilter, json: bool) -> String {
    show_in(bench, kind, filter, &ReportOptions { width: Some(120), json, ..ReportOptions::default() })
}

fn show_in(bench: &Bench, kind: ReportKind, filter: ReportFilter, options: &ReportOptions) -> String {
    let mut out = Vec::new();
    let report = Report { kind, filter };
    let (sql, params) = report.sql();
    let mut answer = bench.engine.run_blocking(&sql, &params).unwrap();
    let batches: Vec<_> = std::iter::from_fn(|| answer.next_blocking()).collect::<Result<_, _>>().unwrap();
    let all = arrow::compute::concat_batches(&answer.schema(), &batches).unwrap();
    report.write(bench.engine.zone(), &all, &mut out, options).unwrap();
    String::from_utf8(out).unwrap()
}

fn all(bench: &Bench, kind: ReportKind) -> String {
    show(bench, kind, ReportFilter::default(), false)
}

#[test]
fn daily_has_a_total_its_zone_and_what_is_partial() {
    insta::assert_snapshot!(all(&bench(), ReportKind::Daily), @"
    Usage per day · everything · Europe/Berlin

    day         sessions  prompts  calls  tools  errors  input  cache read  cache write  output  total tokens  models
    ──────────  ────────  ───────  ─────  ─────  ──────  ─────  ──────────  ───────────  ──────  ────────────  ─────────────
    2026-03-28         1        1      1      1       0  1,000   1,200,000            –   4,000     1,205,000  claude-opus-…
    2026-03-29         1        0      1      0       0  1,000   1,200,000            –      17     1,201,017  claude-opus-…
    2026-03-30         1        0      1      0       0  1,000   1,200,000            –      50     1,201,050  gpt-5
    ──────────  ────────  ───────  ─────  ─────  ──────  ─────  ──────────  ───────────  ──────  ────────────  ─────────────
    total              2        1      3      1       0  3,000   3,600,000                4,067     3,607,067  2 models

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    ");
}

#[test]
fn sessions_models_projects_and_tools_are_tables_too() {
    let bench = bench();
    insta::assert_snapshot!(all(&bench, ReportKind::Sessions), @r"
    Sessions · everything · Europe/Berlin

    started           agent   project   title            prompts  calls  tools  errors  output  total tokens  models
    ────────────────  ──────  ────────  ───────────────  ───────  ─────  ─────  ──────  ──────  ────────────  ──────────────
    2026-03-28 23:30  claude  me/app    A ␛[31mlong ti…        1      2      1       0   4,017          2.4M  claude-opus-4…
    2026-03-30 10:00  codex   me/other  –                      0      1      0       0      50          1.2M  gpt-5
    ────────────────  ──────  ────────  ───────────────  ───────  ─────  ─────  ──────  ──────  ────────────  ──────────────
    total                                                      1      3      1       0   4,067          3.6M

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    Not shown in this width: sub-agent tokens.
    ");
    insta::assert_snapshot!(all(&bench, ReportKind::Models), @r"
    Usage per model · everything · Europe/Berlin

    model            provider   agent   sessions  calls  input  cache read  cache write  output  total tokens
    ───────────────  ─────────  ──────  ────────  ─────  ─────  ──────────  ───────────  ──────  ────────────
    claude-opus-4-6  anthropic  claude         1      2  2,000   2,400,000            –   4,017     2,406,017
    gpt-5            anthropic  codex          1      1  1,000   1,200,000            –      50     1,201,050
    ───────────────  ─────────  ──────  ────────  ─────  ─────  ──────────  ───────────  ──────  ────────────
    total                                      2      3  3,000   3,600,000                4,067     3,607,067

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    ");
    insta::assert_snapshot!(all(&bench, ReportKind::Projects), @r"
    Usage per project · everything · Europe/Berlin

    project   sessions  prompts  calls  tools  input  cache read  cache write  output  total tokens  last
    ────────  ────────  ───────  ─────  ─────  ─────  ──────────  ───────────  ──────  ────────────  ────────────────
    me/app           2        1      2      1  2,000        2.4M            –   4,017          2.4M  2026-03-30 11:00
    me/other         1        0      1      0  1,000        1.2M            –      50          1.2M  2026-03-30 10:00
    ────────  ────────  ───────  ─────  ─────  ─────  ──────────  ───────────  ──────  ────────────  ────────────────
    total            2        1      3      1  3,000        3.6M                4,067          3.6M  2026-03-30 11:00

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    Not shown in this width: errors.
    ");
    insta::assert_snapshot!(all(&bench, ReportKind::Tools), @r"
    Tools · everything · Europe/Berlin

    tool name  agent   calls  errors  errors %  sessions  median ms  longest ms  last
    ─────────  ──────  ─────  ──────  ────────  ────────  ─────────  ──────────  ────────────────
    Bash       claude      1       0         –         1          –           –  2026-03-28 23:30
    ─────────  ──────  ─────  ──────  ────────  ────────  ─────────  ──────────  ────────────────
    total                  1       0                   1                         2026-03-28 23:30
    ");
    insta::assert_snapshot!(all(&bench, ReportKind::Weekly), @"
    Usage per week · everything · Europe/Berlin

    week        sessions  prompts  calls  tools  errors  input  cache read  cache write  output  total tokens  models
    ──────────  ────────  ───────  ─────  ─────  ──────  ─────  ──────────  ───────────  ──────  ────────────  ─────────────
    2026-03-23         1        1      2      1       0  2,000   2,400,000            –   4,017     2,406,017  claude-opus-…
    2026-03-30         1        0      1      0       0  1,000   1,200,000            –      50     1,201,050  gpt-5
    ──────────  ────────  ───────  ─────  ─────  ──────  ─────  ──────────  ───────────  ──────  ────────────  ─────────────
    total              2        1      3      1       0  3,000   3,600,000                4,067     3,607,067  2 models

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    ");
    insta::assert_snapshot!(all(&bench, ReportKind::Monthly), @"
    Usage per month · everything · Europe/Berlin

    month    sessions  prompts  calls  tools  errors  input  cache read  cache write  output  total tokens  models
    ───────  ────────  ───────  ─────  ─────  ──────  ─────  ──────────  ───────────  ──────  ────────────  ────────────────
    2026-03         2        1      3      1       0  3,000   3,600,000            –   4,067     3,607,067  claude-opus-4-6…
    ───────  ────────  ───────  ─────  ─────  ──────  ─────  ──────────  ───────────  ──────  ────────────  ────────────────
    total           2        1      3      1       0  3,000   3,600,000                4,067     3,607,067  2 models

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    ");
}

#[test]
fn a_narrow_terminal_gets_rounded_tokens_and_fewer_columns() {
    let bench = bench();
    let options = ReportOptions { width: Some(80), ..ReportOptions::default() };
    insta::assert_snapshot!(show_in(&bench, ReportKind::Models, ReportFilter::default(), &options), @"
    Usage per model · everything · Europe/Berlin

    model            sessions  calls  input  cache read  output  total tokens
    ───────────────  ────────  ─────  ─────  ──────────  ──────  ────────────
    claude-opus-4-6         1      2  2,000        2.4M   4,017          2.4M
    gpt-5                   1      1  1,000        1.2M      50          1.2M
    ───────────────  ────────  ─────  ─────  ──────────  ──────  ────────────
    total                   2      3  3,000        3.6M   4,067          3.6M

    1 of 3 calls under-reports its output; its 17 output tokens are a lower bound.
    1 more call has only estimated tokens, which are not included.
    Not shown in this width: provider, cache write, agent.
    ");
}

#[test]
fn json_keeps_total_apart_and_counts_a_session_once() {
    let shown: serde_json::Value =
        serde_json::from_str(&show(&bench(), ReportKind::Daily, ReportFilter::default(), true)).unwrap();
    assert_eq!(shown["timezone"], "Europe/Berlin");
    assert_eq!(shown["rows"].as_array().unwrap().len(), 3);
    assert_eq!(shown["rows"][1]["day"], "2026-03-29");
    assert_eq!(shown["rows"][1]["partial_calls"], 1);
    // `night` is a session of two days.
    assert_eq!(shown["total"]["sessions"], 2);
    assert_eq!(shown["total"]["calls"], 3);
    assert_eq!(shown["total"]["total_tokens"], 3 * 1_201_000 + 4_000 + 17 + 50);
    assert_eq!(shown["total"]["estimated_calls"], 1);
}

#[test]
fn filters_reach_the_rows_and_never_become_sql() {
    let bench = bench();
    let calls = |filter: ReportFilter| {
        let shown: serde_json::Value = serde_json::from_str(&show(&bench, ReportKind::Daily, filter, true)).unwrap();
        shown["total"]["calls"].as_i64().unwrap_or_default()
    };
    let none = ReportFilter::default();
    assert_eq!(calls(ReportFilter { agent: Some("codex".into()), ..none.clone() }), 1);
    assert_eq!(calls(ReportFilter { project: Some("me/app".into()), ..none.clone() }), 2);
    assert_eq!(calls(ReportFilter { project: Some("x' OR '1'='1".into()), ..none.clone() }), 0);
    // Half a day: the filter is finer than the rows of the report.
    let since_us = Some(at("2026-03-28T23:00:00Z"));
    assert_eq!(calls(ReportFilter { since_us, ..none.clone() }), 2);
    let until_us = Some(at("2026-03-30T00:00:00Z"));
    assert_eq!(calls(ReportFilter { since_us, until_us, ..none.clone() }), 1);
    let (sql, _) = Report { kind: ReportKind::Daily, filter: ReportFilter { agent: Some("x'".into()), ..none } }.sql();
    assert!(!sql.contains("x'"));
}

#[test]
fn all_filters_fit_all_reports() {
    let bench = bench();
    let filter = ReportFilter {
        since_us: Some(at("2026-03-28T23:00:00+01:00")),
        until_us: Some(at("2026-03-30T00:00:00+02:00")),
        agent: Some("claude".into()),
        project: Some("me/app".into()),
    };
    for (name, kind) in KINDS {
        let shown = show(&bench, kind, filter.clone(), false);
        assert!(shown.contains("2026-03-28 23:00 to 2026-03-29 · claude · me/app · Europe/Berlin"), "{name}: {shown}");
        assert!(shown.contains("\ntotal"), "{name}: {shown}");
        let nothing = ReportFilter { agent: Some("nobody".into()), ..filter.clone() };
        assert!(show(&bench, kind, nothing, false).ends_with("Nothing found.\n"), "{name}");
    }
}
