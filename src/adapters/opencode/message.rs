//! Sessions and messages, whatever holds them: the database, the tree of JSON files, an export.
//!
//! - a user's message is one `user_interaction`, an assistant's one `llm_response` with the text of
//!   all its text parts; the other parts are rows of their own ([`super::part`])
//! - `tokens.input` leaves cache reads out, `tokens.output` leaves reasoning out
//! - before late 2025 one message held all steps of a turn: its cost is their sum, its tokens are the
//!   last step's; the sum of the `step-finish` parts is then what it took. In all other messages the
//!   only `step-finish` repeats the message

use super::part::Gathered;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::money::nano;
use crate::adapters::time::unix_us;
use crate::schema::{EventId, EventRow, EventType, Rows, Status, TokenUsage};

/// What rows need of a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) directory: String,
    pub(super) version: String,
    pub(super) workspace: String,
    /// Session that this one is a fork of.
    pub(super) fork: String,
    /// Last change in milliseconds since 1970.
    pub(super) changed_ms: i64,
    /// First message that a revert hides; empty when none is.
    pub(super) hidden_from: String,
    /// Only parts of that message are hidden.
    pub(super) hides_part: bool,
}

impl Session {
    /// Session of the JSON era, or of an export.
    pub(super) fn of_json(info: Json<'_, '_>) -> Self {
        let text = |key: &str| info.str_at(key).unwrap_or_default().to_owned();
        let mut session = Self {
            id: text("id"),
            parent: text("parentID"),
            directory: text("directory"),
            version: text("version"),
            workspace: workspace(info.str_at("workspaceID"), info.str_at("projectID")),
            changed_ms: info.path(&["time", "updated"]).and_then(Json::as_i64).unwrap_or(0),
            ..Self::default()
        };
        if let Some(revert) = info.get("revert") {
            session.hide(revert);
        }
        session
    }

    /// Takes in what a revert hides.
    pub(super) fn hide(&mut self, revert: Json<'_, '_>) {
        self.hidden_from = revert.str_at("messageID").unwrap_or_default().to_owned();
        self.hides_part = revert.str_at("partID").is_some();
    }

    /// True when a revert hides the message.
    pub(super) fn hides(&self, message: &str) -> bool {
        match message.cmp(&self.hidden_from) {
            _ if self.hidden_from.is_empty() => false,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => !self.hides_part,
            std::cmp::Ordering::Greater => true,
        }
    }
}

/// The workspace, else the project: the first commit of its repository. `global` is no project.
pub(super) fn workspace(workspace: Option<&str>, project: Option<&str>) -> String {
    workspace.or(project.filter(|id| *id != "global")).unwrap_or_default().to_owned()
}

/// Who speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Role {
    User,
    Assistant,
    #[default]
    Other,
}

/// Tokens as OpenCode counts them: five disjoint parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    input: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    read: Option<i64>,
    write: Option<i64>,
}

impl Tokens {
    /// Nothing when all are zero: the step was aborted, or its provider does not tell. No count is below zero.
    pub(super) fn of(tokens: Option<Json<'_, '_>>) -> Self {
        let at = |path: &[&str]| tokens?.path(path)?.as_i64().map(|n| n.max(0));
        let found = Self {
            input: at(&["input"]),
            output: at(&["output"]),
            reasoning: at(&["reasoning"]),
            read: at(&["cache", "read"]),
            write: at(&["cache", "write"]),
        };
        let parts = [found.input, found.output, found.reasoning, found.read, found.write];
        if parts.iter().flatten().all(|n| *n == 0) { Self::default() } else { found }
    }

    fn plus(self, other: Self) -> Self {
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Self {
            input: sum(self.input, other.input),
            output: sum(self.output, other.output),
            reasoning: sum(self.reasoning, other.reasoning),
            read: sum(self.read, other.read),
            write: sum(self.write, other.write),
        }
    }

    /// The usage: reasoning stands beside the output.
    pub(super) fn usage(self) -> TokenUsage {
        TokenUsage::disjoint(self.input, self.read, self.write, self.output).thoughts_beside(self.reasoning)
    }

