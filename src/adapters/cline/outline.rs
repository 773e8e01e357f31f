//! Which tool calls were shown, and which answers belong to them.
//!
//! The stores share no ids: what was shown is matched in order, by what the tool does and what it works on.

use super::kinds::{Family, family};
use super::messages::{Message, messages};
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
    answered: bool,
}

impl Shown {
    pub(super) fn new(name: &str, target: &str, message: &Message<'_, '_>) -> Self {
        Self {
            family: family(name),
            name: name.to_owned(),
            target: target.to_owned(),
            call_id: message.call_id(),
            ts_ms: message.ts_ms,
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

/// Calls that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) shown: Vec<Shown>,
    /// All before this one are answered.
    from: usize,
}

impl Calls {
    /// All calls of `ui_messages.json`; `None` when the text is none.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let mut calls = None;
        let mut inner = Parser::default();
        Parser::default()
            .each(text.as_bytes(), |array| {
                let shown = messages(array).iter().filter_map(|m| Shown::of(m, &mut inner)).collect();
                calls = Some(Self { shown, from: 0 });
            })
            .ok()?;
        calls
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
        let mut calls = Calls::of_text(ui).unwrap();
        assert_eq!(calls.answer("execute_command", "ls").unwrap().ts_ms, 2);
        assert_eq!(calls.answer("read_file", "/w/a.rs").unwrap().ts_ms, 1);
        assert_eq!(calls.answer("read_file", "a.rs").unwrap().ts_ms, 3);
        assert!(calls.answer("read_file", "a.rs").is_none());
        assert!(Calls::of_text("[{").is_none());
    }
}
