//! Which tool calls were shown, and which answers belong to them.
//!
//! The stores share no ids: what was shown is matched in order, by what the tool does and what it works on.

use super::kinds::{Family, family};
use super::messages::{Message, messages, model_in};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;

/// A tool call as `ui_messages.json` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) family: Family,
    pub(super) name: String,
    /// Path, command, server.
    pub(super) target: String,
    pub(super) call_id: String,
    pub(super) ts_ms: i64,
    /// Model and provider that its message names.
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    answered: bool,
}

impl Shown {
    pub(super) fn new(name: &str, target: &str, message: &Message<'_, '_>) -> Self {
        let (model, provider) = message.model();
        Self {
            family: family(name),
            name: name.to_owned(),
            target: target.to_owned(),
            call_id: message.call_id(),
            ts_ms: message.ts_ms,
            model: model.map(str::to_owned),
            provider: provider.map(str::to_owned),
            answered: false,
        }
    }

    /// The call that a message is, if it is one.
    pub(super) fn of(message: &Message<'_, '_>, parser: &mut Parser) -> Option<Self> {
        let mut shown = None;
        match message.kind {
            "command" => shown = Some(Self::new("execute_command", command_of(message.text), message)),
            "browser_action_launch" => shown = Some(Self::new("browser_action", "", message)),
            "tool" | "use_mcp_server" | "browser_action" => {
                let mut read = |json: Json<'_, '_>| {
                    let (name, target) = match message.kind {
                        "tool" => (json.str_at("tool").unwrap_or("tool"), json.str_at("path")),
                        "browser_action" => ("browser_action", None),
                        _ => ("use_mcp_server", json.str_at("serverName")),
                    };
                    let own = Self::new(name, target.unwrap_or_default(), message);
                    let name = json.str_at("toolName").map_or(own.name, str::to_owned);
                    shown = Some(Self { name, ..own });
                };
                parser.each(message.text.as_bytes(), &mut read).unwrap_or_default();
            }
            _ => {}
        }
        shown
    }

    pub(super) fn is_command(&self) -> bool {
        self.family == Family::Command
    }
}

/// The command line of a `command` message: a mark that asks for approval may follow it.
pub(super) fn command_of(text: &str) -> &str {
    text.strip_suffix("REQ_APP").unwrap_or(text)
}

/// What `ui_messages.json` tells that its other store does not.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    pub(super) shown: Vec<Shown>,
    /// When its user said something.
    prompts: Vec<i64>,
    /// Since when requests name which model.
    models: Vec<(i64, String)>,
}

impl Outline {
    /// Outline of `ui_messages.json`; `None` when the text is none.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let mut outline = None;
        let mut inner = Parser::default();
        Parser::default()
            .each(text.as_bytes(), |array| {
                let mut own = Self::default();
                for (at, message) in messages(array).iter().enumerate() {
                    own.take(message, at == 0, &mut inner);
                }
                outline = Some(own);
            })
            .ok()?;
        outline
    }

    fn take(&mut self, message: &Message<'_, '_>, is_first: bool, parser: &mut Parser) {
        self.shown.extend(Shown::of(message, parser));
        if message.is_prompt(is_first) && !message.is_empty() {
            self.prompts.push(message.ts_ms);
        } else if message.is_question() {
            let mut chosen = false;
            let mut read = |json: Json<'_, '_>| chosen = json.str_at("selected").is_some();
            parser.each(message.text.as_bytes(), &mut read).unwrap_or_default();
            self.prompts.extend(chosen.then_some(message.ts_ms));
        } else if message.kind == "api_req_started" && message.text.contains("<model>") {
            let mut named = None;
            let mut read = |json: Json<'_, '_>| named = json.str_at("request").and_then(model_in).map(str::to_owned);
            parser.each(message.text.as_bytes(), &mut read).unwrap_or_default();
            self.models.extend(named.map(|model| (message.ts_ms, model)));
        }
    }

    /// Number of the turn that the time is in.
    pub(super) fn turn_at(&self, ts_ms: i64) -> i32 {
        i32::try_from(self.prompts.iter().filter(|prompt| **prompt <= ts_ms).count()).unwrap_or(i32::MAX)
    }

    /// The model that the newest request up to that time names.
    pub(super) fn model_at(&self, ts_ms: i64) -> Option<&str> {
        self.models.iter().rev().find(|(since, _)| *since <= ts_ms).map(|(_, model)| &**model)
    }
}