    fn is_known(self) -> bool {
        self != Self::default()
    }
}

/// A message without its parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) session_id: String,
    pub(super) role: Role,
    pub(super) created_ms: Option<i64>,
    pub(super) completed_ms: Option<i64>,
    /// When its record changed last, if a database says so.
    pub(super) changed_ms: i64,
    pub(super) turn: Option<i32>,
    pub(super) parent: String,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) agent: String,
    pub(super) cwd: String,
    pub(super) finish: String,
    pub(super) error: Option<(String, String)>,
    pub(super) tokens: Tokens,
    pub(super) cost: Option<i64>,
    pub(super) extra: Extra,
}

/// Fields of a message that have a column, or a place of their own in `extra`.
const USED: &[&str] = &[
    "id",
    "sessionID",
    "role",
    "time",
    "parentID",
    "modelID",
    "providerID",
    "agent",
    "mode",
    "path",
    "cost",
    "tokens",
    "finish",
    "error",
    "model",
    "summary",
    "metadata",
    "parts",
];

impl Message {
    /// Takes in what `info` says; ids that a database keeps in columns are set before.
    pub(super) fn read(&mut self, info: Json<'_, '_>) {
        // Until summer 2025 all but id and role stood in `metadata`, much of it in `metadata.assistant`.
        let metadata = info.get("metadata");
        let assistant = metadata.and_then(|m| m.get("assistant"));
        let inner = |key: &str| assistant.and_then(|a| a.get(key)).or_else(|| metadata.and_then(|m| m.get(key)));
        let at = |key: &str| info.get(key).or_else(|| inner(key));
        let text = |key: &str| at(key).and_then(Json::as_filled_str).unwrap_or_default().to_owned();
        if self.id.is_empty() {
            self.id = text("id");
        }
        if self.session_id.is_empty() {
            self.session_id = text("sessionID");
        }
        self.role = match info.str_at("role") {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => Role::Other,
        };
        let time = |key: &str| at("time").and_then(|time| time.i64_at(key));
        self.created_ms = time("created").or(self.created_ms);
        self.completed_ms = time("completed");
        let model = at("model");
        let of_model = |key: &str| model.and_then(|m| m.str_at(key)).unwrap_or_default().to_owned();
        self.parent = text("parentID");
        self.provider = Some(text("providerID")).filter(|t| !t.is_empty()).unwrap_or_else(|| of_model("providerID"));
        self.model = Some(text("modelID")).filter(|t| !t.is_empty()).unwrap_or_else(|| of_model("modelID"));
        self.agent = Some(text("agent")).filter(|t| !t.is_empty()).unwrap_or_else(|| text("mode"));
        self.cwd = at("path").and_then(|path| path.str_at("cwd")).unwrap_or_default().to_owned();
        self.finish = text("finish");
        self.error = at("error").filter(|e| e.is_object()).map(|error| {
            let message = error.path(&["data", "message"]).or_else(|| error.get("message")).and_then(Json::as_str);
            (error.str_at("name").unwrap_or("error").to_owned(), message.unwrap_or_default().to_owned())
        });
        self.tokens = Tokens::of(at("tokens"));
        self.cost = at("cost").and_then(Json::as_f64).and_then(nano);
        self.fill_extra(info, metadata, at("path"));
    }

    fn fill_extra(&mut self, info: Json<'_, '_>, metadata: Option<Json<'_, '_>>, path: Option<Json<'_, '_>>) {
        let extra = self.extra.begin();
        extra.rest(info, USED);
        if let Some(metadata) = metadata {
            extra.rest(metadata, &["assistant", "time", "sessionID", "error"]);
        }
        if let Some(root) = path.and_then(|path| path.str_at("root")).filter(|root| *root != self.cwd) {
            extra.text("root", root);
        }
        if let Some(data) = info.path(&["error", "data"]) {
            extra.with("error", |out| out.push_str(&without_message(data)));
        }
        match info.get("summary") {
            Some(summary) if summary.is_object() => {
                for key in ["title", "body"] {
                    extra.text(&format!("summary_{key}"), summary.str_at(key).unwrap_or_default());
                }
                if let Some(diffs) = summary.get("diffs").filter(|diffs| !diffs.is_empty()) {
                    extra.with("diffs", |out| write_diffs(diffs, out));
                }
            }
            Some(summary) => {
                extra.value("summary", summary);
            }
            None => {}
        }
    }

