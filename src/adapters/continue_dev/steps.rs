//! Steps: what a session of 2023 is made of, `history.timeline[].step`.
//!
//! - a step has what it said in `chat_context`, messages with role and content; one that is hidden, or that
//!   only prepares something, has none
//! - `UserInputStep` is a prompt; a step that edits or runs something says so in its name and description
//! - a step that was taken back is `deleted`

use super::session::{Item, Run};
use crate::adapters::blocks::{filled, text_of};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::schema::{EventRow, EventType, Status};

/// Fields of a step that are read, or that hold what it was made with.
const USED: [&str; 9] = [
    "chat_context",
    "class_name",
    "name",
    "hide",
    "description",
    "user_input",
    "system_message",
    "manage_own_chat_context",
    "messages",
];

impl Run<'_, '_> {
    /// A step: each of its messages; without one, a row that names it, unless it is hidden.
    pub(super) fn step(&mut self, at: usize, json: Json<'_, '_>, step: Json<'_, '_>, is_last: bool) {
        let class = step.str_at("class_name").unwrap_or_default();
        let is_deleted = json.get("deleted").and_then(Json::as_bool) == Some(true);
        let item = Item { at, json, message: step, message_id: None, is_last };
        let mut said = false;
        for (number, message) in step.get("chat_context").into_iter().flat_map(Json::items).enumerate() {
            let text = message.get("content").map(text_of).unwrap_or_default();
            let call = message.get("function_call").filter(|call| call.is_object());
            if text.trim().is_empty() && call.is_none() {
                continue;
            }
            let (event_type, role) = match message.str_at("role").unwrap_or_default() {
                "user" if class == "UserInputStep" || class.is_empty() => (EventType::UserInteraction, "user"),
                // What a step of the program's own puts into the user's mouth.
                "user" => (EventType::Attachment, "user"),
                "assistant" => (EventType::LlmResponse, "assistant"),
                "function" | "tool" => (EventType::ToolResult, "tool"),
                _ => (EventType::System, "system"),
            };
            said = true;
            self.turn += i32::from(event_type == EventType::UserInteraction);
            let mut extra = Extra::default();
            extra.rest(message, &["role", "content", "summary"]);
            let row = EventRow {
                role: Some(role),
                text: filled(&text).filter(|_| event_type != EventType::ToolResult),
                tool_output: filled(&text).filter(|_| event_type == EventType::ToolResult),
                model: self.model.filter(|_| event_type == EventType::LlmResponse),
                status: is_deleted.then_some(Status::Reverted),
                completeness: i64::try_from(text.len()).unwrap_or(0),
                extra: extra.end(),
                ..self.base(event_type, item.event_id(self.id, "step", &number.to_string()))
            };
            self.put(&row, item.state());
        }
        if said {
            return;
        }
        let typed = step.str_at("user_input").filter(|_| class == "UserInputStep");
        let is_hidden = step.get("hide").and_then(Json::as_bool) == Some(true);
        if typed.is_none() && is_hidden {
            return;
        }
        self.turn += i32::from(typed.is_some());
        let mut extra = Extra::default();
        extra.text("step", class);
        extra.rest(step, &USED);
        let event_type = if typed.is_some() { EventType::UserInteraction } else { EventType::System };
        let row = EventRow {
            role: Some(if typed.is_some() { "user" } else { "system" }),
            text: typed.or_else(|| step.str_at("description")).or_else(|| step.str_at("name")),
            status: is_deleted.then_some(Status::Reverted),
            extra: extra.end(),
            ..self.base(event_type, item.event_id(self.id, "step", ""))
        };
        self.put(&row, item.state());
    }
}
