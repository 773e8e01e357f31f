//! The array of `ui_messages.json`, and what the small files of a task say of it.

use std::collections::HashMap;

use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::{SourceInfo, time};
use crate::schema::{EventId, Format};

/// One message of `ui_messages.json`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'t, 'i> {
    pub(super) ts_ms: i64,
    pub(super) is_ask: bool,
    /// Value of `ask` or `say`.
    pub(super) kind: &'i str,
    pub(super) text: &'i str,
    pub(super) partial: bool,
    /// Number among the messages of this time and kind.
    pub(super) ordinal: u32,
    pub(super) json: Json<'t, 'i>,
}

impl<'i> Message<'_, 'i> {
    /// Id of the tool call that this message is; unique within its task.
    pub(super) fn call_id(&self) -> String {
        match self.ordinal {
            0 => format!("{}-{}", self.kind, self.ts_ms),
            n => format!("{}-{}-{n}", self.kind, self.ts_ms),
        }
    }

    /// True for what its user wrote; the first message of all is the task.
    pub(super) fn is_prompt(&self, is_first: bool) -> bool {
        let is_task = is_first && !self.is_ask && matches!(self.kind, "text" | "task");
        is_task || matches!(self.kind, "user_feedback" | "user")
    }

    /// True when there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && ["images", "files"].iter().all(|key| self.json.get(key).is_none_or(Json::is_empty))
    }

    /// True for a question, whose answer may be among the options it gave.
    pub(super) fn is_question(&self) -> bool {
        matches!(
            self.kind,
            "followup"
                | "plan_mode_respond"
                | "act_mode_respond"
                | "new_task"
                | "condense"
                | "summarize_task"
                | "report_bug"
        )
    }

    /// Model and provider that it names itself.
    pub(super) fn model(&self) -> (Option<&'i str>, Option<&'i str>) {
        model_of(self.json)
    }

    /// Larger for the more complete of two versions.
    pub(super) fn completeness(&self) -> i64 {
        let done = if self.partial { 0 } else { 1 << 40 };
        let ended = i64::from(self.json.get("commandCompleted").and_then(Json::as_bool) == Some(true));
        done + (ended << 39) + i64::try_from(self.text.len()).unwrap_or(0)
    }
}

/// Model and provider that a message names.
pub(super) fn model_of<'i>(message: Json<'_, 'i>) -> (Option<&'i str>, Option<&'i str>) {
    let info = message.get("modelInfo");
    let text = |key: &str| info.and_then(|i| i.str_at(key));
    (text("modelId"), text("providerId"))
}

/// The messages of the array, in its order.
pub(super) fn messages<'t, 'i>(array: Json<'t, 'i>) -> Vec<Message<'t, 'i>> {
    let mut seen: HashMap<(i64, &str), u32> = HashMap::new();
    let objects = array.items().filter(|m| m.is_object());
    objects
        .map(|json| {
            let ask = json.get("ask").and_then(Json::as_str).filter(|_| json.str_at("type") != Some("say"));
            // Some exporters write chat messages instead.
            let kind = ask.or_else(|| json.str_at("say")).or_else(|| json.str_at("role")).unwrap_or_default();
            let ts_ms = json.i64_at("ts").or_else(|| json.i64_at("timestamp")).unwrap_or_default();
            let text = json.get("text").or_else(|| json.get("content")).and_then(Json::as_str).unwrap_or_default();
            let ordinal = seen.entry((ts_ms, kind)).and_modify(|n| *n += 1).or_insert(0);
            let partial = json.get("partial").and_then(Json::as_bool) == Some(true);
            Message { ts_ms, is_ask: ask.is_some(), kind, text, partial, ordinal: *ordinal, json }
        })
        .collect()
}

/// What is known of a task beside its messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Task {
    pub(super) agent: &'static str,
    /// Name of the folder; empty when that is no task's.
    folder: String,
    pub(super) cwd: Option<String>,
    pub(super) model: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) ulid: Option<String>,
    pub(super) mode: Option<String>,
    /// Since when which model of which provider answered.
    models: Vec<(i64, String, String)>,
    /// Since when which version ran.
    versions: Vec<(i64, String)>,
    pub(super) modified_us: i64,
}

impl Task {
    /// Reads path and companions.
    pub(super) fn new(format: Format, info: SourceInfo<'_>) -> Self {
        let mut task = Self {
            agent: format.agent(),
            folder: folder_of(info.path).unwrap_or_default().to_owned(),
            modified_us: info.modified_us,
            ..Self::default()
        };
        for (name, read) in
            [("taskHistory.json", Self::history as fn(&mut Self, Json<'_, '_>)), ("history_item.json", Self::item)]
        {
            task.read(info.companion(name), read);
        }
        task.read(info.companion("task_metadata.json"), Self::metadata);
        // What the model saw names the folder where the task's own files do not.
        task.cwd = task.cwd.or_else(|| folder_in_json(info.companion("api_conversation_history.json")?));
        task
    }

