//! Tool calls: what was shown of them, what the model asked for and got back.

use std::borrow::Cow;
use std::cell::RefCell;

use super::clean::{extra, rest, write_clean, write_content};
use super::edits::{self, Lines};
use super::groups::Written;
use super::pairs::{RoundCall, Shown, canonical};
use super::request::Turn;
use super::{ids, text, uri};
use crate::adapters::json::{Json, ObjectWriter, write_str};
use crate::adapters::line::Parser;
use crate::schema::{EventRow, EventType, Rows, Status};

/// Event type of a call.
pub(super) fn kind_of(name: &str) -> EventType {
    match canonical(name).as_str() {
        "readfile" | "readnotebookcelloutput" | "getnotebooksummary" | "viewimage" | "getfile" | "view" => {
            EventType::FileRead
        }
        "createfile" | "createnewjupyternotebook" | "writefile" => EventType::FileWrite,
        "replacestringinfile"
        | "multireplacestringinfile"
        | "inserteditintofile"
        | "applypatch"
        | "editnotebookfile"
        | "editfile"
        | "editfiles"
        | "replacestringinfilemulti" => EventType::FileModify,
        "runinterminal" | "runcommandinterminal" | "bash" | "powershell" => EventType::CommandExecution,
        _ => EventType::ToolUse,
    }
}

/// True for tools whose calls the groups of edits after them belong to.
pub(super) fn edits_files(name: &str) -> bool {
    matches!(kind_of(name), EventType::FileWrite | EventType::FileModify)
}

/// What a call's arguments say.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// As JSON.
    pub(super) json: Option<String>,
    pub(super) path: Option<String>,
    /// The path is the first one of a patch or list, which may be for more.
    pub(super) is_first: bool,
    pub(super) command: Option<String>,
    pub(super) lines: Option<Lines>,
}

impl Arguments {
    /// Reads arguments: an object, or JSON in a string.
    pub(super) fn read(value: Option<Json<'_, '_>>, inner: &RefCell<Parser>) -> Self {
        let Some(value) = value.filter(|v| !v.is_blank()) else { return Self::default() };
        match value.as_str() {
            Some(text) => Self::of_text(text, inner),
            None => Self::of(value),
        }
    }

    /// Reads JSON text; what is none stays a text.
    pub(super) fn of_text(text: &str, inner: &RefCell<Parser>) -> Self {
        if text.trim().is_empty() {
            return Self::default();
        }
        let mut found = None;
        let parsed = inner.borrow_mut().each(text.as_bytes(), |json| found = Some(Self::of(json)));
        match (parsed, found) {
            (Ok(seen), Some(found)) if seen.values == 1 => found,
            _ => {
                let mut json = String::new();
                write_str(text, &mut json);
                Self { json: Some(json), ..Self::default() }
            }
        }
    }

    pub(super) fn of(value: Json<'_, '_>) -> Self {
        let mut json = String::new();
        write_content(value, &mut json);
        let named = |object: Json<'_, '_>| {
            let path = ["filePath", "path", "file_path", "notebookPath", "fileUri", "uri"];
            path.iter().find_map(|key| object.get(key)).and_then(uri::path_of)
        };
        let patched = || {
            let patch = value.str_at("input").or_else(|| value.str_at("patch"))?;
            let marks = ["*** Update File: ", "*** Add File: ", "*** Delete File: "];
            patch.lines().find_map(|l| marks.iter().find_map(|m| l.strip_prefix(m))).map(|p| uri::located(p.trim()))
        };
        let replaced = || value.get("replacements").and_then(|l| l.items().next()).and_then(named);
        let own = named(value);
        Self {
            json: Some(json),
            is_first: own.is_none(),
            path: own.or_else(patched).or_else(replaced),
            command: value.str_at("command").map(str::to_owned),
            lines: edits::lines_of_arguments(value),
        }
    }
}

/// What is known of a call, whatever list it is from.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    /// As [`ids::unique_call`] makes it.
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: Arguments,
    pub(super) facts: Option<String>,
    pub(super) subagent: Option<&'a str>,
    pub(super) is_subagent: bool,
    /// What came back, if anything did.
    pub(super) result: Option<Answer>,
}

/// What came back from a call.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) output: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) is_error: Option<bool>,
    pub(super) status: Option<Status<'static>>,
    pub(super) duration_ms: Option<i64>,
    pub(super) lines: Option<Lines>,
    pub(super) facts: Option<String>,
}

