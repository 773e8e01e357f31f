//! Values on a simd-json tape, and how they become JSON text again.

use std::collections::HashMap;
use std::fmt::Write as _;

use simd_json::{Node, StaticNode};

/// A value on the tape: a view of two words, free to copy.
#[derive(Debug, Clone, Copy)]
pub struct Json<'t, 'i>(&'t [Node<'i>]);

/// Nodes that the value starting `nodes` takes, itself included.
const fn node_count(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => *count + 1,
        Node::String(_) | Node::Static(_) => 1,
    }
}

impl<'t, 'i> Json<'t, 'i> {
    /// The value that starts at the first of `nodes`.
    #[must_use]
    pub fn new(nodes: &'t [Node<'i>]) -> Self {
        let count = nodes.first().map_or(0, node_count);
        Self(nodes.get(..count).unwrap_or_default())
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'i str> {
        match self.0.first() {
            Some(Node::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The text, if this is a string that is not empty.
    #[must_use]
    pub fn as_filled_str(self) -> Option<&'i str> {
        self.as_str().filter(|t| !t.is_empty())
    }

    /// The integer, if this is a number with an integral value in range (`3.0` counts).
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.0.first() {
            Some(Node::Static(StaticNode::I64(n))) => Some(*n),
            Some(Node::Static(StaticNode::U64(n))) => i64::try_from(*n).ok(),
            #[expect(clippy::cast_possible_truncation, reason = "the guard keeps the value exact")]
            Some(Node::Static(StaticNode::F64(n))) if n.fract() == 0.0 && n.abs() < 9e15 => Some(*n as i64),
            _ => None,
        }
    }

    /// The integer, if this is a number with an integral value that a double tells exactly.
    pub(super) fn as_integer(self) -> Option<i128> {
        match self.0.first() {
            Some(Node::Static(StaticNode::U64(n))) => Some(i128::from(*n)),
            _ => self.as_i64().map(i128::from),
        }
    }

    /// True for a value that tells as little as a missing one: null, an empty text, list or object.
    pub(super) fn is_blank(self) -> bool {
        match self.0.first() {
            Some(Node::Object { len, .. } | Node::Array { len, .. }) => *len == 0,
            Some(Node::String(text)) => text.is_empty(),
            Some(Node::Static(StaticNode::Null)) | None => true,
            Some(Node::Static(_)) => false,
        }
    }

    /// The number, whatever its form; integers above 2^53 lose digits.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        match self.0.first() {
            Some(Node::Static(StaticNode::F64(n))) => Some(*n),
            #[expect(clippy::cast_precision_loss, reason = "documented")]
            Some(Node::Static(StaticNode::I64(n))) => Some(*n as f64),
            #[expect(clippy::cast_precision_loss, reason = "documented")]
            Some(Node::Static(StaticNode::U64(n))) => Some(*n as f64),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.0.first() {
            Some(Node::Static(StaticNode::Bool(b))) => Some(*b),
            _ => None,
        }
    }

    /// True for `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.0.first(), Some(Node::Static(StaticNode::Null)) | None)
    }

    /// True for an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        matches!(self.0.first(), Some(Node::Object { .. }))
    }

    /// True for an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        matches!(self.0.first(), Some(Node::Array { .. }))
    }

    /// Keys of an object, or elements of an array; 0 for anything else.
    #[must_use]
    pub fn len(self) -> usize {
        match self.0.first() {
            Some(Node::Object { len, .. } | Node::Array { len, .. }) => *len,
            _ => 0,
        }
    }

    /// True when there are no keys or elements.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Keys and values of an object, in the order of the text; nothing for anything else.
    ///
    /// A key may come twice: the last one counts, as in every JavaScript engine.
    #[must_use]
    pub fn entries(self) -> Entries<'t, 'i> {
        Entries(if self.is_object() { &self.0[1..] } else { &[] })
    }

    /// The same without those whose key comes again: what an object has.
    pub(super) fn fields(self) -> impl Iterator<Item = (&'i str, Json<'t, 'i>)> {
        let entries = self.entries();
        Fields { repeated: repeated(entries.clone()), entries, at: 0 }
    }

    /// Elements of an array; nothing for anything else.
    #[must_use]
    pub fn items(self) -> Items<'t, 'i> {
        Items(if self.is_array() { &self.0[1..] } else { &[] })
    }

    /// Value of `key`, if this is an object that has it; the last one if it comes twice.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        self.entries().filter(|(k, _)| *k == key).last().map(|(_, v)| v)
    }

    /// Value at the end of a path of keys.
    #[must_use]
    pub fn path(self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self, |value, key| value.get(key))
    }

    /// Text of the string at `key`; `None` when it is missing, empty or no string.
    #[must_use]
    pub fn str_at(self, key: &str) -> Option<&'i str> {
        self.get(key)?.as_filled_str()
    }

    /// Integer at `key`.
    #[must_use]
    pub fn i64_at(self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    /// Appends the value as JSON text.
    pub fn write(self, out: &mut String) {
        match self.0.first() {
            None | Some(Node::Static(StaticNode::Null)) => out.push_str("null"),
            Some(Node::String(text)) => write_str(text, out),
            Some(Node::Static(StaticNode::Bool(b))) => out.push_str(if *b { "true" } else { "false" }),
            Some(Node::Static(StaticNode::I64(n))) => write_display(n, out),
            Some(Node::Static(StaticNode::U64(n))) => write_display(n, out),
            Some(Node::Static(StaticNode::F64(n))) => write_f64(*n, out),
            Some(Node::Object { .. }) => self.write_fields(out, |_, _| true, |_, value, out| value.write(out)),
            Some(Node::Array { .. }) => {
                out.push('[');
                for (i, value) in self.items().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
        }
    }

    /// Appends an object as JSON text: the fields that `counts` accepts, as `write` writes their values.
    pub(super) fn write_fields(
        self,
        out: &mut String,
        counts: impl Fn(&str, Json<'t, 'i>) -> bool,
        write: impl Fn(&str, Json<'t, 'i>, &mut String),
    ) {
        out.push('{');
        let start = out.len();
        for (key, value) in self.fields().filter(|(key, value)| counts(key, *value)) {
            if out.len() > start {
                out.push(',');
            }
            write_str(key, out);
            out.push(':');
            write(key, value, out);
        }
        out.push('}');
    }

    /// The value as JSON text.
    #[must_use]
    pub fn to_json(self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// Iterator of [`Json::entries`].
#[derive(Debug, Clone)]
pub struct Entries<'t, 'i>(&'t [Node<'i>]);

impl<'t, 'i> Iterator for Entries<'t, 'i> {
    type Item = (&'i str, Json<'t, 'i>);

    fn next(&mut self) -> Option<Self::Item> {
        let (Node::String(key), rest) = self.0.split_first()? else { return None };
        let (value, rest) = rest.split_at_checked(node_count(rest.first()?))?;
        self.0 = rest;
        Some((key, Json(value)))
    }
}

/// Iterator of [`Json::items`].
#[derive(Debug, Clone)]
pub struct Items<'t, 'i>(&'t [Node<'i>]);

impl<'t, 'i> Iterator for Items<'t, 'i> {
    type Item = Json<'t, 'i>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = self.0.split_at_checked(node_count(self.0.first()?))?;
        self.0 = rest;
        Some(Json(value))
    }
}

/// Iterator of [`Json::fields`].
#[derive(Debug)]
struct Fields<'t, 'i> {
    entries: Entries<'t, 'i>,
    at: usize,
    /// Numbers of the entries whose key comes again.
    repeated: Vec<usize>,
}

impl<'t, 'i> Iterator for Fields<'t, 'i> {
    type Item = (&'i str, Json<'t, 'i>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.entries.next()?;
            self.at += 1;
            if self.repeated.binary_search(&(self.at - 1)).is_err() {
                return Some(entry);
            }
        }
    }
}

