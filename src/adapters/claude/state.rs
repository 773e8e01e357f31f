//! What a transcript's decoder remembers between lines, and how it is written into a checkpoint.
//!
//! - bounded: 512 open tool calls, one value per re-appended record type, one open call per chain
//! - no conversation text is in a checkpoint, but of a call that was settled by silence without a
//!   stop reason: its remaining lines may still come

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::call::{Calls, OpenCall};
use super::record::Record;
use crate::adapters::SourceInfo;
use crate::schema::{Checkpoint, EventId, hash64};

/// Tool calls without a result that are remembered.
const MAX_TOOLS: usize = 512;

/// What is known of the file from outside its records.
#[derive(Debug, Default, Clone)]
pub(super) struct Source {
    /// Session from the path: the file's stem, or the folder above `subagents`.
    pub(super) session: Option<String>,
    /// True for `agent-*.jsonl`.
    pub(super) agent_file: bool,
    /// Agent's type from its `meta.json`.
    pub(super) agent_type: Option<String>,
    /// Last change of the file, the time of records of a file that has none.
    pub(super) modified_us: i64,
    /// The session that this one branched off, once a record has told it.
    branch_of: OnceLock<String>,
}

impl Source {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let mut names = info.path.rsplit(['/', '\\']);
        let file = names.next().unwrap_or_default();
        let stem = file.strip_suffix(".jsonl").unwrap_or(file);
        let agent_file = stem.starts_with("agent-");
        let above = names.skip_while(|n| *n != "subagents").nth(1);
        let own = (looks_like_uuid(stem)).then_some(stem);
        let agent_type = info.companions.first().and_then(|companion| {
            let meta: serde_json::Value = serde_json::from_str(companion.text).ok()?;
            meta.get("agentType")?.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
        });
        let session = above.or(own).map(str::to_owned);
        Self { session, agent_file, agent_type, modified_us: info.modified_us, branch_of: OnceLock::new() }
    }

    /// The session that this one branched off.
    pub(super) fn branch_of(&self) -> Option<&str> {
        self.branch_of.get().map(String::as_str)
    }

    /// Takes note of where a record was copied from.
    pub(super) fn note_copy(&self, rec: &Record<'_, '_>) {
        let other = rec.copied_from.filter(|from| !self.agent_file && rec.session.is_some_and(|own| own != *from));
        if let Some(from) = other {
            self.branch_of.get_or_init(|| from.to_owned());
        }
    }

    /// The same, as a checkpoint remembers it.
    pub(super) fn restore_branch(&self, from: Option<String>) {
        if let Some(from) = from {
            self.branch_of.get_or_init(|| from);
        }
    }
}

fn looks_like_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// A tool call whose result has not been seen.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenTool {
    #[serde(rename = "i")]
    pub(super) id: String,
    #[serde(rename = "n")]
    pub(super) name: String,
    #[serde(rename = "p", default, skip_serializing_if = "String::is_empty")]
    pub(super) path: String,
    #[serde(rename = "c", default, skip_serializing_if = "String::is_empty")]
    pub(super) command: String,
}

/// Last value of a record type that is appended again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LastValue {
    kind: String,
    /// Session and value, hashed.
    hash: u64,
    /// How often it changed.
    changes: u64,
}

/// The decoder's memory.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Prompts so far.
    pub(super) turn: i32,
    /// Lines so far.
    pub(super) lines: u64,
    /// Last time seen.
    pub(super) last_us: Option<i64>,
    /// End of the last line.
    pub(super) end: u64,
    /// Oldest first.
    tools: Vec<OpenTool>,
    spare: Vec<OpenTool>,
    values: Vec<LastValue>,
    /// Prompts that may come again as another record, hashed, newest last.
    prompts: Vec<u64>,
}

/// Prompts remembered to tell a queued one from its delivery.
const MAX_PROMPTS: usize = 16;

impl State {
    /// The remembered call with this id.
    pub(super) fn tool(&self, id: &str) -> Option<&OpenTool> {
        self.tools.iter().rev().find(|t| t.id == id)
    }

