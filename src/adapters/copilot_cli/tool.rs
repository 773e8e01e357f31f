//! Tool calls of the event log: requests, starts, results.

use super::events::{Core, OpenTool};
use super::record::{Stamp, envelope_rest};
use crate::adapters::fields::{small, text_or_json};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::outcome::Outcome;
use crate::adapters::tool::{Tool, diff_lines, exit_code};
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

/// A tool by which the model only says what it is about to do.
const INTENT: &str = "report_intent";

impl Core {
    /// A call, unless its row has been made. `rest` are the fields that have no column.
    pub(super) fn call(
        &mut self,
        (id, name, arguments): (Option<&str>, &str, Option<Json<'_, '_>>),
        stamp: &Stamp<'_>,
        rest: Extra,
        role: &str,
        rows: &mut Rows,
    ) -> bool {
        let id = id.map_or_else(|| format!("{}#{}", stamp.id, stamp.part), str::to_owned);
        if self.state.open.get(&id).is_some() {
            return false;
        }
        let tool = Tool::of(name, arguments);
        let extra = rest.finish();
        let session = self.session().to_owned();
        let event_id = Some(EventId::of(super::AGENT, "call", &[session.as_bytes(), id.as_bytes()]));
        if name == INTENT {
            let text = arguments.and_then(|a| a.str_at("intent"));
            let row = self.row(EventType::Progress, stamp);
            let row = EventRow { id: event_id, text, tool_call_id: Some(&id), tool_name: Some(name), ..row };
            rows.event(&EventRow { role: Some(role), extra: extra.as_deref(), ..row });
        } else {
            rows.event(&EventRow {
                id: event_id,
                role: Some(role),
                tool_name: (!name.is_empty()).then_some(name),
                tool_input: tool.input.as_deref(),
                tool_call_id: Some(&id),
                file_path: tool.path.as_deref(),
                command: tool.command.as_deref(),
                extra: extra.as_deref(),
                ..self.row(tool.event_type, stamp)
            });
        }
        if name == "rename_session"
            && let Some(title) = arguments.and_then(|a| a.str_at("title"))
        {
            self.title(title, stamp, rows);
        }
        let runs = tool.event_type == EventType::CommandExecution;
        let open =
            OpenTool { name: name.to_owned(), path: tool.path, command: tool.command, runs, ..OpenTool::default() };
        self.state.open.open(&id, open);
        true
    }

    /// `tool.execution_start`, `tool.user_requested`, `external_tool.requested`.
    pub(super) fn start(
        &mut self,
        json: Json<'_, '_>,
        data: Json<'_, '_>,
        stamp: &Stamp<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        let id = data.str_at("toolCallId");
        let used = ["toolCallId", "toolName", "arguments", "parentToolCallId", "model"];
        let mut rest = Extra::default();
        rest.rest(data, &used);
        envelope_rest(json, &mut rest);
        let role = if stamp.kind == "tool.user_requested" { "user" } else { "assistant" };
        let name = data.str_at("toolName").unwrap_or_default();
        let known = id.is_some_and(|id| self.state.open.get(id).is_some());
        let mut kept = None;
        if known {
            kept = rest.finish();
        } else {
            self.call((id, name, data.get("arguments")), stamp, rest, role, rows);
        }
        if let Some(open) = id.and_then(|id| self.state.open.get_mut(id)) {
            open.started_us = (!stamp.inferred).then_some(stamp.ts_us);
            open.start = kept.or_else(|| open.start.take());
        }
        Outcome::Row
    }

    /// `tool.execution_complete`, `external_tool.completed`.
    pub(super) fn complete(
        &mut self,
        json: Json<'_, '_>,
        data: Json<'_, '_>,
        stamp: &Stamp<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        let id = data.str_at("toolCallId");
        let open = id.and_then(|id| self.state.open.close(id)).unwrap_or_default();
        if open.name == INTENT {
            return Outcome::Row;
        }
        let result = data.get("result").filter(|r| !r.is_null());
        let error = data.get("error").filter(|e| !e.is_null());
        let said = ["content", "text_result_for_llm", "textResultForLlm"];
        let content = result.and_then(|r| r.as_str().or_else(|| said.iter().find_map(|key| r.get(key)?.as_str())));
        let message = error.and_then(|e| e.as_str().or_else(|| e.str_at("message")));
        let detailed = result.and_then(|r| r.str_at("detailedContent"));
        let output = content.filter(|c| !c.is_empty()).or(message).or(detailed).map(str::to_owned);
        let output = output.or_else(|| result.filter(|r| content.is_none() && !r.is_object()).map(text_or_json));
        let mut extra = Extra::default();
        extra.rest(data, &["toolCallId", "success", "result", "error", "parentToolCallId", "model", "toolName"]);
        if let Some(result) = result.filter(|r| r.is_object()) {
            extra.rest(result, &[&said[..], &["detailedContent"]].concat());
        }
        if let Some(detailed) = detailed.filter(|d| output.as_deref() != Some(*d)) {
            extra.text("detailedContent", detailed);
        }
        if let Some(error) = error.filter(|e| e.is_object() && message.is_some()) {
            extra.rest(error, &["message"]);
        }
        if let Some(start) = &open.start {
            extra.raw("start", start);
        }
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let metric = |key| data.path(&["toolTelemetry", "metrics", key]).and_then(Json::as_i64);
        let lines = metric("linesAdded").zip(metric("linesRemoved"));
        let lines = lines.and_then(|(a, r)| small(a).zip(small(r))).or_else(|| detailed.and_then(diff_lines));
        let ran = [data.path(&["shellExecution", "exitCode"]), data.path(&["result", "shellExecution", "exitCode"])];
        let exit = ran.into_iter().flatten().find_map(Json::as_i64).and_then(small);
        let kind = result.and_then(|r| r.str_at("result_type").or_else(|| r.str_at("resultType")));
        let success = data.get("success").and_then(Json::as_bool).or_else(|| kind.map(|k| k == "success"));
        let took = open.started_us.filter(|_| !stamp.inferred).map(|start| (stamp.ts_us - start).max(0) / 1_000);
        let name = data.str_at("toolName").or((!open.name.is_empty()).then_some(&*open.name));
        let row = self.row(EventType::ToolResult, stamp);
        rows.event(&EventRow {
            role: Some("tool"),
            tool_name: name,
            tool_call_id: id,
            file_path: open.path.as_deref(),
            command: open.command.as_deref(),
            tool_output: output.as_deref(),
            exit_code: exit.or_else(|| output.as_deref().filter(|_| open.runs).and_then(exit_code)),
            lines_added: lines.map(|l| l.0),
            lines_removed: lines.map(|l| l.1),
            is_error: success.map(|success| !success).or_else(|| error.map(|_| true)),
            status: error.and_then(|e| e.str_at("code")).or(kind).map(Status::of),
            duration_ms: took.or_else(|| metric("durationMs")),
            extra: extra.as_deref(),
            ..row
        });
        Outcome::Row
    }
}
