//! `session-store.db`: one row for each request to a model, prompts and answers, names of sessions.
//!
//! - `assistant_usage_events` (since July 2026) is only appended to; its row ids are never given anew.
//!   The number of a request within its session is counted over the sessions that have new rows
//! - `turns` repeats prompts and answers of the event logs: `prompt_history`, for sessions whose log is
//!   gone. A turn without an answer is still under way
//! - times are UTC without saying so

use super::{AGENT, OF_STORE, request_id, shutdown_id};
use crate::adapters::kit::extra::Extra;
use crate::adapters::{DatabaseDecoder, Taken, UnknownSchema, time};
use crate::schema::{EventId, EventRow, EventType, Query, Record, Rows, Status, Tables, TokenUsage};

const USAGE: &str = "assistant_usage_events";

/// Columns of a request that stand in `extra`.
const REST: [&str; 11] = [
    "copilot_usage_model",
    "request_multiplier",
    "initiator",
    "api_endpoint",
    "reasoning_effort",
    "time_to_first_token_ms",
    "output_ttft_ms",
    "inter_token_latency_ms",
    "content_filter_triggered",
    "parent_tool_call_id",
    "token_details_json",
];

/// Decodes a session store.
#[derive(Debug)]
pub(super) struct StoreDecoder;

fn usage_query(tables: &Tables) -> Query {
    let own = |column: &str| tables.column_or_null(USAGE, "e", column);
    let columns = [
        "session_id",
        "model",
        "created_at",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "total_nano_aiu",
        "duration_ms",
        "finish_reason",
        "turn_index",
        "agent_id",
    ];
    let picked: Vec<String> =
        columns.iter().chain(&REST).map(|column| format!("{} AS \"{column}\"", own(column))).collect();
    let places = ["cwd", "repository", "branch"].map(|column| {
        if tables.has("sessions") { tables.column_or_null("sessions", "s", column) } else { "NULL".to_owned() }
    });
    let join = if tables.has("sessions") { "LEFT JOIN sessions s ON s.id = r.session_id" } else { "" };
    let named: Vec<String> = columns.iter().chain(&REST).map(|column| format!("r.\"{column}\"")).collect();
    let sql = format!(
        "WITH numbered AS (
           SELECT e.rowid AS row, {picked},
             row_number() OVER (PARTITION BY e.session_id ORDER BY e.rowid) - 1 AS number,
             row_number() OVER (PARTITION BY e.session_id, {model} ORDER BY e.rowid) AS of_model
           FROM {USAGE} e
           WHERE e.session_id IN (SELECT session_id FROM {USAGE} WHERE rowid > :rowid)
             OR (e.session_id IS NULL AND e.rowid > :rowid)
         )
         SELECT r.row, 0, r.number, r.of_model, {places}, {named}
         FROM numbered r {join} WHERE r.row > :rowid ORDER BY r.row",
        picked = picked.join(", "),
        model = own("model"),
        places = places.join(", "),
        named = named.join(", "),
    );
    Query { name: "usage", sql, anchor: None }
}

fn turns_query(tables: &Tables) -> Query {
    let own = |column: &str| tables.column_or_null("turns", "t", column);
    let columns = ["session_id", "turn_index", "user_message", "assistant_response", "timestamp"].map(own);
    let place = if tables.has("sessions") { tables.column_or_null("sessions", "s", "cwd") } else { "NULL".to_owned() };
    let join = if tables.has("sessions") { "LEFT JOIN sessions s ON s.id = t.session_id" } else { "" };
    let sql = format!(
        "SELECT t.rowid, 0, {}, {place} FROM turns t {join} WHERE t.rowid > :rowid ORDER BY t.rowid",
        columns.join(", ")
    );
    Query { name: "turns", sql, anchor: None }
}

fn sessions_query(tables: &Tables) -> Query {
    let own = |column: &str| tables.column_or_null("sessions", "s", column);
    let mark = if tables.has_column("sessions", "updated_at") {
        "coalesce(CAST(strftime('%s', s.updated_at) AS INTEGER), 0)"
    } else {
        "0"
    };
    let columns = ["id", "summary", "updated_at", "created_at", "cwd", "repository", "branch"].map(own);
    let sql = format!(
        "SELECT s.rowid, {mark}, {} FROM sessions s WHERE {mark} >= :mark OR s.rowid > :rowid ORDER BY s.rowid",
        columns.join(", ")
    );
    Query { name: "sessions", sql, anchor: Some("SELECT id FROM sessions WHERE rowid = :rowid".to_owned()) }
}

/// `2026-07-01 12:34:56` and RFC 3339.
fn time_us(text: &str) -> Option<i64> {
    time::rfc3339_us(text).or_else(|| time::rfc3339_us(&format!("{}Z", text.trim().replacen(' ', "T", 1))))
}