impl Call<'_> {
    /// Appends the call's row and its result's; `base` has what is the same for both.
    pub(super) fn rows(&self, base: EventRow<'_>, rows: &mut Rows) {
        let size = ids::length(self.arguments.json.as_deref().unwrap_or_default());
        rows.event(&EventRow {
            id: Some(ids::call("tool", self.id)),
            event_type: kind_of(self.name),
            role: Some("assistant"),
            tool_input: self.arguments.json.as_deref(),
            extra: self.facts.as_deref(),
            completeness: base.completeness + size,
            ..self.common(base)
        });
        self.result_row(base, rows);
    }

    fn common<'r>(&'r self, base: EventRow<'r>) -> EventRow<'r> {
        let is_file = kind_of(self.name).is_file();
        EventRow {
            tool_name: Some(self.name).filter(|n| !n.is_empty()),
            tool_call_id: Some(self.id),
            file_path: self.arguments.path.as_deref().filter(|_| is_file),
            command: self.arguments.command.as_deref(),
            is_subagent: self.is_subagent.then_some(true),
            subagent_type: self.subagent,
            ..base
        }
    }

    /// Appends the result's row only.
    pub(super) fn result_row(&self, base: EventRow<'_>, rows: &mut Rows) {
        let Some(answer) = &self.result else { return };
        let lines = answer.lines.or(self.arguments.lines).filter(|_| edits_files(self.name));
        let lines = lines.filter(|_| answer.is_error != Some(true));
        let size = ids::length(answer.output.as_deref().unwrap_or_default());
        rows.event(&EventRow {
            id: Some(ids::call("result", self.id)),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            tool_output: answer.output.as_deref(),
            exit_code: answer.exit_code,
            is_error: answer.is_error,
            status: answer.status,
            duration_ms: answer.duration_ms,
            lines_added: lines.map(|l| l.added),
            lines_removed: lines.map(|l| l.removed),
            extra: answer.facts.as_deref(),
            completeness: base.completeness + size,
            model: None,
            provider: None,
            ..self.common(base)
        });
    }
}

/// Bonus in completeness of a call whose arguments are known.
const PAIRED: i64 = 1 << 36;

/// Rows of a call that was not shown.
pub(super) fn round_rows(turn: &Turn<'_>, call: &RoundCall<'_>, rows: &mut Rows) {
    let id = match call.id {
        "" => format!("{}/round/{}", turn.name, call.index).into(),
        bare => ids::unique_call(turn.name, bare, call.nth),
    };
    let made = Call {
        id: &id,
        name: call.name,
        arguments: Arguments::read(call.arguments, &turn.session.inner),
        result: call.result.map(|value| Answer {
            output: output_of(value),
            status: Some(Status::Completed),
            ..Answer::default()
        }),
        ..Call::default()
    };
    let base = EventRow {
        message_id: call.round_id,
        ts_us: call.ts_us.unwrap_or(turn.base.ts_us),
        completeness: turn.base.completeness + PAIRED,
        ..turn.base
    };
    made.rows(base, rows);
}

fn output_of(value: Json<'_, '_>) -> Option<String> {
    let mut out = String::new();
    text::result(value, &mut out);
    (!out.is_empty()).then_some(out)
}

/// Rows of a call that was shown.
pub(super) fn shown_rows(
    turn: &Turn<'_>,
    shown: &Shown<'_>,
    partner: Option<&RoundCall<'_>>,
    written: Option<&Written>,
    rows: &mut Rows,
) {
    if partner.is_none() && shown.is_named_by_editor() && turn.waits_for_rounds() {
        return;
    }
    let part = shown.part;
    let data = part.get("toolSpecificData").filter(|d| d.is_object());
    let known = partner.map(|call| Arguments::read(call.arguments, &turn.session.inner));
    let mut arguments = known.unwrap_or_default();
    let guessed = shown_arguments(part, data);
    arguments.json = arguments.json.or(guessed.json);
    let by_group = written.and_then(|w| w.file.clone()).filter(|_| arguments.is_first || arguments.path.is_none());
    arguments.path = by_group.or(arguments.path).or(guessed.path);
    arguments.command = guessed.command.or(arguments.command);
    let name = partner.map_or(shown.tool_id, |call| call.name);
    let id = shown_id(turn, shown, partner);
    let call = Call {
        id: &id,
        name,
        arguments,
        facts: extra(|writer| call_facts(turn, shown, partner, name, writer)),
        subagent: data.and_then(|d| d.str_at("agentName")),
        is_subagent: shown.inner,
        result: answer_of(turn, shown, partner, data, written.and_then(|w| w.lines)),
    };
    let base = EventRow {
        message_id: partner.and_then(|call| call.round_id),
        ts_us: partner.and_then(|call| call.ts_us).unwrap_or(turn.base.ts_us),
        completeness: turn.base.completeness + if partner.is_some() { PAIRED } else { 0 },
        ..turn.base
    };
    call.rows(base, rows);
}