/// Numbers of the entries whose key comes again later, in order.
fn repeated(entries: Entries<'_, '_>) -> Vec<usize> {
    // Nearly always a look at lengths and ends of keys tells that all are different.
    let mut seen = [0u64; 16];
    let is_new = |(key, _): (&str, Json<'_, '_>)| {
        let (first, last) = (key.as_bytes().first(), key.as_bytes().last());
        let mark = key.len() * 31 + usize::from(*first.unwrap_or(&0)) * 7 + usize::from(*last.unwrap_or(&0)) * 61;
        let (word, bit) = (mark / 64 % 16, 1 << (mark % 64));
        let known = seen[word] & bit != 0;
        seen[word] |= bit;
        !known
    };
    if entries.clone().all(is_new) {
        return Vec::new();
    }
    let mut places = HashMap::new();
    let mut repeated: Vec<_> = entries.enumerate().filter_map(|(i, (key, _))| places.insert(key, i)).collect();
    repeated.sort_unstable();
    repeated
}

/// Where the members of an object stand in its text.
#[derive(Debug, Default, Clone)]
pub struct Members(Vec<(usize, usize)>);

impl Members {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes one JSON object key by key: how `extra` is made.
///
/// No key comes twice: one that comes again with the same value is left out, another value of it is kept under
/// `key_2`, `key_3` and so on.
#[derive(Debug)]
pub struct ObjectWriter<'o> {
    out: &'o mut String,
    start: usize,
    /// Where each key and its value start.
    members: Members,
}

