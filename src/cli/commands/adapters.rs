//! `adapters`: which agents are read, what was found of each, and how a described format reads a file.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};

use super::super::args::{AdaptersArgs, AdaptersCommand, AdaptersTestArgs};
use super::super::table::{Align, Table};
use super::super::{CliError, Outcome, Streams};
use super::{answer, answer_below, answer_json, short_path};
use crate::config::Settings;
use crate::ops::{self, AgentFound, Tried};
use crate::text::units;
use crate::text::{nearest, one_line};

/// Columns of a terminal that have room for the days of an agent's first and last event too.
const DATES_FIT: u16 = 72;

/// Lists the agents, or tries a description.
pub(in super::super) fn run(
    settings: &Settings,
    args: &AdaptersArgs,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    match &args.command {
        Some(AdaptersCommand::Test(args)) => test(settings, args, streams),
        None => render(settings, args, ops::adapters(settings)?, streams),
    }
}

pub(super) fn render(
    settings: &Settings,
    args: &AdaptersArgs,
    mut agents: Vec<AgentFound>,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let chosen = !args.agent.is_empty();
    agents.retain(|agent| !chosen || args.agent.contains(&agent.agent));
    let outcome = if agents.iter().any(AgentFound::is_here) { Outcome::Done } else { Outcome::Nothing };
    if args.json {
        let all: Vec<Value> = agents.iter().map(as_json).collect();
        return answer_json(streams, &all).map(|()| outcome);
    }
    let has_room = settings.terminal.columns.is_none_or(|columns| columns >= DATES_FIT);
    let dates = [("first", Align::Left), ("last", Align::Left)];
    let counts = [("agent", Align::Key), ("files", Align::Right), ("sessions", Align::Right), ("events", Align::Right)];
    let dates = if has_room { &dates[..] } else { &[] };
    let mut table = Table::new(&[&counts[..], dates, &[("usage", Align::Left), ("places", Align::Left)]].concat());
    let day = |us: Option<i64>| {
        us.and_then(chrono::DateTime::from_timestamp_micros)
            .map_or_else(String::new, |t| t.format("%Y-%m-%d").to_string())
    };
    let here: Vec<&AgentFound> = agents.iter().filter(|agent| chosen || agent.is_here()).collect();
    for agent in &here {
        let places: Vec<String> = ops::shown_places(agent).iter().map(|path| short_path(settings, path)).collect();
        let absent = if agent.roots.is_empty() && agent.sources == 0 { "not there: " } else { "" };
        let counts = [
            agent.agent.clone(),
            units::count(agent.sources),
            agent.sessions.map_or_else(String::new, units::count),
            units::count(agent.rows),
        ];
        let dates = [day(agent.first_us), day(agent.last_us)].into_iter().filter(|_| has_room);
        let rest = [agent.usage.to_owned(), format!("{absent}{}", places.join(", "))];
        table.row(counts.into_iter().chain(dates).chain(rest));
    }
    if !here.is_empty() {
        table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
        if !has_room {
            answer(streams, "Not shown in this width: first, last.")?;
        }
    }
    let absent: Vec<&str> = agents.iter().filter(|a| !chosen && !a.is_here()).map(|a| a.agent.as_str()).collect();
    if !absent.is_empty() {
        if !here.is_empty() {
            answer(streams, "")?;
        }
        answer_below(settings, "not found on this machine: ", &absent.join(", "), streams)?;
    }
    super::looked::render(settings, &agents, chosen, streams)?;
    for unreadable in agents.iter().flat_map(|agent| &agent.unreadable) {
        let path = short_path(settings, &unreadable.path);
        answer_below(settings, "not readable: ", &format!("{path}: {}", unreadable.why), streams)?;
    }
    Ok(outcome)
}

