//! Where something stands in the text of a query.

use std::fmt;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Line and column in the query's text, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl TextPosition {
    pub(super) fn new(line: u64, column: u64) -> Self {
        let small = |n| u32::try_from(n).unwrap_or(u32::MAX);
        Self { line: small(line), column: small(column) }
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Where `word` stands in the text, if it does.
pub(super) fn place_of(tokens: &[TokenWithSpan], word: &str) -> Option<TextPosition> {
    tokens.iter().find_map(|t| match &t.token {
        Token::Word(w) if w.value.eq_ignore_ascii_case(word) => {
            Some(TextPosition::new(t.span.start.line, t.span.start.column))
        }
        Token::Placeholder(p) if p.trim_start_matches('$') == word => {
            Some(TextPosition::new(t.span.start.line, t.span.start.column))
        }
        _ => None,
    })
}
