//! Executions of the IDE: what the agent did for one prompt, in a file without an ending.

use super::AGENT;
use super::ids::{Seen, is_own, unwrapped};
use crate::adapters::chat::{At, Call, Facts, Outcome, Sink, Source, joined_text, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::money::nano;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Status};

/// An execution while its document is read.
struct Execution<'i> {
    id: &'i str,
    facts: Facts,
    fields: Extra,
    start: i64,
    inferred: bool,
}

/// A time in milliseconds or as text.
fn moment(value: Option<Json<'_, '_>>) -> Option<i64> {
    let value = value?;
    value.as_i64().filter(|n| *n > 0).map(time::unix_us).or_else(|| value.as_str().and_then(time::rfc3339_us))
}

/// Rows of one state of the document.
pub(super) fn decode(source: &Source, json: Json<'_, '_>, sink: &mut Sink<'_>) -> Outcome {
    let Some(id) = json.str_at("executionId") else { return Outcome::Wrong };
    let session = ["chatSessionId", "sessionId", "conversationId", "workflowId"].iter().find_map(|k| json.str_at(k));
    let start = moment(json.get("startTime").or_else(|| json.get("createdAt")));
    let mut facts = Facts { session: Some(session.unwrap_or(id).to_owned()), ..Facts::default() };
    facts.cwd = json.str_at("workspaceDirectory").map(str::to_owned);
    let mut execution = Execution {
        id,
        facts,
        fields: Extra::default(),
        start: start.unwrap_or(source.modified_us),
        inferred: start.is_none(),
    };
    execution.prompts(json, sink);
    let said = execution.actions(json, sink);
    execution.answer(json, said, sink);
    Outcome::Row
}

