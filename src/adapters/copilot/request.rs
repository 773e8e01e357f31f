//! One request: what the user asked, and everything that came of it.

use super::clean::{CLEAN, extra, rest, write_clean};
use super::ids::{self, FINISHED, UNFINISHED};
use super::session::{Session, is_final, request_id, when};
use super::{parts, text, uri};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::money::nano;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventRow, EventType, Rows, Status, TokenUsage, UsageSource};

/// Members of a request that are columns or stand in rows of their own, or repeat what does.
#[rustfmt::skip]
const USED: [&str; 41] = [
    "requestId", "id", "timestamp", "message", "response", "responseId", "variableData", "agent", "result", "modelId",
    "isCanceled", "modelState", "editedFileEvents", "contentReferences", "codeCitations", "responseMarkdownInfo",
    "timeSpentWaiting", "responseTimestamp", "promptTokens", "completionTokens", "copilotCredits", "elapsedMs",
    "slashCommand", "modeInfo", "confirmation", "confirmationData", "attempt", "locationData", "isSystemInitiated",
    "systemInitiatedLabel", "requestSource", "origin", "terminalExecutionId", "isHidden", "shouldBeRemovedOnSend",
    "hiddenFromTranscript", "requestHiddenFromTranscript", "acceptedConfirmationData", "rejectedConfirmationData",
    "userSelectedTools", "usedContext",
];

/// Members of a request that say how it was asked.
#[rustfmt::skip]
const ASKED: [&str; 18] = [
    "confirmation", "confirmationData", "attempt", "locationData", "isSystemInitiated", "systemInitiatedLabel",
    "requestSource", "origin", "terminalExecutionId", "isHidden", "shouldBeRemovedOnSend", "hiddenFromTranscript",
    "requestHiddenFromTranscript", "acceptedConfirmationData", "rejectedConfirmationData", "editedFileEvents",
    "modeInfo", "usedContext",
];

/// Members of a result's metadata that stand elsewhere, or are the prompt as it was rendered for the
/// model: the attachments again.
#[rustfmt::skip]
const METADATA_USED: [&str; 13] = [
    "codeBlocks", "renderedUserMessage", "renderedGlobalContext", "cacheKey", "toolCallRounds", "toolCallResults",
    "responseId", "sessionId", "agentId", "summary", "promptTokens", "outputTokens", "completionTokens",
];

/// Where a request stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// Its place among the session's requests.
    pub(super) index: usize,
    /// Offset of the record it was last changed by.
    pub(super) offset: u64,
    /// True while it may change.
    pub(super) provisional: bool,
}

/// A request under decoding.
pub(super) struct Turn<'a> {
    pub(super) session: &'a Session,
    pub(super) request: Json<'a, 'a>,
    pub(super) metadata: Option<Json<'a, 'a>>,
    /// Name of the turn; ids are formed from it.
    pub(super) name: &'a str,
    /// A row with what is the same for the whole request. Its completeness is that of calls, which
    /// have names of their own.
    pub(super) base: EventRow<'a>,
    /// Completeness of what the turn's name stands for.
    pub(super) rank: i64,
    /// The extension keeps transcripts, which name calls as the provider does.
    pub(super) has_transcript: bool,
    /// A later request tells that this one is over, whatever it says itself.
    is_passed: bool,
}

/// What a request reports of the tokens it took.
struct Usage {
    prompt: Option<i64>,
    completion: Option<i64>,
}

/// Appends the rows of a request, which has been noted.
pub(super) fn rows_of(session: &Session, request: Json<'_, '_>, spot: Spot, rows: &mut Rows) -> Outcome {
    let name = session.turn(spot.index, request);
    let metadata = request.path(&["result", "metadata"]).filter(|m| m.is_object());
    let (provider, model) = model_of(request, metadata);
    let agent = request.get("agent");
    let cached = metadata.and_then(|m| m.get("cacheKey")).and_then(uri::path_of);
    let base = session.row();
    let base = EventRow {
        ts_us: session.time(spot.index).0,
        ts_inferred: true,
        turn: i32::try_from(spot.index + 1).ok(),
        agent_version: agent.and_then(|a| a.str_at("extensionVersion")),
        provider,
        model: model.as_deref(),
        cwd: base.cwd.or(cached.as_deref().filter(|path| !path.contains("://"))),
        source_offset: spot.offset,
        provisional: spot.provisional,
        completeness: session.store.rank(if is_final(request) { FINISHED } else { UNFINISHED }),
        ..base
    };
    let rank = ids::attempt(session.asked(spot.index), is_final(request), session.store);
    let has_transcript = ids::keeps_transcripts(base.agent_version);
    let is_passed = session.is_passed(spot.index);
    let turn = Turn { session, request, metadata, name: &name, base, rank, has_transcript, is_passed };
    turn.prompt(spot.index, rows);
    let response = parts::rows_of(&turn, rows);
    turn.summary(rows);
    turn.answer(&response.text, rows);
    turn.error(rows);
    if response.unknown { Outcome::Unknown } else { Outcome::Row }
}

