//! Saved output of `codex exec --json`: thread, turns and items without times.

use super::items::filled;
use super::ledger::{Stream, content_hash};
use super::replay::{Mode, Thread};
use super::rollout::{Core, Outcome};
use super::state::Stamp;
use super::tools::{Edit, words};
use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::adapters::time;
use crate::schema::{EventRow, EventType, Rows, Status};

impl Core {
    pub(super) fn exec(&mut self, kind: &str, line: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        match kind {
            "thread.started" => self.thread_started(line, stamp, rows),
            "turn.started" => {
                self.state.begin_prompt();
                self.note(EventType::Progress, kind, line, stamp, rows)
            }
            "turn.completed" => self.turn_usage(line, stamp, rows),
            "item.started" | "item.updated" => Outcome::Ignored,
            "item.completed" => match line.get("item").filter(|i| i.is_object()) {
                Some(item) => self.exec_item(item, stamp, rows),
                None => self.unknown(kind, line, stamp, rows),
            },
            "turn.failed" | "error" => self.error(line, stamp, rows),
            _ => self.unknown(kind, line, stamp, rows),
        }
    }

    fn thread_started(&mut self, line: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let Some(id) = line.str_at("thread_id") else { return self.unknown("thread.started", line, stamp, rows) };
        if self.state.thread_index(id).is_none() {
            let made_us = time::uuid7_us(id).unwrap_or(stamp.ts_us);
            self.state.threads.clear();
            self.state.owner = 0;
            self.state.start_over();
            self.state.threads.push(Thread { id: id.to_owned(), made_us });
            self.state.replay.mode = Mode::Native;
            self.state.meta_us = time::uuid7_us(id);
        }
        let id = self.state.natural_id(&self.origin, "session", &[]);
        let made_us = self.state.meta_us.unwrap_or(stamp.ts_us);
        let row = EventRow {
            ts_us: made_us,
            ts_inferred: true,
            // A rollout file of the same thread says more.
            completeness: 0,
            ..self.row(stamp, EventType::SessionStart, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    fn exec_item(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let kind = item.str_at("type").or_else(|| item.str_at("item_type")).unwrap_or("item");
        let text = item.str_at("text").or_else(|| item.str_at("message"));
        let event_type = match kind {
            "agent_message" | "assistant_message" => EventType::LlmResponse,
            "reasoning" => EventType::Thinking,
            "command_execution" => EventType::CommandExecution,
            "file_change" => EventType::FileModify,
            "mcp_tool_call" | "collab_tool_call" | "web_search" => EventType::ToolUse,
            "todo_list" => EventType::Progress,
            "error" => EventType::ErrorEncountered,
            _ => return self.unknown(kind, item, stamp, rows),
        };
        self.exec_texts(item);
        let item_id = item.str_at("id").unwrap_or_default();
        let exit_code = item.i64_at("exit_code").and_then(|c| i32::try_from(c).ok());
        let status = item.str_at("status");
        let failed = exit_code.map(|c| c != 0).or_else(|| status.map(|s| s == "failed"));
        let content = content_hash(kind, &[item_id, text.unwrap_or_default()]);
        let Some(id) = self.content_id("exec", content, Stream::Item) else { return Outcome::Row };
        let is_tool = matches!(event_type, EventType::CommandExecution | EventType::FileModify | EventType::ToolUse);
        let row = EventRow {
            role: matches!(event_type, EventType::LlmResponse | EventType::Thinking).then_some("assistant"),
            text: text.or_else(|| item.str_at("query")),
            message_id: filled(item_id),
            tool_call_id: filled(item_id).filter(|_| is_tool),
            tool_name: is_tool.then(|| item.str_at("tool").unwrap_or(kind)),
            tool_input: filled(&self.input),
            tool_output: item.str_at("aggregated_output"),
            command: filled(&self.command),
            file_path: filled(&self.path),
            exit_code,
            is_error: if event_type == EventType::ErrorEncountered { Some(true) } else { failed },
            status: status.map(Status::of),
            extra: self.extra.get(),
            ..self.row(stamp, event_type, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    /// Fills `command`, `path`, `input` and `extra`.
    fn exec_texts(&mut self, item: Json<'_, '_>) {
        const USED: [&str; 12] = [
            "type",
            "item_type",
            "id",
            "text",
            "message",
            "command",
            "aggregated_output",
            "exit_code",
            "status",
            "arguments",
            "tool",
            "query",
        ];
        self.command.clear();
        self.path.clear();
        self.input.clear();
        if let Some(command) = item.get("command") {
            words(command, &mut self.command);
        }
        if let Some(arguments) = item.get("arguments").filter(|a| !a.is_null()) {
            write_content(arguments, &mut self.input);
        }
        self.extra.begin().rest(item, &USED);
        if let Some(changes) = item.get("changes") {
            self.name_changes(changes);
        }
        self.extra.end();
    }

    /// Puts the first file of `changes` into `path`; several go to `extra`, their lines are not told.
    fn name_changes(&mut self, changes: Json<'_, '_>) {
        let edit = Edit::of_names(changes.items().filter_map(|change| change.str_at("path")), &mut self.path);
        edit.write(&mut self.extra, false);
    }
}