    /// Remembers a tool call; the oldest one is forgotten when there are too many.
    pub(super) fn open_tool(&mut self, id: &str, name: &str, path: Option<&str>, command: Option<&str>) {
        self.close_tool(id);
        if self.tools.len() >= MAX_TOOLS {
            let oldest = self.tools.remove(0);
            self.spare.push(oldest);
        }
        let mut tool = self.spare.pop().unwrap_or_default();
        for (slot, text) in [
            (&mut tool.id, id),
            (&mut tool.name, name),
            (&mut tool.path, path.unwrap_or_default()),
            (&mut tool.command, command.unwrap_or_default()),
        ] {
            slot.clear();
            slot.push_str(text);
        }
        self.tools.push(tool);
    }

    /// Forgets a tool call.
    pub(super) fn close_tool(&mut self, id: &str) {
        if let Some(at) = self.tools.iter().rposition(|t| t.id == id) {
            let tool = self.tools.remove(at);
            self.spare.push(tool);
        }
    }

    /// Counts a prompt as the next turn, unless it is one that was counted already.
    pub(super) fn count_prompt(&mut self, uuid: Option<&str>) {
        if let Some(uuid) = uuid {
            let hash = hash64(uuid.as_bytes());
            if self.prompts.contains(&hash) {
                return;
            }
            if self.prompts.len() >= MAX_PROMPTS {
                self.prompts.remove(0);
            }
            self.prompts.push(hash);
        }
        self.turn = self.turn.saturating_add(1);
    }

    /// Identity of a re-appended record, or `None` when its value is still the last one.
    pub(super) fn changed_value(&mut self, rec: &Record<'_, '_>, value: &str) -> Option<EventId> {
        let session = rec.session.unwrap_or_default();
        let hash = hash64(session.as_bytes()).rotate_left(1) ^ hash64(value.as_bytes());
        let last = match self.values.iter().position(|v| v.kind == rec.kind) {
            Some(at) => &mut self.values[at],
            None => {
                self.values.push(LastValue { kind: rec.kind.to_owned(), hash: !hash, changes: 0 });
                self.values.last_mut()?
            }
        };
        if last.hash == hash {
            return None;
        }
        last.hash = hash;
        last.changes += 1;
        // The number keeps plan → normal → plan apart; such records are never copied to other files.
        let parts = [session.as_bytes(), rec.kind.as_bytes(), &last.changes.to_le_bytes(), value.as_bytes()];
        Some(EventId::of(AGENT, "value", &parts))
    }
}

/// A checkpoint's text.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    turn: i32,
    lines: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tools: Vec<OpenTool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<LastValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    prompts: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch_of: Option<String>,
    /// Calls to rebuild from the bytes since `resume_at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<OpenCall>,
}

/// Writes the checkpoint of a transcript.
pub(super) fn save(source: &Source, state: &State, calls: &Calls) -> Checkpoint {
    let saved = Saved {
        turn: state.turn,
        lines: state.lines,
        last_us: state.last_us,
        tools: state.tools.clone(),
        values: state.values.clone(),
        prompts: state.prompts.clone(),
        branch_of: source.branch_of().map(str::to_owned),
        open: calls.open(),
    };
    Checkpoint {
        resume_at: calls.first_open().unwrap_or(state.end),
        high_water: state.end,
        open: calls.is_open(),
        // Only maps with keys that are no text can fail, and there are none.
        state: serde_json::to_string(&saved).unwrap_or_default(),
    }
}

/// Reads what [`save`] wrote; `None` when that cannot be read.
pub(super) fn restore(source: &Source, checkpoint: &Checkpoint) -> Option<(State, Calls)> {
    let saved: Saved = serde_json::from_str(&checkpoint.state).ok()?;
    let state = State {
        turn: saved.turn,
        lines: saved.lines,
        last_us: saved.last_us,
        end: checkpoint.high_water,
        tools: saved.tools,
        spare: Vec::new(),
        values: saved.values,
        prompts: saved.prompts,
    };
    source.restore_branch(saved.branch_of);
    Some((state, Calls::restore(saved.open)))
}
