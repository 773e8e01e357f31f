//! What of a record found no column.

use crate::adapters::clean::RECORD;
use crate::adapters::json::{Json, ObjectWriter};
use crate::schema::Pointer;

/// Pointers whose values are in columns.
#[derive(Debug, Default)]
pub(super) struct Consumed<'m>(Vec<&'m [String]>);

impl<'m> Consumed<'m> {
    pub(super) fn add(&mut self, pointer: &'m Pointer) {
        self.0.push(&pointer.0);
    }

    /// Writes the members of `record` that are in no column; false when there are none.
    pub(super) fn write_rest(&self, record: Json<'_, '_>, mut out: ObjectWriter<'_>) -> bool {
        if !self.0.iter().any(|path| path.is_empty()) {
            members(record, &self.0, &mut out);
        }
        out.end()
    }
}

fn members(object: Json<'_, '_>, consumed: &[&[String]], out: &mut ObjectWriter<'_>) {
    for (key, value) in object.entries() {
        // Paths that go on below this member.
        let below: Vec<&[String]> = consumed
            .iter()
            .filter_map(|path| path.split_first().filter(|(first, _)| *first == key))
            .map(|(_, rest)| rest)
            .collect();
        if below.iter().any(|path| path.is_empty()) {
            continue;
        }
        if below.is_empty() {
            if RECORD.keeps(key, value) {
                out.with(key, |out| RECORD.write(value, out));
            }
        } else if value.is_object() {
            out.object(key, |inner| members(value, &below, inner));
        } else if value.is_array() && !is_all(value, &below) {
            // Elements in columns leave a gap, so that the others keep their places.
            out.with(key, |text| elements(value, &below, text));
        }
    }
}

/// True when every element is in a column.
fn is_all(array: Json<'_, '_>, consumed: &[&[String]]) -> bool {
    (0..array.len()).all(|index| {
        consumed.iter().any(|path| path.len() == 1 && path.first().is_some_and(|part| part.parse() == Ok(index)))
    })
}

fn elements(array: Json<'_, '_>, consumed: &[&[String]], text: &mut String) {
    text.push('[');
    for (index, element) in array.items().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let below: Vec<&[String]> = consumed
            .iter()
            .filter_map(|path| path.split_first().filter(|(first, _)| first.parse() == Ok(index)))
            .map(|(_, rest)| rest)
            .collect();
        if below.is_empty() {
            element.write(text);
        } else if below.iter().any(|path| path.is_empty()) || !(element.is_object() || element.is_array()) {
            text.push_str("null");
        } else if element.is_array() {
            elements(element, &below, text);
        } else {
            let mut inner = ObjectWriter::new(text);
            members(element, &below, &mut inner);
            inner.end();
        }
    }
    text.push(']');
}
