//! Which commands does a script of the `exec` tool run?
//!
//! Scripts are JavaScript that models write: they call `tools.exec_command({cmd})`, on Windows
//! `tools.shell_command({command})`, several times, in loops, through helpers. Their words are read, the
//! script is not run: texts, lists of words, and names that stand for these are followed; of what else a
//! command is made of, the expression stays in `${…}`.

use std::cell::Cell;

use super::words::{Token, tokens};
use crate::adapters::codex::tools::Deed;

/// Names that are followed from one to the next.
const MOST_STEPS: usize = 8;
/// How often a name of one script is looked up.
const MOST_LOOKS: usize = 2000;
/// Commands of one script.
const MOST_COMMANDS: usize = 256;
/// What following names may add to what stands in the script.
const MOST_BYTES: usize = 64 << 10;

/// Appends the commands that `script` runs, one a line.
pub(super) fn script_commands(script: &str, out: &mut String) {
    if !script.contains("tools") {
        return;
    }
    let most_bytes = script.len() + MOST_BYTES;
    let script = Script::new(tokens(script));
    let mut commands: Vec<String> = Vec::new();
    let mut bytes = 0;
    let mut is_complete = true;
    for call in script.shell_calls() {
        let found = script.commands_of(call, MOST_STEPS);
        is_complete = is_complete && !found.is_empty();
        bytes += found.iter().map(String::len).sum::<usize>();
        commands.extend(found);
        if commands.len() >= MOST_COMMANDS || bytes > most_bytes {
            break;
        }
    }
    if !is_complete {
        // The arguments stand elsewhere, in a list of objects for example.
        let all = script.keys().flat_map(|at| script.values(at, MOST_STEPS)).map(Value::line);
        let missing: Vec<String> = all.filter(|command| !commands.contains(command)).collect();
        commands.extend(missing);
    }
    commands.retain(|command| !command.trim().is_empty());
    for command in commands.iter().take(MOST_COMMANDS) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(command);
    }
}

/// What an expression stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Words(Vec<String>),
}

impl Value {
    /// The command line: of `bash -lc X` it is `X`.
    fn line(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Words(words) => match words.as_slice() {
                [shell, flag, script]
                    if matches!(flag.as_str(), "-lc" | "-c")
                        && matches!(shell.rsplit('/').next(), Some("bash" | "sh" | "zsh" | "dash" | "fish")) =>
                {
                    script.clone()
                }
                words => words.join(" "),
            },
        }
    }
}

struct Script<'s> {
    tokens: Vec<Token<'s>>,
    /// Of every sign that opens something where it closes, and the other way round.
    partners: Vec<usize>,
    /// How often a name may still be looked up.
    looks: Cell<usize>,
}