impl<'o> ObjectWriter<'o> {
    /// Starts an object at the end of `out`.
    pub fn new(out: &'o mut String) -> Self {
        let start = out.len();
        out.push('{');
        Self { out, start, members: Members::default() }
    }

    /// Goes on with an object that is all of `out`.
    pub(super) fn again(out: &'o mut String, members: Members) -> Self {
        if out.is_empty() {
            out.push('{');
        }
        Self { out, start: 0, members }
    }

    /// Leaves the object open.
    pub(super) fn pause(self) -> Members {
        self.members
    }

    fn member(&mut self, write_key: impl FnOnce(&mut String), write: impl FnOnce(&mut String)) {
        let before = self.out.len();
        if before > self.start + 1 {
            self.out.push(',');
        }
        let key = self.out.len();
        write_key(self.out);
        self.out.push(':');
        let value = self.out.len();
        write(self.out);
        let text = self.out.as_bytes();
        match self.members.0.iter().position(|(k, v)| text.get(*k..*v) == text.get(key..value)) {
            None => self.members.0.push((key, value)),
            Some(at) => {
                let (_, old) = self.members.0[at];
                let end = self.members.0.get(at + 1).map_or(before, |(next, _)| next - 1);
                if text.get(old..end) == text.get(value..) {
                    self.out.truncate(before);
                } else {
                    self.rename(key, value);
                }
            }
        }
    }

    /// Gives the member that was written last a name that is free.
    fn rename(&mut self, key: usize, value: usize) {
        let text = self.out.split_off(value);
        // Without the quote and the colon.
        let stem = self.out.len() - 2;
        let mut number = 2;
        loop {
            self.out.truncate(stem);
            write!(self.out, "_{number}\":").unwrap_or_default();
            let all = self.out.as_bytes();
            if !self.members.0.iter().any(|(k, v)| all.get(*k..*v) == all.get(key..)) {
                break;
            }
            number += 1;
        }
        self.members.0.push((key, self.out.len()));
        self.out.push_str(&text);
    }

    /// Appends a value that `write` writes as JSON text.
    pub fn with(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        self.member(|out| write_str(key, out), write);
    }

    /// Appends keys and values that are JSON text already, without the braces around them.
    pub fn inner(&mut self, members: &str) {
        let mut rest = members;
        while !rest.is_empty() {
            let (key, after) = split_value(rest, b':');
            let (value, after) = split_value(after, b',');
            self.member(|out| out.push_str(key), |out| out.push_str(value));
            rest = after;
        }
    }

    /// Appends a string.
    pub fn text(&mut self, key: &str, value: &str) {
        self.with(key, |out| write_str(value, out));
    }

    /// Appends a number.
    pub fn number(&mut self, key: &str, value: i64) {
        self.with(key, |out| write_display(&value, out));
    }

    /// Appends a truth value.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.with(key, |out| out.push_str(if value { "true" } else { "false" }));
    }

    /// Appends an object, filled by `fill`; an object that stays empty is left out.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        let before = self.out.len();
        let mut is_filled = false;
        self.with(key, |out| {
            let mut inner = ObjectWriter::new(out);
            fill(&mut inner);
            is_filled = inner.end();
        });
        if !is_filled {
            self.out.truncate(before);
            self.members.0.retain(|(key, _)| *key < before);
        }
    }

    /// Ends the object; false when it has no keys.
    pub fn end(self) -> bool {
        self.out.push('}');
        self.out.len() > self.start + 2
    }
}

