//! `session-state/<id>/events.jsonl` and `session-state/<id>.jsonl`: the decoder and what it remembers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::calls::Call;
use super::usage::Meters;
use super::workspace::Workspace;
use crate::adapters::kit::calls::OpenCalls;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::path::{folder, stem};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, Rows};

/// What is known after the events so far; the checkpoint keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) session: Option<String>,
    pub(super) version: Option<String>,
    pub(super) place: Place,
    pub(super) model: Option<String>,
    pub(super) turn: i32,
    /// Calls of the model so far, and those of the leg under way: more messages may belong to the newest.
    pub(super) calls: i64,
    pub(super) leg: Vec<Call>,
    /// Where they were made.
    pub(super) places: Vec<Place>,
    /// Reasoning that stands with the calls, by model.
    pub(super) spread: BTreeMap<String, i64>,
    /// Tool calls without a result.
    pub(super) open: OpenCalls<OpenTool>,
    /// Names of sub-agents by the call that started them.
    pub(super) agents: BTreeMap<String, String>,
    pub(super) meters: Meters,
    pub(super) title: Option<String>,
    /// Hash of the newest `assistant.reasoning`: the message may repeat it.
    pub(super) thought: u64,
    pub(super) last_us: Option<i64>,
}

/// Where the work happens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    pub(super) cwd: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) commit: Option<String>,
    /// `owner/name`.
    pub(super) repository: Option<String>,
    pub(super) repo_url: Option<String>,
}

/// What a tool's result repeats of its call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OpenTool {
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) command: Option<String>,
    pub(super) runs: bool,
    /// When it began to run.
    pub(super) started_us: Option<i64>,
    /// Fields of `tool.execution_start` that the request did not have.
    pub(super) start: Option<String>,
}

/// A session under way.
#[derive(Debug, Default)]
pub(super) struct Core {
    pub(super) state: State,
    /// Session id as the path has it.
    pub(super) path_session: String,
    pub(super) modified_us: i64,
    pub(super) workspace: Workspace,
}

impl Core {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let own_folder = (stem(info.path) == "events").then(|| folder(info.path, 0)).flatten();
        let workspace = info.companion("workspace.yaml").map(Workspace::of).unwrap_or_default();
        Self {
            state: State::default(),
            path_session: own_folder.unwrap_or_else(|| stem(info.path)).to_owned(),
            modified_us: info.modified_us,
            workspace,
        }
    }

    /// Id of the session.
    pub(super) fn session(&self) -> &str {
        self.state.session.as_deref().unwrap_or(&self.path_session)
    }
}

/// Decodes one event log.
#[derive(Debug)]
pub(super) struct EventsDecoder {
    parser: Parser,
    core: Core,
    read_to: u64,
}

impl EventsDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        // A state that cannot be read starts the file over.
        let kept = checkpoint.and_then(|c| Some((c.high_water, serde_json::from_str(&c.state).ok()?)));
        let (read_to, state) = kept.unwrap_or_default();
        Self { parser: Parser::default(), core: Core { state, ..Core::new(info) }, read_to }
    }
}

impl Decoder for EventsDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        let Self { parser, core, .. } = self;
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(core.event(json, line.offset, rows)));
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.core.state).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.core.state.last_us
    }
}