    /// True when nothing more of it can come.
    pub(super) fn is_finished(&self) -> bool {
        self.role != Role::Assistant || self.completed_ms.is_some() || self.error.is_some()
    }
}

/// Details of an error beside its message.
fn without_message(data: Json<'_, '_>) -> String {
    let mut extra = Extra::default();
    extra.rest(data, &["message", "responseHeaders"]);
    extra.end().unwrap_or("null").to_owned()
}

/// Which files changed; what is in them stands in the tool calls.
fn write_diffs(diffs: Json<'_, '_>, out: &mut String) {
    let mut separator = '[';
    for diff in diffs.items() {
        out.push(separator);
        separator = ',';
        let mut one = Extra::default();
        one.rest(diff, &["before", "after", "patch", "diff"]);
        out.push_str(one.end().unwrap_or("null"));
    }
    out.push_str(if separator == '[' { "[]" } else { "]" });
}

/// How much is known of a message's surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// One part by itself.
    Part,
    /// A message with its parts.
    Files,
    /// A database: its record wins over every other of the same event.
    Store,
}

/// A message in its session, whose rows are being made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) agent: &'static str,
    pub(super) session: &'a Session,
    pub(super) message: &'a Message,
    pub(super) ground: Ground,
    pub(super) provisional: bool,
    pub(super) offset: u64,
    /// Time of records that have none, in milliseconds.
    pub(super) modified_ms: i64,
}

