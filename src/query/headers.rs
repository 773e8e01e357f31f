//! What the columns of an answer are called.
//!
//! - an expression without a name is called as it was typed: `left(text, 30)`, not as the engine writes it
//! - no two columns have one name: JSON and Parquet need to tell them apart
//! - `FROM t` alone is `SELECT * FROM t`

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Select, SelectFlavor, SelectItem, SetExpr, Statement as SqlStatement, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Whitespace};

use super::guard;

/// True when `sql` asks for plans rather than rows.
#[must_use]
pub fn is_explain(sql: &str) -> bool {
    let is_word = |token: &Token| matches!(token, Token::Word(word) if word.keyword == Keyword::EXPLAIN);
    let tokens = guard::tokens(sql).unwrap_or_default();
    tokens.iter().map(|t| &t.token).find(|t| !matches!(t, Token::Whitespace(_))).is_some_and(is_word)
}

struct FromFirst;

impl VisitorMut for FromFirst {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if select.flavor == SelectFlavor::FromFirstNoSelect && select.projection.is_empty() {
            select.projection.push(SelectItem::Wildcard(WildcardAdditionalOptions::default()));
            select.flavor = SelectFlavor::Standard;
        }
        ControlFlow::Continue(())
    }
}

/// Makes `FROM t` mean `SELECT * FROM t`, wherever it stands in `statement`.
pub(super) fn select_all(statement: &mut Statement) {
    match statement {
        Statement::Statement(inner) => {
            let _never: ControlFlow<()> = inner.visit(&mut FromFirst);
        }
        Statement::Explain(explain) => select_all(&mut explain.statement),
        _ => {}
    }
}

/// Names of the columns as they were typed.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// For each item of the SELECT: its text when it has no name of its own.
    typed: Vec<Option<String>>,
    /// The items that stand for any number of columns.
    wildcards: Option<(usize, usize)>,
}

impl Headers {
    /// Reads the names off `statement`, and gives what stands twice in its SELECT names that the engine
    /// can tell apart.
    pub(super) fn of(statement: &mut Statement, sql: &str, tokens: &[TokenWithSpan]) -> Self {
        let Some(select) = leading(statement) else { return Self::default() };
        let texts = items(select, sql, tokens);
        if texts.len() != select.projection.len() {
            return Self::default();
        }
        let is_wildcard =
            |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        let wildcards = || select.projection.iter().enumerate().filter(|(_, item)| is_wildcard(item)).map(|(i, _)| i);
        let wildcards = wildcards().next().zip(wildcards().next_back());
        let typed = select.projection.iter().zip(&texts);
        let typed = typed.map(|(item, text)| nameless(item).then(|| text.clone())).collect();
        tell_apart(&mut select.projection, &texts);
        Self { typed, wildcards }
    }

    /// `schema` with these names, each once.
    pub(super) fn apply(&self, schema: &SchemaRef) -> SchemaRef {
        let columns = schema.fields().len();
        let items = self.typed.len();
        let item_of = |column: usize| match self.wildcards {
            None => (items == columns).then_some(column),
            Some((first, _)) if column < first => Some(column),
            Some((_, last)) => (column + items).checked_sub(columns).filter(|item| *item > last),
        };
        let mut taken = HashSet::new();
        let fields = schema.fields().iter().enumerate().map(|(i, field)| {
            let typed = item_of(i).and_then(|item| self.typed.get(item)?.as_ref());
            let name = unlike(typed.unwrap_or(field.name()), &taken);
            taken.insert(name.clone());
            if name == *field.name() { Arc::clone(field) } else { Arc::new(field.as_ref().clone().with_name(name)) }
        });
        Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
    }
}

