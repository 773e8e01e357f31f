//! Each view against numbers counted by hand.

use super::*;
use crate::schema::{EventType, UsageSource};

/// Defaults of one session's rows.
fn in_session(session: &'static str) -> EventRow<'static> {
    EventRow { session_id: Some(session), project: Some("me/app"), ..EventRow::default() }
}

struct Usage(i64, i64, i64, i64, i64);

fn call<'a>(row: EventRow<'a>, ts: &str, model: &'a str, source: UsageSource, usage: &Usage) -> EventRow<'a> {
    EventRow {
        ts_us: at(ts),
        event_type: EventType::LlmResponse,
        model: Some(model),
        provider: Some("anthropic"),
        usage_source: Some(source),
        input_tokens: Some(usage.0),
        cache_read_tokens: Some(usage.1),
        cache_write_5m_tokens: Some(usage.2),
        cache_write_1h_tokens: Some(usage.3),
        output_tokens: Some(usage.4),
        ..row
    }
}

fn plain<'a>(row: EventRow<'a>, ts: &str, event_type: EventType) -> EventRow<'a> {
    EventRow { ts_us: at(ts), event_type, ..row }
}

/// Session `s1` of claude crosses midnight in Berlin on the night before clocks go forward; `s2` of
/// codex is a day later; `gone` is known from the prompt history only.
fn work() -> (Vec<RecordBatch>, Vec<RecordBatch>) {
    let s1 = EventRow { turn: Some(1), ..in_session("s1") };
    let tool = EventRow { tool_call_id: Some("t1"), tool_name: Some("Edit"), file_path: Some("a.rs"), ..s1 };
    let shell = EventRow { tool_call_id: Some("t2"), tool_name: Some("Bash"), command: Some("cargo test -q"), ..s1 };
    let sub = EventRow { is_subagent: Some(true), turn: Some(7), ..s1 };
    let claude = events(
        "claude",
        &[
            EventRow { turn: Some(0), ..plain(s1, "2026-03-28T22:00:00Z", EventType::SessionStart) },
            EventRow { text: Some("fix it"), ..plain(s1, "2026-03-28T22:30:00Z", EventType::UserInteraction) },
            EventRow {
                text: Some("ok"),
                ..call(s1, "2026-03-28T22:31:00Z", "opus", UsageSource::Reported, &Usage(10, 100, 5, 1, 20))
            },
            plain(tool, "2026-03-28T22:32:00Z", EventType::FileModify),
            EventRow {
                tool_output: Some("done"),
                lines_added: Some(3),
                lines_removed: Some(1),
                is_error: Some(false),
                duration_ms: Some(7),
                ..plain(tool, "2026-03-28T22:32:02Z", EventType::ToolResult)
            },
            plain(shell, "2026-03-28T22:59:59Z", EventType::CommandExecution),
            EventRow {
                tool_output: Some("boom"),
                exit_code: Some(101),
                is_error: Some(true),
                ..plain(shell, "2026-03-28T23:00:01Z", EventType::ToolResult)
            },
            call(s1, "2026-03-28T23:10:00Z", "opus", UsageSource::Partial, &Usage(1, 2, 0, 0, 4)),
            EventRow { text: Some("sub prompt"), ..plain(sub, "2026-03-28T23:11:00Z", EventType::UserInteraction) },
            call(sub, "2026-03-28T23:12:00Z", "haiku", UsageSource::Reported, &Usage(7, 0, 0, 0, 3)),
            EventRow { text: Some("old title"), ..plain(s1, "2026-03-28T22:33:00Z", EventType::Title) },
            EventRow { text: Some("Fix the build"), ..plain(s1, "2026-03-28T23:13:00Z", EventType::Title) },
            EventRow {
                text: Some("again"),
                turn: Some(2),
                ..plain(s1, "2026-03-29T01:00:00Z", EventType::UserInteraction)
            },
            EventRow {
                text: Some("overloaded"),
                turn: Some(2),
                ..plain(s1, "2026-03-29T01:01:00Z", EventType::ErrorEncountered)
            },
            EventRow {
                turn: Some(2),
                ..call(s1, "2026-03-29T01:02:00Z", "opus", UsageSource::Estimated, &Usage(900, 0, 0, 0, 900))
            },
        ],
    );
    let s2 = EventRow { turn: Some(1), project: Some("me/other"), ..in_session("s2") };
    let read = EventRow { tool_call_id: Some("t1"), tool_name: Some("read_file"), file_path: Some("b.rs"), ..s2 };
    let codex = events(
        "codex",
        &[
            EventRow { text: Some("read b"), ..plain(s2, "2026-03-30T08:00:00Z", EventType::UserInteraction) },
            plain(read, "2026-03-30T08:01:00Z", EventType::FileRead),
            EventRow {
                event_type: EventType::LlmRequest,
                ..call(s2, "2026-03-30T08:02:00Z", "gpt", UsageSource::Derived, &Usage(50, 50, 0, 0, 5))
            },
        ],
    );
    let gone = in_session("gone");
    let history = events(
        "claude",
        &[
            EventRow { text: Some("lost"), ..plain(gone, "2026-01-02T10:00:00Z", EventType::PromptHistory) },
            EventRow {
                text: Some("fix it"),
                source_offset: 1,
                ..plain(in_session("s1"), "2026-03-28T22:30:00Z", EventType::PromptHistory)
            },
        ],
    );
    (vec![codex], vec![claude, history])
}

