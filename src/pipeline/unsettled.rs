//! Records of a database that their agent may still change, kept until the end of a look.

use crate::schema::{Record, Value};

/// A record that its agent may still change.
pub(super) struct UnsettledRecord {
    pub(super) query: &'static str,
    pub(super) rowid: i64,
    pub(super) mark: i64,
    values: Vec<OwnedValue>,
}

enum OwnedValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl UnsettledRecord {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let owned = |value: &Value<'_>| match *value {
            Value::Null => OwnedValue::Null,
            Value::Integer(number) => OwnedValue::Integer(number),
            Value::Real(number) => OwnedValue::Real(number),
            Value::Text(bytes) => OwnedValue::Text(bytes.to_vec()),
            Value::Blob(bytes) => OwnedValue::Blob(bytes.to_vec()),
        };
        Self {
            query: record.query,
            rowid: record.rowid,
            mark: record.mark,
            values: record.values.iter().map(owned).collect(),
        }
    }

    pub(super) fn with<T>(&self, take: impl FnOnce(&Record<'_>) -> T) -> T {
        let values: Vec<Value<'_>> = self.values.iter().map(OwnedValue::borrowed).collect();
        take(&Record { query: self.query, rowid: self.rowid, mark: self.mark, values: &values })
    }
}

impl OwnedValue {
    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(number) => Value::Real(*number),
            Self::Text(bytes) => Value::Text(bytes),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}
