//! Formats that users describe in `<home>/adapters/<name>.toml`.
//!
//! - a record is one JSON value of a line, or each element of an array that the description points to
//! - ids: the values that the description names, or the whole record as JSON text; equal records are one
//!   event then, unless they stand beside each other as lines
//! - a record of a document may grow until the next version of the document: the longer one stays
//! - what found no column is in `extra`, also a value whose column cannot hold it
//! - a value from the record wins over one from around it, that over the rule's and the constants
//! - nothing is held open; a changed description counts for what is read from then on

mod repeats;
mod rest;
mod value;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::kit::adapter::Versioned;
use crate::adapters::kit::content::Content;
use crate::adapters::line::Parser;
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{
    Checkpoint, Compression, Constant, EventId, EventRow, EventType, Mapping, Pointer, RejectReason, Rows, SetText,
    Setter, Target, TypeRule, UsageSource,
};
use repeats::Repeats;
use rest::Consumed;

/// Kind of the ids: a record is one event.
const KIND: &str = "record";

/// Decodes one source of a described format.
#[derive(Debug)]
pub struct MappedDecoder {
    parser: Parser,
    mapping: Arc<Mapping>,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
    repeats: Repeats,
}

/// Starts a decoder for a source that `mapping` describes, where `checkpoint` says or at byte 0.
#[must_use]
pub fn decoder(mapping: &Arc<Mapping>, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Box<dyn Decoder> {
    let fresh = Box::new(MappedDecoder::new(mapping, info, None));
    Versioned::start(1, fresh, checkpoint, |own| Some(Box::new(MappedDecoder::new(mapping, info, Some(own)))))
}

/// What the records of a line came to.
#[derive(Debug, Default)]
struct Came {
    rows: u64,
    unknown: bool,
    /// Records that are no object.
    wrong: u64,
    missing: bool,
}

impl MappedDecoder {
    fn new(mapping: &Arc<Mapping>, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let mut state = checkpoint.map_or("", |c| &*c.state).split(' ');
        Self {
            parser: Parser::default(),
            mapping: Arc::clone(mapping),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: state.next().and_then(|us| us.parse().ok()),
            repeats: Repeats::of_state(state),
        }
    }

    /// The records of one JSON value.
    fn value(&mut self, outer: Json<'_, '_>, line: Line<'_>, rows: &mut Rows, came: &mut Came) {
        let mapping = Arc::clone(&self.mapping);
        let Some(records) = value::at(outer, &mapping.records) else {
            came.missing = true;
            return;
        };
        let is_list = records.is_array();
        let single = (!is_list).then_some(records);
        for record in records.items().chain(single) {
            if record.is_object() {
                self.record(&mapping, record, outer, line, rows, came);
            } else {
                came.wrong += 1;
            }
        }
    }

    fn record(
        &mut self,
        mapping: &Mapping,
        record: Json<'_, '_>,
        outer: Json<'_, '_>,
        line: Line<'_>,
        rows: &mut Rows,
        came: &mut Came,
    ) {
        let rule = mapping.types.iter().find(|rule| rule.when.iter().all(|c| value::holds(record, c)));
        if rule.is_some_and(|rule| rule.event_type.is_none()) {
            return;
        }
        let mut filler = Filler::default();
        constants(mapping, rule, &mut filler);
        let mut unused = Consumed::default();
        filler.columns(&mapping.document, outer, mapping, &mut unused);
        let mut consumed = Consumed::default();
        filler.columns(&mapping.columns, record, mapping, &mut consumed);
        self.last_us = self.last_us.max(filler.ts_us);
        let is_document = mapping.packing == Compression::Document;
        let size = is_document.then(|| i64::try_from(record.to_json().len()).unwrap_or(i64::MAX));
        let mut extra = String::new();
        let has_extra = consumed.write_rest(record, ObjectWriter::new(&mut extra));
        let event_type = rule.and_then(|r| r.event_type).or(filler.event_type).or(mapping.event_type);
        came.unknown |= event_type.is_none();
        came.rows += 1;
        let id = named_id(mapping, record).unwrap_or_else(|| {
            let own = EventId::of(mapping.agent, KIND, &[b"", Content::of(record).bytes()]);
            match mapping.packing {
                Compression::Lines => self.repeats.tell(own, mapping.agent, KIND),
                Compression::Document => own,
            }
        });
        let mut row = EventRow {
            id: Some(id),
            ts_us: filler.ts_us.or(self.last_us).unwrap_or(self.modified_us),
            ts_inferred: filler.ts_us.is_none(),
            event_type: event_type.unwrap_or(EventType::Unknown),
            source_offset: line.offset,
            completeness: match size {
                Some(size) => size,
                None if mapping.id.is_empty() => 1,
                None => later(filler.ts_us, line.offset),
            },
            extra: has_extra.then_some(extra.as_str()),
            ..EventRow::default()
        };
        filler.fill(&mut row);
        settle_usage(&mut row, mapping.input_includes_cache);
        rows.event(&row);
    }
}

/// Of records of one id in a log the later one counts: by its time to the second, then by its place.
fn later(ts_us: Option<i64>, offset: u64) -> i64 {
    const PLACE: i64 = (1 << 30) - 1;
    let seconds = ts_us.unwrap_or(0).div_euclid(1_000_000).clamp(0, i64::MAX >> 30);
    seconds << 30 | i64::try_from(offset).unwrap_or(PLACE).min(PLACE)
}

/// Id of the values that the description names, when there are all of them.
fn named_id(mapping: &Mapping, record: Json<'_, '_>) -> Option<EventId> {
    let part = |value: Json<'_, '_>| match value.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => Content::of(value).bytes().to_vec(),
    };
    let named: Option<Vec<Vec<u8>>> =
        mapping.id.iter().map(|pointer| value::at(record, pointer).filter(|v| !v.is_null()).map(part)).collect();
    let parts = named.filter(|parts| !parts.is_empty())?;
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Some(EventId::of(mapping.agent, KIND, &parts))
}

