//! What passes between a database's reader and its decoder.
//!
//! The decoder says which queries it needs, given which tables and columns there are; the reader runs
//! them and hands over record by record. Neither knows the other.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Tables of a database and their columns, as they are in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    known: BTreeMap<String, Vec<String>>,
    all: bool,
}

impl Tables {
    /// Tables with their columns.
    #[must_use]
    pub const fn new(tables: BTreeMap<String, Vec<String>>) -> Self {
        Self { known: tables, all: false }
    }

    /// Every table with every column: for tools that make records up.
    #[must_use]
    pub const fn all() -> Self {
        Self { known: BTreeMap::new(), all: true }
    }

    /// True when there is a table (or view) of this name.
    #[must_use]
    pub fn has(&self, table: &str) -> bool {
        self.all || self.known.contains_key(table)
    }

    /// True when that table has that column.
    #[must_use]
    pub fn has_column(&self, table: &str, column: &str) -> bool {
        self.all || self.known.get(table).is_some_and(|columns| columns.iter().any(|c| c == column))
    }

    /// `column` when `table` has it, else `NULL`: for the select list of a query over versions of a
    /// schema. `alias` qualifies the column.
    #[must_use]
    pub fn column_or_null(&self, table: &str, alias: &str, column: &str) -> String {
        if self.has_column(table, column) { format!("{alias}.\"{column}\"") } else { "NULL".to_owned() }
    }

    /// Names of the tables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }
}

/// One query that a decoder needs.
///
/// Its first two result columns are integers: the *row id* and the *mark* of the record. It may name
/// the parameters `:rowid` and `:mark`: the largest of each that earlier runs have handed out
/// (`i64::MIN` before the first), so that only records that are new or changed come back:
///
/// - rows that are only ever inserted or replaced: `WHERE rowid > :rowid`, mark 0
/// - rows that carry the time of their last change: `WHERE updated >= :mark OR rowid > :rowid`, with
///   that time as mark
///
/// A query with an anchor that also names `:until` is asked again for single rows that were handed out lately
/// and whose anchor tells another value now: with `:rowid` just before the row, and `:until` at it. That is
/// how a change is seen that leaves a row where it stands and carries no time. Otherwise `:until` is
/// `i64::MAX`.
///
/// A record that comes back although it was handed out before does no harm: its ids are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Name of the query, the same in every version: positions are kept under it.
    pub name: &'static str,
    /// The SELECT.
    pub sql: String,
    /// A SELECT of one text value, the identity of the row whose id is `:rowid`. The reader keeps it for
    /// some of the rows handed out; reading goes on behind the newest of them that is what it was, or
    /// starts over when none is (row ids were given anew: a restored copy, a vacuum, another file).
    /// `None` when row ids are never given anew: an `INTEGER PRIMARY KEY` of a file that nothing is copied over.
    pub anchor: Option<String>,
}

impl Query {
    /// True when it can be asked for single rows that were changed where they stand.
    #[must_use]
    pub fn asks_for_single_rows(&self) -> bool {
        self.anchor.is_some() && self.sql.contains(":until")
    }
}

/// A value in a database.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text, which need not be valid UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes of a text or blob.
    #[must_use]
    pub const fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(bytes) | Self::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text (of a blob too: SQLite keeps what it is given), invalid stretches replaced.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        self.bytes().map(String::from_utf8_lossy)
    }

    /// The integer; a number with an integral value and a text of digits count.
    #[must_use]
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            #[expect(clippy::cast_possible_truncation, reason = "the guard keeps the value exact")]
            Self::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(number as i64),
            Self::Text(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub fn real(self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "what a floating-point column would hold")]
            Self::Integer(number) => Some(number as f64),
            Self::Real(number) => Some(number),
            Self::Text(bytes) => std::str::from_utf8(bytes).ok()?.trim().parse().ok(),
            _ => None,
        }
    }

    /// True for `NULL`.
    #[must_use]
    pub const fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }
}

/// One record that a query answered with.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Name of the query.
    pub query: &'static str,
    /// The row id: `source_offset` of its events.
    pub rowid: i64,
    /// The mark.
    pub mark: i64,
    /// The other columns, in the order of the SELECT.
    pub values: &'a [Value<'a>],
}

impl<'a> Record<'a> {
    /// The value in a column; `Null` beyond the last.
    #[must_use]
    pub fn value(&self, column: usize) -> Value<'a> {
        self.values.get(column).copied().unwrap_or(Value::Null)
    }

    /// The text in a column; `None` when it is null, empty or a number.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<Cow<'a, str>> {
        self.value(column).text().filter(|text| !text.is_empty())
    }

    /// The integer in a column.
    #[must_use]
    pub fn integer(&self, column: usize) -> Option<i64> {
        self.value(column).integer()
    }

    /// `source_offset` of the record's events.
    #[must_use]
    pub fn offset(&self) -> u64 {
        u64::try_from(self.rowid).unwrap_or(0)
    }

    /// Bytes of texts and blobs in it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.values.iter().filter_map(|value| value.bytes()).map(<[u8]>::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_the_form_that_is_wanted() {
        assert_eq!(Value::Text(b"12").integer(), Some(12));
        assert_eq!(Value::Real(12.0).integer(), Some(12));
        assert_eq!(Value::Real(12.5).integer(), None);
        assert_eq!(Value::Blob(b"a\xff").text().as_deref(), Some("a\u{fffd}"));
        assert_eq!(Value::Null.text(), None);
        let record = Record { query: "q", rowid: -1, mark: 0, values: &[Value::Text(b""), Value::Integer(3)] };
        assert_eq!((record.text(0), record.integer(1), record.value(9).is_null()), (None, Some(3), true));
    }

    #[test]
    fn a_missing_column_is_selected_as_null() {
        let tables = Tables::new([("t".to_owned(), vec!["a".to_owned()])].into());
        assert_eq!(tables.column_or_null("t", "x", "a"), "x.\"a\"");
        assert_eq!(tables.column_or_null("t", "x", "b"), "NULL");
        assert!(tables.has("t") && !tables.has("u"));
    }
}
