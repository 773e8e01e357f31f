//! What was wrong with a query, in words of the person who asked.
//!
//! The engine's own errors are taken apart here and nowhere else; no message of it reaches a person
//! with its prefixes.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::position::{TextPosition, place_of};
use crate::lake::LakeError;
use crate::text::nearest;

/// Why a query has no answer. Nothing is changed by a query, so nothing needs to be undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is no SQL.
    #[error("cannot read the query{}: {message}", at(place))]
    Syntax {
        /// What the parser expected.
        message: String,
        /// Where it stopped.
        place: Option<TextPosition>,
    },
    /// The text is longer than a query may be.
    #[error(
        "the query is {bytes} bytes long, more than the limit of {limit}; put long lists into a file and join them"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// An expression nests or chains too far.
    #[error("an expression at {place} has too many parts; use IN (...) instead of long chains of OR")]
    TooDeep {
        /// Where the limit was passed.
        place: TextPosition,
    },
    /// No statement, or more than one.
    #[error("expected one statement, found {found}; run them one by one")]
    NotOneStatement {
        /// Number of statements.
        found: usize,
    },
    /// A statement that would change or reveal something.
    #[error("{what} is not possible: queries only read; use SELECT, WITH, EXPLAIN or DESCRIBE")]
    ReadOnly {
        /// The statement's first word.
        what: String,
    },
    /// No such table or view.
    #[error("no table or view `{name}`{}{}; there are the tables {} and the views {}", at(place), hint(nearest), tables.join(", "), views.join(", "))]
    UnknownTable {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// All tables.
        tables: Vec<String>,
        /// All views.
        views: Vec<String>,
        /// Where it stands.
        place: Option<TextPosition>,
    },
    /// No such column.
    #[error("no column `{name}`{}{}{}{}", of(table), at(place), hint(nearest), listed(nearest, columns))]
    UnknownColumn {
        /// What was asked for.
        name: String,
        /// The table it was looked for in, when the query has only one.
        table: Option<String>,
        /// What was probably meant.
        nearest: Option<String>,
        /// The columns there are.
        columns: Vec<String>,
        /// Where it stands.
        place: Option<TextPosition>,
    },
    /// A column name that several tables of the query have.
    #[error("column `{name}`{} is in more than one table of the query; write the table's name before it", at(place))]
    AmbiguousColumn {
        /// The column.
        name: String,
        /// Where it stands.
        place: Option<TextPosition>,
    },
    /// No such function.
    #[error("no function `{name}`{}{}", at(place), hint(nearest))]
    UnknownFunction {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// Where it stands.
        place: Option<TextPosition>,
    },
    /// The query names a parameter that was not given.
    #[error("no value for the parameter ${name}{}; give it with --param {name}=VALUE", at(place))]
    MissingParameter {
        /// Its name without `$`.
        name: String,
        /// Where it stands.
        place: Option<TextPosition>,
    },
    /// A parameter that the query does not name.
    #[error("the query has no parameter ${name}{}", hint(nearest))]
    UnusedParameter {
        /// Its name without `$`.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A parameter's text is no value of the type that is needed.
    #[error("the value {value:?} of the parameter ${name} is not a {kind}")]
    ParameterType {
        /// Its name without `$`.
        name: String,
        /// The text given.
        value: String,
        /// The type needed.
        kind: String,
    },
    /// A view's own query is wrong.
    #[error("the view `{name}` in {path:?} is broken: {source}")]
    View {
        /// Its name.
        name: String,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<QueryError>,
    },
    /// The file of a view cannot be read, or must not be believed.
    #[error("the view `{name}` cannot be used: {why}")]
    UnusableView {
        /// Its name.
        name: String,
        /// Why, with its file and what to do.
        why: String,
    },
    /// A view needs itself.
    #[error("the view `{name}` is defined by itself, through {}", through.join(" → "))]
    Circular {
        /// Its name.
        name: String,
        /// The views on the way.
        through: Vec<String>,
    },
    /// The time limit passed.
    #[error("no answer within {seconds} s; narrow the query (a range of ts is fastest) or raise --timeout")]
    Timeout {
        /// The limit.
        seconds: f64,
    },
    /// The memory limit passed.
    #[error(
        "the query needs more memory than it may use ({limit_bytes} bytes); select fewer or shorter columns, narrow it, or raise --memory"
    )]
    Memory {
        /// The limit.
        limit_bytes: u64,
    },
    /// The operating system refuses threads.
    #[error("the system refuses threads for the query; end other programs, or raise the limits (ulimit -u, ulimit -v)")]
    Threads {
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// No such time zone.
    #[error("no time zone `{name}`{}; use a name of the IANA database such as Europe/Berlin", hint(nearest))]
    UnknownZone {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A directory or file the engine needs is not usable.
    #[error("cannot use {path:?}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The query is wrong in another way (types do not fit, an aggregate is misplaced, ...).
    #[error("the query is wrong: {message}")]
    Wrong {
        /// What is wrong.
        message: String,
    },
    /// A file of the lake is damaged, missing, or cannot be read.
    #[error("{message}")]
    Part {
        /// Which, why, and what to do.
        message: String,
        /// It is not there any more: a newer version of the lake may do without it.
        is_gone: bool,
    },
    /// A value could not be computed (a cast, a division, a damaged file).
    #[error("the query failed: {message}")]
    Failed {
        /// What happened.
        message: String,
    },
}

/// What the lake said, when it was the lake that failed.
fn of_the_lake<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a LakeError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<LakeError>() {
            return Some(found);
        }
        // An error of input may hold one and show only what that was caused by.
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<LakeError>()) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn at(place: &Option<TextPosition>) -> String {
    place.map_or_else(String::new, |p| format!(" ({p})"))
}