fn constants<'m>(mapping: &'m Mapping, rule: Option<&'m TypeRule>, filler: &mut Filler<'m>) {
    let set = rule.into_iter().flat_map(|rule| &rule.set);
    for (target, constant) in mapping.constants.iter().chain(set) {
        match (target.set, constant) {
            (Setter::Text(set) | Setter::Json(set), Constant::Text(text)) => {
                filler.texts.push((set, Cow::Borrowed(text)));
            }
            (Setter::Bool(set), Constant::Bool(is)) => filler.others.push(Other::Bool(set, *is)),
            (Setter::Small(set), Constant::Integer(n)) => {
                filler.others.extend(i32::try_from(*n).ok().map(|n| Other::Small(set, n)));
            }
            (Setter::Number(set), Constant::Integer(n)) => filler.others.push(Other::Number(set, *n)),
            (Setter::Nano(set), Constant::Integer(n)) => {
                filler.others.extend(n.checked_mul(1_000_000_000).map(|n| Other::Number(set, n)));
            }
            (Setter::Nano(set), Constant::Float(n)) => {
                filler.others.extend(value::nano(*n).map(|n| Other::Number(set, n)));
            }
            _ => {}
        }
    }
}

/// Input without what caches took, and the word for where usage comes from.
fn settle_usage(row: &mut EventRow<'_>, input_includes_cache: bool) {
    if input_includes_cache {
        let cached = [row.cache_read_tokens, row.cache_write_5m_tokens, row.cache_write_1h_tokens];
        let cached = cached.iter().flatten().fold(0i64, |sum, n| sum.saturating_add(*n));
        row.input_tokens = row.input_tokens.map(|input| input.saturating_sub(cached).max(0));
    }
    if row.usage_source.is_none() && row.total().is_some() {
        row.usage_source = Some(UsageSource::Reported);
    }
}

/// Values on their way into a row.
#[derive(Default)]
struct Filler<'v> {
    texts: Vec<(SetText, Cow<'v, str>)>,
    others: Vec<Other>,
    ts_us: Option<i64>,
    event_type: Option<EventType>,
}

