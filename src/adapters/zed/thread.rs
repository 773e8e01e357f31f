//! A thread of today's shape (0.3.0), and what both shapes share.

use super::{AGENT, legacy};
use crate::adapters::Taken;
use crate::adapters::clean::write_content;
use crate::adapters::deed::Deed;
use crate::adapters::diff;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::schema::{EventId, EventRow, EventType, Rows, TokenUsage, UsageSource};

/// A thread, and what its messages have in common.
#[derive(Debug)]
pub(super) struct Thread<'a> {
    pub(super) id: &'a str,
    parent: Option<&'a str>,
    title: Option<&'a str>,
    offset: u64,
    pub(super) cwd: Option<String>,
    pub(super) created_us: i64,
    pub(super) updated_us: i64,
    repo: Option<String>,
    commit: Option<String>,
    branch: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    pub(super) turn: i32,
    pub(super) made: usize,
    pub(super) unknown: bool,
    /// What stands on rows so far.
    counted: Tokens,
}

/// Tokens in four disjoint parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    input: i64,
    output: i64,
    write: i64,
    read: i64,
}

impl Tokens {
    /// Nothing when no count is above zero.
    pub(super) fn of(usage: Json<'_, '_>) -> Option<Self> {
        let at = |key: &str| usage.i64_at(key).unwrap_or(0).max(0);
        let tokens = Self {
            input: at("input_tokens"),
            output: at("output_tokens"),
            write: at("cache_creation_input_tokens"),
            read: at("cache_read_input_tokens"),
        };
        (tokens != Self::default()).then_some(tokens)
    }

    fn total(self) -> i64 {
        self.input.saturating_add(self.output).saturating_add(self.write).saturating_add(self.read)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            write: self.write.saturating_add(other.write),
            read: self.read.saturating_add(other.read),
        }
    }

    /// What is left of `self`; nothing below zero.
    fn without(self, other: Self) -> Self {
        Self {
            input: (self.input - other.input).max(0),
            output: (self.output - other.output).max(0),
            write: (self.write - other.write).max(0),
            read: (self.read - other.read).max(0),
        }
    }

    fn usage(self) -> TokenUsage {
        TokenUsage::disjoint(Some(self.input), Some(self.read), Some(self.write), Some(self.output))
    }
}

/// Fields of a thread that have a column, repeat messages, or are drafts and places on the screen.
const USED: [&str; 14] = [
    "title",
    "summary",
    "messages",
    "updated_at",
    "initial_project_snapshot",
    "cumulative_token_usage",
    "request_token_usage",
    "model",
    "draft_prompt",
    "ui_scroll_position",
    "sandboxed_terminal_temp_dir",
    "subagent_context",
    "detailed_summary_state",
    "version",
];

impl<'a> Thread<'a> {
    pub(super) fn new(id: &'a str, parent: Option<&'a str>, title: Option<&'a str>, offset: u64) -> Self {
        Self {
            id,
            parent,
            title,
            offset,
            cwd: None,
            created_us: 0,
            updated_us: 0,
            repo: None,
            commit: None,
            branch: None,
            provider: None,
            model: None,
            turn: 0,
            made: 0,
            unknown: false,
            counted: Tokens::default(),
        }
    }

    /// Makes the rows of the thread.
    pub(super) fn write(&mut self, json: Json<'_, '_>, rows: &mut Rows) -> Taken {
        let Some(messages) = json.get("messages").filter(|messages| messages.is_array()) else {
            return Taken::Rejected;
        };
        let owned = |value: Option<Json<'_, '_>>| value.and_then(Json::as_filled_str).map(str::to_owned);
        self.provider = owned(json.path(&["model", "provider"]));
        self.model = owned(json.path(&["model", "model"]));
        self.surroundings(json);
        self.head(json, rows);
        let usage = json.get("request_token_usage");
        if messages.items().any(|message| message.get("role").is_some()) {
            legacy::write(self, messages, usage, rows);
        } else {
            self.messages(messages, usage, rows);
        }
        self.rest(json, rows);
        match (self.unknown, self.made) {
            (true, _) => Taken::Unknown,
            (false, 0) => Taken::Ignored,
            (false, _) => Taken::Rows,
        }
    }

    /// The folder and its repository as they were when the thread began.
    fn surroundings(&mut self, json: Json<'_, '_>) {
        let trees = json.path(&["initial_project_snapshot", "worktree_snapshots"]);
        let Some(tree) = trees.and_then(|trees| trees.items().next()) else { return };
        let path = ["worktree_path", "abs_path"].iter().find_map(|key| tree.str_at(key));
        self.cwd = self.cwd.take().or(path.map(str::to_owned));
        if let Some(git) = tree.get("git_state") {
            let owned = |key: &str| git.str_at(key).map(str::to_owned);
            (self.repo, self.commit, self.branch) = (owned("remote_url"), owned("head_sha"), owned("current_branch"));
        }
    }