/// Vendor and model. The id is `vendor/model`; of `auto`, and where there is no id, the result says
/// what was chosen: exactly in `resolvedModel`, by its display name in `details` ("GPT-4.1 • 1x").
fn model_of<'i>(request: Json<'_, 'i>, metadata: Option<Json<'_, 'i>>) -> (Option<&'i str>, Option<String>) {
    let id = request.str_at("modelId");
    let (vendor, name) = match id.and_then(|id| id.split_once('/')) {
        Some((vendor, name)) => (Some(vendor), Some(name)),
        None => (None, id),
    };
    if let Some(name) = name.filter(|name| *name != "auto") {
        return (vendor, Some(name.to_owned()));
    }
    let details = request.get("result").and_then(|r| r.str_at("details"));
    let shown = details.map(|d| d.split('•').next().unwrap_or(d).trim()).filter(|d| !d.is_empty());
    let resolved = metadata.and_then(|m| m.str_at("resolvedModel"));
    (vendor, resolved.map(|r| r.split_once('/').map_or(r, |(_, name)| name)).or(shown).map(str::to_owned))
}

impl<'a> Turn<'a> {
    /// A row of this turn's `nth` event of a kind; its name stays when the request goes on.
    pub(super) fn nth(&self, kind: &str, nth: usize, event_type: EventType) -> EventRow<'a> {
        let id = Some(ids::nth_of_turn(kind, self.name, nth));
        EventRow { id, event_type, completeness: self.rank, ..self.base }
    }

    fn member(&self, key: &str) -> Option<Json<'a, 'a>> {
        self.request.get(key).filter(|v| !v.is_blank())
    }

    fn prompt(&self, index: usize, rows: &mut Rows) {
        let Some(message) = self.request.get("message") else { return };
        let words = message.as_str().or_else(|| message.get("text").and_then(Json::as_str));
        let words = words.map_or_else(|| text::prompt(message), str::to_owned);
        let by_system = self.request.get("isSystemInitiated").and_then(Json::as_bool) == Some(true);
        let (ts_us, ts_inferred) = self.session.time(index);
        let agent = self.request.get("agent");
        let facts = extra(|writer| {
            for (key, value) in [
                ("participant", agent.and_then(|a| a.str_at("id"))),
                ("slash_command", self.member("slashCommand").and_then(|s| s.str_at("name").or_else(|| s.as_str()))),
            ] {
                value.iter().for_each(|v| writer.text(key, v));
            }
            for key in ASKED {
                if let Some(value) = self.member(key).filter(|v| v.as_bool() != Some(false)) {
                    writer.with(key, |out| write_clean(value, out));
                }
            }
            let variables = self.request.path(&["variableData", "variables"]).filter(|v| !v.is_empty());
            if let Some(variables) = variables {
                writer.with("attachments", |out| write_variables(variables, out));
            }
        });
        rows.event(&EventRow {
            id: Some(ids::of_turn("prompt", self.name)),
            event_type: if by_system { EventType::System } else { EventType::UserInteraction },
            ts_us,
            ts_inferred,
            role: Some("user"),
            provider: None,
            model: None,
            message_id: request_id(self.request),
            text: Some(&words),
            extra: facts.as_deref(),
            completeness: ids::attempt(self.session.asked(index), true, self.session.store),
            ..self.base
        });
    }

    /// The summary that took the place of earlier rounds.
    fn summary(&self, rows: &mut Rows) {
        let Some(summary) = self.metadata.and_then(|m| m.get("summary")) else { return };
        let Some(words) = summary.str_at("text").or_else(|| summary.as_filled_str()) else { return };
        rows.event(&EventRow {
            text: Some(words),
            message_id: summary.str_at("toolCallRoundId"),
            ..self.nth("summary", 0, EventType::Compaction)
        });
    }

    fn usage(&self) -> Option<Usage> {
        let result = self.request.get("result");
        let of_result = result.and_then(|r| r.get("usage"));
        let read = |object: Json<'_, '_>, completion: &str| Usage {
            prompt: object.i64_at("promptTokens").filter(|n| *n >= 0),
            completion: object.i64_at(completion).filter(|n| *n >= 0),
        };
        let known = |usage: &Usage| usage.prompt.is_some() || usage.completion.is_some();
        [(Some(self.request), "completionTokens"), (of_result, "completionTokens"), (self.metadata, "outputTokens")]
            .into_iter()
            .filter_map(|(object, completion)| Some(read(object?, completion)))
            .find(known)
    }

    /// The answer as a whole, and what the request took.
    ///
    /// When the result names the turn as the extension calls it, the usage has a row of its own under
    /// that name, which a span of the same call replaces. Without a name no span can be meant, and the
    /// answer carries it. Before there is a result nobody can tell, and spans may have counted it: what
    /// was used so far stands in `extra`.
    fn answer(&self, words: &str, rows: &mut Rows) {
        let result = self.member("result");
        let usage = self.usage().filter(|_| result.is_some());
        if words.is_empty() && result.is_none() {
            return;
        }
        let turn_id = self.metadata.and_then(|m| m.str_at("responseId"));
        let state = self.request.get("modelState");
        let facts = extra(|writer| self.outcome(writer));
        let credits = self.request.get("copilotCredits").and_then(Json::as_f64);
        let ended = state.and_then(|s| s.get("completedAt")).and_then(when);
        let elapsed = result.and_then(|r| r.get("timings")).and_then(|t| t.i64_at("totalElapsed"));
        let took = |ms: i64| self.base.ts_us.saturating_add(ms.saturating_mul(1_000));
        let row = EventRow {
            id: Some(ids::of_turn("answer", self.name)),
            event_type: EventType::LlmResponse,
            ts_us: ended.or(elapsed.map(took)).unwrap_or(self.base.ts_us),
            role: Some("assistant"),
            message_id: self.request.str_at("responseId"),
            request_id: turn_id,
            status: self.status(),
            stop_reason: result.and_then(|r| r.get("errorDetails")).and_then(|e| e.str_at("code")),
            duration_ms: elapsed,
            ..self.base
        };
        let answer = EventRow { text: Some(words).filter(|w| !w.is_empty()), ..row };
        let answer = EventRow {
            nano_credits: credits.and_then(nano),
            extra: facts.as_deref(),
            completeness: self.rank + ids::size(words),
            ..answer
        };
        match (usage, turn_id) {
            (None, _) => rows.event(&answer),
            (Some(usage), None) => rows.event(&counts(&usage, answer)),
            (Some(usage), Some(turn_id)) => {
                rows.event(&answer);
                let output = usage.completion.unwrap_or_default().min(1 << 30);
                let id = Some(ids::usage(turn_id, 0));
                let row = EventRow { id, completeness: self.base.completeness + output, duration_ms: None, ..row };
                rows.event(&counts(&usage, row));
            }
        }
    }

    fn status(&self) -> Option<Status<'static>> {
        let state = self.request.get("modelState");
        match state.and_then(|s| s.i64_at("value").or_else(|| s.as_i64())) {
            Some(0) => Some(Status::Pending),
            Some(1) => Some(Status::Completed),
            Some(2) => Some(Status::Cancelled),
            Some(3) => Some(Status::Failed),
            Some(4) => Some(Status::NeedsInput),
            _ if self.is_cancelled() => Some(Status::Cancelled),
            _ => self.member("result").map(|_| Status::Completed),
        }
    }

    /// True while rounds may still come that name the calls: what is handed out before, under other
    /// names than a transcript has, would stand twice.
    pub(super) fn waits_for_rounds(&self) -> bool {
        self.has_transcript && !self.base.provisional && !self.is_passed && !is_final(self.request)
    }

    /// True when the user stopped it.
    pub(super) fn is_cancelled(&self) -> bool {
        let state = self.request.get("modelState").and_then(|s| s.i64_at("value"));
        state == Some(2) || self.request.get("isCanceled").and_then(Json::as_bool) == Some(true)
    }

    /// What the answer says beside its text.
    fn outcome(&self, writer: &mut ObjectWriter<'_>) {
        rest(self.request, &USED, writer);
        if let Some(usage) = self.usage().filter(|_| self.member("result").is_none()) {
            usage.prompt.into_iter().for_each(|n| writer.number("prompt_tokens_so_far", n));
            usage.completion.into_iter().for_each(|n| writer.number("completion_tokens_so_far", n));
        }
        if let Some(result) = self.member("result") {
            rest(result, &["metadata", "timings", "usage", "errorDetails"], writer);
            if let Some(first) = result.get("timings").and_then(|t| t.i64_at("firstProgress")) {
                writer.number("first_progress_ms", first);
            }
            if let Some(details) = result.path(&["usage", "promptTokenDetails"]).filter(|d| !d.is_blank()) {
                writer.with("promptTokenDetails", |out| write_clean(details, out));
            }
        }
        if let Some(elapsed) = self.request.i64_at("elapsedMs") {
            writer.number("elapsed_ms", elapsed);
        }
        // In logs of changes this is the time of the answer, not how long it was waited for.
        match self.request.i64_at("timeSpentWaiting") {
            Some(ms @ 1..=1_000_000_000_000) => writer.number("waited_ms", ms),
            Some(ms) if ms > 0 => writer.number("response_timestamp_ms", ms),
            _ => {}
        }
        if let Some(ms) = self.request.i64_at("responseTimestamp") {
            writer.number("response_timestamp_ms", ms);
        }
        if let Some(metadata) = self.metadata {
            writer.object("metadata", |writer| rest(metadata, &METADATA_USED, writer));
        }
        let references = self.member("contentReferences");
        let paths: Vec<String> = references.into_iter().flat_map(Json::items).filter_map(reference_path).collect();
        if !paths.is_empty() {
            writer.with("references", |out| {
                out.push_str(&serde_json::to_string(&paths).unwrap_or_default());
            });
        }
        if let Some(citations) = self.member("codeCitations") {
            writer.with("codeCitations", |out| write_clean(citations, out));
        }
    }

    fn error(&self, rows: &mut Rows) {
        let Some(details) = self.member("result").and_then(|r| r.get("errorDetails")) else { return };
        let code = details.str_at("code");
        if code == Some("canceled") || self.is_cancelled() {
            return;
        }
        let facts = extra(|writer| rest(details, &["message", "code"], writer));
        rows.event(&EventRow {
            id: Some(ids::of_turn("error", self.name)),
            event_type: EventType::ErrorEncountered,
            text: details.str_at("message"),
            is_error: Some(true),
            status: code.map(Status::of),
            request_id: self.metadata.and_then(|m| m.str_at("responseId")),
            extra: facts.as_deref(),
            completeness: self.rank,
            ..self.base
        });
    }
}

