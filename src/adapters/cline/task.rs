//! `ui_messages.json` (before Cline 3 `claude_messages.json`): the messages of a task as its user saw them.

mod request;
mod tools;

use self::request::Call;
use self::tools::Output;
use super::messages::{Message, Task, folder_in_json, messages};
use super::outline::Calls;
use crate::adapters::blocks::filled;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::adapters::walk::{Out, State, Walk};
use crate::adapters::{SourceInfo, time};
use crate::schema::{EventId, EventRow, EventType, Format, Status};

/// Walks the messages of a task.
#[derive(Debug)]
pub(super) struct TaskWalk {
    format: Format,
    task: Task,
}

impl TaskWalk {
    pub(super) fn new(format: Format, info: SourceInfo<'_>) -> Self {
        Self { format, task: Task::new(format, info) }
    }
}

impl Walk for TaskWalk {
    fn walk(&self, document: Json<'_, '_>, out: &mut Out<'_>) -> bool {
        let messages = messages(document);
        if !document.is_array() || (messages.is_empty() && !document.is_empty()) {
            return false;
        }
        let Some(first) = messages.first() else { return true };
        // The first request names the folder; what stands before it happened there too.
        let request = || messages.iter().filter(|m| m.kind == "api_req_started").find_map(|m| folder_in_json(m.text));
        let cwd = self.task.cwd.clone().or_else(request);
        let mut run = Run::new(self, first, cwd, out);
        run.start(first);
        for (at, message) in messages.iter().enumerate() {
            run.after = messages.get(at + 1..).unwrap_or_default();
            run.is_first = at == 0;
            run.message(message);
        }
        run.after = &[];
        run.is_over = true;
        run.close_output();
        run.close_call();
        true
    }

    fn refresh(&mut self, info: SourceInfo<'_>) {
        // A file that is gone while it is replaced tells nothing.
        if self.task.cwd.is_none() {
            self.task.cwd = Task::new(self.format, info).cwd;
        }
    }
}

/// What all rows share at one point of the task.
#[derive(Debug)]
struct Context<'a> {
    task: &'a Task,
    id: String,
    turn: i32,
    cwd: Option<String>,
    /// Model that the newest request names.
    model: Option<String>,
}

impl Context<'_> {
    fn row_at<'s>(&'s self, ts_ms: i64, event_type: EventType, id: EventId) -> EventRow<'s> {
        let known = (ts_ms != 0).then(|| time::unix_us(ts_ms));
        let used = self.task.model_at(ts_ms);
        EventRow {
            id: Some(id),
            ts_us: known.or_else(|| self.task.made_us()).unwrap_or(self.task.modified_us),
            ts_inferred: known.is_none(),
            event_type,
            agent_version: self.task.version_at(ts_ms),
            session_id: Some(&self.id),
            parent_session_id: self.task.parent.as_deref(),
            is_subagent: self.task.parent.is_some().then_some(true),
            cwd: self.cwd.as_deref(),
            turn: Some(self.turn),
            model: used.map(|u| u.0).or(self.model.as_deref()).or(self.task.model.as_deref()),
            provider: used.and_then(|u| filled(u.1)),
            ..EventRow::default()
        }
    }

    fn row<'s>(&'s self, message: &Message<'_, 's>, event_type: EventType, kind: &str) -> EventRow<'s> {
        let row = self.row_at(message.ts_ms, event_type, self.task.event_id(&self.id, kind, message));
        let (model, provider) = message.model();
        EventRow {
            model: model.or(row.model),
            provider: provider.or(row.provider),
            status: message.partial.then_some(Status::Partial),
            completeness: message.completeness(),
            ..row
        }
    }
}

/// Completeness that the folder adds: less than a finished text, more than a longer one.
const PLACED: i64 = 1 << 38;

/// One walk over the messages.
struct Run<'a, 't, 'i, 'r> {
    format: Format,
    context: Context<'a>,
    out: &'a mut Out<'r>,
    parser: Parser,
    call: Option<Call>,
    /// Tools called since the newest request.
    calls: Calls,
    /// The command whose output comes.
    output: Option<Output>,
    /// The messages behind this one.
    after: &'a [Message<'t, 'i>],
    is_first: bool,
    /// Nothing comes any more.
    is_over: bool,
}

/// Fields of a message that have columns, or only say where it stands.
const USED: [&str; 13] = [
    "ts",
    "timestamp",
    "type",
    "ask",
    "say",
    "text",
    "role",
    "content",
    "reasoning",
    "partial",
    "modelInfo",
    "conversationHistoryIndex",
    "lastCheckpointHash",
];

impl<'a, 't, 'i, 'r> Run<'a, 't, 'i, 'r> {
    fn new(walk: &'a TaskWalk, first: &Message<'_, '_>, cwd: Option<String>, out: &'a mut Out<'r>) -> Self {
        let task = &walk.task;
        let context = Context { task, id: task.id(Some(first.ts_ms)), turn: 0, cwd, model: None };
        let (parser, calls) = (Parser::default(), Calls::default());
        let format = walk.format;
        Self {
            format,
            context,
            out,
            parser,
            call: None,
            calls,
            output: None,
            after: &[],
            is_first: true,
            is_over: false,
        }
    }

    fn start(&mut self, first: &Message<'_, '_>) {
        let task = self.context.task;
        let id = EventId::of(task.agent, "start", &[self.context.id.as_bytes()]);
        let mut extra = Extra::default();
        extra.text("ulid", task.ulid.as_deref().unwrap_or_default());
        extra.text("mode", task.mode.as_deref().unwrap_or_default());
        let row = self.context.row_at(first.ts_ms, EventType::SessionStart, id);
        // The folder may be known only when the first request is written.
        let row = EventRow { completeness: i64::from(row.cwd.is_some()), ..row };
        self.out.put(&EventRow { model: None, provider: None, extra: extra.end(), ..row }, State::Settled);
    }

