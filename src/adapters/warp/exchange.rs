//! Exchanges with a model.

use super::{AGENT, utc_us};
use crate::adapters::Taken;
use crate::adapters::chat::output_text;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::schema::{EventId, EventRow, EventType, Query, Record, Rows, Status, Tables};

pub(super) const QUERY: &str = "ai_queries";

pub(super) fn query(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null("ai_queries", "q", name);
    Query {
        name: QUERY,
        sql: format!(
            "SELECT q.rowid, 0, {}, {}, {}, {}, {}, {}, {}, {}, {} FROM ai_queries q WHERE q.rowid > :rowid ORDER BY q.rowid",
            column("exchange_id"),
            column("conversation_id"),
            column("start_ts"),
            column("input"),
            column("working_directory"),
            column("output_status"),
            column("model_id"),
            column("planning_model_id"),
            column("coding_model_id"),
        ),
        anchor: Some(format!(
            "SELECT coalesce({}, '') || '/' || coalesce({}, '') FROM ai_queries q WHERE q.rowid = :rowid",
            column("exchange_id"),
            column("conversation_id"),
        )),
    }
}

/// `"Completed"` is JSON text; a failure is an object with that name.
fn status(record: &Record<'_>) -> Option<String> {
    let text = record.text(5)?;
    let plain = text.trim().trim_matches('"');
    let named = plain.strip_prefix("{\"").and_then(|rest| rest.split_once('"')).map(|(name, _)| name);
    Some(named.unwrap_or(plain).to_owned()).filter(|s| !s.is_empty())
}

pub(super) fn is_settled(record: &Record<'_>) -> bool {
    status(record).is_none_or(|s| matches!(&*s, "Completed" | "Cancelled" | "Failed"))
}

pub(super) fn rows(parser: &mut Parser, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
    let status = status(record);
    let settled = is_settled(record);
    let (exchange, conversation) = (record.text(0), record.text(1));
    let started = record.text(2).and_then(|t| utc_us(&t));
    let cwd = record.text(4);
    let model = record.text(6).or_else(|| record.text(8)).or_else(|| record.text(7));
    let place = record.rowid.to_le_bytes();
    let key: &[u8] = exchange.as_deref().map_or(&place, str::as_bytes);
    let base = EventRow {
        ts_us: started.unwrap_or_default(),
        ts_inferred: started.is_none(),
        provisional,
        session_id: conversation.as_deref(),
        cwd: cwd.as_deref(),
        request_id: exchange.as_deref(),
        source_offset: record.offset(),
        completeness: 1,
        ..EventRow::default()
    };
    let input = record.value(3).bytes().unwrap_or_default();
    let mut fields = Extra::default();
    let seen = parser.each(input, |json| {
        let one = json.is_object().then_some(json);
        for (index, item) in one.into_iter().chain(json.items()).enumerate() {
            self::item(item, key, index, base, &mut fields, rows);
        }
    });
    if let Err(refused) = seen {
        rows.reject(record.offset(), input.len() as u64, refused.reason, &refused.detail, input);
        return Taken::Rejected;
    }
    let failed = status.as_deref() == Some("Failed");
    fields.begin();
    for (column, name) in [(7, "planning_model_id"), (8, "coding_model_id")] {
        if let Some(text) = record.text(column) {
            fields.text(name, &text);
        }
    }
    fields.end();
    rows.event(&EventRow {
        id: Some(EventId::of(AGENT, "exchange", &[key])),
        event_type: EventType::LlmResponse,
        role: Some("assistant"),
        model: model.as_deref(),
        status: status.as_deref().map(Status::of),
        is_error: failed.then_some(true),
        extra: fields.get(),
        completeness: if settled { 2 } else { 1 },
        ..base
    });
    Taken::Rows
}

/// One thing that was sent to the model.
fn item(item: Json<'_, '_>, key: &[u8], index: usize, base: EventRow<'_>, fields: &mut Extra, rows: &mut Rows) {
    for (kind, value) in item.entries() {
        let prompt = value.str_at("text").filter(|_| kind == "Query");
        fields.begin();
        if prompt.is_none() {
            fields.text("record", kind);
        }
        if value.is_object() {
            fields.rest(value, if prompt.is_some() { &["text"] } else { &["result"] });
        } else {
            fields.value("value", value);
        }
        fields.end();
        let result = value.get("result").and_then(output_text);
        let id = EventId::of(AGENT, "input", &[key, &index.to_le_bytes(), kind.as_bytes()]);
        rows.event(&EventRow {
            id: Some(id),
            event_type: if prompt.is_some() { EventType::UserInteraction } else { EventType::LlmRequest },
            role: Some("user"),
            text: prompt,
            tool_output: result.as_deref(),
            extra: fields.get(),
            ..base
        });
    }
}
