//! Table definitions read from the embedded `schemas/*.toml`.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;

/// One table: its name, what a row means, and its columns in order.
#[derive(Debug, Clone, Deserialize)]
pub struct Table {
    /// Name in SQL and of the folder in the lake.
    pub name: String,
    /// Rises when a column is added or changes meaning.
    pub version: i32,
    /// What one row is.
    pub doc: String,
    /// Columns in the order of every batch and file.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, Deserialize)]
pub struct Column {
    /// Name in SQL.
    pub name: String,
    /// What a value is.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Whether a value may be missing; missing never means zero.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// Unit of numbers.
    pub unit: Option<String>,
    /// What the value means.
    pub doc: String,
}

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// UTF-8 text holding one JSON value.
    Json,
    /// True or false.
    Bool,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// Exact decimal, 18 digits, 9 of them after the point.
    Decimal,
    /// Microseconds since 1970 in UTC.
    Timestamp,
}

const fn yes() -> bool {
    true
}

impl ColumnType {
    /// Arrow type of the column in batches and queries.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text | Self::Json => DataType::Utf8View,
            Self::Bool => DataType::Boolean,
            Self::I32 => DataType::Int32,
            Self::I64 => DataType::Int64,
            Self::Decimal => DataType::Decimal128(18, 9),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Name of the type in Delta Lake's schema language.
    #[must_use]
    pub const fn delta(self) -> &'static str {
        match self {
            Self::Text | Self::Json => "string",
            Self::Bool => "boolean",
            Self::I32 => "integer",
            Self::I64 => "long",
            Self::Decimal => "decimal(18,9)",
            Self::Timestamp => "timestamp",
        }
    }

    /// Name of the type for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Bool => "bool",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Decimal => "decimal(18,9)",
            Self::Timestamp => "timestamp(us, UTC)",
        }
    }
}

impl Table {
    /// Arrow schema with the columns in order.
    #[must_use]
    pub fn arrow(&self) -> SchemaRef {
        let fields: Vec<Field> = self.columns.iter().map(|c| Field::new(&c.name, c.kind.arrow(), c.nullable)).collect();
        Arc::new(Schema::new(fields))
    }

    /// Index of the column called `name`.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

struct Known {
    table: Table,
    schema: SchemaRef,
}

fn known(cell: &'static OnceLock<Known>, text: &str) -> &'static Known {
    cell.get_or_init(|| {
        let table: Table = toml::from_str(text).expect("embedded schema file is valid, a test reads all of them");
        let schema = table.arrow();
        Known { table, schema }
    })
}

fn known_events() -> &'static Known {
    static CELL: OnceLock<Known> = OnceLock::new();
    known(&CELL, include_str!("../../schemas/events.toml"))
}

fn known_rejects() -> &'static Known {
    static CELL: OnceLock<Known> = OnceLock::new();
    known(&CELL, include_str!("../../schemas/rejects.toml"))
}

fn known_sources() -> &'static Known {
    static CELL: OnceLock<Known> = OnceLock::new();
    known(&CELL, include_str!("../../schemas/sources.toml"))
}

/// The table `events`.
#[must_use]
pub fn events() -> &'static Table {
    &known_events().table
}

/// Arrow schema of `events`.
#[must_use]
pub fn events_schema() -> SchemaRef {
    Arc::clone(&known_events().schema)
}

/// The table `rejects`.
#[must_use]
pub fn rejects() -> &'static Table {
    &known_rejects().table
}

/// Arrow schema of `rejects`.
#[must_use]
pub fn rejects_schema() -> SchemaRef {
    Arc::clone(&known_rejects().schema)
}

/// The table `sources`.
#[must_use]
pub fn sources() -> &'static Table {
    &known_sources().table
}

/// Arrow schema of `sources`.
#[must_use]
pub fn sources_schema() -> SchemaRef {
    Arc::clone(&known_sources().schema)
}

/// All tables, in the order `devlog schema` prints them.
#[must_use]
pub fn tables() -> [&'static Table; 3] {
    [events(), rejects(), sources()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_documented_and_has_unique_columns() {
        for table in tables() {
            let mut names: Vec<_> = table.columns.iter().map(|c| &c.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
            assert!(table.columns.iter().all(|c| c.doc.ends_with('.')), "{}", table.name);
        }
        assert_eq!(events().version, super::super::EVENTS_VERSION);
    }
}