    fn message(&mut self, m: &Message<'t, 'i>) {
        if let Some(thought) = m.json.str_at("reasoning") {
            self.say(m, EventType::Thinking, "reasoning", thought, Some("assistant"));
        }
        match m.kind {
            _ if m.is_prompt(self.is_first) => self.prompt(m),
            "api_req_started" => self.request(m),
            "api_req_finished" => self.request_finished(m),
            "deleted_api_reqs" | "api_req_deleted" | "subagent_usage" => self.sum(m),
            "text" | "completion_result" | "assistant" => self.answer(m, m.text),
            _ if m.is_question() => self.question(m),
            "reasoning" => self.say(m, EventType::Thinking, "message", m.text, Some("assistant")),
            "tool"
            | "command"
            | "use_mcp_server"
            | "browser_action_launch"
            | "browser_action"
            | "use_subagents"
            | "subagent" => self.tool(m),
            "command_output" => self.command_output(m),
            "mcp_server_response" | "browser_action_result" | "subtask_result" | "codebase_search_result" => {
                self.tool_answer(m);
            }
            "mcp_server_request_started" => {}
            "user_feedback_diff" => self.say(m, EventType::Attachment, "message", m.text, Some("user")),
            "checkpoint_created" | "checkpoint_saved" => self.checkpoint(m),
            "condense_context" | "sliding_window_truncation" => self.compaction(m),
            _ => self.other(m),
        }
    }

    /// Whether a row of this message may still change.
    fn state(&self, m: &Message<'_, '_>) -> State {
        if m.partial && self.after.is_empty() { State::Open } else { State::Settled }
    }

    fn say(&mut self, m: &Message<'t, 'i>, event_type: EventType, kind: &str, text: &str, role: Option<&str>) {
        let mut extra = Extra::default();
        extra.rest(m.json, &USED);
        let extra = extra.end();
        if text.is_empty() && extra.is_none() {
            return;
        }
        let row = self.context.row(m, event_type, kind);
        // As at the start, of the message that stands before every request.
        let placed = if self.is_first && row.cwd.is_some() { PLACED } else { 0 };
        let completeness = row.completeness + placed;
        let row = EventRow { text: filled(text), role, extra, completeness, ..row };
        self.out.put(&row, self.state(m));
    }

    fn prompt(&mut self, m: &Message<'t, 'i>) {
        if !m.is_empty() {
            self.context.turn += 1;
            self.say(m, EventType::UserInteraction, "message", m.text, Some("user"));
        }
    }

    fn checkpoint(&mut self, m: &Message<'t, 'i>) {
        // Roo puts the commit into the text.
        let commit = m.json.str_at("lastCheckpointHash").or_else(|| filled(m.text));
        let mut extra = Extra::default();
        extra.rest(m.json, &USED);
        let row =
            EventRow { git_commit: commit, extra: extra.end(), ..self.context.row(m, EventType::Snapshot, "message") };
        self.out.put(&row, State::Settled);
    }

    fn compaction(&mut self, m: &Message<'t, 'i>) {
        let done = m.json.get("contextCondense").or_else(|| m.json.get("contextTruncation"));
        let mut extra = Extra::default();
        if let Some(done) = done {
            extra.scalars(done, &["summary", "cost"]);
        }
        let row = EventRow {
            text: done.and_then(|d| d.str_at("summary")).or_else(|| filled(m.text)),
            // Roo counts it to the task's cost; it is in no request.
            cost_nano_usd: done.and_then(|d| d.get("cost")).and_then(Json::as_f64).and_then(nano),
            extra: extra.end(),
            ..self.context.row(m, EventType::Compaction, "message")
        };
        self.out.put(&row, self.state(m));
    }

    fn other(&mut self, m: &Message<'t, 'i>) {
        let event_type = match m.kind {
            "error"
            | "error_retry"
            | "diff_error"
            | "clineignore_error"
            | "rooignore_error"
            | "api_req_failed"
            | "api_req_retry_delayed"
            | "command_permission_denied"
            | "condense_context_error"
            | "mistake_limit_reached" => EventType::ErrorEncountered,
            "task_progress" | "user_edit_todos" => EventType::Progress,
            "hook_status" | "hook_output_stream" | "hook" => EventType::Hook,
            "api_req_retried"
            | "api_req_rate_limited"
            | "resume_task"
            | "resume_completed_task"
            | "info"
            | "mcp_notification"
            | "load_mcp_documentation"
            | "generate_explanation"
            | "conditional_rules_applied"
            | "shell_integration_warning"
            | "shell_integration_warning_with_suggestion"
            | "image"
            | "browser_session_status"
            | "auto_approval_max_req_reached" => EventType::System,
            _ => EventType::Unknown,
        };
        let mut extra = Extra::default();
        extra.rest(m.json, &USED);
        let is_error = (event_type == EventType::ErrorEncountered).then_some(true);
        if matches!(m.kind, "api_req_failed" | "api_req_retry_delayed" | "error_retry") {
            self.failure_is_told();
        }
        let status = if m.partial { Some(Status::Partial) } else { filled(m.kind).map(Status::Named) };
        let row = self.context.row(m, event_type, "message");
        let row = EventRow { text: filled(m.text), is_error, status, extra: extra.end(), ..row };
        if event_type == EventType::Unknown {
            self.out.put_unknown(&row);
        } else {
            self.out.put(&row, self.state(m));
        }
    }
}
