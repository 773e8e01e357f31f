//! Records about the thread itself: `session_meta`, `turn_context`, `compacted`.

use super::ledger::{content_hash, record_hash};
use super::replay::{Mode, Thread};
use super::rollout::{Core, Outcome};
use super::state::{Facts, Stamp};
use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::adapters::time;
use crate::hierarchy::git;
use crate::schema::{EventRow, EventType, Rows};

/// Fields of `session_meta` that become columns of the `session_start` row.
const META_USED: [&str; 11] = [
    "type",
    "id",
    "timestamp",
    "cwd",
    "cli_version",
    "model_provider",
    "base_instructions",
    "instructions",
    "agent_role",
    "git",
    "forked_from_id",
];

impl Core {
    /// Takes a `session_meta` record, or the first line of the first Rust CLI.
    pub(super) fn session_meta(&mut self, meta: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let Some(id) = meta.str_at("id").or_else(|| meta.str_at("session_id")) else {
            return self.unknown("session_meta", meta, stamp, rows);
        };
        let written = meta.str_at("timestamp").and_then(time::rfc3339_us);
        let made_us = time::uuid7_us(id).or(written).unwrap_or(stamp.ts_us);
        if let Some(index) = self.state.thread_index(id) {
            self.known_meta(index);
            return Outcome::Ignored;
        }
        let mut facts = facts_of(meta);
        let first = self.state.threads.is_empty();
        if first {
            // Of a file that begins within the session, turn settings came before its meta record.
            facts.model = self.state.facts.model.take();
            facts.tier = self.state.facts.tier.take();
        }
        let copied = !first && self.is_copied_meta(id, made_us);
        self.state.last_us = self.state.last_us.max(written);
        if first || (!copied && self.state.replay.mode != Mode::Replaying) {
            if !first {
                // Two threads in one file: the later one starts over, counters included.
                self.state.threads.clear();
                self.state.replay = super::replay::Replay::default();
                self.state.owner = 0;
                self.state.start_over();
            }
            self.own_meta(meta, id, made_us, stamp, &facts);
        } else {
            self.state.threads.push(Thread { id: id.to_owned(), made_us });
            self.state.replay.mode = Mode::Replaying;
            // The copy says whose it is.
            self.state.replay.shares = false;
            self.state.facts = facts;
            self.state.change_owner(self.state.threads.len() - 1);
        }
        self.state.meta_us = written.or(self.state.meta_us);
        self.session_start(meta, written, stamp, rows);
        Outcome::Row
    }

    fn own_meta(&mut self, meta: Json<'_, '_>, id: &str, made_us: i64, stamp: &Stamp, facts: &Facts) {
        self.state.threads.push(Thread { id: id.to_owned(), made_us });
        self.state.scope = None;
        self.state.facts = facts.clone();
        self.state.own_facts = facts.clone();
        self.state.replay.parent = facts.parent.clone();
        self.state.replay.forked = meta.str_at("forked_from_id").is_some();
        self.state.replay.history_start = meta.i64_at("subagent_history_start_ordinal");
        self.state.replay.shares = self.state.replay.forked
            && self.state.replay.history_start.is_none()
            && meta.get("history_base").is_none_or(Json::is_null);
        self.state.replay.own(made_us, stamp);
    }

    /// A meta record of a thread already known: re-appended on resume, or repeated in a copy.
    fn known_meta(&mut self, index: usize) {
        if self.state.replay.is_replaying() && self.state.replay.history_start.is_none() {
            if index == 0 {
                self.state.begin_native();
            } else {
                self.state.change_owner(index);
            }
        }
    }

    fn is_copied_meta(&self, id: &str, made_us: i64) -> bool {
        let own_us = self.state.threads.first().map_or(i64::MAX, |own| own.made_us);
        self.state.replay.mode != Mode::Native && (self.state.replay.parent.as_deref() == Some(id) || made_us <= own_us)
    }

    fn session_start(&mut self, meta: Json<'_, '_>, written: Option<i64>, stamp: &Stamp, rows: &mut Rows) {
        self.extra.begin().rest(meta, &META_USED);
        if let Some(git) = meta.get("git") {
            self.extra.rest(git, &["branch", "commit_hash", "repository_url"]);
        }
        if let Some(forked) = meta.str_at("forked_from_id") {
            self.extra.text("forked_from_id", forked);
        }
        self.extra.end();
        let base = meta.get("base_instructions");
        let text = base.and_then(|b| b.as_filled_str().or_else(|| b.str_at("text")));
        let id = self.state.natural_id(&self.origin, "session", &[]);
        let row = EventRow {
            ts_us: written.unwrap_or(stamp.ts_us),
            ts_inferred: written.is_none(),
            text: text.or_else(|| meta.str_at("instructions")),
            extra: self.extra.get(),
            ..self.row(stamp, EventType::SessionStart, id)
        };
        self.emit(rows, row);
    }