/// Id of a call that was shown. Where there may be a transcript it is the provider's, which both have;
/// before there were any it stays the one that is known before the rounds are.
fn shown_id<'i>(turn: &Turn<'_>, shown: &Shown<'i>, partner: Option<&RoundCall<'i>>) -> Cow<'i, str> {
    let made = partner.filter(|call| turn.has_transcript && !call.id.is_empty());
    match made.map_or((shown.id, shown.nth), |call| (call.id, call.nth)) {
        ("", _) => format!("{}/shown/{}", turn.name, shown.index).into(),
        (bare, nth) => ids::unique_call(turn.name, bare, nth),
    }
}

fn call_facts(
    turn: &Turn<'_>,
    shown: &Shown<'_>,
    partner: Option<&RoundCall<'_>>,
    name: &str,
    writer: &mut ObjectWriter<'_>,
) {
    let part = shown.part;
    if !shown.tool_id.is_empty() && shown.tool_id != name {
        writer.text("tool_id", shown.tool_id);
    }
    if let Some(call) = partner.filter(|call| call.id != shown.id && !call.id.is_empty()) {
        let other = if turn.has_transcript { ("shown_call_id", shown.id) } else { ("provider_call_id", call.id) };
        writer.text(other.0, other.1);
    }
    if let Some(said) = part.get("invocationMessage").and_then(text::markdown).filter(|t| !t.is_empty()) {
        writer.text("invocation", said);
    }
    #[rustfmt::skip]
    let used = [
        "kind", "toolId", "toolCallId", "invocationMessage", "pastTenseMessage", "isComplete", "toolSpecificData",
        "resultDetails", "fromSubAgent", "isConfirmed",
    ];
    rest(part, &used, writer);
    if let Some(half) = shown.half {
        writer.object("inner_call", |writer| rest(half, &["kind", "isComplete"], writer));
    }
    if let Some(confirmed) = part.get("isConfirmed").filter(|c| !c.is_blank()) {
        writer.with("confirmed", |out| write_clean(confirmed, out));
    }
}

/// What the shown part tells of the arguments.
fn shown_arguments(part: Json<'_, '_>, data: Option<Json<'_, '_>>) -> Arguments {
    let command = data.and_then(command_line).map(str::to_owned);
    let linked = |key: &str| {
        let uris = part.path(&[key, "uris"])?;
        uris.entries().next().and_then(|(uri, _)| uri::locate(uri)).map(|l| l.path)
    };
    let mut json = String::new();
    let details = part.path(&["resultDetails", "input"]).filter(|v| !v.is_blank());
    if let Some(raw) = data.and_then(|d| d.get("rawInput")).filter(|v| !v.is_blank()) {
        write_content(raw, &mut json);
    } else if let Some(command) = command.as_deref() {
        let mut writer = ObjectWriter::new(&mut json);
        writer.text("command", command);
        writer.end();
    } else if let Some(input) = details {
        let is_json = input.as_str().is_some_and(|t| serde_json::from_str::<serde::de::IgnoredAny>(t).is_ok());
        match input.as_str().filter(|_| is_json) {
            Some(text) => json.push_str(text),
            None => write_content(input, &mut json),
        }
    } else if let Some(data) = data {
        let mut writer = ObjectWriter::new(&mut json);
        rest(data, &["kind", "result", "terminalCommandOutput", "terminalCommandState"], &mut writer);
        if !writer.end() {
            json.clear();
        }
    }
    Arguments {
        json: (!json.is_empty()).then_some(json),
        path: linked("invocationMessage").or_else(|| linked("pastTenseMessage")),
        command,
        ..Arguments::default()
    }
}