/// Calls that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Calls {
    shown: Vec<Shown>,
    /// All before this one are answered.
    from: usize,
}

impl Calls {
    /// These calls, none of them answered.
    pub(super) fn of(shown: &[Shown]) -> Self {
        Self { shown: shown.to_vec(), from: 0 }
    }

    pub(super) fn push(&mut self, shown: Shown) {
        self.shown.push(shown);
    }

    /// The first waiting call that the tool `name` at `target` can be.
    pub(super) fn answer(&mut self, name: &str, target: &str) -> Option<Shown> {
        let wanted = family(name);
        let fits = |call: &Shown| {
            let same = call.family == wanted && (wanted != Family::Other || call.name == name);
            let one_of_both = call.target.is_empty() || target.is_empty();
            let same_place = call.target.ends_with(target) || target.ends_with(&*call.target);
            !call.answered && same && (one_of_both || same_place)
        };
        let found = self.shown.iter_mut().skip(self.from).find(|call| fits(call))?;
        found.answered = true;
        let found = found.clone();
        self.from += self.shown.iter().skip(self.from).take_while(|call| call.answered).count();
        Some(found)
    }
}

/// An answer as text: `[read_file for 'src/a.rs'] Result:` and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextAnswer<'a> {
    pub(super) tool: &'a str,
    pub(super) target: &'a str,
    pub(super) text: &'a str,
}

/// The answers in the text of a request.
pub(super) fn text_answers(text: &str) -> Vec<TextAnswer<'_>> {
    let mut answers: Vec<TextAnswer<'_>> = Vec::new();
    let (mut at, mut body) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some((tool, target, length)) = head_of(line) {
            close_last(&mut answers, text, body, at);
            body = at + length;
            answers.push(TextAnswer { tool, target, text: "" });
        } else if line.starts_with("<environment_details>") {
            break;
        }
        at += line.len();
    }
    close_last(&mut answers, text, body, at);
    answers
}

fn close_last<'a>(answers: &mut [TextAnswer<'a>], text: &'a str, start: usize, end: usize) {
    if let Some(last) = answers.last_mut() {
        last.text = text.get(start..end).unwrap_or_default().trim();
    }
}

/// Tool, target and length of the head that a line starts with.
fn head_of(line: &str) -> Option<(&str, &str, usize)> {
    let (head, _) = line.strip_prefix('[')?.split_once("] Result:")?;
    let (tool, target) = head.split_once(" for ").unwrap_or((head, ""));
    let named = !tool.is_empty() && tool.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    named.then(|| (tool, target.trim_matches(['\'', '"']), head.len() + "[] Result:".len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_by_their_heads() {
        let text = "[read_file for 'a.rs'] Result:\none\ntwo\n\n[execute_command for 'ls'] Result:\nx\n<environment_details>\n[no for 'x'] Result:\n";
        let found = text_answers(text);
        assert_eq!(found[0], TextAnswer { tool: "read_file", target: "a.rs", text: "one\ntwo" });
        assert_eq!(found[1], TextAnswer { tool: "execute_command", target: "ls", text: "x" });
        assert_eq!(found.len(), 2);
        assert_eq!(text_answers("[attempt_completion] Result: Done")[0].text, "Done");
        assert!(text_answers("[Link](x)\n[A B] Result: no").is_empty());
    }

    #[test]
    fn an_answer_belongs_to_the_first_waiting_call_of_its_kind_and_place() {
        let ui = r#"[{"ts":1,"type":"say","say":"tool","text":"{\"tool\":\"readFile\",\"path\":\"a.rs\"}"},
            {"ts":2,"type":"ask","ask":"command","text":"lsREQ_APP"},
            {"ts":3,"type":"say","say":"tool","text":"{\"tool\":\"readFile\",\"path\":\"a.rs\"}"}]"#;
        let mut calls = Calls::of(&Outline::of_text(ui).unwrap().shown);
        assert_eq!(calls.answer("execute_command", "ls").unwrap().ts_ms, 2);
        assert_eq!(calls.answer("read_file", "/w/a.rs").unwrap().ts_ms, 1);
        assert_eq!(calls.answer("read_file", "a.rs").unwrap().ts_ms, 3);
        assert!(calls.answer("read_file", "a.rs").is_none());
        assert!(Outline::of_text("[{").is_none());
    }
}