    /// Takes the settings of a turn; a row only when they differ from the last ones.
    pub(super) fn turn_context(&mut self, context: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const OWN: [&str; 3] = ["turn_id", "user_instructions", "developer_instructions"];
        let context = context.get("turn_context").filter(|c| c.is_object()).unwrap_or(context);
        self.state.mark_turn(context.str_at("turn_id"), None);
        self.apply_settings(context);
        let instructions = content_hash(
            "instructions",
            &[
                context.str_at("user_instructions").unwrap_or_default(),
                context.str_at("developer_instructions").unwrap_or_default(),
            ],
        );
        let repeated = std::mem::replace(&mut self.state.instructions_hash, instructions) == instructions;
        self.extra.begin().rest(context, &OWN);
        self.content.begin().fields(context, |key| !OWN.contains(&key));
        let content = record_hash("turn_context", &self.content);
        if std::mem::replace(&mut self.state.context_hash, content) == content && repeated {
            return Outcome::Ignored;
        }
        for key in ["user_instructions", "developer_instructions"] {
            if let Some(text) = context.str_at(key).filter(|_| !repeated) {
                self.extra.text(key, text);
            }
        }
        self.extra.end();
        let Some(id) = self.note_id("turn_context", context, &["turn_id"]) else { return Outcome::Row };
        let row = EventRow {
            model: self.state.facts.model.as_deref(),
            extra: self.extra.get(),
            ..self.row(stamp, EventType::System, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    /// Takes model, folder and tier out of a settings object.
    pub(super) fn apply_settings(&mut self, settings: Json<'_, '_>) {
        let facts = &mut self.state.facts;
        let take = |slot: &mut Option<String>, key: &str| {
            if let Some(text) = settings.str_at(key).filter(|text| slot.as_deref() != Some(*text)) {
                *slot = Some(text.to_owned());
            }
        };
        take(&mut facts.model, "model");
        take(&mut facts.cwd, "cwd");
        take(&mut facts.tier, "service_tier");
        take(&mut facts.provider, "model_provider");
        take(&mut facts.provider, "model_provider_id");
    }

    /// A compaction; the history it repeats is not stored again.
    pub(super) fn compacted(&mut self, payload: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.compactions = self.state.compactions.saturating_add(1);
        // The compaction's own call, where no line of its own has told of it.
        if let Some(record) = payload.get("latest_token_usage_record").filter(|r| r.str_at("response_id").is_some()) {
            self.usage_record(record, stamp, rows);
        }
        self.extra.begin().rest(payload, &["type", "message", "replacement_history"]);
        if let Some(history) = payload.get("replacement_history") {
            let items = i64::try_from(history.len()).unwrap_or(i64::MAX);
            self.extra.number("replacement_items", items);
        }
        self.extra.end();
        let text = payload.str_at("message");
        if let Some(id) = self.note_id("compacted", payload, &["replacement_history"]) {
            let row = EventRow { text, extra: self.extra.get(), ..self.row(stamp, EventType::Compaction, id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }
}

/// Columns out of a meta record.
fn facts_of(meta: Json<'_, '_>) -> Facts {
    let text = |key: &str| meta.str_at(key).map(str::to_owned);
    let git = |key: &str| meta.path(&["git", key]).and_then(Json::as_filled_str);
    let spawn = meta.path(&["source", "subagent", "thread_spawn"]);
    let spawned = |key: &str| spawn.and_then(|s| s.str_at(key)).map(str::to_owned);
    let repo_url = git("repository_url").and_then(git::https);
    let subagent = meta.path(&["source", "subagent"]);
    let kind =
        subagent.map(|s| s.as_filled_str().or_else(|| s.str_at("other")).map_or_else(|| first_key(s), str::to_owned));
    Facts {
        cwd: text("cwd"),
        branch: git("branch").map(str::to_owned),
        commit: git("commit_hash").map(str::to_owned),
        project: repo_url.as_deref().and_then(owner_and_name),
        repo_url,
        version: text("cli_version"),
        provider: text("model_provider"),
        model: None,
        tier: None,
        parent: text("forked_from_id").or_else(|| text("parent_thread_id")).or_else(|| spawned("parent_thread_id")),
        is_subagent: subagent.is_some() || meta.str_at("thread_source") == Some("subagent"),
        subagent: text("agent_role")
            .or_else(|| spawned("agent_role"))
            .or_else(|| text("agent_nickname"))
            .or_else(|| spawned("agent_nickname"))
            .or(kind),
    }
}

fn first_key(object: Json<'_, '_>) -> String {
    let mut out = String::new();
    match object.entries().next() {
        Some((key, _)) => out.push_str(key),
        None => write_content(object, &mut out),
    }
    out
}

fn owner_and_name(url: &str) -> Option<String> {
    let mut parts = url.strip_prefix("https://")?.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    (parts.next().is_some() && !name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}