/// The command of a terminal call, in all the shapes it has had: as the user or the tool changed it,
/// else as the model wanted it.
fn command_line<'i>(data: Json<'_, 'i>) -> Option<&'i str> {
    let line = data.get("commandLine");
    let changed = |key: &str| line.and_then(|l| l.str_at(key));
    changed("userEdited")
        .or_else(|| changed("toolEdited"))
        .or_else(|| changed("original"))
        .or_else(|| line.and_then(Json::as_filled_str))
        .or_else(|| data.str_at("command"))
}

fn answer_of(
    turn: &Turn<'_>,
    shown: &Shown<'_>,
    partner: Option<&RoundCall<'_>>,
    data: Option<Json<'_, '_>>,
    lines: Option<Lines>,
) -> Option<Answer> {
    let part = shown.part;
    let details = part.get("resultDetails").filter(|d| !d.is_blank());
    let past = part.get("pastTenseMessage").and_then(text::markdown).filter(|t| !t.is_empty());
    let terminal = data.and_then(|d| d.get("terminalCommandOutput")).and_then(|o| o.str_at("text"));
    let terminal = terminal.map(text::without_escapes);
    let state = data.and_then(|d| d.get("terminalCommandState"));
    let from_round = partner.and_then(|call| call.result).and_then(output_of);
    let from_agent = data.and_then(|d| d.str_at("result")).map(str::to_owned);
    let exit_code = state.and_then(|s| s.i64_at("exitCode")).and_then(|n| i32::try_from(n).ok());
    let is_answered = from_round.is_some() || terminal.is_some() || details.is_some() || from_agent.is_some();
    let is_complete = part.get("isComplete").and_then(Json::as_bool).unwrap_or(true);
    if !is_answered && !is_complete {
        return None;
    }
    let answered = is_answered || past.is_some();
    let confirmed = part.get("isConfirmed");
    let status = match confirmed.and_then(|c| c.i64_at("type")) {
        Some(0) => Status::Denied,
        Some(5) => Status::Skipped,
        _ if confirmed.and_then(Json::as_bool) == Some(false) && !answered => Status::Denied,
        // The editor writes every call as complete, also those that a cancelled turn cut off.
        _ if turn.is_cancelled() && !answered => Status::Cancelled,
        _ => Status::Completed,
    };
    let from_details = details.and_then(detail_text);
    let failed = details.and_then(|d| d.get("isError")).and_then(Json::as_bool).filter(|e| *e);
    let output = from_round.or(from_agent).or_else(|| terminal.clone()).or_else(|| from_details.clone());
    let facts = extra(|writer| {
        past.iter().for_each(|words| writer.text("past_tense", words));
        let used = output.as_deref().unwrap_or_default();
        if let Some(shown) = terminal.as_deref().filter(|t| !t.trim().is_empty() && !used.contains(t.trim())) {
            writer.text("terminal_output", shown);
        }
        if let Some(details) = details.filter(|_| from_details.is_none() || from_details != output) {
            if details.is_object() {
                writer.object("details", |writer| rest(details, &["input", "isError"], writer));
            } else {
                writer.with("details", |out| write_clean(details, out));
            }
        }
    });
    Some(Answer {
        is_error: failed.or(exit_code.filter(|code| *code != 0).map(|_| true)),
        output,
        exit_code,
        status: Some(if failed.is_some() && status == Status::Completed { Status::Failed } else { status }),
        duration_ms: state.and_then(|s| s.i64_at("duration")),
        lines,
        facts,
    })
}

/// Text of result details: a list of files, or what a tool server answered. Images and other data are
/// not text.
fn detail_text(details: Json<'_, '_>) -> Option<String> {
    if details.is_array() {
        let paths: Vec<String> = details.items().filter_map(uri::path_of).collect();
        return (!paths.is_empty()).then(|| paths.join("\n"));
    }
    let output = details.get("output")?;
    if let Some(text) = output.as_filled_str() {
        return Some(text.to_owned());
    }
    let is_text = |item: &Json<'_, '_>| item.get("isText").and_then(Json::as_bool) != Some(false);
    let texts = output.items().filter(is_text).filter_map(|i| i.get("value").and_then(Json::as_str));
    let joined = texts.collect::<Vec<_>>().join("\n");
    (!joined.is_empty() && output.items().all(|i| is_text(&i))).then_some(joined)
}