impl StoreDecoder {
    fn usage(record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let Some(session) = record.text(5) else { return wrong(record, rows) };
        let model = record.text(6);
        let (cwd, repository, branch) = (record.text(2), record.text(3), record.text(4));
        let ts = record.text(7).as_deref().and_then(time_us);
        let number = |column| record.integer(column).map(|n: i64| n.max(0));
        let (input, output, read, write) = (number(8), number(9), number(10), number(11));
        let mut extra = Extra::default();
        for (i, name) in REST.iter().enumerate() {
            let column = 18 + i;
            if let Some(text) = record.text(column) {
                extra.text(name, &text);
            } else if let Some(number) = record.value(column).real() {
                extra.real(name, number);
            }
        }
        let extra = extra.finish();
        let agent = record.text(17);
        let stop = record.text(15);
        let row = EventRow {
            id: Some(request_id(&session, record.integer(0).unwrap_or_default())),
            ts_us: ts.unwrap_or_default(),
            // The event log has another time for the same request.
            ts_inferred: true,
            event_type: EventType::LlmRequest,
            provisional,
            model: model.as_deref(),
            project: repository.as_deref(),
            cwd: cwd.as_deref(),
            git_branch: branch.as_deref(),
            session_id: Some(&session),
            is_subagent: Some(agent.is_some()),
            subagent_type: agent.as_deref(),
            turn: record.integer(16).and_then(|turn| i32::try_from(turn).ok()?.checked_add(1)),
            stop_reason: stop.as_deref(),
            nano_credits: number(13),
            duration_ms: record.value(14).real().and_then(whole),
            source_offset: record.offset(),
            completeness: OF_STORE,
            extra: extra.as_deref(),
            ..EventRow::default()
        };
        let usage = TokenUsage::inclusive(input, read, write, output).thoughts_within(number(12));
        rows.event(&usage.on(row));
        if record.integer(1) == Some(1) {
            // What the shutdowns say of this model is in these requests.
            for name in [model.clone(), record.text(18)].into_iter().flatten() {
                rows.event(&EventRow {
                    id: Some(shutdown_id(&session, &name)),
                    ts_us: row.ts_us,
                    ts_inferred: true,
                    event_type: EventType::System,
                    provisional,
                    model: Some(&name),
                    project: row.project,
                    cwd: row.cwd,
                    git_branch: row.git_branch,
                    session_id: row.session_id,
                    status: Some(Status::UsageInStore),
                    source_offset: row.source_offset,
                    completeness: OF_STORE,
                    ..EventRow::default()
                });
            }
        }
        Taken::Rows
    }

    fn turn(record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let Some(session) = record.text(0) else { return wrong(record, rows) };
        let Some(prompt) = record.text(2) else { return Taken::Ignored };
        let turn = record.integer(1);
        let (answer, cwd) = (record.text(3), record.text(5));
        let ts = record.text(4).as_deref().and_then(time_us);
        let mut extra = Extra::default();
        if let Some(answer) = &answer {
            extra.text("assistant_response", answer);
        }
        let extra = extra.finish();
        let number = turn.unwrap_or(record.rowid);
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "turn", &[session.as_bytes(), &number.to_le_bytes()])),
            ts_us: ts.unwrap_or_default(),
            ts_inferred: ts.is_none(),
            event_type: EventType::PromptHistory,
            provisional,
            cwd: cwd.as_deref(),
            session_id: Some(&session),
            turn: turn.and_then(|turn| i32::try_from(turn).ok()?.checked_add(1)),
            role: Some("user"),
            text: Some(&prompt),
            source_offset: record.offset(),
            completeness: 1 + i64::from(answer.is_some()),
            extra: extra.as_deref(),
            ..EventRow::default()
        });
        Taken::Rows
    }

    fn session(record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let Some(session) = record.text(0) else { return wrong(record, rows) };
        let Some(title) = record.text(1) else { return Taken::Ignored };
        let ts = [2, 3].into_iter().find_map(|column| record.text(column).as_deref().and_then(time_us));
        let (cwd, repository, branch) = (record.text(4), record.text(5), record.text(6));
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "title", &[session.as_bytes(), title.as_bytes()])),
            ts_us: ts.unwrap_or_default(),
            ts_inferred: true,
            event_type: EventType::Title,
            provisional,
            project: repository.as_deref(),
            cwd: cwd.as_deref(),
            git_branch: branch.as_deref(),
            session_id: Some(&session),
            text: Some(&title),
            source_offset: record.offset(),
            completeness: 1,
            ..EventRow::default()
        });
        Taken::Rows
    }
}

/// Milliseconds without their fraction.
#[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
fn whole(number: f64) -> Option<i64> {
    (0.0..9e15).contains(&number).then_some(number as i64)
}

fn wrong(record: &Record<'_>, rows: &mut Rows) -> Taken {
    let detail = format!("a row of {} without a session", record.query);
    rows.reject(record.offset(), record.size() as u64, crate::schema::RejectReason::WrongShape, &detail, b"");
    Taken::Rejected
}

impl DatabaseDecoder for StoreDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let mut queries = Vec::new();
        if tables.has_column(USAGE, "session_id") {
            queries.push(usage_query(tables));
        }
        if tables.has_column("turns", "session_id") {
            queries.push(turns_query(tables));
        }
        if tables.has_column("sessions", "id") {
            queries.push(sessions_query(tables));
        }
        if queries.is_empty() {
            let detail = "it has none of the tables assistant_usage_events, turns and sessions of a Copilot CLI \
                          session store; a newer devlog may know it";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        Ok(queries)
    }

    fn is_settled(&self, record: &Record<'_>) -> bool {
        record.query != "turns" || !record.value(3).is_null()
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        match record.query {
            "usage" => Self::usage(record, provisional, rows),
            "turns" => Self::turn(record, provisional, rows),
            _ => Self::session(record, provisional, rows),
        }
    }
}
