//! Requests to the model, and what it said in them.

use super::{Run, USED};
use crate::adapters::blocks::filled;
use crate::adapters::cline::kinds::verdict;
use crate::adapters::cline::messages::{Message, folder_in, model_in};
use crate::adapters::cline::outline::{Calls, Shown, text_answers};
use crate::adapters::cline::usage::Usage;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::walk::State;
use crate::schema::{EventId, EventRow, EventType, Status};

/// A request until the next one starts.
#[derive(Debug, Clone)]
pub(super) struct Call {
    id: EventId,
    ts_ms: i64,
    turn: i32,
    model: Option<String>,
    provider: Option<String>,
    usage: Usage,
    texts: Vec<String>,
    /// Its stream broke off, and no message of its own says so.
    failed: bool,
    status: Option<String>,
    request_bytes: usize,
    extra: Option<String>,
}

impl Call {
    fn is_finished(&self) -> bool {
        self.usage.cost_nano_usd.is_some() || self.status.is_some()
    }

    /// Larger for the more complete of two versions.
    fn completeness(&self, text_bytes: usize) -> i64 {
        let known = [self.usage.cost_nano_usd.is_some(), self.usage.tokens.is_known(), self.status.is_some()];
        let level = known.iter().filter(|k| **k).count();
        let grown = self.usage.tokens.output.unwrap_or(0).clamp(0, 1 << 30) + i64::try_from(text_bytes).unwrap_or(0);
        (i64::try_from(level).unwrap_or(0) << 40) + grown
    }
}

impl<'t, 'i> Run<'_, 't, 'i, '_> {
    /// A new request: the one before it is over.
    pub(super) fn request(&mut self, m: &Message<'t, 'i>) {
        self.close_call();
        let mut call = self.new_call(m);
        let mut parser = std::mem::take(&mut self.parser);
        let mut extra = Extra::default();
        let parsed = parser.each(m.text.as_bytes(), |info| {
            call.usage = Usage::of(info, self.format);
            call.failed = info.str_at("streamingFailedMessage").is_some();
            call.status = info.str_at("cancelReason").map(str::to_owned);
            let request = info.str_at("request").unwrap_or_default();
            call.request_bytes = request.len();
            self.read_environment(request);
            self.read_answers(request, m);
            let used = ["request", "tokensIn", "tokensOut", "cacheWrites", "cacheReads", "cost", "cancelReason"];
            extra.rest(info, &used);
        });
        self.parser = parser;
        self.close_output();
        self.calls = Calls::default();
        if parsed.is_err() {
            extra.text("info", m.text);
        }
        if call.request_bytes > 0 {
            extra.number("request_bytes", call.request_bytes);
        }
        extra.rest(m.json, &USED);
        call.extra = extra.end().map(str::to_owned);
        let row = self.context.row(m, EventType::LlmResponse, "call");
        (call.model, call.provider) = (row.model.map(str::to_owned), row.provider.map(str::to_owned));
        self.call = Some(call);
    }

    fn new_call(&self, m: &Message<'t, 'i>) -> Call {
        Call {
            id: self.context.task.event_id(&self.context.id, "call", m),
            ts_ms: m.ts_ms,
            turn: self.context.turn,
            model: None,
            provider: None,
            usage: Usage::default(),
            texts: Vec::new(),
            failed: false,
            status: None,
            request_bytes: 0,
            extra: None,
        }
    }

    /// A message tells of the failure of the open request: that is its error.
    pub(super) fn failure_is_told(&mut self) {
        if let Some(call) = &mut self.call {
            call.failed = false;
        }
    }

    /// Claude Dev wrote the usage as a message of its own.
    pub(super) fn request_finished(&mut self, m: &Message<'t, 'i>) {
        let format = self.format;
        let Some(call) = self.call.as_mut().filter(|call| !call.usage.tokens.is_known()) else { return };
        self.parser.each(m.text.as_bytes(), |info| call.usage = Usage::of(info, format)).unwrap_or_default();
    }

    /// Folder and model that the environment in the request names.
    fn read_environment(&mut self, request: &str) {
        let Some((_, environment)) = request.split_once("<environment_details>") else { return };
        if let Some(model) = model_in(environment) {
            self.context.model = Some(model.to_owned());
        }
        if self.context.cwd.is_none() {
            self.context.cwd = folder_in(environment).map(str::to_owned);
        }
    }

    /// Answers of tools that the request repeats as text.
    fn read_answers(&mut self, request: &str, m: &Message<'t, 'i>) {
        for answer in text_answers(request) {
            if let Some(shown) = self.calls.answer(answer.tool, answer.target)
                && !answer.text.is_empty()
            {
                if self.output.as_ref().is_some_and(|o| o.belongs_to(&shown)) {
                    self.output = None;
                }
                self.put_answer(&shown, answer.text, m);
            }
        }
    }

