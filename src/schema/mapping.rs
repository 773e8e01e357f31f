//! Formats that users describe: where the values of a record go. Plain data, made by `config`.
//!
//! - a [`Pointer`] is a JSON pointer (RFC 6901), taken apart once
//! - [`TARGETS`] are the columns of `events` that a description may fill, with the way to fill them

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chrono_tz::Tz;

use super::event::EventRow;
use super::event_type::EventType;
use super::format::Format;
use super::status::Status;
use super::usage_source::UsageSource;

/// Puts a text into its column.
pub type SetText = for<'r> fn(&mut EventRow<'r>, &'r str);

/// How a column takes its value.
#[derive(Clone, Copy)]
pub enum Setter {
    /// Text; numbers as they are written, objects and arrays as JSON.
    Text(SetText),
    /// JSON text.
    Json(SetText),
    /// A truth value.
    Bool(fn(&mut EventRow<'_>, bool)),
    /// A whole number of 32 bits.
    Small(fn(&mut EventRow<'_>, i32)),
    /// A whole number.
    Number(fn(&mut EventRow<'_>, i64)),
    /// A decimal number, in billionths.
    Nano(fn(&mut EventRow<'_>, i64)),
    /// The time.
    Time,
    /// One of the words of [`EventType`].
    EventType,
}

/// A column of `events` that a description may fill.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// How it takes its value.
    pub set: Setter,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Target {
    /// The target called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}

const fn to(name: &'static str, set: Setter) -> Target {
    Target { name, set }
}

/// Every column that a description may fill, in the order of the table.
pub static TARGETS: &[Target] = &[
    to("ts", Setter::Time),
    to("event_type", Setter::EventType),
    to("agent_version", Setter::Text(|row, text| row.agent_version = Some(text))),
    to("provider", Setter::Text(|row, text| row.provider = Some(text))),
    to("model", Setter::Text(|row, text| row.model = Some(text))),
    to("project", Setter::Text(|row, text| row.project = Some(text))),
    to("repo_url", Setter::Text(|row, text| row.repo_url = Some(text))),
    to("workspace_id", Setter::Text(|row, text| row.workspace_id = Some(text))),
    to("cwd", Setter::Text(|row, text| row.cwd = Some(text))),
    to("git_branch", Setter::Text(|row, text| row.git_branch = Some(text))),
    to("git_commit", Setter::Text(|row, text| row.git_commit = Some(text))),
    to("session_id", Setter::Text(|row, text| row.session_id = Some(text))),
    to("parent_session_id", Setter::Text(|row, text| row.parent_session_id = Some(text))),
    to("is_subagent", Setter::Bool(|row, is| row.is_subagent = Some(is))),
    to("subagent_type", Setter::Text(|row, text| row.subagent_type = Some(text))),
    to("turn", Setter::Small(|row, number| row.turn = Some(number))),
    to("parent_event_id", Setter::Text(|row, text| row.parent_event_id = Some(text))),
    to("message_id", Setter::Text(|row, text| row.message_id = Some(text))),
    to("request_id", Setter::Text(|row, text| row.request_id = Some(text))),
    to("tool_call_id", Setter::Text(|row, text| row.tool_call_id = Some(text))),
    to("role", Setter::Text(|row, text| row.role = Some(text))),
    to("text", Setter::Text(|row, text| row.text = Some(text))),
    to("tool_name", Setter::Text(|row, text| row.tool_name = Some(text))),
    to("tool_input", Setter::Json(|row, text| row.tool_input = Some(text))),
    to("tool_output", Setter::Text(|row, text| row.tool_output = Some(text))),
    to("file_path", Setter::Text(|row, text| row.file_path = Some(text))),
    to("command", Setter::Text(|row, text| row.command = Some(text))),
    to("exit_code", Setter::Small(|row, number| row.exit_code = Some(number))),
    to("lines_added", Setter::Small(|row, number| row.lines_added = Some(number))),
    to("lines_removed", Setter::Small(|row, number| row.lines_removed = Some(number))),
    to("is_error", Setter::Bool(|row, is| row.is_error = Some(is))),
    to("status", Setter::Text(|row, text| row.status = Some(Status::of(text)))),
    to("stop_reason", Setter::Text(|row, text| row.stop_reason = Some(text))),
    to("input_tokens", Setter::Number(|row, number| row.input_tokens = Some(number))),
    to("cache_read_tokens", Setter::Number(|row, number| row.cache_read_tokens = Some(number))),
    to("cache_write_5m_tokens", Setter::Number(|row, number| row.cache_write_5m_tokens = Some(number))),
    to("cache_write_1h_tokens", Setter::Number(|row, number| row.cache_write_1h_tokens = Some(number))),
    to("output_tokens", Setter::Number(|row, number| row.output_tokens = Some(number))),
    to("reasoning_tokens", Setter::Number(|row, number| row.reasoning_tokens = Some(number))),
    to("usage_source", Setter::Text(|row, text| row.usage_source = UsageSource::named(text))),
    to("service_tier", Setter::Text(|row, text| row.service_tier = Some(text))),
    to("cost_usd_reported", Setter::Nano(|row, nano| row.cost_nano_usd = Some(nano))),
    to("credits", Setter::Nano(|row, nano| row.nano_credits = Some(nano))),
    to("duration_ms", Setter::Number(|row, number| row.duration_ms = Some(number))),
];

/// A JSON pointer: the keys and indices that lead to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pointer(pub Vec<String>);

impl Pointer {
    /// Takes `/a/b/0` apart; the empty text is the whole value.
    ///
    /// ```
    /// use devlog::schema::Pointer;
    /// assert_eq!(Pointer::parse("/a~1b/0").unwrap().0, ["a/b", "0"]);
    /// assert_eq!(Pointer::parse("a"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let parts = text.strip_prefix('/')?.split('/');
        Some(Self(parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
    }
}

/// A value that stands in a description.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

/// What a condition asks of the value at its pointer.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is one of these.
    OneOf(Vec<Constant>),
    /// It is there and not null, or it is not.
    Exists(bool),
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Which value.
    pub pointer: Pointer,
    /// What it must be.
    pub test: Test,
}

/// What a record is when all its conditions hold.
#[derive(Debug)]
pub struct TypeRule {
    /// All must hold.
    pub when: Vec<Condition>,
    /// Type of the row; `None` makes no row of such a record.
    pub event_type: Option<EventType>,
    /// Columns that such rows have.
    pub set: Vec<(&'static Target, Constant)>,
}

/// How times are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339, in this zone where the text has none, or a Unix time whose unit its size tells.
    Auto(Tz),
    /// RFC 3339.
    Rfc3339,
    /// Unix time; so many of its units are a second.
    Unix(i64),
    /// A pattern of `strftime`, in this zone where the text has none.
    Pattern(String, Tz),
}

/// How the records lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// JSON values, one a line.
    Lines,
    /// One JSON document.
    Document,
}

/// Where files of a described format are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MappedFiles {
    /// The deepest folder without a pattern.
    pub folder: PathBuf,
    /// Parts below it, separated by `/`; `*` and `**` as in the agents' own patterns.
    pub pattern: String,
}

/// A format as a user describes it.
#[derive(Debug)]
pub struct Mapping {
    /// Its name: the agent id of its rows. It lives as long as the process.
    pub agent: &'static str,
    /// The description's file.
    pub path: PathBuf,
    /// Where its files are.
    pub files: Vec<MappedFiles>,
    /// How records lie in a file.
    pub packing: Compression,
    /// Where the records are in a line or document: an array has one in each element, anything else is one.
    pub records: Pointer,
    /// How times are written.
    pub time: TimeFormat,
    /// Columns from the record; the first pointer that leads to a value counts.
    pub columns: Vec<(&'static Target, Vec<Pointer>)>,
    /// Columns from the line or document around the records.
    pub document: Vec<(&'static Target, Vec<Pointer>)>,
    /// Columns that all rows have.
    pub constants: Vec<(&'static Target, Constant)>,
    /// Types of rows; the first rule that fits decides.
    pub types: Vec<TypeRule>,
    /// Type of rows that no rule fits.
    pub event_type: Option<EventType>,
    /// Values that are the record's identity; without any, the whole record is.
    pub id: Vec<Pointer>,
    /// True when `input_tokens` of the log include what was read from and written to caches.
    pub input_includes_cache: bool,
}

impl Mapping {
    /// The format of its files.
    #[must_use]
    pub const fn format(&self) -> Format {
        match self.packing {
            Compression::Lines => Format::MappedLines,
            Compression::Document => Format::MappedDocument,
        }
    }
}

/// `text` as a text that lives as long as the process: the few names in descriptions, each kept once
/// however often the configuration is read.
#[must_use]
pub fn intern(text: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = known.get(text) {
        return text;
    }
    let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events;

    #[test]
    fn every_target_is_a_column_and_what_is_left_out_is_filled_by_devlog() {
        let columns: Vec<&str> = events().columns.iter().map(|c| c.name.as_str()).collect();
        let own = [
            "event_id",
            "ts_source",
            "provisional",
            "agent",
            "user_name",
            "machine_id",
            "total_tokens",
            "source_path",
            "source_generation",
            "source_offset",
            "completeness",
            "ingested_at",
            "schema_version",
            "extra",
        ];
        let fillable: Vec<&str> = columns.into_iter().filter(|name| !own.contains(name)).collect();
        assert_eq!(TARGETS.iter().map(|t| t.name).collect::<Vec<_>>(), fillable);
    }

    #[test]
    fn a_name_is_kept_once() {
        assert!(std::ptr::eq(intern("a-name"), intern(&String::from("a-name"))));
    }
}