impl<'s> Script<'s> {
    fn new(tokens: Vec<Token<'s>>) -> Self {
        let mut partners = vec![tokens.len(); tokens.len()];
        let mut open = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Token::Mark('{' | '[' | '(') => open.push(at),
                Token::Mark('}' | ']' | ')') => {
                    if let Some(opened) = open.pop() {
                        partners[opened] = at;
                        partners[at] = opened;
                    }
                }
                _ => {}
            }
        }
        Self { tokens, partners, looks: Cell::new(MOST_LOOKS) }
    }

    fn word(&self, at: usize) -> Option<&'s str> {
        match self.tokens.get(at) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn is(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at) == Some(&Token::Mark(mark))
    }

    /// Where the arguments of the calls of shells begin, behind the parenthesis.
    fn shell_calls(&self) -> Vec<usize> {
        let is_shell = |name: &str| Deed::of(name) == Deed::Command;
        let tools =
            (0..self.tokens.len()).filter(|at| self.word(*at) == Some("tools") && !self.is(at.wrapping_sub(1), '.'));
        let mut calls = Vec::new();
        let mut taken: Vec<&str> = Vec::new();
        for at in tools {
            let dot = if self.is(at + 1, '?') { at + 2 } else { at + 1 };
            let name = match self.tokens.get(dot + 1) {
                Some(Token::Word(name)) if self.is(dot, '.') => Some((*name, dot + 2)),
                Some(Token::Text(name)) if self.is(dot, '[') && self.is(dot + 2, ']') => Some((name.as_str(), dot + 3)),
                _ => None,
            };
            match name.filter(|(name, _)| is_shell(name)) {
                Some((_, open)) if self.is(open, '(') => calls.push(open + 1),
                // `const run = tools.exec_command;`
                Some(_) if self.is(at.wrapping_sub(1), '=') => taken.extend(self.word(at.wrapping_sub(2))),
                Some(_) => {}
                // `const { exec_command } = tools;`
                None if self.is(at.wrapping_sub(1), '=') => {
                    let before = (0..at).rev().skip(1).take_while(|at| !self.is(*at, '{'));
                    taken.extend(before.filter_map(|at| self.word(at)).filter(|name| is_shell(name)));
                }
                None => {}
            }
        }
        let by_name = (0..self.tokens.len()).filter(|at| {
            self.word(*at).is_some_and(|name| taken.contains(&name))
                && self.is(at + 1, '(')
                && !self.is(at.wrapping_sub(1), '.')
        });
        calls.extend(by_name.map(|at| at + 2));
        calls.sort_unstable();
        calls
    }

    /// The commands of the call whose arguments begin at `at`.
    fn commands_of(&self, at: usize, steps: usize) -> Vec<String> {
        let object = match self.word(at) {
            // An object that has a name.
            Some(name) if self.is(at + 1, ')') => self.definitions(name).find(|at| self.is(*at, '{')),
            _ => Some(at).filter(|at| self.is(*at, '{')),
        };
        if let Some(object) = object {
            let value = self.field(object, &["cmd", "command"]);
            return value.map_or_else(Vec::new, |at| self.values(at, steps).into_iter().map(Value::line).collect());
        }
        if matches!(self.tokens.get(at), Some(Token::Text(_) | Token::Template(_))) {
            return self.values(at, steps).into_iter().map(Value::line).collect();
        }
        Vec::new()
    }

    /// Where the value of the first of `names` begins in the object at `open`; of `{cmd}` it is the name.
    fn field(&self, open: usize, names: &[&str]) -> Option<usize> {
        let mut depth = 0usize;
        for at in open..self.tokens.len() {
            match &self.tokens[at] {
                Token::Mark('{' | '[' | '(') => depth += 1,
                Token::Mark('}' | ']' | ')') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return None;
                    }
                }
                token if depth == 1 && (self.is(at - 1, '{') || self.is(at - 1, ',')) => {
                    let name = match token {
                        Token::Word(name) => *name,
                        Token::Text(name) => name.as_str(),
                        _ => continue,
                    };
                    if names.contains(&name) {
                        return Some(if self.is(at + 1, ':') { at + 2 } else { at });
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Where the values of all keys called `cmd` or `command` begin.
    fn keys(&self) -> impl Iterator<Item = usize> {
        (0..self.tokens.len()).filter(|at| self.is(at + 1, ':')).filter_map(|at| {
            let name = match &self.tokens[at] {
                Token::Word(name) => *name,
                Token::Text(name) => name.as_str(),
                _ => return None,
            };
            matches!(name, "cmd" | "command").then_some(at + 2)
        })
    }

    /// All that the expression at `at` may stand for.
    fn values(&self, at: usize, steps: usize) -> Vec<Value> {
        if self.is(at, '[') {
            let words: Vec<String> = self.elements(at).into_iter().map(|at| self.text(at, steps).0).collect();
            return if self.is_chained(at) || words.is_empty() { Vec::new() } else { vec![Value::Words(words)] };
        }
        match self.word(at) {
            Some(name) if self.ends(at + 1) => self.named(name, at, steps),
            Some("String") => vec![Value::Text(self.text(at, steps).0)],
            Some(_) if !self.is(at + 1, '+') => Vec::new(),
            _ => vec![Value::Text(self.text(at, steps).0)],
        }
    }

    fn ends(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), None | Some(Token::Mark(',' | '}' | ')' | ']' | ';' | '\n')))
    }

    /// True for a list of which something is taken, as in `["a", "b"].map(…)`.
    fn is_chained(&self, open: usize) -> bool {
        self.is(self.end_of(open) + 1, '.')
    }

    /// Where what opens at `open` closes; the end of the script where it does not.
    fn end_of(&self, open: usize) -> usize {
        self.partners.get(open).copied().unwrap_or(self.tokens.len())
    }

    /// Where the elements of the list, or the arguments, that open at `open` begin.
    fn elements(&self, open: usize) -> Vec<usize> {
        let (end, mut at, mut all) = (self.end_of(open), open + 1, Vec::new());
        let mut begins = true;
        while at < end {
            match self.tokens[at] {
                Token::Mark('\n') => {}
                Token::Mark(',') => begins = true,
                Token::Mark('{' | '[' | '(') => {
                    if begins {
                        all.push(at);
                    }
                    begins = false;
                    at = self.end_of(at);
                }
                _ => {
                    if begins {
                        all.push(at);
                    }
                    begins = false;
                }
            }
            at += 1;
        }
        all
    }

    /// The text of a sum of texts at `at`, and where it ends.
    fn text(&self, mut at: usize, steps: usize) -> (String, usize) {
        let mut out = String::new();
        loop {
            match self.tokens.get(at) {
                Some(Token::Text(text)) => out.push_str(text),
                Some(Token::Template(text)) => self.fill(text, steps, &mut out),
                Some(Token::Word("String")) if self.is(at + 1, '.') => {
                    // String.raw`…`
                    at += 3;
                    if let Some(Token::Template(raw)) = self.tokens.get(at) {
                        out.push_str(raw);
                    }
                }
                Some(Token::Word(name)) => match self.single(name, at, steps) {
                    Some(text) => out.push_str(&text),
                    None => {
                        out.push_str("${");
                        out.push_str(name);
                        out.push('}');
                    }
                },
                _ => return (out, at),
            }
            at += 1;
            if !self.is(at, '+') || out.len() > MOST_BYTES {
                return (out, at);
            }
            at += 1;
        }
    }

    /// Appends a template with what is known of its names.
    fn fill(&self, template: &str, steps: usize, out: &mut String) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${").filter(|_| out.len() <= MOST_BYTES) {
            out.push_str(before);
            let Some((name, behind)) = after.split_once('}') else {
                out.push_str("${");
                rest = after;
                break;
            };
            match self.single(name.trim(), usize::MAX, steps) {
                Some(text) => out.push_str(&text),
                None => {
                    out.push_str("${");
                    out.push_str(name);
                    out.push('}');
                }
            }
            rest = behind;
        }
        out.push_str(rest);
    }

    /// The one text that `name` stands for.
    fn single(&self, name: &str, at: usize, steps: usize) -> Option<String> {
        let mut values = self.named(name, at, steps);
        match values.pop() {
            Some(Value::Text(text)) if values.is_empty() => Some(text),
            _ => None,
        }
    }

    /// Where what `name` is defined as begins.
    fn definitions(&self, name: &str) -> impl Iterator<Item = usize> {
        let name = name.to_owned();
        (0..self.tokens.len())
            .filter(move |at| {
                self.word(*at) == Some(name.as_str())
                    && self.is(at + 1, '=')
                    && !self.is(at + 2, '=')
                    && !self.is(at + 2, '>')
                    && !self.is(at.wrapping_sub(1), '.')
            })
            .map(|at| at + 2)
    }

    /// All that `name`, used at `used`, may stand for: its definition, what a loop or a helper gives it.
    fn named(&self, name: &str, used: usize, steps: usize) -> Vec<Value> {
        let (Some(steps), Some(looks)) = (steps.checked_sub(1), self.looks.get().checked_sub(1)) else {
            return Vec::new();
        };
        self.looks.set(looks);
        let mut all: Vec<Value> = self.definitions(name).flat_map(|at| self.values(at, steps)).collect();
        for at in (0..self.tokens.len()).filter(|at| *at != used && self.word(*at) == Some(name)) {
            // `for (const name of LIST)`
            if self.word(at + 1) == Some("of") {
                all.extend(self.listed(at + 2, steps));
            }
            let Some((open, place)) = self.parameter(at) else { continue };
            if self.is(open.wrapping_sub(1), '(') && self.is(open.wrapping_sub(3), '.') {
                // `LIST.map(name => …)`
                all.extend(self.list_before(open.wrapping_sub(3), steps));
            } else if let Some(helper) = self.helper(open) {
                let calls = (0..self.tokens.len()).filter(|at| {
                    self.word(*at) == Some(helper)
                        && self.is(at + 1, '(')
                        && *at + 1 != open
                        && !self.is(at.wrapping_sub(1), '.')
                });
                let given = calls.filter_map(|at| self.elements(at + 1).get(place).copied());
                all.extend(given.flat_map(|at| self.values(at, steps)));
            }
        }
        all
    }

    /// The function that has the word at `at` as a parameter: where it begins, and which parameter it is.
    fn parameter(&self, at: usize) -> Option<(usize, usize)> {
        let arrow = |at: usize| self.is(at, '=') && self.is(at + 1, '>');
        let before = |open: usize| if self.word(open.wrapping_sub(1)) == Some("async") { open - 1 } else { open };
        if arrow(at + 1) {
            return Some((before(at), 0));
        }
        let open = (0..at).rev().take(32).find(|at| self.is(*at, '('))?;
        let end = self.end_of(open);
        let declared = self.word(open.wrapping_sub(2)) == Some("function");
        let place = self.elements(open).iter().position(|place| *place == at)?;
        if declared {
            return Some((open, place));
        }
        arrow(end + 1).then(|| (before(open), place))
    }

    /// The name of the function that begins at `open`: `const NAME = (…) =>`, or `function NAME(…)`.
    fn helper(&self, open: usize) -> Option<&'s str> {
        if self.word(open.wrapping_sub(2)) == Some("function") {
            return self.word(open.wrapping_sub(1));
        }
        self.word(open.wrapping_sub(2)).filter(|_| self.is(open.wrapping_sub(1), '='))
    }

    /// The elements of the list at `at`, or of the list that has this name.
    fn listed(&self, at: usize, steps: usize) -> Vec<Value> {
        let list = match self.word(at) {
            Some(name) => self.definitions(name).find(|at| self.is(*at, '[')),
            None => Some(at).filter(|at| self.is(*at, '[')),
        };
        let elements = list.map_or_else(Vec::new, |at| self.elements(at));
        elements.into_iter().flat_map(|at| self.values(at, steps)).collect()
    }

    /// The elements of the list that ends before the dot at `dot`.
    fn list_before(&self, dot: usize, steps: usize) -> Vec<Value> {
        let last = dot.wrapping_sub(1);
        if self.word(last).is_some() {
            return self.listed(last, steps);
        }
        let open = self.partners.get(last).copied().filter(|open| *open < last && self.is(*open, '['));
        open.map_or_else(Vec::new, |open| self.listed(open, steps))
    }
}

#[cfg(test)]
mod tests;
