//! The words of a script: names, texts and signs; comments, numbers and patterns say nothing.

/// A word of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'s> {
    /// A name or a keyword.
    Word(&'s str),
    /// A text in quotes.
    Text(String),
    /// A text in backticks, with its `${…}`.
    Template(String),
    /// Any other sign.
    Mark(char),
}

/// Longest script that is read.
const MOST_TOKENS: usize = 8000;

/// Cuts `script` into words.
pub(super) fn tokens(script: &str) -> Vec<Token<'_>> {
    let mut all = Vec::new();
    let mut rest = script;
    while let Some(c) = rest.chars().next().filter(|_| all.len() < MOST_TOKENS) {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        if c.is_whitespace() {
            rest = behind;
        } else if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if c.is_alphanumeric() || matches!(c, '_' | '$') {
            let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            all.push(Token::Word(word));
            rest = after;
        } else if matches!(c, '"' | '\'') {
            let mut text = String::new();
            rest = unquote(behind, c, &mut text);
            all.push(Token::Text(text));
        } else if c == '`' {
            let is_raw = matches!(all.last(), Some(Token::Word("raw")));
            let mut text = String::new();
            rest = template(behind, is_raw, &mut text);
            all.push(Token::Template(text));
        } else if c == '/' && is_operand(all.last()) {
            rest = behind_pattern(behind);
        } else {
            all.push(Token::Mark(c));
            rest = behind;
        }
    }
    all
}

/// True where an operand is due, so that a slash begins a pattern.
fn is_operand(before: Option<&Token<'_>>) -> bool {
    match before {
        None | Some(Token::Word("return" | "typeof" | "case")) => true,
        Some(Token::Mark(mark)) => !matches!(mark, ')' | ']' | '}'),
        Some(_) => false,
    }
}

/// What follows a pattern; the text as it is where its line ends without one.
fn behind_pattern(text: &str) -> &str {
    let (mut in_class, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '\n' => return text,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    text
}

/// Appends a text up to its closing quote; returns what follows.
fn unquote<'s>(text: &'s str, quote: char, out: &mut String) -> &'s str {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            c if c == quote => return rest,
            '\\' => rest = escape(rest, out),
            c => out.push(c),
        }
    }
    rest
}

/// Appends a template up to its closing backtick; returns what follows. What stands in `${…}` stays as it is.
fn template<'s>(text: &'s str, is_raw: bool, out: &mut String) -> &'s str {
    let mut rest = text;
    let mut depth = 0usize;
    while let Some(c) = rest.chars().next() {
        let opens = rest.starts_with("${");
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '`' if depth == 0 => return rest,
            '\\' if depth == 0 && !is_raw => {
                rest = escape(rest, out);
                continue;
            }
            '$' if opens => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(c);
    }
    rest
}

/// Appends what the escape behind a backslash stands for; returns what follows.
fn escape<'s>(text: &'s str, out: &mut String) -> &'s str {
    let Some(c) = text.chars().next() else { return text };
    let rest = text.get(c.len_utf8()..).unwrap_or_default();
    let code = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    let plain = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        // A line that goes on.
        '\n' => return rest,
        '\r' => return rest.strip_prefix('\n').unwrap_or(rest),
        'x' | 'u' => {
            let (digits, after) = match rest.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
                Some(braced) => braced,
                None => rest.split_at_checked(if c == 'x' { 2 } else { 4 }).unwrap_or(("", rest)),
            };
            match code(digits) {
                Some(found) => {
                    out.push(found);
                    return after;
                }
                None => {
                    return pair(digits, after, out).unwrap_or_else(|| {
                        out.push(c);
                        rest
                    });
                }
            }
        }
        other => other,
    };
    out.push(plain);
    rest
}

/// Appends the sign that two escapes of 16 bits make; returns what follows.
fn pair<'s>(high: &str, rest: &'s str, out: &mut String) -> Option<&'s str> {
    let (low, after) = rest.strip_prefix("\\u")?.split_at_checked(4)?;
    let units = [u16::from_str_radix(high, 16).ok()?, u16::from_str_radix(low, 16).ok()?];
    out.push(char::decode_utf16(units).next()?.ok()?);
    Some(after)
}
