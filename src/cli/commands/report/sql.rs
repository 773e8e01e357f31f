//! The SQL of each report, and what its columns are.

use super::super::super::args::ReportKind;

/// Which events a report is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter<'a> {
    pub(super) since_us: Option<i64>,
    pub(super) until_us: Option<i64>,
    pub(super) agents: &'a [String],
    pub(super) projects: &'a [String],
    pub(super) timezone: &'a str,
}

/// One shown column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Key in JSON.
    pub(super) name: &'static str,
    /// Title in the table.
    pub(super) title: &'static str,
    pub(super) text: bool,
    /// Sums of it mean something.
    pub(super) adds: bool,
    sql: &'static str,
}

/// A report: its columns, how rows are formed, in which order they come.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) columns: &'static [Column],
    /// How many of the first columns are grouped by.
    keys: usize,
    /// Groups without this are left out.
    having: &'static str,
    order: &'static str,
}

const fn text(name: &'static str, sql: &'static str) -> Column {
    Column { name, title: name, text: true, adds: false, sql }
}

const fn distinct(name: &'static str, sql: &'static str) -> Column {
    Column { name, title: name, text: false, adds: false, sql }
}

const fn number(name: &'static str, title: &'static str, sql: &'static str) -> Column {
    Column { name, title, text: false, adds: true, sql }
}

const AGENTS: Column = text("agents", "string_agg(DISTINCT agent, ', ' ORDER BY agent)");
const AGENT: Column = text("agent", "agent");
const SESSIONS: Column = distinct("sessions", "count(DISTINCT session_id)");
const CALLS: Column = number("calls", "calls", "count(*) FILTER (WHERE event_type = 'llm_response')");
const PROMPTS: Column = number(
    "prompts",
    "prompts",
    "count(*) FILTER (WHERE event_type = 'user_interaction' AND is_subagent IS DISTINCT FROM true)",
);
const INPUT: Column = number("input_tokens", "input", "sum(input_tokens) FILTER (WHERE counted)");
const CACHE_WRITE: Column = number(
    "cache_write_tokens",
    "cache write",
    "sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)) \
     FILTER (WHERE counted AND coalesce(cache_write_5m_tokens, cache_write_1h_tokens) IS NOT NULL)",
);
const CACHE_READ: Column = number("cache_read_tokens", "cache read", "sum(cache_read_tokens) FILTER (WHERE counted)");
const OUTPUT: Column = number("output_tokens", "output", "sum(output_tokens) FILTER (WHERE counted)");
const TOTAL: Column = number("total_tokens", "total", "sum(total_tokens) FILTER (WHERE counted)");

/// Event types that are tool calls; their results are rows of their own.
const TOOL_CALL: &str = "'tool_use', 'file_read', 'file_write', 'file_modify', 'command_execution'";

const ANY_CALL_OR_PROMPT: &str =
    "count(*) FILTER (WHERE event_type IN ('llm_response', 'user_interaction') OR total_tokens IS NOT NULL) > 0";

static DAILY: Shape = Shape {
    columns: &[
        text("day", "to_char(local_ts, '%Y-%m-%d')"),
        AGENTS,
        SESSIONS,
        CALLS,
        INPUT,
        CACHE_WRITE,
        CACHE_READ,
        OUTPUT,
        TOTAL,
    ],
    keys: 1,
    having: ANY_CALL_OR_PROMPT,
    order: "1",
};

static WEEKLY: Shape = Shape {
    columns: &[
        // The day of its Monday names a week.
        text("week", "to_char(date_trunc('week', local_ts), '%Y-%m-%d')"),
        AGENTS,
        SESSIONS,
        CALLS,
        INPUT,
        CACHE_WRITE,
        CACHE_READ,
        OUTPUT,
        TOTAL,
    ],
    keys: 1,
    having: ANY_CALL_OR_PROMPT,
    order: "1",
};

static MONTHLY: Shape = Shape {
    columns: &[
        text("month", "to_char(local_ts, '%Y-%m')"),
        AGENTS,
        SESSIONS,
        CALLS,
        INPUT,
        CACHE_WRITE,
        CACHE_READ,
        OUTPUT,
        TOTAL,
    ],
    keys: 1,
    having: ANY_CALL_OR_PROMPT,
    order: "1",
};

static SESSIONS_SHAPE: Shape = Shape {
    columns: &[
        text("session", "session_id"),
        AGENT,
        text("project", "max(project)"),
        text("started", "to_char(min(local_ts), '%Y-%m-%d %H:%M')"),
        text("ended", "to_char(max(local_ts), '%Y-%m-%d %H:%M')"),
        PROMPTS,
        CALLS,
        OUTPUT,
        TOTAL,
    ],
    keys: 2,
    having: ANY_CALL_OR_PROMPT,
    order: "started, 1",
};

