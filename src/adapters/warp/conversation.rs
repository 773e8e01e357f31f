//! Totals of conversations.

use super::{AGENT, utc_us};
use crate::adapters::Taken;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::schema::{EventId, EventRow, EventType, Query, Record, Rows, Tables, UsageSource};

pub(super) const QUERY: &str = "agent_conversations";

pub(super) fn query(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null("agent_conversations", "c", name);
    let changed = tables.has_column("agent_conversations", "last_modified_at");
    let mark = "coalesce(CAST(strftime('%s', c.last_modified_at) AS INTEGER), 0)";
    let (mark, filter) = if changed {
        (mark, format!("({mark} >= :mark OR c.rowid > :rowid)"))
    } else {
        ("0", "c.rowid > :rowid".to_owned())
    };
    // The time of a conversation's first exchange does not change.
    let first = if tables.has_column("ai_queries", "start_ts") && tables.has_column("ai_queries", "conversation_id") {
        "(SELECT min(q.start_ts) FROM ai_queries q WHERE q.conversation_id = c.conversation_id)"
    } else {
        "NULL"
    };
    Query {
        name: QUERY,
        sql: format!(
            "SELECT c.rowid, {mark}, {}, {}, {}, {first} FROM agent_conversations c WHERE {filter} ORDER BY c.rowid",
            column("conversation_id"),
            column("conversation_data"),
            column("last_modified_at"),
        ),
        anchor: Some("SELECT conversation_id FROM agent_conversations WHERE rowid = :rowid".to_owned()),
    }
}

pub(super) fn rows(parser: &mut Parser, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
    let bytes = record.value(1).bytes().unwrap_or_default();
    let mut taken = Taken::Ignored;
    let seen = parser.each(bytes, |json| {
        if totals(json, record, provisional, rows) {
            taken = Taken::Rows;
        }
    });
    if let Err(refused) = seen {
        rows.reject(record.offset(), bytes.len() as u64, refused.reason, &refused.detail, bytes);
        return Taken::Rejected;
    }
    taken
}

/// What the server says it cost, in dollars; 0 is not told from unknown.
fn cost(usage: Json<'_, '_>) -> Option<i64> {
    const PARTS: [&str; 6] = [
        "input_cost_in_cents",
        "output_cost_in_cents",
        "input_cache_read_cost_in_cents",
        "input_cache_write_cost_in_cents",
        "platform_cost_in_cents",
        "web_search_cost_in_cents",
    ];
    let charged = usage.get("total_charged_usage");
    let parts = PARTS.iter().filter_map(|part| charged?.get(part)?.as_f64());
    let provider = usage.get("total_provider_cost_in_cents").and_then(Json::as_f64).filter(|c| *c > 0.0);
    let cents = provider.unwrap_or_else(|| parts.sum());
    (cents > 0.0).then(|| nano(cents / 100.0)).flatten()
}

/// True when there was something to tell.
fn totals(json: Json<'_, '_>, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> bool {
    let Some(usage) = json.get("conversation_usage_metadata").filter(|u| u.is_object()) else { return false };
    let conversation = record.text(0);
    let key = conversation.as_deref().unwrap_or_default();
    let time = record.text(3).or_else(|| record.text(2)).and_then(|t| utc_us(&t));
    let mut fields = Extra::default();
    fields.begin().text("record", "conversation_totals");
    fields.rest(json, &["conversation_usage_metadata"]);
    fields.rest(usage, &["token_usage", "credits_spent"]).end();
    let base = EventRow {
        ts_us: time.unwrap_or_default(),
        // It is the conversation's time, not that of the tokens.
        ts_inferred: true,
        event_type: EventType::System,
        provisional,
        session_id: conversation.as_deref(),
        source_offset: record.offset(),
        completeness: 1,
        ..EventRow::default()
    };
    let entries: Vec<Json<'_, '_>> =
        usage.get("token_usage").into_iter().flat_map(Json::items).filter(|e| e.is_object()).collect();
    let credits = usage.get("credits_spent").and_then(Json::as_f64).and_then(nano);
    let cost = cost(usage);
    let all: i64 = entries.iter().filter_map(|e| tokens(*e)).sum();
    let grown = all.saturating_add(credits.unwrap_or(0) / 1_000_000).saturating_add(1);
    let first = EventRow { nano_credits: credits, cost_nano_usd: cost, extra: fields.get(), ..base };
    rows.event(&EventRow {
        id: Some(EventId::of(AGENT, "conversation", &[key.as_bytes()])),
        completeness: grown,
        ..first
    });
    let mut own = Extra::default();
    for entry in entries {
        let model = entry.str_at("model_id");
        let total = tokens(entry);
        own.begin().text("record", "model_totals").rest(entry, &["model_id"]).end();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "model", &[key.as_bytes(), model.unwrap_or_default().as_bytes()])),
            model,
            total_tokens: total,
            usage_source: total.map(|_| UsageSource::Derived),
            extra: own.get(),
            completeness: total.unwrap_or(0).saturating_add(1),
            ..base
        });
    }
    true
}

fn tokens(entry: Json<'_, '_>) -> Option<i64> {
    let parts = ["warp_tokens", "byok_tokens"].map(|key| entry.i64_at(key).filter(|n| *n >= 0));
    parts.iter().any(Option::is_some).then(|| parts.iter().flatten().sum())
}