fn bench() -> Bench {
    let (memory, durable) = work();
    Bench::new(memory, &durable)
}

#[test]
fn every_view_has_rows_and_a_summary() {
    let (mut memory, durable) = work();
    let placed = EventRow { cwd: Some("/w/app"), ..plain(in_session("s1"), "2026-03-28T22:00:01Z", EventType::System) };
    memory.push(on_machine("claude", Some("314f7996b2f1e669-box-linux"), "ann", &[placed]));
    let bench = Bench::new(memory, &durable);
    let names: Vec<String> = bench.engine.views().map(|v| v.name.clone()).collect();
    assert_eq!(names.len(), 19);
    for view in bench.engine.views() {
        assert!(view.summary().len() > 12, "{}", view.name);
        if view.name == "lineage" {
            // It stands on `sources`, which has no rows here.
            continue;
        }
        assert_ne!(bench.value(&format!("SELECT count(*) FROM {}", view.name)), "0", "{}", view.name);
        assert!(!bench.rows(&format!("SELECT * FROM {}", view.name)).is_empty());
    }
}

#[test]
fn daily_adds_up_calls_in_the_zone_and_leaves_estimates_out() {
    let bench = bench();
    let columns = "day, agent, sessions, prompts, calls, tool_calls, errors, lines_added, lines_removed, input_tokens, \
                   cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, total_tokens, \
                   partial_calls, partial_output_tokens, estimated_calls, models";
    assert_eq!(
        bench.rows(&format!("SELECT {columns} FROM daily")),
        [
            "2026-01-02|claude|1|0|0|0|0|-|-|-|-|-|-|-|-|0|0|0|-",
            "2026-03-28|claude|1|1|1|2|0|3|1|10|100|5|1|20|136|0|0|0|opus",
            "2026-03-29|claude|1|1|2|0|2|-|-|8|2|0|0|7|17|1|4|1|haiku, opus",
            "2026-03-30|codex|1|1|1|1|0|-|-|50|50|0|0|5|105|0|0|0|gpt",
        ]
    );
    assert_eq!(
        bench.rows("SELECT week, agent, sessions, calls, total_tokens FROM weekly WHERE week >= '2026-03-01'"),
        ["2026-03-23|claude|1|3|153", "2026-03-30|codex|1|1|105"]
    );
    assert_eq!(
        bench.rows("SELECT month, sum(calls), sum(total_tokens) FROM monthly GROUP BY 1 ORDER BY 1"),
        ["2026-01-01|0|-", "2026-03-01|4|258"]
    );
}