/// The row with usage. How much of the prompt came from a cache is not told, nor what earlier calls of
/// the turn read.
fn counts<'r>(usage: &Usage, row: EventRow<'r>) -> EventRow<'r> {
    TokenUsage::disjoint(usage.prompt, None, None, usage.completion).from(UsageSource::Partial).on(row)
}

fn reference_path(item: Json<'_, '_>) -> Option<String> {
    let target = item.get("reference").unwrap_or(item);
    uri::path_of(target.get("value").unwrap_or(target)).or_else(|| target.str_at("variableName").map(str::to_owned))
}

/// What the user attached. A value is a URI, a place in a file, a text, an image, or nothing; the
/// forms of before mid-2025 have no `kind`.
fn write_variables(variables: Json<'_, '_>, out: &mut String) {
    out.push('[');
    for (i, variable) in variables.items().enumerate() {
        if i > 0 {
            out.push(',');
        }
        let mut writer = ObjectWriter::new(out);
        let value = variable.get("value").filter(|v| !v.is_blank());
        let path = value.filter(|v| v.is_object()).and_then(uri::path_of);
        let is_uri = |id: &str| id.contains("://") || id.starts_with('{');
        for (key, member) in
            variable.fields().filter(|(key, v)| *key != "value" && !v.is_blank() && CLEAN.keeps(key, *v))
        {
            let repeats = key == "id" && path.is_some() && member.as_str().is_some_and(is_uri);
            if !repeats && member.as_bool() != Some(false) {
                writer.with(key, |out| write_clean(member, out));
            }
        }
        match (path, value) {
            (Some(path), value) => {
                writer.text("path", &path);
                if let Some(range) = value.and_then(|v| v.get("range")) {
                    CLEAN.field("range", range, &mut writer);
                }
            }
            (None, Some(value)) => {
                if let (Some(bytes), Some(kind)) =
                    (value.as_str().filter(|t| t.len() >= 128), variable.str_at("mimeType"))
                {
                    // An image in base64 under its media type.
                    let wrapped = format!("data:{kind};base64,{bytes}");
                    writer.with("value", |out| write_wrapped(&wrapped, out));
                } else {
                    writer.with("value", |out| write_clean(value, out));
                }
            }
            (None, None) => {}
        }
        writer.end();
    }
    out.push(']');
}

fn write_wrapped(url: &str, out: &mut String) {
    write_clean(Json::new(&[simd_json::Node::String(url)]), out);
}