/// The text, unless it is empty.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl<'a> Scene<'a> {
    /// A row with everything that all rows of the message have.
    pub(super) fn row(&self) -> EventRow<'a> {
        let (session, message) = (self.session, self.message);
        let is_child = !session.parent.is_empty();
        EventRow {
            ts_us: unix_us(message.created_ms.unwrap_or(self.modified_ms)),
            ts_inferred: message.created_ms.is_none(),
            provisional: self.provisional,
            agent_version: filled(&session.version),
            provider: filled(&message.provider),
            model: filled(&message.model),
            workspace_id: filled(&session.workspace),
            // The directory a session began in beats its project's worktree, which may be "/".
            cwd: filled(&message.cwd).or(filled(&session.directory)),
            session_id: filled(&message.session_id),
            parent_session_id: filled(&session.parent).or(filled(&session.fork)),
            is_subagent: Some(is_child),
            subagent_type: filled(&message.agent).filter(|_| is_child),
            turn: message.turn,
            message_id: filled(&message.id),
            parent_event_id: filled(&message.parent),
            status: session.hides(&message.id).then_some(Status::Reverted),
            source_offset: self.offset,
            ..EventRow::default()
        }
    }

    /// Completeness of a row whose record changed at `changed_ms`; `own` ranks what is said of one event
    /// within one millisecond, and by places without such times.
    pub(super) fn level(&self, changed_ms: i64, own: i64) -> i64 {
        let own = own.clamp(0, OWN_LEVELS - 1);
        match self.ground {
            Ground::Part => 1 + own.min(3),
            Ground::Files => 8 + own,
            Ground::Store if self.session.hides(&self.message.id) => {
                at_level(changed_ms.max(self.session.changed_ms), OWN_LEVELS - 1)
            }
            Ground::Store => at_level(changed_ms, own),
        }
    }

    /// The identity of the row `kind` of the record called `id`.
    pub(super) fn id(&self, kind: &str, id: &str) -> Option<EventId> {
        Some(EventId::of(self.agent, kind, &[id.as_bytes()]))
    }

    /// Makes the rows of the message itself, once its parts are gathered.
    pub(super) fn close(&self, gathered: &mut Gathered, rows: &mut Rows) {
        match self.message.role {
            Role::User => self.prompt(gathered, rows),
            Role::Assistant => self.answer(gathered, rows),
            Role::Other => {
                let mut extra = self.message.extra.clone();
                rows.event(&EventRow {
                    id: self.id("message", &self.message.id),
                    event_type: EventType::Unknown,
                    text: filled(&gathered.text),
                    completeness: self.level(self.message.changed_ms, 0),
                    extra: extra.end(),
                    ..self.row()
                });
                gathered.rows += 1;
                gathered.unknown = true;
            }
        }
    }

    fn prompt(&self, gathered: &mut Gathered, rows: &mut Rows) {
        // What only holds texts of OpenCode's own is nobody's prompt; those texts are rows already.
        if !gathered.is_prompt {
            return;
        }
        let mut extra = self.message.extra.clone();
        rows.event(&EventRow {
            id: self.id("message", &self.message.id),
            event_type: EventType::UserInteraction,
            role: Some("user"),
            text: filled(&gathered.text),
            completeness: self.level(self.message.changed_ms.max(gathered.changed_ms), own_level(true, &gathered.text)),
            extra: extra.text("agent", &self.message.agent).end(),
            ..self.row()
        });
        gathered.rows += 1;
    }

    fn answer(&self, gathered: &mut Gathered, rows: &mut Rows) {
        let message = self.message;
        let (tokens, source) = gathered.tokens_with(message.tokens);
        let known = tokens.is_known();
        let error = message.error.as_ref();
        let aborted = error.is_some_and(|(name, _)| name == "MessageAbortedError");
        let changed_ms = message.changed_ms.max(gathered.changed_ms);
        let level = self.level(changed_ms, own_level(message.is_finished(), &gathered.text));
        let mut extra = message.extra.clone();
        extra.text("agent", &message.agent).text("snapshot", &gathered.snapshot);
        extra.text("snapshot_after", &gathered.snapshot_after);
        extra.number("steps", i64::try_from(gathered.steps.len()).ok().filter(|n| *n > 1));
        if let Some((name, _)) = error {
            extra.text("error_name", name);
        }
        let row = self.row();
        rows.event(&EventRow {
            id: self.id("message", &message.id),
            event_type: EventType::LlmResponse,
            role: Some("assistant"),
            text: filled(&gathered.text),
            stop_reason: filled(&message.finish).or(filled(&gathered.reason)),
            // The failure is one error: a row of its own.
            status: row.status.or(error.map(|_| if aborted { Status::Interrupted } else { Status::Failed })),
            cost_nano_usd: message.cost.filter(|cost| known || *cost > 0),
            duration_ms: message.completed_ms.zip(message.created_ms).map(|(to, from)| to.saturating_sub(from)),
            completeness: level,
            extra: extra.end(),
            ..tokens.usage().from(source).on(row)
        });
        gathered.rows += 1;
        if let Some((name, text)) = error.filter(|_| !aborted) {
            rows.event(&EventRow {
                id: self.id("error", &message.id),
                event_type: EventType::ErrorEncountered,
                text: filled(text).or(filled(name)),
                is_error: Some(true),
                completeness: level,
                ..row
            });
            gathered.rows += 1;
        }
    }
}

/// Number of ranks within one millisecond.
const OWN_LEVELS: i64 = 1 << 20;

/// A time of change in milliseconds, and a rank within it.
fn at_level(changed_ms: i64, own: i64) -> i64 {
    changed_ms.clamp(0, (1 << 42) - 1) * OWN_LEVELS + own
}

/// Rank of a message among its records of one millisecond, or that say no time of change.
fn own_level(finished: bool, text: &str) -> i64 {
    let half = OWN_LEVELS / 2;
    i64::from(finished) * half + i64::try_from(text.len()).unwrap_or(0).min(half - 2)
}

/// Sum of the steps of one message, when it had several and repeats only the last.
pub(super) fn of_steps(steps: &[Tokens], message: Tokens) -> Option<Tokens> {
    let (last, before) = steps.split_last()?;
    let repeats = !message.is_known() || message == *last;
    (!before.is_empty() && repeats).then(|| steps.iter().fold(Tokens::default(), |sum, step| sum.plus(*step)))
}