#[test]
fn the_same_events_fall_on_other_days_in_other_zones() {
    let days = |zone: &str| {
        let (memory, durable) = work();
        let bench = Bench::with(memory, &durable, |_, o| o.timezone = zone.to_owned());
        bench.rows("SELECT day, calls FROM daily WHERE agent = 'claude' AND day > '2026-02-01'")
    };
    assert_eq!(days("UTC"), ["2026-03-28|3", "2026-03-29|0"]);
    assert_eq!(days("Europe/Berlin"), ["2026-03-28|1", "2026-03-29|2"]);
    assert_eq!(days("America/New_York"), ["2026-03-28|3"]);
    assert_eq!(days("Pacific/Auckland"), ["2026-03-29|3"]);
}

#[test]
fn a_time_of_no_age_stops_no_view() {
    let odd = ["0001-01-01T00:00:00Z", "1969-12-31T12:00:00Z", "9999-12-30T12:00:00Z"]
        .map(|ts| plain(in_session("s"), ts, EventType::UserInteraction));
    let bench = Bench::new(vec![events("claude", &odd)], &[]);
    assert_eq!(bench.rows("SELECT week FROM weekly ORDER BY 1"), ["0001-01-01", "1969-12-29", "9999-12-27"]);
    assert_eq!(bench.rows("SELECT month FROM monthly ORDER BY 1"), ["0001-01-01", "1969-12-01", "9999-12-01"]);
}

#[test]
fn days_around_a_clock_change_hold_23_and_25_hours() {
    for (zone, from, expected) in [
        ("Europe/Berlin", "2026-03-27T23:00:00Z", ["2026-03-28|24", "2026-03-29|23", "2026-03-30|24"]),
        ("Europe/Berlin", "2026-10-23T22:00:00Z", ["2026-10-24|24", "2026-10-25|25", "2026-10-26|24"]),
        ("America/New_York", "2026-03-07T05:00:00Z", ["2026-03-07|24", "2026-03-08|23", "2026-03-09|24"]),
        ("America/New_York", "2026-10-31T04:00:00Z", ["2026-10-31|24", "2026-11-01|25", "2026-11-02|24"]),
    ] {
        let hours: usize = expected.iter().map(|e| e.get(11..).unwrap().parse::<usize>().unwrap()).sum();
        let start = at(from);
        let rows: Vec<EventRow<'_>> = (0..hours)
            .map(|h| EventRow { ts_us: start + h as i64 * 3_600_000_000, total_tokens: Some(1), ..in_session("s") })
            .collect();
        let half = events("a", &rows[..20]);
        let rest: Vec<EventRow<'_>> = rows[20..].to_vec();
        let bench = Bench::with(vec![events("b", &rest)], &[half], |_, o| o.timezone = zone.to_owned());
        assert_eq!(bench.rows("SELECT day, sum(calls) FROM daily GROUP BY day ORDER BY day"), expected, "{zone}");
        let day = expected[1].split_once('|').unwrap();
        let date = |text: &'static str| text.get(..10).unwrap();
        for filter in
            [format!("day = '{}'", day.0), format!("day > '{}' AND day < '{}'", date(expected[0]), date(expected[2]))]
        {
            assert_eq!(bench.value(&format!("SELECT sum(calls) FROM daily WHERE {filter}")), day.1, "{zone} {filter}");
        }
    }
}