fn hint(word: &Option<String>) -> String {
    word.as_ref().map_or_else(String::new, |w| format!("; did you mean `{w}`?"))
}

fn of(table: &Option<String>) -> String {
    table.as_ref().map_or_else(String::new, |t| format!(" in {t}"))
}

fn listed(nearest: &Option<String>, columns: &[String]) -> String {
    if nearest.is_some() || columns.is_empty() { String::new() } else { format!("; there are {}", columns.join(", ")) }
}

/// What a translation needs to know about the query and its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) tokens: Arc<Vec<TokenWithSpan>>,
    pub(super) functions: Arc<Vec<String>>,
    pub(super) memory_bytes: u64,
}

impl Surroundings {
    /// Says `error` in words of the query.
    pub(super) fn explain(&self, error: DataFusionError) -> QueryError {
        if let Some(part) = of_the_lake(&error) {
            return QueryError::Part { message: part.to_string(), is_gone: part.is_gone() };
        }
        match error {
            DataFusionError::External(inner) => match inner.downcast::<QueryError>() {
                Ok(own) => *own,
                Err(other) => QueryError::Failed { message: other.to_string() },
            },
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => self.explain(*inner),
            DataFusionError::Collection(errors) => match errors.into_iter().next() {
                Some(first) => self.explain(first),
                None => QueryError::Failed { message: "no reason given".to_owned() },
            },
            DataFusionError::Shared(shared) => match Arc::try_unwrap(shared) {
                Ok(inner) => self.explain(inner),
                Err(shared) => self.explain_shared(&shared),
            },
            DataFusionError::SchemaError(inner, _) => self.explain_schema(*inner),
            DataFusionError::SQL(inner, _) => syntax(&inner),
            DataFusionError::ResourcesExhausted(_) => QueryError::Memory { limit_bytes: self.memory_bytes },
            DataFusionError::Plan(text) => self.explain_plan(&text),
            DataFusionError::NotImplemented(text) => QueryError::Wrong { message: plain(&text) },
            DataFusionError::Internal(text) => {
                let message = format!("{}; this is a bug, please report it with the query", plain(&text));
                QueryError::Failed { message }
            }
            DataFusionError::ArrowError(inner, _) => QueryError::Failed { message: plain(&inner.to_string()) },
            DataFusionError::Execution(text) | DataFusionError::Configuration(text) => {
                QueryError::Failed { message: plain(&text) }
            }
            other => QueryError::Failed { message: plain(&other.strip_backtrace()) },
        }
    }

    fn explain_shared(&self, shared: &DataFusionError) -> QueryError {
        match shared.find_root() {
            DataFusionError::ResourcesExhausted(_) => QueryError::Memory { limit_bytes: self.memory_bytes },
            DataFusionError::Plan(text) => self.explain_plan(text),
            other => QueryError::Failed { message: plain(&other.strip_backtrace()) },
        }
    }