/// `batch` under the names of `schema`.
pub(super) fn renamed(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let own = batch.schema();
    if own.fields().iter().zip(schema.fields()).all(|(own, wanted)| own.name() == wanted.name()) {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let (_, columns, _) = batch.into_parts();
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// `name`, or the first of `name_1`, `name_2`, … that is not taken.
fn unlike(name: &str, taken: &HashSet<String>) -> String {
    let numbered = (1..).map(|n| format!("{name}_{n}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// The SELECT that names the columns of the answer.
fn leading(statement: &mut Statement) -> Option<&mut Select> {
    let Statement::Statement(inner) = statement else { return None };
    let SqlStatement::Query(query) = &mut **inner else { return None };
    let mut body = &mut *query.body;
    loop {
        body = match body {
            SetExpr::Select(select) => return Some(select),
            SetExpr::Query(query) => &mut query.body,
            SetExpr::SetOperation { left, .. } => left,
            _ => return None,
        };
    }
}

/// True for expressions whose name only the engine knows.
fn nameless(item: &SelectItem) -> bool {
    let SelectItem::UnnamedExpr(mut expr) = item.clone() else { return false };
    while let Expr::Nested(inner) = expr {
        expr = *inner;
    }
    !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// Gives each item that repeats one before it a name: the engine refuses them without.
fn tell_apart(projection: &mut [SelectItem], texts: &[String]) {
    let mut seen = HashSet::new();
    let mut taken: HashSet<String> = texts.iter().cloned().collect();
    for (item, text) in projection.iter_mut().zip(texts) {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if seen.insert(expr.to_string().to_lowercase()) {
            continue;
        }
        let name = unlike(text, &taken);
        taken.insert(name.clone());
        let expr = expr.clone();
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
    }
}

/// Texts of the items of `select` as they were typed, comments and line ends left out.
fn items(select: &Select, sql: &str, tokens: &[TokenWithSpan]) -> Vec<String> {
    let starts_at = select.select_token.0.span.start;
    let Some(start) = tokens.iter().position(|t| t.span.start == starts_at) else { return Vec::new() };
    let text = Text::new(sql);
    let mut items = vec![String::new()];
    let (mut depth, mut before) = (0usize, Keyword::SELECT);
    let mut rest = tokens.iter().skip(start + 1).peekable();
    skip_distinct(&mut rest);
    for TokenWithSpan { token, span } in rest {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => break,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            Token::SemiColon | Token::EOF => break,
            Token::Comma if depth == 0 => {
                items.push(String::new());
                continue;
            }
            Token::Word(word) if depth == 0 => {
                // IS DISTINCT FROM ends nothing.
                if ends_items(word.keyword) && !(word.keyword == Keyword::FROM && before == Keyword::DISTINCT) {
                    break;
                }
                before = word.keyword;
            }
            _ => {}
        }
        let Some(item) = items.last_mut() else { break };
        match token {
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => {}
            Token::Whitespace(_) if item.is_empty() || item.ends_with(' ') => {}
            Token::Whitespace(_) => item.push(' '),
            _ => item.push_str(text.between(span.start, span.end)),
        }
    }
    items.iter_mut().for_each(|item| item.truncate(item.trim_end().len()));
    // A comma may stand behind the last one.
    if items.last().is_some_and(String::is_empty) {
        items.pop();
    }
    items
}

/// Passes over ALL, DISTINCT and DISTINCT ON (…).
fn skip_distinct<'a>(rest: &mut std::iter::Peekable<impl Iterator<Item = &'a TokenWithSpan>>) {
    let mut depth = 0usize;
    let mut on = false;
    while let Some(TokenWithSpan { token, .. }) = rest.peek() {
        match token {
            Token::Whitespace(_) => {}
            Token::Word(word) if depth == 0 && matches!(word.keyword, Keyword::ALL | Keyword::DISTINCT) => {}
            Token::Word(word) if depth == 0 && word.keyword == Keyword::ON => on = true,
            Token::LParen if on => depth += 1,
            Token::RParen if depth > 0 => {
                depth -= 1;
                on = depth > 0;
            }
            _ if depth > 0 => {}
            _ => return,
        }
        rest.next();
    }
}

const fn ends_items(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::FROM
            | Keyword::INTO
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::QUALIFY
            | Keyword::WINDOW
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
    )
}

/// A text by lines and columns, as tokens have them: both count from 1, columns in characters.
struct Text<'a> {
    sql: &'a str,
    lines: Vec<usize>,
}

impl<'a> Text<'a> {
    fn new(sql: &'a str) -> Self {
        let ends = sql.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { sql, lines: std::iter::once(0).chain(ends).collect() }
    }

    fn byte(&self, at: Location) -> Option<usize> {
        let start = *self.lines.get(usize::try_from(at.line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        let line = self.sql.get(start..)?;
        Some(start + line.char_indices().nth(column).map_or(line.len(), |(i, _)| i))
    }

    fn between(&self, start: Location, end: Location) -> &'a str {
        self.byte(start).zip(self.byte(end)).and_then(|(start, end)| self.sql.get(start..end)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;
    use crate::query::statement;

    fn headers(sql: &str, columns: &[&str]) -> Vec<String> {
        let (mut statement, tokens) = statement::parse(sql).unwrap();
        select_all(&mut statement);
        let headers = Headers::of(&mut statement, sql, &tokens);
        let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        let named = headers.apply(&Arc::new(Schema::new(fields)));
        named.fields().iter().map(|f| f.name().clone()).collect()
    }

    #[test]
    fn expressions_are_called_as_they_were_typed() {
        for (sql, columns, wanted) in [
            ("select 1", &["Int64(1)"][..], &["1"][..]),
            ("SELECT left(text,30) , Count( * ) FROM e", &["a", "b"], &["left(text,30)", "Count( * )"]),
            (
                "SELECT a IS DISTINCT FROM b, 'it''s ü', c FROM e",
                &["a", "b", "c"],
                &["a IS DISTINCT FROM b", "'it''s ü'", "c"],
            ),
            ("SELECT sum(x)\n  -- why\n  + 1 AS n, [1, 2]\nFROM e", &["n", "b"], &["n", "[1, 2]"]),
            ("SELECT x\n  -- why\n  + /* what */ 1 FROM e", &["a"], &["x + 1"]),
            (
                "SELECT 0, *, extra->>'$.a', y + 1, FROM e",
                &["a", "x", "y", "z", "b", "c"],
                &["0", "x", "y", "z", "extra->>'$.a'", "y + 1"],
            ),
            ("SELECT e.agent, (model), (1 + 1) FROM e", &["agent", "model", "x"], &["agent", "model", "(1 + 1)"]),
            ("SELECT DISTINCT ON (a, b) a + b, c FROM e", &["x", "c"], &["a + b", "c"]),
            ("WITH w AS (SELECT 2) (SELECT 1 + 1 UNION SELECT 3)", &["x"], &["1 + 1"]),
            (
                "SELECT count(*) FILTER (WHERE a = 1) OVER (ORDER BY b) FROM e",
                &["x"],
                &["count(*) FILTER (WHERE a = 1) OVER (ORDER BY b)"],
            ),
            ("SELECT current_date", &["current_date()"], &["current_date"]),
            ("FROM e SELECT a + 1", &["x"], &["a + 1"]),
            ("FROM e", &["a", "b"], &["a", "b"]),
            ("VALUES (1)", &["column1"], &["column1"]),
            // What cannot be told apart by counting keeps the engine's names.
            ("SELECT a.*, 1, b.* FROM a, b", &["x", "Int64(1)", "y"], &["x", "Int64(1)", "y"]),
        ] {
            assert_eq!(headers(sql, columns), wanted, "{sql}");
        }
    }

    #[test]
    fn no_two_columns_have_one_name() {
        assert_eq!(headers("SELECT 1, 1, 1", &["a", "b", "c"]), ["1", "1_1", "1_2"]);
        assert_eq!(headers("SELECT a.id, b.id, 2 AS id_1 FROM a, b", &["id", "id", "id_1"]), ["id", "id_1", "id_1_1"]);
    }

    #[test]
    fn an_explanation_is_known_by_its_first_word() {
        assert!(is_explain("-- plan\n explain analyze select 1") && is_explain("EXPLAIN select 1"));
        assert!(!is_explain("select 'explain'") && !is_explain(""));
    }
}
