//! The two lists of a turn's tool calls, and which call of one is which of the other.

use super::{ids, session, text, uri};
use crate::adapters::json::Json;

/// A tool's name without what differs between the two lists: prefixes, case, separators, and where the
/// editor has another word for the model's tool.
pub(super) fn canonical(name: &str) -> String {
    let bare = name.strip_prefix("copilot_").or_else(|| name.strip_prefix("vscode_")).unwrap_or(name);
    let letters: String = bare.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let same = match letters.as_str() {
        "findtextinfiles" => "grepsearch",
        "findfiles" => "filesearch",
        "replacestring" => "replacestringinfile",
        "multireplacestring" => "multireplacestringinfile",
        "insertedit" | "editfileinternal" => "inserteditintofile",
        "searchcodebase" => "semanticsearch",
        "listdirectory" => "listdir",
        "editnotebook" => "editnotebookfile",
        _ => return letters,
    };
    same.to_owned()
}

/// A call as the response shows it.
pub(super) struct Shown<'i> {
    pub(super) part: Json<'i, 'i>,
    /// Id of the call: the provider's since 2026, a UUID before.
    pub(super) id: &'i str,
    /// Its place among the calls of this id, and among all.
    pub(super) nth: usize,
    pub(super) index: usize,
    pub(super) tool_id: &'i str,
    pub(super) inner: bool,
    /// The editor's own call by which this one wrote.
    pub(super) half: Option<Json<'i, 'i>>,
    /// It is the half of another call.
    is_half: bool,
}

/// The editor's own tool, through which the model's `insert_edit_into_file` writes: its call is shown
/// after the model's, and is the same write.
const INNER_EDIT: &str = "vscode_editFile_internal";

impl<'i> Shown<'i> {
    /// The calls among a response's parts, which are all calls.
    pub(super) fn list(parts: impl Iterator<Item = Json<'i, 'i>>) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        for part in parts {
            let inner = part.get("fromSubAgent").and_then(Json::as_bool) == Some(true)
                || part.str_at("subAgentInvocationId").is_some();
            let id = part.str_at("toolCallId").map(ids::bare_call).unwrap_or_default();
            let nth = list.iter().filter(|known| known.id == id && !known.is_half).count();
            let tool_id = part.str_at("toolId").unwrap_or_default();
            let whole = list.iter_mut().find(|known| tool_id == INNER_EDIT && known.waits_for_half());
            let is_half = whole.is_some();
            whole.into_iter().for_each(|whole| whole.half = Some(part));
            list.push(Self { part, id, nth, index: list.len(), tool_id, inner, half: None, is_half });
        }
        list
    }

    fn waits_for_half(&self) -> bool {
        self.half.is_none() && self.tool_id != INNER_EDIT && canonical(self.tool_id) == "inserteditintofile"
    }

    /// True for a call that the editor made for another one, which it is a part of.
    pub(super) fn is_half(&self) -> bool {
        self.is_half
    }

    /// True when its id is the editor's own, a UUID, and the rounds will have the provider's.
    pub(super) fn is_named_by_editor(&self) -> bool {
        let dashes = self.id.match_indices('-').map(|(at, _)| at);
        !self.inner && self.id.len() == 36 && dashes.eq([8, 13, 18, 23])
    }

    /// The file that its messages link to, if they link to one only.
    pub(super) fn file(&self) -> Option<String> {
        let linked = |part: Json<'_, '_>, key: &str| {
            let mut uris = part.path(&[key, "uris"])?.entries();
            let (uri, _) = uris.next()?;
            uris.next().is_none().then(|| uri::locate(uri)).flatten()
        };
        let of = |part| linked(part, "invocationMessage").or_else(|| linked(part, "pastTenseMessage"));
        of(self.part).or_else(|| self.half.and_then(of)).map(|l| l.path)
    }
}

/// A call as the model made it.
pub(super) struct RoundCall<'i> {
    pub(super) id: &'i str,
    pub(super) nth: usize,
    pub(super) index: usize,
    pub(super) name: &'i str,
    pub(super) arguments: Option<Json<'i, 'i>>,
    pub(super) result: Option<Json<'i, 'i>>,
    pub(super) ts_us: Option<i64>,
    pub(super) round_id: Option<&'i str>,
    /// The name as both lists would have it.
    canonical: String,
    taken: bool,
}