impl Execution<'_> {
    fn at(&self, order: usize, ts_us: Option<i64>) -> At {
        let order_us = i64::try_from(order).unwrap_or(0);
        At {
            offset: order as u64,
            ts_us: ts_us.unwrap_or(self.start.saturating_add(order_us)),
            inferred: ts_us.is_none(),
        }
    }

    /// The prompts so far: the conversation's history is repeated by each execution.
    fn prompts(&mut self, json: Json<'_, '_>, sink: &mut Sink<'_>) {
        let lists =
            [json.path(&["context", "messages"]), json.get("messages"), json.path(&["input", "data", "messages"])];
        let Some(list) = lists.into_iter().flatten().find(|list| !list.is_empty()) else { return };
        let mut seen = Seen::default();
        for (index, message) in list.items().enumerate() {
            let role = message.str_at("role").unwrap_or_default();
            let content = message.get("content").or_else(|| message.get("entries"));
            let Some(text) = content.and_then(joined_text).filter(|_| matches!(role, "human" | "user")) else {
                continue;
            };
            if is_own(&text) {
                continue;
            }
            let prompt = unwrapped(&text);
            self.facts.turn += 1;
            let id = seen.id("prompt", self.facts.session(), prompt);
            let row = EventRow {
                id: Some(id),
                role: Some("user"),
                text: Some(prompt),
                request_id: Some(self.id),
                completeness: 1,
                ..self.facts.row(EventType::UserInteraction, self.at(index, None))
            };
            sink.row(row, false);
        }
    }

    /// Rows of what was done; returns what was said.
    fn actions(&mut self, json: Json<'_, '_>, sink: &mut Sink<'_>) -> String {
        let mut said = String::new();
        for (index, action) in json.get("actions").into_iter().flat_map(Json::items).enumerate() {
            let kind = action.str_at("actionType").unwrap_or_default();
            let output = action.get("output");
            if kind == "say" {
                let text = output.and_then(|o| o.str_at("message")).unwrap_or_default();
                if !said.is_empty() {
                    said.push_str("\n\n");
                }
                said.push_str(text);
                continue;
            }
            if kind.is_empty() || (output.is_none() && action.get("input").is_none()) {
                continue;
            }
            self.action(index, kind, action, sink);
        }
        said
    }

    fn action(&mut self, index: usize, kind: &str, action: Json<'_, '_>, sink: &mut Sink<'_>) {
        let at = self.at(index, moment(action.get("emittedAt").or_else(|| action.get("startTime"))));
        let number = index.to_string();
        let own = action.str_at("actionId").unwrap_or(&number);
        let call_id = format!("{}:{own}:{index}", self.id);
        let input = action.get("input");
        let (call, deed) = Call::new(&call_id, kind, input);
        let arguments = input.map(content_json);
        let state = action.str_at("actionState");
        self.fields.begin().rest(
            action,
            &[
                "actionId",
                "actionType",
                "actionState",
                "input",
                "output",
                "emittedAt",
                "endTime",
                "executionId",
                "startTime",
            ],
        );
        self.fields.end();
        let base = EventRow {
            request_id: Some(self.id),
            tool_call_id: Some(&call_id),
            tool_name: Some(kind),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            completeness: 2,
            ..self.facts.row(deed.event_type(), at)
        };
        let id = EventId::of(AGENT, "action", &[call_id.as_bytes()]);
        let extra = self.fields.get();
        sink.row(
            EventRow { id: Some(id), role: Some("assistant"), tool_input: arguments.as_deref(), extra, ..base },
            false,
        );
        let open = matches!(state, Some("Running" | "Pending" | "PendingAction" | "InProgress"));
        let Some(output) = action.get("output").filter(|o| !o.is_null()) else { return };
        let shown = ["message", "output", "content"].iter().find_map(|key| output.get(key)).unwrap_or(output);
        let answer = output_text(shown);
        let exit_code = output.i64_at("exitCode").and_then(|c| i32::try_from(c).ok());
        let failed = matches!(state, Some("Error" | "Failed" | "Rejected")) || exit_code.is_some_and(|code| code != 0);
        let end = moment(action.get("endTime"));
        let row = EventRow {
            id: Some(EventId::of(AGENT, "result", &[call_id.as_bytes()])),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            ts_us: end.unwrap_or(at.ts_us),
            ts_inferred: end.is_none(),
            tool_output: answer.as_deref(),
            exit_code,
            is_error: Some(failed),
            status: state.map(Status::of),
            lines_added: call.added.filter(|_| !failed),
            lines_removed: call.removed.filter(|_| !failed),
            ..base
        };
        sink.row(row, open);
    }

    fn answer(&mut self, json: Json<'_, '_>, said: String, sink: &mut Sink<'_>) {
        let status = json.str_at("status");
        let open = matches!(status, Some("running" | "in-progress" | "in_progress" | "pending" | "yielded"));
        let end = moment(json.get("endTime"));
        let model = ["modelId", "modelName"]
            .iter()
            .find_map(|key| json.str_at(key).or_else(|| json.path(&["metadata", key]).and_then(Json::as_filled_str)));
        let text = Some(said).filter(|t| !t.is_empty()).or_else(|| last_answer(json));
        let mut credits = None;
        for summary in json.get("usageSummary").into_iter().flat_map(Json::items) {
            let unit = summary.str_at("unit").unwrap_or("credit");
            if let Some(usage) = summary.get("usage").and_then(Json::as_f64).filter(|_| unit.starts_with("credit")) {
                credits = Some(credits.unwrap_or(0.0) + usage);
            }
        }
        self.fields.begin().rest(
            json,
            &[
                "executionId",
                "status",
                "actions",
                "context",
                "input",
                "messages",
                "startTime",
                "endTime",
                "modelId",
                "modelName",
                "chatSessionId",
            ],
        );
        self.fields.end();
        let mut at = self.at(0, end);
        if at.inferred {
            at.ts_us = self.start;
            at.inferred = self.inferred;
        }
        let row = EventRow {
            id: Some(EventId::of(AGENT, "answer", &[self.id.as_bytes()])),
            request_id: Some(self.id),
            role: Some("assistant"),
            text: text.as_deref(),
            model,
            status: status.map(Status::of),
            nano_credits: credits.and_then(nano),
            duration_ms: end.filter(|_| !self.inferred).map(|end| (end - self.start) / 1000),
            extra: self.fields.get(),
            completeness: 3,
            ..self.facts.row(EventType::LlmResponse, at)
        };
        sink.row(row, open);
    }
}

/// The last answer in the conversation, when no action says one.
fn last_answer(json: Json<'_, '_>) -> Option<String> {
    let direct = ["response", "output", "result"].iter().find_map(|key| json.get(key)).and_then(joined_text);
    let list = json.path(&["context", "messages"]).or_else(|| json.get("messages"))?;
    let answer = list.items().filter(|m| matches!(m.str_at("role"), Some("bot" | "assistant" | "ai"))).last();
    direct.or_else(|| answer.and_then(|m| m.get("content").or_else(|| m.get("entries"))).and_then(joined_text))
}
