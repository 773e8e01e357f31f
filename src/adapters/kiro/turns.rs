//! What the file beside a session says of its turns: credits, and token counters where they are real.

use super::AGENT;
use crate::adapters::chat::{At, Facts};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Rows, TokenUsage};

/// One turn's bill.
#[derive(Debug, Default, Clone)]
pub(super) struct Turn {
    key: String,
    end_us: Option<i64>,
    model: Option<String>,
    credits: Option<i64>,
    input: Option<i64>,
    output: Option<i64>,
    read: Option<i64>,
    write: Option<i64>,
    extra: String,
}

/// What `<id>.json` or `session.json` says.
#[derive(Debug, Default, Clone)]
pub(super) struct Meta {
    pub(super) session: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) title: Option<String>,
    pub(super) model: Option<String>,
    pub(super) created_us: Option<i64>,
    pub(super) turns: Vec<Turn>,
}

impl Meta {
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut meta = None;
        let read = Parser::default().each(text.as_bytes(), |json| meta = Some(Self::of(json)));
        meta.filter(|_| read.is_ok())
    }

    fn of(json: Json<'_, '_>) -> Self {
        let text = |keys: &[&str]| keys.iter().find_map(|key| json.str_at(key)).map(str::to_owned);
        let folders = json.get("workspacePaths").into_iter().flat_map(Json::items);
        let state = json.get("session_state");
        let model = state.and_then(|s| s.path(&["rts_model_state", "model_info", "model_id"]));
        let turns = state.and_then(|s| s.path(&["conversation_metadata", "user_turn_metadatas"]));
        let created = json.get("created_at").or_else(|| json.get("createdAt"));
        let created_us =
            created.and_then(|c| c.as_str().and_then(time::rfc3339_us).or_else(|| c.as_i64().map(time::unix_us)));
        Self {
            session: text(&["session_id", "sessionId"]),
            cwd: text(&["cwd"]).or_else(|| folders.filter_map(Json::as_filled_str).next().map(str::to_owned)),
            title: text(&["title"]),
            model: model
                .and_then(Json::as_filled_str)
                .map(str::to_owned)
                .or_else(|| text(&["modelId", "model_id", "model"])),
            created_us,
            turns: turns.into_iter().flat_map(Json::items).enumerate().map(|(i, turn)| Turn::of(i, turn)).collect(),
        }
    }
}

impl Turn {
    fn of(index: usize, turn: Json<'_, '_>) -> Self {
        let metered = turn.get("metering_usage").into_iter().flat_map(Json::items);
        let mut credits = None;
        for metered in metered.filter(|m| m.str_at("unit").unwrap_or("credit").starts_with("credit")) {
            if let Some(value) = metered.get("value").and_then(Json::as_f64) {
                credits = Some(credits.unwrap_or(0.0) + value);
            }
        }
        let tokens = |key: &str| turn.i64_at(key).filter(|n| *n >= 0);
        let counters = [
            "input_token_count",
            "output_token_count",
            "cache_read_input_token_count",
            "cache_write_input_token_count",
        ]
        .map(tokens);
        // Billed turns with zeros everywhere were not counted.
        let counted = counters.iter().any(|n| n.is_some_and(|n| n > 0));
        let [input, output, read, write] = if counted { counters } else { [None; 4] };
        let result = turn.path(&["result", "Ok", "id"]).and_then(Json::as_filled_str);
        let random = turn.path(&["loop_id", "rand"]).map(Json::to_json);
        let mut fields = Extra::default();
        fields.begin().text("record", "turn").rest(
            turn,
            &[
                "end_timestamp",
                "model",
                "input_token_count",
                "output_token_count",
                "cache_read_input_token_count",
                "cache_write_input_token_count",
                "result",
            ],
        );
        fields.end();
        Self {
            key: random
                .filter(|r| r != "null")
                .or_else(|| result.map(str::to_owned))
                .unwrap_or_else(|| index.to_string()),
            end_us: turn.str_at("end_timestamp").and_then(time::rfc3339_us),
            model: turn.str_at("model").map(str::to_owned),
            credits: credits.and_then(nano),
            input,
            output,
            read,
            write,
            extra: fields.get().unwrap_or_default().to_owned(),
        }
    }

    /// The turn's bill as a row; it is more complete the more it counts.
    pub(super) fn tell(&self, index: usize, facts: &Facts, modified_us: i64, provisional: bool, rows: &mut Rows) {
        let ts_us = self.end_us.or(facts.last_us).unwrap_or(modified_us);
        let at = At { offset: 0, ts_us, inferred: self.end_us.is_none() };
        let usage = TokenUsage::disjoint(self.input, self.read, self.write, self.output);
        let row = EventRow {
            id: Some(EventId::of(AGENT, "turn", &[facts.session().as_bytes(), self.key.as_bytes()])),
            provisional,
            turn: i32::try_from(index + 1).ok(),
            model: self.model.as_deref().or(facts.model.as_deref()),
            nano_credits: self.credits,
            extra: Some(&self.extra),
            ..usage.on(facts.row(EventType::System, at))
        };
        let counted = row.total().unwrap_or(0).saturating_add(self.credits.unwrap_or(0) / 1000);
        rows.event(&EventRow { completeness: counted.saturating_add(1), ..row });
    }
}