enum Other {
    Bool(fn(&mut EventRow<'_>, bool), bool),
    Small(fn(&mut EventRow<'_>, i32), i32),
    Number(fn(&mut EventRow<'_>, i64), i64),
}

impl<'v> Filler<'v> {
    fn columns<'m>(
        &mut self,
        columns: &'m [(&'static Target, Vec<Pointer>)],
        json: Json<'_, 'v>,
        mapping: &Mapping,
        consumed: &mut Consumed<'m>,
    ) {
        for (target, pointers) in columns {
            let found = pointers.iter().find_map(|pointer| {
                let value = value::at(json, pointer).filter(|v| !v.is_null())?;
                Some((pointer, value))
            });
            if let Some((pointer, value)) = found
                && self.take(target.set, value, mapping)
            {
                consumed.add(pointer);
            }
        }
    }

    /// Takes a value; false when the column cannot hold it.
    fn take(&mut self, setter: Setter, value: Json<'_, 'v>, mapping: &Mapping) -> bool {
        let other = match setter {
            Setter::Text(set) => {
                self.texts.push((set, value::text(value)));
                return true;
            }
            Setter::Json(set) => {
                self.texts.push((set, Cow::Owned(value::json(value))));
                return true;
            }
            Setter::Time => {
                let time = value::time_us(value, &mapping.time);
                self.ts_us = time.or(self.ts_us);
                return time.is_some();
            }
            Setter::EventType => {
                let word = value.as_str();
                let known = word.and_then(EventType::named);
                self.event_type = known.or(self.event_type);
                return known.is_some();
            }
            Setter::Bool(set) => value::truth(value).map(|is| Other::Bool(set, is)),
            Setter::Small(set) => {
                value::number(value).and_then(|n| i32::try_from(n).ok()).map(|n| Other::Small(set, n))
            }
            Setter::Number(set) => value::number(value).map(|n| Other::Number(set, n)),
            Setter::Nano(set) => value::decimal(value).and_then(value::nano).map(|n| Other::Number(set, n)),
        };
        let fits = other.is_some();
        self.others.extend(other);
        fits
    }

    fn fill<'r>(&'r self, row: &mut EventRow<'r>) {
        for (set, text) in &self.texts {
            set(row, text);
        }
        for other in &self.others {
            match *other {
                Other::Bool(set, is) => set(row, is),
                Other::Small(set, number) => set(row, number),
                Other::Number(set, number) => set(row, number),
            }
        }
    }
}

impl Decoder for MappedDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to && self.mapping.packing == Compression::Lines {
            return;
        }
        let mut parser = std::mem::take(&mut self.parser);
        let mut came = Came::default();
        let seen = parser.each(line.bytes, |json| self.value(json, line, rows, &mut came));
        self.parser = parser;
        self.read_to = line.end;
        rows.counts().lines += 1;
        let length = line.bytes.len() as u64;
        let wrong = match (seen, came.wrong, came.missing) {
            (Err(refused), ..) => Some((refused.reason, refused.detail)),
            (Ok(seen), 0, false) => {
                rows.counts().replaced_chars += seen.replaced;
                None
            }
            (Ok(_), 0, true) => {
                let place = self.mapping.records.0.join("/");
                Some((RejectReason::WrongShape, format!("there is nothing at /{place}, where the records should be")))
            }
            (Ok(_), wrong, _) => {
                Some((RejectReason::WrongShape, format!("{wrong} records are not JSON objects, as they must be")))
            }
        };
        match wrong {
            // Rows of the other records stand.
            Some((reason, detail)) => rows.reject(line.offset, length, reason, &detail, line.bytes),
            None if came.rows > 0 => rows.counts().line_rows += 1,
            None => rows.counts().ignored += 1,
        }
        rows.counts().unknown_types += u64::from(came.unknown);
    }

    fn checkpoint(&self) -> Checkpoint {
        let last_us = self.last_us.map(|us| us.to_string()).unwrap_or_default();
        let state = last_us + &self.repeats.state();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