    pub(super) fn row(&self) -> EventRow<'_> {
        EventRow {
            ts_us: self.updated_us,
            ts_inferred: true,
            cwd: self.cwd.as_deref(),
            repo_url: self.repo.as_deref(),
            git_commit: self.commit.as_deref(),
            git_branch: self.branch.as_deref(),
            session_id: Some(self.id),
            parent_session_id: self.parent,
            is_subagent: Some(self.parent.is_some()),
            turn: Some(self.turn),
            source_offset: self.offset,
            ..EventRow::default()
        }
    }

    /// Identity of a row of this thread.
    pub(super) fn key(&self, kind: &str, parts: &[&str]) -> Option<EventId> {
        let mut all = vec![self.id.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        Some(EventId::of(AGENT, kind, &all))
    }

    fn head(&mut self, json: Json<'_, '_>, rows: &mut Rows) {
        let mut extra = Extra::default();
        extra.begin().rest(json, &USED);
        let version = json.str_at("version").unwrap_or_default();
        extra.text("thread_version", version);
        let level = self.updated_us / 1000;
        let row = EventRow { ts_us: self.created_us, ts_inferred: false, completeness: level, ..self.row() };
        rows.event(&EventRow {
            id: self.key("session", &[]),
            event_type: EventType::SessionStart,
            extra: extra.end(),
            turn: None,
            ..row
        });
        let title = self.title.or_else(|| json.str_at("title")).or_else(|| json.str_at("summary"));
        if title.is_some() {
            rows.event(&EventRow {
                id: self.key("title", &[]),
                event_type: EventType::Title,
                text: title,
                turn: None,
                ..row
            });
        }
        self.made += 1;
    }

    /// What the thread took beside what stands on its answers.
    fn rest(&mut self, json: Json<'_, '_>, rows: &mut Rows) {
        let Some(all) = json.get("cumulative_token_usage").and_then(Tokens::of) else { return };
        let left = all.without(self.counted);
        let row = EventRow {
            id: self.key("rest", &[]),
            event_type: EventType::System,
            provider: self.provider.as_deref(),
            model: self.model.as_deref(),
            // More or less is left over as the thread goes on: the latest state stays.
            completeness: self.updated_us / 1000,
            turn: None,
            ..self.row()
        };
        if left == Tokens::default() {
            rows.event(&row);
        } else {
            rows.event(&left.usage().counter_step().on(row));
        }
    }

    fn messages(&mut self, messages: Json<'_, '_>, usage: Option<Json<'_, '_>>, rows: &mut Rows) {
        let (mut user, mut answers) = (String::new(), 0);
        for (number, message) in messages.items().enumerate() {
            if let Some(said) = message.get("User") {
                user.clear();
                match said.str_at("id") {
                    Some(id) => user.push_str(id),
                    None => user.push_str(&number.to_string()),
                }
                answers = 0;
                self.prompt(&user, said, rows);
            } else if let Some(said) = message.get("Agent") {
                let tokens = usage.and_then(|usage| usage.get(&user)).and_then(Tokens::of).filter(|_| answers == 0);
                let number = answers.to_string();
                answers += 1;
                self.answer(&[&user, &number], said, tokens, rows);
            } else if message.as_str() != Some("Resume") {
                self.odd(&[&number.to_string()], message, rows);
            }
        }
    }

    /// Something of an unknown kind.
    pub(super) fn odd(&mut self, key: &[&str], value: Json<'_, '_>, rows: &mut Rows) {
        let mut extra = Extra::default();
        extra.begin().value("value", value);
        let row =
            EventRow { id: self.key("odd", key), event_type: EventType::Unknown, extra: extra.end(), ..self.row() };
        rows.event(&row);
        self.unknown = true;
        self.made += 1;
    }

    fn prompt(&mut self, user: &str, said: Json<'_, '_>, rows: &mut Rows) {
        self.turn = self.turn.saturating_add(1);
        let mut text = String::new();
        for (number, item) in said.get("content").into_iter().flat_map(Json::items).enumerate() {
            if let Some(piece) = item.get("Text").or(Some(item)).and_then(Json::as_str) {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(piece);
                continue;
            }
            // Mentions of files, with what was in them, and images.
            let mut extra = Extra::default();
            extra.begin().rest(item, &[]);
            let mention = item.get("Mention");
            let path = mention.and_then(|m| m.get("uri")).and_then(path_of);
            let row = EventRow {
                id: self.key("attachment", &[user, &number.to_string()]),
                event_type: EventType::Attachment,
                role: Some("user"),
                message_id: Some(user),
                file_path: path,
                extra: extra.end(),
                ..self.row()
            };
            rows.event(&row);
        }
        let row = EventRow {
            id: self.key("message", &[user]),
            event_type: EventType::UserInteraction,
            role: Some("user"),
            message_id: Some(user),
            text: (!text.is_empty()).then_some(&*text),
            ..self.row()
        };
        rows.event(&row);
        self.made += 1;
    }

    fn answer(&mut self, key: &[&str], said: Json<'_, '_>, tokens: Option<Tokens>, rows: &mut Rows) {
        let mut text = String::new();
        for (number, item) in said.get("content").into_iter().flat_map(Json::items).enumerate() {
            let number = number.to_string();
            let key: Vec<&str> = key.iter().copied().chain([number.as_str()]).collect();
            if let Some(piece) = item.get("Text").and_then(Json::as_str) {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(piece);
            } else if let Some(thought) = item.get("Thinking") {
                self.thinking(&key, thought.str_at("text"), rows);
            } else if let Some(call) = item.get("ToolUse") {
                let result = said.get("tool_results").and_then(|all| all.get(call.str_at("id")?));
                self.call(call, result, rows);
            } else if item.get("RedactedThinking").is_none() {
                self.odd(&key, item, rows);
            }
        }
        let mut extra = Extra::default();
        extra.begin().rest(said, &["content", "tool_results", "reasoning_details"]);
        self.response(key, &text, tokens, extra.end(), rows);
    }

    /// The row of an answer.
    pub(super) fn response(
        &mut self,
        key: &[&str],
        text: &str,
        tokens: Option<Tokens>,
        extra: Option<&str>,
        rows: &mut Rows,
    ) {
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX).min((1 << 20) - 1);
        let row = EventRow {
            id: self.key("message", key),
            event_type: EventType::LlmResponse,
            role: Some("assistant"),
            provider: self.provider.as_deref(),
            model: self.model.as_deref(),
            text: (!text.is_empty()).then_some(text),
            // Answers grow, and so does what their turn took.
            completeness: (tokens.map_or(0, Tokens::total).min(1 << 40) << 20) | length,
            extra,
            ..self.row()
        };
        match tokens {
            Some(tokens) => rows.event(&tokens.usage().from(UsageSource::Partial).on(row)),
            None => rows.event(&row),
        }
        self.counted = self.counted.plus(tokens.unwrap_or_default());
        self.made += 1;
    }

    pub(super) fn thinking(&mut self, key: &[&str], text: Option<&str>, rows: &mut Rows) {
        let Some(text) = text else { return };
        let row = EventRow {
            id: self.key("thinking", key),
            event_type: EventType::Thinking,
            role: Some("assistant"),
            text: Some(text),
            completeness: i64::try_from(text.len()).unwrap_or(i64::MAX),
            ..self.row()
        };
        rows.event(&row);
        self.made += 1;
    }

    /// A call, and its result when it has come.
    pub(super) fn call(&mut self, call: Json<'_, '_>, result: Option<Json<'_, '_>>, rows: &mut Rows) {
        let name = call.str_at("name").unwrap_or_default();
        let id = call.str_at("id").unwrap_or_default();
        let input = call.get("input");
        let deed = Deed::of(name, input);
        let mut text = String::new();
        if let Some(input) = input {
            write_content(input, &mut text);
        }
        let complete = call.get("is_input_complete").and_then(Json::as_bool) != Some(false);
        let mut extra = Extra::default();
        extra.begin().rest(call, &["id", "name", "input", "raw_input", "is_input_complete"]);
        let base = EventRow {
            tool_name: Some(name),
            tool_call_id: Some(id),
            file_path: deed.file_path,
            command: deed.command,
            ..self.row()
        };
        rows.event(&EventRow {
            id: self.key("call", &[id]),
            event_type: deed.event_type,
            role: Some("assistant"),
            tool_input: (!text.is_empty()).then_some(&*text),
            completeness: i64::from(complete),
            extra: extra.end(),
            ..base
        });
        if let Some(result) = result {
            let mut output = String::new();
            let lines = result.get("output").and_then(|output| output.str_at("diff")).map(diff::lines);
            let mut extra = Extra::default();
            extra.begin();
            if let Some(content) = result.get("content") {
                output_of(content, &mut output, &mut extra);
            }
            extra.rest(result, &["tool_use_id", "tool_name", "is_error", "content"]);
            rows.event(&EventRow {
                id: self.key("result", &[id]),
                event_type: EventType::ToolResult,
                role: Some("tool"),
                tool_output: (!output.is_empty()).then_some(&*output),
                is_error: result.get("is_error").and_then(Json::as_bool),
                lines_added: lines.map(|lines| lines.0),
                lines_removed: lines.map(|lines| lines.1),
                completeness: i64::try_from(output.len()).unwrap_or(i64::MAX).saturating_add(1),
                extra: extra.end(),
                ..base
            });
        }
        self.made += 1;
    }
}

/// Texts of a result, in any of the shapes it has had; images go to `extra`.
fn output_of(content: Json<'_, '_>, out: &mut String, extra: &mut Extra) {
    let text = content.as_str().or_else(|| content.get("Text").and_then(Json::as_str));
    let text = text.or_else(|| content.get("text").and_then(Json::as_str));
    if let Some(text) = text {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(text);
    } else if content.is_array() {
        for item in content.items() {
            output_of(item, out, extra);
        }
    } else if content.is_object() {
        extra.value("content", content);
    }
}

/// File that a mention leads to.
fn path_of<'i>(uri: Json<'_, 'i>) -> Option<&'i str> {
    let inner = uri.entries().next().map(|(_, value)| value);
    uri.str_at("abs_path").or_else(|| inner.and_then(|inner| inner.str_at("abs_path").or_else(|| inner.str_at("path"))))
}
