//! Development data, `dev_data/<version>/*.jsonl`: one record a line, only ever appended.
//!
//! Before version 0.2.0 a record has neither id nor time: its place in the file is all there is, the same in every copy.

use super::AGENT;
use crate::adapters::blocks::filled;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status, UsageSource};

/// Texts that repeat a file, a prompt or a session: their sizes are kept.
const REPEATED: [&str; 8] =
    ["prompt", "completion", "prefix", "suffix", "completionOptions", "prevCode", "newCode", "lines"];

/// Decodes one file of records.
#[derive(Debug)]
pub(super) struct DataDecoder {
    parser: Parser,
    /// Name of the file without its end: what the records are.
    stem: String,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
}

impl DataDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let name = info.path.rsplit(['/', '\\']).next().unwrap_or_default();
        Self {
            parser: Parser::default(),
            stem: name.split('.').next().unwrap_or_default().to_owned(),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: checkpoint.and_then(|c| c.state.parse().ok()),
        }
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        let kind = json.str_at("eventName").or_else(|| json.str_at("name")).unwrap_or(&self.stem);
        let when = json.get("timestamp");
        let ts = when.and_then(|w| w.as_str().and_then(time::rfc3339_us).or_else(|| w.as_i64().map(time::unix_us)));
        self.last_us = self.last_us.max(ts);
        let own = json.str_at("completionId").or_else(|| json.str_at("eventId")).or_else(|| json.str_at("feedbackId"));
        let place = [ts.unwrap_or_default().to_le_bytes(), offset.to_le_bytes()].concat();
        let id = EventId::of(AGENT, "data", &[kind.as_bytes(), own.map_or(&place, |own| own.as_bytes())]);
        let is_tokens = kind == "tokensGenerated" || kind == "tokens_generated";
        let is_completion = matches!(kind, "autocomplete" | "quickEdit" | "editOutcome");
        let known = is_tokens
            || is_completion
            || matches!(
                kind,
                "chatInteraction"
                    | "chatFeedback"
                    | "chat"
                    | "toolUsage"
                    | "editInteraction"
                    | "nextEditOutcome"
                    | "model_use"
                    | "step_run"
                    | "context_used"
                    | "quick_edit"
            );
        let mut extra = Extra::default();
        const USED: [&str; 12] = [
            "timestamp",
            "model",
            "modelName",
            "modelTitle",
            "provider",
            "modelProvider",
            "promptTokens",
            "generatedTokens",
            "sessionId",
            "filepath",
            "gitRepo",
            "completionId",
        ];
        let used: Vec<&str> = USED.iter().chain(&REPEATED).copied().collect();
        extra.rest(json, &used);
        for key in REPEATED {
            if let Some(text) = json.str_at(key).filter(|_| key != "completion" || !is_completion) {
                extra.number(&format!("{key}_bytes"), text.len());
            }
        }
        let row = EventRow {
            id: Some(id),
            ts_us: ts.unwrap_or(self.modified_us),
            ts_inferred: ts.is_none(),
            event_type: match known {
                _ if is_tokens => EventType::LlmResponse,
                true => EventType::System,
                false => EventType::Unknown,
            },
            role: is_tokens.then_some("assistant"),
            session_id: json.str_at("sessionId"),
            model: ["model", "modelName", "modelTitle"].iter().find_map(|k| json.str_at(k)),
            provider: json.str_at("provider").or_else(|| json.str_at("modelProvider")),
            message_id: own,
            text: json.str_at("completion").filter(|_| is_completion),
            file_path: json.str_at("filepath"),
            repo_url: json.str_at("gitRepo").filter(|url| url.contains("://")),
            status: decision(json).or_else(|| filled(kind).map(Status::Named)),
            input_tokens: json.i64_at("promptTokens").filter(|_| is_tokens),
            output_tokens: json.i64_at("generatedTokens").filter(|_| is_tokens),
            usage_source: is_tokens.then_some(UsageSource::Estimated),
            duration_ms: json.i64_at("time").filter(|_| is_completion),
            source_offset: offset,
            completeness: 1,
            extra: extra.end(),
            ..EventRow::default()
        };
        rows.event(&row);
        if !known {
            rows.counts().unknown_types += 1;
        }
    }
}

/// What the user said to what was offered.
fn decision(json: Json<'_, '_>) -> Option<Status<'static>> {
    let accepted = json.get("accepted").and_then(Json::as_bool);
    accepted.map(|accepted| if accepted { Status::Accepted } else { Status::Denied })
}

impl Decoder for DataDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        let mut parser = std::mem::take(&mut self.parser);
        let (mut made, mut wrong) = (0, false);
        let seen = parser.each(line.bytes, |json| {
            if json.is_object() {
                // Values that a crash glued together on one line.
                self.record(json, line.offset + made, rows);
                made += 1;
            } else {
                wrong = true;
            }
        });
        self.parser = parser;
        self.read_to = line.end;
        let outcome = match (wrong, made) {
            (true, _) => Outcome::Wrong,
            (false, 0) => Outcome::Ignored,
            (false, _) => Outcome::Row,
        };
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = self.last_us.map(|us| us.to_string()).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