/// Splits JSON text that this program wrote behind its first value, which `separator` ends.
fn split_value(text: &str, separator: u8) -> (&str, &str) {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ if byte == separator && depth == 0 => {
                let (value, rest) = text.split_at_checked(i).unwrap_or((text, ""));
                return (value, rest.get(1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    (text, "")
}

fn write_display(value: &impl std::fmt::Display, out: &mut String) {
    // Writing to a String cannot fail.
    write!(out, "{value}").unwrap_or_default();
}

fn write_f64(value: f64, out: &mut String) {
    match serde_json::Number::from_f64(value) {
        Some(number) => write_display(&number, out),
        None => out.push_str("null"),
    }
}

/// A byte in each of the eight bytes of a word.
const fn spread(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// High bits of the bytes that JSON text must escape; the lowest one that is set is exact, those
/// above it may be false.
const fn specials(word: u64) -> u64 {
    const fn below(word: u64, byte: u8) -> u64 {
        word.wrapping_sub(spread(byte)) & !word
    }
    (below(word, 0x20) | below(word ^ spread(b'"'), 1) | below(word ^ spread(b'\\'), 1)) & spread(0x80)
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\')
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_str(text: &str, out: &mut String) {
    // SAFETY: bytes of `text` are left out only where ASCII bytes stand in for an ASCII byte, so what
    // is appended is UTF-8 again; nothing in between panics.
    let out = unsafe { out.as_mut_vec() };
    out.reserve(text.len() + 16);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        out.extend_from_slice(word);
        let found = specials(u64::from_le_bytes(*word));
        if found == 0 {
            rest = after;
            continue;
        }
        let plain = found.trailing_zeros() as usize / 8;
        out.truncate(out.len() - 8 + plain);
        write_escape(word[plain], out);
        rest = &rest[plain + 1..];
    }
    for byte in rest {
        if is_special(*byte) {
            write_escape(*byte, out);
        } else {
            out.push(*byte);
        }
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |value: u8| DIGITS[usize::from(value)];
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::adapters::line::Parser;

    fn arbitrary() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1_000_000i32..1_000_000).prop_map(|n| Value::from(f64::from(n) / 8.0)),
            "\\PC{0,12}".prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("\\PC{0,6}", inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_survives_tape_and_text(value in arbitrary()) {
            let line = value.to_string();
            let mut back = None;
            Parser::default().each(line.as_bytes(), |json| back = Some(json.to_json())).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&back.unwrap()).unwrap(), value);
        }

        #[test]
        fn a_text_with_special_bytes_anywhere_reads_back_as_it_was(text in "([a-zé\u{80}\u{7f}€😀 ]{0,40}[\\x00-\\x1f!\"#\\\\]?){0,6}") {
            let mut out = "before".to_owned();
            write_str(&text, &mut out);
            prop_assert_eq!(serde_json::from_str::<String>(out.strip_prefix("before").unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts_and_paths_lead_inside() {
        let mut seen = None;
        let line = br#"{"a":1,"b":{"c":[1,2.0,"x"]},"a":2,"e":""}"#;
        Parser::default()
            .each(line, |json| {
                seen = Some((json.i64_at("a"), json.path(&["b", "c"]).map(Json::len), json.str_at("e").is_some()));
                let items: Vec<_> = json.path(&["b", "c"]).unwrap().items().map(Json::as_i64).collect();
                assert_eq!(items, [Some(1), Some(2), None]);
            })
            .unwrap();
        assert_eq!(seen, Some((Some(2), Some(3), false)));
    }

    #[test]
    fn an_empty_inner_object_is_left_out() {
        let mut out = String::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("a", "x\u{1}");
        object.object("none", |_| {});
        object.object("some", |o| o.bool("b", true));
        assert!(object.end());
        assert_eq!(out, "{\"a\":\"x\\u0001\",\"some\":{\"b\":true}}");
    }
}