    fn read(&mut self, text: Option<&str>, read: fn(&mut Self, Json<'_, '_>)) {
        // A companion that is torn or too long says nothing.
        Parser::default().each(text.unwrap_or_default().as_bytes(), |json| read(self, json)).unwrap_or_default();
    }

    fn history(&mut self, items: Json<'_, '_>) {
        let own = items.items().find(|item| item.str_at("id") == Some(&*self.folder));
        if let Some(own) = own {
            self.item(own);
        }
    }

    fn item(&mut self, item: Json<'_, '_>) {
        let text = |keys: &[&str]| keys.iter().find_map(|key| item.str_at(key)).map(str::to_owned);
        self.cwd = text(&["cwdOnTaskInitialization", "workspace", "shadowGitConfigWorkTree"]);
        self.model = text(&["modelId"]);
        self.parent = text(&["parentTaskId"]);
        self.ulid = text(&["ulid"]);
        self.mode = text(&["mode"]);
    }

    fn metadata(&mut self, metadata: Json<'_, '_>) {
        for used in metadata.get("model_usage").into_iter().flat_map(Json::items) {
            if let Some(model) = used.str_at("model_id") {
                let provider = used.str_at("model_provider_id").unwrap_or_default();
                self.models.push((used.i64_at("ts").unwrap_or(0), model.to_owned(), provider.to_owned()));
            }
        }
        for ran in metadata.get("environment_history").into_iter().flat_map(Json::items) {
            if let Some(version) = ran.str_at("cline_version") {
                self.versions.push((ran.i64_at("ts").unwrap_or(0), version.to_owned()));
            }
        }
        self.models.sort_by_key(|m| m.0);
        self.versions.sort_by_key(|v| v.0);
    }

    /// Model and provider at that time; of a time before the first, the first.
    pub(super) fn model_at(&self, ts_ms: i64) -> Option<(&str, &str)> {
        let after = self.models.partition_point(|m| m.0 <= ts_ms);
        self.models.get(after.saturating_sub(1)).map(|(_, model, provider)| (&**model, &**provider))
    }

    pub(super) fn version_at(&self, ts_ms: i64) -> Option<&str> {
        let after = self.versions.partition_point(|v| v.0 <= ts_ms);
        self.versions.get(after.saturating_sub(1)).map(|(_, version)| &**version)
    }

    /// Id of the task; where the folder does not name it, the time of its first message does.
    pub(super) fn id(&self, first_ms: Option<i64>) -> String {
        if self.folder.is_empty() { first_ms.unwrap_or_default().to_string() } else { self.folder.clone() }
    }

    /// When the task was made, as its id says.
    pub(super) fn made_us(&self) -> Option<i64> {
        let digits = self.folder.parse().ok().filter(|ms: &i64| *ms > 1_000_000_000_000).map(time::unix_us);
        digits.or_else(|| time::uuid7_us(&self.folder))
    }

    /// Id of what belongs to a message.
    pub(super) fn event_id(&self, task: &str, kind: &str, message: &Message<'_, '_>) -> EventId {
        let parts: [&[u8]; 4] =
            [task.as_bytes(), &message.ts_ms.to_le_bytes(), message.kind.as_bytes(), &message.ordinal.to_le_bytes()];
        EventId::of(self.agent, kind, &parts)
    }

    /// Id of the answer to a tool call: the same out of both stores.
    pub(super) fn result_id(&self, task: &str, call_id: &str) -> EventId {
        EventId::of(self.agent, "result", &[task.as_bytes(), call_id.as_bytes()])
    }
}

/// The task that a path names: the folder of its file, if that lies in `tasks` or is named by a time or a UUID.
fn folder_of(path: &str) -> Option<&str> {
    let mut parts = path.rsplit(['/', '\\']).skip(1);
    let folder = parts.next().filter(|f| !f.is_empty())?;
    let is_time = folder.len() >= 12 && folder.bytes().all(|b| b.is_ascii_digit());
    let is_uuid = folder.len() == 36 && folder.bytes().filter(|b| *b == b'-').count() == 4;
    (parts.next() == Some("tasks") || is_time || is_uuid).then_some(folder)
}

/// What stands before the working folder in the surroundings.
const FOLDER_HEADS: [&str; 2] = ["# Current Working Directory (", "# Current Workspace Directory ("];

/// The working folder that the surroundings in a request name.
pub(super) fn folder_in(environment: &str) -> Option<&str> {
    FOLDER_HEADS.iter().find_map(|head| between(environment, head, ") Files"))
}

/// The working folder that the surroundings in a JSON text name; the text is not parsed.
pub(super) fn folder_in_json(json: &str) -> Option<String> {
    let escaped = FOLDER_HEADS.iter().find_map(|head| Some(json.split_once(head)?.1.split_once(") Files")?.0))?;
    let folder: String = serde_json::from_str(&format!("\"{escaped}\"")).ok()?;
    (!folder.contains('\n')).then_some(folder)
}

/// The model that the surroundings in a request name.
pub(super) fn model_in(environment: &str) -> Option<&str> {
    between(environment, "<model>", "</model>")
}

/// What stands between two texts on one line.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside).filter(|inside| !inside.contains('\n'))
}