static MODELS: Shape = Shape {
    columns: &[text("model", "model"), AGENTS, SESSIONS, CALLS, INPUT, CACHE_WRITE, CACHE_READ, OUTPUT, TOTAL],
    keys: 1,
    having: "count(*) FILTER (WHERE event_type = 'llm_response' OR total_tokens IS NOT NULL) > 0",
    order: "total_tokens DESC NULLS LAST, 1",
};

static TOOLS: Shape = Shape {
    columns: &[
        text("tool", "tool_name"),
        AGENTS,
        SESSIONS,
        number("calls", "calls", "count(*) FILTER (WHERE is_call)"),
        number("errors", "errors", "count(*) FILTER (WHERE event_type = 'tool_result' AND is_error)"),
        number("lines_added", "lines added", "sum(lines_added) FILTER (WHERE is_call)"),
        number("lines_removed", "lines removed", "sum(lines_removed) FILTER (WHERE is_call)"),
    ],
    keys: 1,
    having: "count(*) FILTER (WHERE is_call) > 0",
    order: "calls DESC, 1",
};

static PROJECTS: Shape = Shape {
    columns: &[
        text("project", "project"),
        AGENTS,
        SESSIONS,
        PROMPTS,
        CALLS,
        INPUT,
        CACHE_WRITE,
        CACHE_READ,
        OUTPUT,
        TOTAL,
    ],
    keys: 1,
    having: ANY_CALL_OR_PROMPT,
    order: "total_tokens DESC NULLS LAST, 1",
};

/// What the rows of a report are.
pub(super) const fn shape(kind: ReportKind) -> &'static Shape {
    match kind {
        ReportKind::Daily => &DAILY,
        ReportKind::Weekly => &WEEKLY,
        ReportKind::Monthly => &MONTHLY,
        ReportKind::Sessions => &SESSIONS_SHAPE,
        ReportKind::Models => &MODELS,
        ReportKind::Tools => &TOOLS,
        ReportKind::Projects => &PROJECTS,
    }
}

/// The query of a report. Behind the shown columns stand two more: calls that the agent is known to
/// under-report, and calls whose tokens are estimates.
pub(super) fn report(kind: ReportKind, filter: &Filter<'_>) -> String {
    let shape = shape(kind);
    let columns: Vec<String> =
        shape.columns.iter().map(|column| format!("  {} AS \"{}\"", column.sql, column.name)).collect();
    let keys: Vec<String> = (1..=shape.keys).map(|key| key.to_string()).collect();
    let zone = format!("Timestamp(Microsecond, Some(\"{}\"))", filter.timezone);
    format!(
        "WITH picked AS (\n  SELECT *,\n    arrow_cast(ts, {}) AS local_ts,\n    \
         usage_source IS DISTINCT FROM 'estimated' AS counted,\n    \
         event_type IN ({TOOL_CALL}) AS is_call\n  FROM events{}\n)\nSELECT\n{},\n  \
         count(*) FILTER (WHERE usage_source = 'partial') AS partial_calls,\n  \
         count(*) FILTER (WHERE usage_source = 'estimated') AS estimated_calls\n\
         FROM picked\nGROUP BY {}\nHAVING {}\nORDER BY {}",
        quoted(&zone),
        conditions(filter),
        columns.join(",\n"),
        keys.join(", "),
        shape.having,
        shape.order,
    )
}

fn conditions(filter: &Filter<'_>) -> String {
    let mut all = Vec::new();
    let instant = |us: i64| format!("arrow_cast({us}, 'Timestamp(Microsecond, Some(\"UTC\"))')");
    all.extend(filter.since_us.map(|us| format!("ts >= {}", instant(us))));
    all.extend(filter.until_us.map(|us| format!("ts < {}", instant(us))));
    let any = |conditions: Vec<String>| format!("({})", conditions.join(" OR "));
    if !filter.agents.is_empty() {
        all.push(any(filter.agents.iter().map(|agent| format!("agent = {}", quoted(agent))).collect()));
    }
    if !filter.projects.is_empty() {
        // `api` finds `acme/api` too: few people type the owner.
        let project = |name: &String| format!("project = {0} OR split_part(project, '/', 2) = {0}", quoted(name));
        all.push(any(filter.projects.iter().map(project).collect()));
    }
    if all.is_empty() { String::new() } else { format!("\n  WHERE {}", all.join("\n    AND ")) }
}

/// `text` as an SQL literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