#[test]
fn sessions_say_what_they_were_about() {
    let bench = bench();
    let columns = "session_id, agent, project, title, started_at, ended_at, duration_ms, is_subagent, prompts, turns, calls, \
                   tool_calls, errors, lines_added, lines_removed, models, total_tokens, subagent_calls, \
                   subagent_total_tokens, partial_calls, estimated_calls";
    assert_eq!(
        bench.rows(&format!("SELECT {columns} FROM sessions")),
        [
            "s2|codex|me/other|-|2026-03-30T08:00:00Z|2026-03-30T08:02:00Z|120000|false|1|1|1|1|0|-|-|gpt|105|0|0|0|0",
            "s1|claude|me/app|Fix the build|2026-03-28T22:00:00Z|2026-03-29T01:02:00Z|10920000|false|2|2|3|2|2|3|1|\
             haiku, opus|153|1|10|1|1",
            "gone|claude|me/app|-|2026-01-02T10:00:00Z|2026-01-02T10:00:00Z|0|false|1|-|0|0|0|-|-|-|-|0|0|0|0",
        ]
    );
}

#[test]
fn turns_hold_the_main_thread_only() {
    let bench = bench();
    let columns =
        "session_id, turn, prompt, duration_ms, calls, tool_calls, errors, models, total_tokens, estimated_calls";
    assert_eq!(
        bench.rows(&format!("SELECT {columns} FROM turns WHERE session_id = 's1'")),
        ["s1|0|-|0|0|0|0|-|-|0", "s1|1|fix it|2580000|2|2|1|opus|143|0", "s1|2|again|120000|0|0|1|opus|-|1",]
    );
}

#[test]
fn messages_show_history_only_where_the_log_is_gone() {
    let bench = bench();
    assert_eq!(
        bench.rows("SELECT session_id, role, text, source FROM messages ORDER BY ts, role DESC"),
        [
            "gone|user|lost|history",
            "s1|user|fix it|log",
            "s1|assistant|ok|log",
            "s1|user|sub prompt|log",
            "s1|user|again|log",
            "s2|user|read b|log",
        ]
    );
}

#[test]
fn tool_calls_find_their_results_within_agent_and_session() {
    let bench = bench();
    let columns = "agent, kind, tool_name, tool_output, duration_ms, exit_code, is_error, lines_added";
    assert_eq!(
        bench.rows(&format!("SELECT {columns} FROM tool_calls ORDER BY ts")),
        [
            "claude|file_modify|Edit|done|7|-|false|3",
            "claude|command_execution|Bash|boom|2000|101|true|-",
            "codex|file_read|read_file|-|-|-|-|-",
        ]
    );
    assert_eq!(
        bench.rows("SELECT program, command, exit_code, is_error, output FROM commands"),
        ["cargo|cargo test -q|101|true|boom"]
    );
    assert_eq!(
        bench.rows(
            "SELECT project, file_path, reads, writes, edits, lines_added, lines_removed, sessions, agents FROM files"
        ),
        ["me/app|a.rs|0|0|1|3|1|1|claude", "me/other|b.rs|1|0|0|-|-|1|codex"]
    );
    assert_eq!(
        bench.rows("SELECT agent, tool_name, calls, results, errors, error_percent, median_ms FROM tools"),
        ["claude|Bash|1|1|1|100.0|-", "claude|Edit|1|1|0|0.0|7", "codex|read_file|1|0|0|-|-"]
    );
}

#[test]
fn two_results_of_one_call_do_not_double_it() {
    let row = EventRow { tool_call_id: Some("t"), tool_name: Some("Bash"), ..in_session("s") };
    let batch = events(
        "x",
        &[
            plain(row, "2026-03-28T22:32:00Z", EventType::CommandExecution),
            EventRow { tool_output: Some("part"), ..plain(row, "2026-03-28T22:32:01Z", EventType::ToolResult) },
            EventRow { is_error: Some(true), ..plain(row, "2026-03-28T22:32:03Z", EventType::ToolResult) },
        ],
    );
    let bench = Bench::new(vec![batch], &[]);
    assert_eq!(bench.rows("SELECT duration_ms, is_error, tool_output FROM tool_calls"), ["3000|true|part"]);
}

