//! Tool calls as their user saw them, and what the messages tell of their answers.

use super::{Run, USED};
use crate::adapters::blocks::filled;
use crate::adapters::changes::{Lines, of_diff};
use crate::adapters::clean::content_json;
use crate::adapters::cline::kinds::{event_type, verdict};
use crate::adapters::cline::messages::Message;
use crate::adapters::cline::outline::{Shown, command_of};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::walk::State;
use crate::schema::{EventRow, EventType};

/// Output of a command, which comes in pieces.
#[derive(Debug)]
pub(super) struct Output {
    shown: Shown,
    text: String,
    ts_ms: i64,
}

impl Output {
    pub(super) fn belongs_to(&self, shown: &Shown) -> bool {
        self.shown.call_id == shown.call_id
    }
}

/// What a call's JSON tells.
#[derive(Debug, Default)]
struct Told {
    name: String,
    input: Option<String>,
    path: Option<String>,
    lines: Option<Lines>,
    server: Option<String>,
}

impl Told {
    fn of(kind: &str, json: Json<'_, '_>) -> Self {
        let own = |key: &str| json.str_at(key).map(str::to_owned);
        let whole = Some(content_json(json));
        match kind {
            "use_mcp_server" => Self {
                name: own("toolName").or_else(|| own("type")).unwrap_or_else(|| kind.to_owned()),
                input: own("arguments").filter(|a| serde_json::from_str::<serde::de::IgnoredAny>(a).is_ok()).or(whole),
                server: own("serverName"),
                ..Self::default()
            },
            "tool" => {
                let name = own("tool").unwrap_or_else(|| kind.to_owned());
                let lines = lines_of(&name, json);
                Self { name, input: whole, path: own("path"), lines, ..Self::default() }
            }
            _ => Self { name: kind.to_owned(), input: whole, ..Self::default() },
        }
    }
}

/// Lines that an edit adds and removes, as its message shows it.
fn lines_of(name: &str, json: Json<'_, '_>) -> Option<Lines> {
    let number = |key: &str| json.path(&["diffStats", key]).and_then(Json::as_i64).and_then(|n| i32::try_from(n).ok());
    if let (Some(added), Some(removed)) = (number("added"), number("removed")) {
        return Some((added, removed));
    }
    let content = json.str_at("content");
    match name {
        "newFileCreated" => content.map(|c| (i32::try_from(c.lines().count()).unwrap_or(i32::MAX), 0)),
        "editedExistingFile" | "appliedDiff" => json.str_at("diff").or(content).and_then(of_diff),
        _ => None,
    }
}

impl<'t, 'i> Run<'_, 't, 'i, '_> {
    /// A call of a tool.
    pub(super) fn tool(&mut self, m: &Message<'t, 'i>) {
        if m.text.is_empty() {
            return;
        }
        let mut told = match m.kind {
            "command" => Told { name: "execute_command".to_owned(), ..Told::default() },
            "browser_action_launch" => Told { name: "browser_action".to_owned(), ..Told::default() },
            _ => Told { name: m.kind.to_owned(), ..Told::default() },
        };
        if !matches!(m.kind, "command" | "browser_action_launch") {
            self.parser.each(m.text.as_bytes(), |json| told = Told::of(m.kind, json)).unwrap_or_default();
        }
        if let Some(shown) = Shown::of(m, &mut self.parser) {
            if shown.is_command() {
                self.close_output();
                self.output = Some(Output { shown: shown.clone(), text: String::new(), ts_ms: m.ts_ms });
            }
            self.calls.push(shown);
        }
        let call_id = m.call_id();
        let mut extra = Extra::default();
        extra.text("server", told.server.as_deref().unwrap_or_default()).rest(m.json, &USED);
        let is_command = m.kind == "command";
        let row = self.context.row(m, event_type(&told.name), "message");
        let row = EventRow {
            role: Some("assistant"),
            tool_call_id: Some(&call_id),
            tool_name: Some(&told.name),
            tool_input: told.input.as_deref(),
            text: filled(m.text).filter(|_| told.input.is_none() && !is_command),
            file_path: told.path.as_deref(),
            command: is_command.then(|| command_of(m.text)),
            lines_added: told.lines.map(|l| l.0),
            lines_removed: told.lines.map(|l| l.1),
            extra: extra.end(),
            ..row
        };
        self.out.put(&row, self.state(m));
    }

    /// A piece of the output of the newest command.
    pub(super) fn command_output(&mut self, m: &Message<'t, 'i>) {
        match &mut self.output {
            Some(output) if !m.text.is_empty() => {
                if !output.text.is_empty() {
                    output.text.push('\n');
                }
                output.text.push_str(m.text);
                output.ts_ms = m.ts_ms;
            }
            None if !m.text.is_empty() => self.tool_answer(m),
            _ => {}
        }
    }

    /// Hands out what a command has answered so far.
    pub(super) fn close_output(&mut self) {
        let Some(output) = self.output.take().filter(|o| !o.text.is_empty()) else { return };
        let id = self.context.task.result_id(&self.context.id, &output.shown.call_id);
        let row = EventRow {
            role: Some("tool"),
            tool_call_id: Some(&output.shown.call_id),
            tool_name: Some("execute_command"),
            tool_output: Some(&output.text),
            command: Some(&output.shown.target),
            completeness: i64::try_from(output.text.len()).unwrap_or(0).min((1 << 35) - 1),
            ..self.context.row_at(output.ts_ms, EventType::ToolResult, id)
        };
        self.out.put(&row, if self.is_over { State::Open } else { State::Settled });
    }

    /// An answer of a tool that is a message of its own.
    pub(super) fn tool_answer(&mut self, m: &Message<'t, 'i>) {
        if m.text.is_empty() {
            return;
        }
        let wanted = match m.kind {
            "mcp_server_response" => "use_mcp_server",
            "browser_action_result" => "browser_action",
            "codebase_search_result" => "codebaseSearch",
            _ => "",
        };
        let shown = self.calls.answer(wanted, "");
        let mut text = String::new();
        if m.kind == "browser_action_result" {
            self.parser.each(m.text.as_bytes(), |json| text = content_json(json)).unwrap_or_default();
        }
        let text = filled(&text).unwrap_or(m.text);
        let (call_id, name) = match &shown {
            Some(shown) => (shown.call_id.clone(), shown.name.clone()),
            None => (m.call_id(), if wanted.is_empty() { m.kind } else { wanted }.to_owned()),
        };
        let (is_error, status, exit_code) = verdict(text);
        let mut extra = Extra::default();
        extra.rest(m.json, &USED);
        let row = EventRow {
            id: Some(self.context.task.result_id(&self.context.id, &call_id)),
            role: Some("tool"),
            tool_call_id: Some(&call_id),
            tool_name: Some(&name),
            tool_output: Some(text),
            is_error,
            status,
            exit_code,
            completeness: 1 << 34,
            extra: extra.end(),
            ..self.context.row(m, EventType::ToolResult, "message")
        };
        self.out.put(&row, self.state(m));
    }
}