    fn explain_schema(&self, error: SchemaError) -> QueryError {
        match error {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let mut tables: Vec<&str> =
                    valid_fields.iter().filter_map(|c| c.relation.as_ref()).map(|t| t.table()).collect();
                tables.sort_unstable();
                tables.dedup();
                let table = field.relation.as_ref().map(|t| t.table().to_owned());
                let in_table = |c: &&datafusion::common::Column| {
                    table.is_none() || c.relation.as_ref().map(|t| t.table()) == table.as_deref()
                };
                let mut columns: Vec<String> = valid_fields.iter().filter(in_table).map(|c| c.name.clone()).collect();
                if columns.is_empty() {
                    columns = valid_fields.iter().map(|c| c.name.clone()).collect();
                }
                columns.dedup();
                let nearest = nearest(&field.name, columns.iter().map(String::as_str)).map(str::to_owned);
                let only = (tables.len() == 1).then(|| tables[0].to_owned());
                let place = place_of(&self.tokens, &field.name);
                QueryError::UnknownColumn { name: field.name, table: table.or(only), nearest, columns, place }
            }
            SchemaError::AmbiguousReference { field } => {
                QueryError::AmbiguousColumn { place: place_of(&self.tokens, &field.name), name: field.name }
            }
            SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
                QueryError::Wrong { message: format!("two columns are called `{name}`; rename one with AS") }
            }
        }
    }

    fn explain_plan(&self, text: &str) -> QueryError {
        if let Some(name) = between(text, "Invalid function '", "'") {
            let known = self.functions.iter().map(String::as_str);
            return QueryError::UnknownFunction {
                nearest: nearest(name, known).map(str::to_owned),
                place: place_of(&self.tokens, name),
                name: name.to_owned(),
            };
        }
        if let Some(call) = between(text, "argument types '", "'") {
            return QueryError::Wrong { message: format!("{} is not possible with these types", plain(call)) };
        }
        if let Some(name) = between(text, "No value found for placeholder with name $", " ").or_else(|| {
            let rest = text.split_once("No value found for placeholder with name $")?.1;
            Some(rest)
        }) {
            return QueryError::MissingParameter { name: name.to_owned(), place: place_of(&self.tokens, name) };
        }
        if let Some(column) =
            text.contains("GROUP BY").then(|| between(text, "column \"", "\" must appear in")).flatten()
        {
            let column = column.rsplit('.').next().unwrap_or(column);
            let message = format!("`{column}` must be in GROUP BY, or in an aggregate such as max({column})");
            return QueryError::Wrong { message };
        }
        for (start, what) in
            [("DDL not supported: ", "ddl"), ("DML not supported: ", "dml"), ("Statement not supported: ", "s")]
        {
            if let Some((_, rest)) = text.split_once(start) {
                let what = rest.split_whitespace().next().unwrap_or(what);
                return QueryError::ReadOnly { what: what.to_owned() };
            }
        }
        QueryError::Wrong { message: plain(text) }
    }
}

/// Says a parser's error in words of the query.
pub(super) fn syntax(error: &ParserError) -> QueryError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => "brackets or subqueries nest too deep",
    };
    let (message, place) = match text.rsplit_once(" at Line: ") {
        Some((message, rest)) => {
            let mut numbers = rest.split(", Column: ").map(|n| n.trim().parse::<u64>().ok());
            let place = numbers.next().flatten().zip(numbers.next().flatten());
            (message, place.map(|(line, column)| TextPosition::new(line, column)))
        }
        None => (text, None),
    };
    let message = message.replacen("Expected: ", "expected ", 1).replace("found: EOF", "found the end");
    QueryError::Syntax { message: lower_first(&message.replacen("found: ", "found ", 1)), place }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(word, _)| word)
}

/// Takes the engine's prefixes and type names out of `text`.
fn plain(text: &str) -> String {
    let text = text.split("This issue was likely caused by a bug").next().unwrap_or(text);
    let mut text = text.trim();
    for prefix in [
        "Error during planning: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "Optimizer rule 'simplify_expressions' failed",
        "Cast error: ",
        "Parser error: ",
        "Internal error: ",
        "Invalid argument error: ",
        "Parquet error: ",
        "Compute error: ",
        "External error: ",
        "type_coercion\ncaused by\n",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text).trim_start();
    }
    let text = text.split("\ncaused by\n").last().unwrap_or(text);
    // What follows sends people to another project's list of faults.
    let text = text.split_once("This issue was likely caused by a bug").map_or(text, |(what, _)| what.trim_end());
    let mut out = text.replace("datafusion.", "").replace("DataFusion", "the engine");
    for (from, to) in
        [("LargeUtf8", "text"), ("Utf8View", "text"), ("Utf8", "text"), ("Int64", "integer"), ("Int32", "integer")]
    {
        out = out.replace(from, to);
    }
    lower_first(&out.trim_end_matches(['.', '\n', ' ']).replace('\n', " "))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