#[test]
fn a_call_has_the_result_of_its_own_session_or_of_a_fork_that_copied_it() {
    let call = |session: Option<&'static str>, id, ts| EventRow {
        session_id: session,
        tool_call_id: Some(id),
        ..plain(EventRow::default(), ts, EventType::CommandExecution)
    };
    let result = |session, id, ts, error| EventRow {
        event_type: EventType::ToolResult,
        is_error: error,
        ..call(session, id, ts)
    };
    let (t0, t1) = ("2026-03-28T22:32:00Z", "2026-03-28T22:32:01Z");
    let rows = [
        // Its provider makes unique ids, and only the fork has the result.
        call(Some("a"), "toolu_1", t0),
        result(Some("b"), "toolu_1", t1, Some(true)),
        // Numbered within a session.
        call(Some("a"), "call_0", t0),
        result(Some("b"), "call_0", t1, Some(true)),
        // A log that names no session, and a result without a verdict.
        call(None, "x", t0),
        result(None, "x", t1, None),
        // A long command whose end has a record of its own, and no result yet.
        call(Some("a"), "y", t0),
        EventRow { exit_code: Some(143), event_type: EventType::Progress, ..call(Some("a"), "y", t1) },
    ];
    let bench = Bench::new(vec![events("x", &rows)], &[]);
    assert_eq!(
        bench.rows("SELECT tool_call_id, finished_at IS NOT NULL, is_error, exit_code FROM tool_calls ORDER BY 1"),
        ["call_0|false|-|-", "toolu_1|true|true|-", "x|true|-|-", "y|true|-|143"]
    );
}

#[test]
fn usage_models_projects_and_errors_are_right() {
    let bench = bench();
    assert_eq!(
        bench.rows("SELECT model, total_tokens, is_partial, is_estimated FROM usage ORDER BY ts"),
        [
            "opus|136|false|false",
            "opus|7|true|false",
            "haiku|10|false|false",
            "opus|1800|false|true",
            "gpt|105|false|false"
        ]
    );
    assert_eq!(
        bench.rows(
            "SELECT agent, provider, model, sessions, days, calls, output_tokens, total_tokens, partial_calls, \
                    estimated_calls FROM models"
        ),
        [
            "claude|anthropic|opus|1|2|2|24|143|1|1",
            "codex|anthropic|gpt|1|1|1|5|105|0|0",
            "claude|anthropic|haiku|1|1|1|3|10|0|0"
        ]
    );
    assert_eq!(
        bench.rows(
            "SELECT project, agents, sessions, prompts, calls, total_tokens, partial_output_tokens, models FROM \
                    projects_usage"
        ),
        ["me/app|claude|2|2|3|153|4|haiku, opus", "me/other|codex|1|1|1|105|0|gpt"]
    );
    assert_eq!(
        bench.rows("SELECT kind, tool_name, exit_code, message FROM errors ORDER BY ts"),
        ["tool_result|Bash|101|boom", "error_encountered|-|-|overloaded"]
    );
}