impl RoundCall<'_> {
    /// The only file the call can work on, as its arguments say.
    pub(super) fn file(&self) -> Option<String> {
        let arguments = self.arguments?;
        let text = arguments.as_str()?;
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        ["filePath", "path", "file_path"].iter().find_map(|key| value.get(key)?.as_str()).map(uri::located)
    }
}

/// The rounds of a turn.
#[derive(Default)]
pub(super) struct Rounds<'i> {
    calls: Vec<RoundCall<'i>>,
    /// Of each shown call, its partner in `calls`.
    partners: Vec<Option<usize>>,
    rounds: Option<Json<'i, 'i>>,
}

impl<'i> Rounds<'i> {
    pub(super) fn new(metadata: Option<Json<'i, 'i>>) -> Self {
        let Some(rounds) = metadata.and_then(|m| m.get("toolCallRounds")) else { return Self::default() };
        let results: Vec<(&str, Json<'i, 'i>)> =
            metadata.and_then(|m| m.get("toolCallResults")).into_iter().flat_map(Json::entries).collect();
        let mut calls: Vec<RoundCall<'i>> = Vec::new();
        for round in rounds.items() {
            let ts_us = round.get("timestamp").and_then(session::when);
            for call in round.get("toolCalls").into_iter().flat_map(Json::items) {
                let id = call.str_at("id").unwrap_or_default();
                let result = results.iter().find(|(key, _)| *key == id).map(|(_, value)| *value);
                let name = call.str_at("name").unwrap_or_default();
                let bare = ids::bare_call(id);
                calls.push(RoundCall {
                    id: bare,
                    nth: calls.iter().filter(|known| known.id == bare).count(),
                    index: calls.len(),
                    name,
                    canonical: canonical(name),
                    arguments: call.get("arguments"),
                    result,
                    ts_us,
                    round_id: round.str_at("id"),
                    taken: false,
                });
            }
        }
        Self { calls, partners: Vec::new(), rounds: Some(rounds) }
    }

    /// Finds each shown call's partner.
    pub(super) fn pair(&mut self, shown: &[Shown<'_>]) {
        self.partners = vec![None; shown.len()];
        for (at, call) in shown.iter().enumerate().filter(|(_, c)| !c.id.is_empty() && !c.is_half) {
            self.take(at, |known| known.id == call.id && known.nth == call.nth, 0);
        }
        let mut from = 0;
        for (at, call) in shown.iter().enumerate().filter(|(_, c)| !c.inner && !c.is_half) {
            if self.partners[at].is_none() {
                let name = canonical(call.tool_id);
                self.take(at, |known| known.canonical == name, from);
            }
            from = self.partners[at].map_or(from, |found| found + 1);
        }
    }

    fn take(&mut self, at: usize, fits: impl Fn(&RoundCall<'_>) -> bool, from: usize) {
        let found = (from..self.calls.len()).find(|i| !self.calls[*i].taken && fits(&self.calls[*i]));
        if let Some(found) = found {
            self.calls[found].taken = true;
            self.partners[at] = Some(found);
        }
    }

    pub(super) fn partner(&self, shown: usize) -> Option<&RoundCall<'i>> {
        self.calls.get(self.partners.get(shown).copied().flatten()?)
    }

    /// Calls that were not shown.
    pub(super) fn alone(&self) -> impl Iterator<Item = &RoundCall<'i>> {
        self.calls.iter().filter(|call| !call.taken)
    }

    /// Thoughts of the rounds.
    pub(super) fn thoughts(&self) -> impl Iterator<Item = String> {
        let rounds = self.rounds.into_iter().flat_map(Json::items);
        rounds.filter_map(|r| r.path(&["thinking", "text"])).map(text::thought)
    }

    /// What the model said in all rounds.
    pub(super) fn words(&self) -> String {
        let rounds = self.rounds.into_iter().flat_map(Json::items);
        let said: Vec<&str> = rounds.filter_map(|r| r.str_at("response")).map(str::trim).collect();
        said.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}