/// RFC 3339 text of a time in microseconds since 1970.
fn instant(us: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(us)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

fn as_json(agent: &AgentFound) -> Value {
    let unreadable: Vec<Value> = agent.unreadable.iter().map(|u| json!({"path": u.path, "why": u.why})).collect();
    json!({
        "agent": agent.agent,
        "found": agent.is_here(),
        "described_in": agent.described_in,
        "places": agent.places,
        "existing_places": agent.roots,
        "sources": agent.sources,
        "sources_with_errors": agent.errors,
        "sessions": agent.sessions,
        "rows": agent.rows,
        "rejects": agent.rejects,
        "first_at": agent.first_us.and_then(instant),
        "last_at": agent.last_us.and_then(instant),
        "usage": agent.usage,
        "unreadable": unreadable,
        "looked": agent.looked,
    })
}

/// Prints the rows that a described format makes of a file.
fn test(settings: &Settings, args: &AdaptersTestArgs, streams: &mut Streams<'_>) -> Result<Outcome, CliError> {
    let own = &settings.own;
    if let Some((_, why)) = own.broken.iter().find(|(name, _)| *name == args.name) {
        return Err(CliError::Description { why: why.clone() });
    }
    let mapping = own.mapping(&args.name).ok_or_else(|| CliError::NoDescription {
        path: settings.home.join("adapters").join(format!("{}.toml", args.name)),
        nearest: nearest(&args.name, own.mappings.iter().map(|m| m.agent)),
    })?;
    render_test(settings, args.json, &ops::try_mapping(settings, mapping, &args.file)?, streams)
}

/// Columns that say the same in every row of a file.
const PLAIN: [&str; 13] = [
    "agent",
    "completeness",
    "event_id",
    "ingested_at",
    "machine_id",
    "provisional",
    "schema_version",
    "source_generation",
    "source_offset",
    "source_path",
    "ts_source",
    "user_name",
    "extra",
];

fn render_test(
    settings: &Settings,
    as_json: bool,
    tried: &Tried,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let (rows, rejects) = (objects(&tried.batch.events)?, objects(&tried.batch.rejects)?);
    let outcome = if rows.is_empty() { Outcome::Nothing } else { Outcome::Done };
    let counts = &tried.counts;
    if as_json {
        let value = json!({
            "lines": counts.lines,
            "ignored": counts.ignored,
            "inferred_times": inferred_times(&rows),
            "stored_rows": stored(&rows),
            "rows": rows,
            "rejects": rejects,
        });
        return answer_json(streams, &value).map(|()| outcome);
    }
    let schema = tried.batch.events.schema();
    let filled: Vec<&'static str> = crate::schema::TARGETS
        .iter()
        .map(|target| target.name)
        .chain(["total_tokens"])
        .chain((inferred_times(&rows) > 0).then_some("ts_source"))
        .filter(|name| *name == "ts_source" || !PLAIN.contains(name) && rows.iter().any(|row| row.contains_key(*name)))
        .collect();
    debug_assert!(filled.iter().all(|name| schema.column_with_name(name).is_some()), "targets are columns");
    if !rows.is_empty() {
        let columns: Vec<(&'static str, Align)> = filled.iter().map(|name| (*name, Align::Left)).collect();
        let mut table = Table::new(&columns);
        for row in &rows {
            table.row(filled.iter().map(|name| row.get(*name).map_or_else(String::new, plain)));
        }
        table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
        answer(streams, "")?;
    }
    for reject in &rejects {
        let text = |key: &str| reject.get(key).map(plain).unwrap_or_default();
        let line = format!("refused at byte {}: {}: {}", text("source_offset"), text("reason"), text("detail"));
        answer(streams, &one_line(&line))?;
    }
    for remark in remarks(&rows) {
        answer(streams, &remark)?;
    }
    let summary = format!(
        "{} of {}, {} ignored, {} refused",
        units::counted(rows.len() as u64, "row"),
        units::counted(counts.lines, "line"),
        units::count(counts.ignored),
        units::count(counts.rejects),
    );
    answer(streams, &summary)?;
    Ok(outcome)
}

/// What whoever wrote the description may not expect of these rows.
fn remarks(rows: &[Map<String, Value>]) -> Vec<String> {
    let mut remarks = Vec::new();
    let unmapped = unmapped(rows);
    if !unmapped.is_empty() {
        remarks.push(format!("fields without a column, kept in extra: {}", unmapped.join(", ")));
    }
    let unknown = rows.iter().filter(|row| row.get("event_type").is_some_and(|t| t == "unknown")).count();
    if unknown > 0 {
        let text = units::counted(unknown as u64, "row");
        remarks.push(format!("{text} of type unknown: no [[types]] fits them, and there is no event_type"));
    }
    let inferred = inferred_times(rows);
    if inferred > 0 {
        let text = units::counted(inferred as u64, "row");
        remarks.push(format!(
            "{text} without a time that could be read: ts is that of the row before, or of the file (ts_source is inferred)"
        ));
    }
    let stored = stored(rows);
    if stored < rows.len() {
        let (shown, stored) = (units::counted(rows.len() as u64, "row"), units::count(stored as u64));
        remarks.push(format!("{stored} of {shown} would be stored: the others have the same id as one of these"));
    }
    remarks
}

/// Number of rows whose time does not stand in their record.
fn inferred_times(rows: &[Map<String, Value>]) -> usize {
    rows.iter().filter(|row| row.get("ts_source").is_some_and(|source| source == "inferred")).count()
}

/// Number of rows that have ids of their own.
fn stored(rows: &[Map<String, Value>]) -> usize {
    rows.iter().map(|row| row.get("event_id").map(plain)).collect::<std::collections::BTreeSet<_>>().len()
}

/// Names of the fields at the top of `extra`, over all rows.
fn unmapped(rows: &[Map<String, Value>]) -> Vec<String> {
    let extras = rows.iter().filter_map(|row| row.get("extra")?.as_object());
    let names: std::collections::BTreeSet<&String> = extras.flat_map(Map::keys).collect();
    names.into_iter().map(|name| one_line(name).into_owned()).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Rows as JSON objects, without what is null; numbers and JSON columns as such.
fn objects(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, CliError> {
    let options = FormatOptions::default();
    let failed = |source| CliError::failed("printing the rows", source);
    let schema = batch.schema();
    let mut rows = vec![Map::new(); batch.num_rows()];
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if let Some(times) = column.as_primitive_opt::<TimestampMicrosecondType>() {
            for (i, row) in rows.iter_mut().enumerate().filter(|(i, _)| column.is_valid(*i)) {
                row.insert(field.name().clone(), instant(times.value(i)).map_or(Value::Null, Value::String));
            }
            continue;
        }
        let formatter = ArrayFormatter::try_new(column, &options).map_err(failed)?;
        let is_text = *field.data_type() == DataType::Utf8View;
        let is_json = matches!(field.name().as_str(), "extra" | "tool_input");
        for (i, row) in rows.iter_mut().enumerate().filter(|(i, _)| column.is_valid(*i)) {
            let text = formatter.value(i).try_to_string().map_err(failed)?;
            let parsed = (is_json || !is_text).then(|| serde_json::from_str(&text).ok()).flatten();
            row.insert(field.name().clone(), parsed.unwrap_or(Value::String(text)));
        }
    }
    Ok(rows)
}

/// Doors for the tests of what this prints.
#[cfg(test)]
pub(in super::super) mod tests {
    use super::*;

    pub(in super::super::super) fn render_adapters(
        settings: &Settings,
        agents: Vec<AgentFound>,
        chosen: &[&str],
        json: bool,
        streams: &mut Streams<'_>,
    ) -> Outcome {
        let agent = chosen.iter().map(|name| (*name).to_owned()).collect();
        render(settings, &AdaptersArgs { agent, json, command: None, nothing: Default::default() }, agents, streams)
            .unwrap()
    }

    #[test]
    fn a_trial_says_which_times_were_not_read_and_which_rows_would_be_one() {
        let row = |id: &str, source: &str| {
            let row = json!({"event_id": id, "ts_source": source, "event_type": "system"});
            row.as_object().unwrap().clone()
        };
        let rows = [row("a", "log"), row("a", "log"), row("b", "inferred")];
        let said = remarks(&rows);
        assert_eq!(said.len(), 2);
        assert!(said[0].starts_with("1 row without a time that could be read"), "{}", said[0]);
        assert!(said[1].starts_with("2 of 3 rows would be stored"), "{}", said[1]);
        assert!(remarks(&rows[..1]).is_empty());
    }
}