/// Rows of one log of `agent`, read on `machine`.
fn on_machine(agent: &str, machine: Option<&str>, user: &str, rows: &[EventRow<'_>]) -> RecordBatch {
    let mut context = RowContext::new(agent, &format!("/logs/{agent}.jsonl"));
    (context.machine_id, context.user_name) = (machine.map(Into::into), Some(user.into()));
    let mut out = Rows::new(context);
    rows.iter().for_each(|row| out.event(row));
    out.finish().events
}

#[test]
fn machines_tell_host_and_system_from_their_ids() {
    let row = |session, ts| EventRow { cwd: Some("/w"), ..plain(in_session(session), ts, EventType::System) };
    let first = [row("a", "2026-03-01T00:00:00Z"), row("b", "2026-03-02T00:00:00Z")];
    let bench = Bench::new(
        vec![
            on_machine("claude", Some("314f7996b2f1e669-ann-s-mac-darwin"), "ann", &first),
            on_machine("codex", Some("314f7996b2f1e669-ann-s-mac-darwin"), "bob", &[row("c", "2026-03-03T00:00:00Z")]),
            on_machine("codex", Some("short"), "ann", &[row("d", "2026-03-04T00:00:00Z")]),
            on_machine("codex", None, "ann", &[row("e", "2026-03-05T00:00:00Z")]),
        ],
        &[],
    );
    assert_eq!(
        bench.rows("SELECT hostname, os, user_names, agents, sessions, events, first_at < last_at FROM machines"),
        ["-|-|ann|codex|1|1|false", "ann-s-mac|darwin|ann, bob|claude, codex|3|3|true"]
    );
}

#[test]
fn worktrees_and_workspaces_made_anew_are_one_project() {
    let row = |session, ts, workspace_id, cwd, repo_url, project| EventRow {
        workspace_id,
        cwd: Some(cwd),
        repo_url,
        project: Some(project),
        ..plain(in_session(session), ts, EventType::System)
    };
    let shop = Some("https://h/acme/shop");
    let rows = [
        // Before the folder's remote was known.
        row("a", "2026-03-01T00:00:00Z", Some("ws1"), "/w/shop", None, "shop"),
        row("b", "2026-03-02T00:00:00Z", Some("ws2"), "/w/shop", shop, "acme/shop"),
        row("c", "2026-03-03T00:00:00Z", None, "/w/shop-fix", shop, "acme/shop"),
        row("c", "2026-03-03T01:00:00Z", None, "/w/garden", None, "garden"),
        EventRow { project: None, ..plain(EventRow::default(), "2026-03-04T00:00:00Z", EventType::System) },
    ];
    let bench = Bench::new(vec![events("claude", &rows)], &[]);
    assert_eq!(
        bench.rows("SELECT project, repo_url, folders, agents, sessions, events FROM projects"),
        ["garden|-|/w/garden|claude|1|1", "acme/shop|https://h/acme/shop|/w/shop, /w/shop-fix|claude|3|3",]
    );
    assert_eq!(
        bench.rows("SELECT workspace_id, cwd, project, agents, sessions, events FROM workspaces"),
        [
            "-|/w/garden|garden|claude|1|1",
            "-|/w/shop-fix|acme/shop|claude|1|1",
            "ws2|/w/shop|acme/shop|claude|1|1",
            "ws1|/w/shop|shop|claude|1|1",
        ]
    );
}

#[test]
fn a_prompt_of_a_history_that_names_no_session_is_told_once() {
    let nowhere = EventRow { project: Some("me/app"), ..EventRow::default() };
    let log = [EventRow {
        text: Some("fix it"),
        ..plain(in_session("s1"), "2026-03-28T22:30:00Z", EventType::UserInteraction)
    }];
    let typed = ["fix it", "/add a.rs"].map(|text| EventRow {
        text: Some(text),
        source_offset: text.len() as u64,
        ..plain(nowhere, "2026-03-28T22:30:01Z", EventType::PromptHistory)
    });
    let bench = Bench::new(vec![events("aider", &log), events("aider", &typed)], &[]);
    let sql = "SELECT text || ' ' || source FROM messages ORDER BY 1";
    assert_eq!(bench.rows(sql), bench.rows("VALUES ('/add a.rs history'), ('fix it log')"));
    let other = Bench::new(vec![events("crush", &log), events("aider", &typed)], &[]);
    assert_eq!(other.value("SELECT count(*) FROM messages"), "3", "another agent's prompt is another prompt");
    let start =
        EventRow { cwd: Some("/w/app"), ..plain(in_session("s1"), "2026-03-28T22:00:00Z", EventType::SessionStart) };
    let there = typed.map(|row| EventRow { cwd: Some("/w/app"), ..row });
    let logged = Bench::new(vec![events("aider", &[start, log[0]]), events("aider", &there)], &[]);
    assert_eq!(logged.rows(sql), logged.rows("VALUES ('fix it log')"), "a log of that folder was kept");
}
