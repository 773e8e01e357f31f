//! Values on a simd-json tape, and how they become JSON text again.

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
            Some(Node::Object { .. }) => {
                let mut object = ObjectWriter::new(out);
                for (key, value) in self.entries() {
                    object.value(key, value);
                }
                object.end();
            }
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

/// Writes one JSON object key by key: how `extra` is made.
#[derive(Debug)]
pub struct ObjectWriter<'o> {
    out: &'o mut String,
    start: usize,
}

impl<'o> ObjectWriter<'o> {
    /// Starts an object at the end of `out`.
    pub fn new(out: &'o mut String) -> Self {
        let start = out.len();
        out.push('{');
        Self { out, start }
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > self.start + 1 {
            self.out.push(',');
        }
        write_str(key, self.out);
        self.out.push(':');
    }

    /// Appends a value from a tape.
    pub fn value(&mut self, key: &str, value: Json<'_, '_>) {
        self.key(key);
        value.write(self.out);
    }

    /// Appends a value that `write` writes as JSON text.
    pub fn with(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        self.key(key);
        write(self.out);
    }

    /// Appends keys and values that are JSON text already, without the braces around them.
    pub fn inner(&mut self, members: &str) {
        if !members.is_empty() {
            if self.out.len() > self.start + 1 {
                self.out.push(',');
            }
            self.out.push_str(members);
        }
    }

    /// Appends a string.
    pub fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_str(value, self.out);
    }

    /// Appends a number.
    pub fn number(&mut self, key: &str, value: i64) {
        self.key(key);
        write_display(&value, self.out);
    }

    /// Appends a truth value.
    pub fn bool(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// Appends an object, filled by `fill`; an object that stays empty is left out.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        let before = self.out.len();
        self.key(key);
        let mut inner = ObjectWriter::new(self.out);
        fill(&mut inner);
        if !inner.end() {
            self.out.truncate(before);
        }
    }

    /// Ends the object; false when it has no keys.
    pub fn end(self) -> bool {
        self.out.push('}');
        self.out.len() > self.start + 2
    }
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
