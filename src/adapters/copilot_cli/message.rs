//! What was said: prompts, thoughts, answers, and the calls of the model behind the answers.

use super::events::Core;
use super::record::{Stamp, envelope_rest};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventRow, EventType, Rows, Status, hash64};

impl Core {
    pub(super) fn user(
        &mut self,
        json: Json<'_, '_>,
        data: Json<'_, '_>,
        mut stamp: Stamp<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        let text = data.str_at("content").or_else(|| data.str_at("prompt"));
        let source = data.str_at("source");
        let flag = |key| data.get(key).and_then(Json::as_bool) == Some(true);
        let injected = source.is_some_and(|source| source.starts_with("skill-"))
            || text.is_some_and(|text| text.trim_start().starts_with("<skill-context"))
            || flag("isAutopilotContinuation");
        // `parentAgentTaskId` names the task of the turn, a person's own too.
        let handed_down = stamp.is_subagent;
        let is_prompt = !injected && !handed_down;
        if is_prompt {
            self.state.turn += 1;
            stamp.turn = self.state.turn;
        }
        let mut extra = Extra::default();
        let flat = ["prompt", "session_id", "cwd", "type", "timestamp"];
        extra.rest(data, &[&["content", "transformedContent", "parentToolCallId"], &flat[..]].concat());
        if let Some(sent) = data.str_at("transformedContent").filter(|sent| Some(*sent) != text) {
            extra.text("transformedContent", sent);
        }
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let row = self.row(if is_prompt { EventType::UserInteraction } else { EventType::System }, &stamp);
        let status = if injected { Some(Status::Injected) } else { handed_down.then_some(Status::Subagent) };
        rows.event(&EventRow { role: Some("user"), model: None, text, status, extra: extra.as_deref(), ..row });
        Outcome::Row
    }

    pub(super) fn reasoning(
        &mut self,
        json: Json<'_, '_>,
        data: Json<'_, '_>,
        stamp: &Stamp<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        let text = data.str_at("content");
        self.state.thought = text.map_or(0, |text| hash64(text.as_bytes()));
        let mut extra = Extra::default();
        extra.rest(data, &["content", "parentToolCallId"]);
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let row = self.row(EventType::Thinking, stamp);
        rows.event(&EventRow { role: Some("assistant"), text, extra: extra.as_deref(), ..row });
        Outcome::Row
    }

    pub(super) fn message(
        &mut self,
        json: Json<'_, '_>,
        data: Json<'_, '_>,
        stamp: Stamp<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        if let Some(thought) = data.str_at("reasoningText").filter(|text| hash64(text.as_bytes()) != self.state.thought)
        {
            let row = self.row(EventType::Thinking, &stamp);
            rows.event(&EventRow { role: Some("assistant"), text: Some(thought), ..row });
        }
        let texts = ["content", "output", "result", "response"];
        let text = texts.iter().find_map(|key| data.str_at(key));
        let mut extra = Extra::default();
        let used =
            ["messageId", "toolRequests", "reasoningText", "outputTokens", "model", "requestId", "parentToolCallId"];
        let flat = ["session_id", "cwd", "type", "timestamp"];
        extra.rest(data, &[&texts[..], &used[..], &flat[..]].concat());
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let message_id = data.str_at("messageId");
        let request_id = data.str_at("requestId").or_else(|| data.str_at("apiCallId"));
        let row = self.row(EventType::LlmResponse, &stamp);
        rows.event(&EventRow {
            role: Some("assistant"),
            text,
            message_id: message_id.or(row.message_id),
            request_id,
            extra: extra.as_deref(),
            ..row
        });
        self.request(data, &stamp, rows);
        for (part, request) in data.get("toolRequests").into_iter().flat_map(Json::items).enumerate() {
            let mut rest = Extra::default();
            rest.rest(request, &["toolCallId", "name", "arguments", "type"]);
            let name = request.str_at("name").unwrap_or_default();
            let call = (request.str_at("toolCallId"), name, request.get("arguments"));
            self.call(call, &Stamp { part, ..stamp.clone() }, rest, "assistant", rows);
        }
        Outcome::Row
    }
}