    fn put_answer(&mut self, shown: &Shown, text: &str, m: &Message<'t, 'i>) {
        let (is_error, status, exit_code) = verdict(text);
        let id = self.context.task.result_id(&self.context.id, &shown.call_id);
        let row = self.context.row_at(m.ts_ms, EventType::ToolResult, id);
        let row = EventRow {
            role: Some("tool"),
            tool_call_id: Some(&shown.call_id),
            tool_name: Some(&shown.name),
            tool_output: Some(text),
            file_path: filled(&shown.target).filter(|_| !shown.is_command()),
            command: filled(&shown.target).filter(|_| shown.is_command()),
            is_error,
            status,
            exit_code,
            // What the other store says is said in full.
            completeness: 1 << 35,
            ..row
        };
        self.out.put(&row, State::Settled);
    }

    /// Ends the open request, if there is one.
    pub(super) fn close_call(&mut self) {
        let Some(call) = self.call.take() else { return };
        let text = call.texts.join("\n\n");
        let row = EventRow {
            role: Some("assistant"),
            turn: Some(call.turn),
            model: call.model.as_deref(),
            provider: call.provider.as_deref(),
            text: filled(&text),
            status: call.status.as_deref().map(Status::of),
            stop_reason: call.status.as_deref(),
            is_error: call.failed.then_some(true),
            completeness: call.completeness(text.len()),
            extra: call.extra.as_deref(),
            ..self.context.row_at(call.ts_ms, EventType::LlmResponse, call.id)
        };
        let row = call.usage.on(row);
        let state = match (self.is_over, call.is_finished()) {
            (false, _) => State::Settled,
            (true, true) => State::Finished,
            (true, false) => State::Open,
        };
        self.out.put(&row, state);
    }

    /// A text of the model: part of the answer to the newest request.
    pub(super) fn answer(&mut self, m: &Message<'t, 'i>, text: &str) {
        if text.is_empty() || self.is_superseded(m) {
            return;
        }
        match &mut self.call {
            Some(call) => {
                // The question whether the result is good repeats the result.
                if call.texts.last().is_none_or(|last| last != text) {
                    call.texts.push(text.to_owned());
                }
            }
            None => {
                let row = self.context.row(m, EventType::LlmResponse, "message");
                let row = EventRow { text: Some(text), role: Some("assistant"), ..row };
                self.out.put(&row, self.state(m));
            }
        }
    }

    /// True for an unfinished text that a later one begins with.
    fn is_superseded(&self, m: &Message<'t, 'i>) -> bool {
        let mut later = self.after.iter().take_while(|next| next.kind != "api_req_started");
        m.partial && later.any(|next| next.kind == m.kind && next.text.starts_with(m.text))
    }

    /// A question to the user, whose answer may be one of the options it gave.
    pub(super) fn question(&mut self, m: &Message<'t, 'i>) {
        let mut parser = std::mem::take(&mut self.parser);
        let mut said = None;
        let mut chosen = None;
        let parsed = parser.each(m.text.as_bytes(), |json| {
            let text = ["question", "response", "context"].iter().find_map(|key| json.str_at(key));
            said = text.map(|text| with_options(text, json));
            chosen = json.str_at("selected").map(str::to_owned);
        });
        self.parser = parser;
        match said {
            Some(said) if parsed.is_ok() => self.answer(m, &said),
            _ => self.answer(m, m.text),
        }
        if let Some(chosen) = chosen {
            self.context.turn += 1;
            let row = self.context.row(m, EventType::UserInteraction, "chosen");
            let row = EventRow { text: Some(&chosen), role: Some("user"), ..row };
            self.out.put(&row, State::Settled);
        }
    }

    /// The sum of what requests took that are nowhere else.
    pub(super) fn sum(&mut self, m: &Message<'t, 'i>) {
        let is_subagent = m.kind == "subagent_usage";
        let mut parser = std::mem::take(&mut self.parser);
        let mut usage = Usage::default();
        parser.each(m.text.as_bytes(), |info| usage = Usage::of(info, self.format)).unwrap_or_default();
        self.parser = parser;
        let row = EventRow {
            role: Some("assistant"),
            is_subagent: is_subagent.then_some(true),
            status: Some(Status::Named(m.kind)),
            ..self.context.row(m, EventType::LlmResponse, "sum")
        };
        usage.tokens = usage.tokens.counter_step();
        self.out.put(&usage.on(row), State::Settled);
    }
}

/// A question with the options it offers.
fn with_options(text: &str, json: Json<'_, '_>) -> String {
    let options = json.get("options").or_else(|| json.get("suggest")).into_iter().flat_map(Json::items);
    let mut out = text.to_owned();
    for option in options.filter_map(|o| o.as_str().or_else(|| o.str_at("answer"))) {
        out.push_str("\n- ");
        out.push_str(option);
    }
    out
}
