//! One line of JSON as a tape.
//!
//! simd-json parses in place, so the line is copied into a reused buffer first: the original bytes
//! stay for rejects, and for lines that hold more than one value. The buffers belong to the thread that
//! decodes, not to the decoder: thousands of logs may be followed at once.

use std::cell::RefCell;

use simd_json::{Buffers, INPUT_PADDING, Tape};

use crate::adapters::json::Json;
use crate::schema::RejectReason;

/// Deepest nesting that is decoded; the same limit that `serde_json` has.
pub const MAX_DEPTH: usize = 128;

/// Buffers above this size are given back after the line that needed them.
const KEEP_BYTES: usize = 4 * 1024 * 1024;

/// Parses lines, with buffers of the thread it is on.
#[derive(Debug, Default)]
pub struct Parser(());

/// What parsing needs, used again for the next line on the same thread.
struct Buffered {
    buffers: Buffers,
    scratch: Vec<u8>,
    tape: Option<Tape<'static>>,
}

thread_local! {
    static SPARE: RefCell<Vec<Buffered>> = const { RefCell::new(Vec::new()) };
}

/// Why a line has no tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Stable word for the table `rejects`.
    pub reason: RejectReason,
    /// What the parser said.
    pub detail: String,
}

/// What [`Parser::each`] saw beside the values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// JSON values on the line; more than one when a crash glued lines together.
    pub values: usize,
    /// Bytes that were no valid UTF-8 and were replaced.
    pub replaced: u64,
}

impl Default for Buffered {
    fn default() -> Self {
        Self {
            buffers: Buffers::with_max_depth(64 * 1024, MAX_DEPTH),
            scratch: Vec::new(),
            tape: Some(Tape(Vec::new())),
        }
    }
}

impl Buffered {
    /// Those of this thread: a line may be decoded within another.
    fn take() -> Self {
        SPARE.try_with(|spare| spare.borrow_mut().pop()).ok().flatten().unwrap_or_default()
    }

    /// Keeps them for the next line, unless they are large.
    fn put_back(self) {
        if self.scratch.capacity() <= KEEP_BYTES {
            // A thread that ends keeps nothing.
            SPARE.try_with(|spare| spare.borrow_mut().push(self)).ok();
        }
    }
}

impl Parser {
    /// Calls `visit` with each JSON value on the line: one in nearly every case.
    ///
    /// A byte order mark, a carriage return and NUL bytes around the value are skipped; invalid
    /// UTF-8 is replaced and counted; lone surrogates (`\ud83d`) become U+FFFD; values glued
    /// together are taken apart. A blank line has no values.
    ///
    /// # Errors
    ///
    /// Returns why the line, or its rest after the last whole value, is no JSON.
    pub fn each(&mut self, line: &[u8], mut visit: impl FnMut(Json<'_, '_>)) -> Result<Seen, Refused> {
        let line = trim(line);
        if line.is_empty() {
            return Ok(Seen::default());
        }
        let mut buffered = Buffered::take();
        let seen = buffered.each(line, &mut visit);
        buffered.put_back();
        seen
    }
}

impl Buffered {
    fn each(&mut self, line: &[u8], visit: &mut impl FnMut(Json<'_, '_>)) -> Result<Seen, Refused> {
        let first = match self.one(line, visit) {
            Ok(()) => return Ok(Seen { values: 1, replaced: 0 }),
            Err(refused) => refused,
        };
        if first.reason == RejectReason::TooDeep {
            return Err(first);
        }
        self.repaired(line, first, visit)
    }

    fn one(&mut self, line: &[u8], visit: &mut impl FnMut(Json<'_, '_>)) -> Result<(), Refused> {
        // Room that the parser may read beyond the line; it spares a second copy of it.
        self.scratch.clear();
        self.scratch.reserve(line.len() + INPUT_PADDING);
        self.scratch.extend_from_slice(line);
        self.scratch.extend_from_slice(&[b' '; INPUT_PADDING]);
        let mut tape = self.tape.take().unwrap_or_else(|| Tape(Vec::new())).reset();
        let result = simd_json::fill_tape_padded(&mut self.scratch, line.len(), &mut self.buffers, &mut tape);
        let outcome = match result {
            Ok(()) => {
                visit(Json::new(&tape.0));
                Ok(())
            }
            Err(error) => Err(refused(&error)),
        };
        self.tape = Some(tape.reset());
        outcome
    }

    fn repaired(&mut self, line: &[u8], first: Refused, visit: &mut impl FnMut(Json<'_, '_>)) -> Result<Seen, Refused> {
        let (mut text, replaced) = valid_utf8(line);
        if has_lone_surrogate(&text) {
            text = replace_lone_surrogates(&text);
        }
        let bytes = text.as_slice();
        let mut seen = Seen { values: 0, replaced };
        let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
        let mut start = 0;
        while let Some(value) = stream.next() {
            if value.is_err() {
                return Err(first);
            }
            let end = stream.byte_offset();
            self.one(bytes.get(start..end).unwrap_or_default(), visit)?;
            seen.values += 1;
            start = end;
        }
        if seen.values == 0 { Err(first) } else { Ok(seen) }
    }
}

fn refused(error: &simd_json::Error) -> Refused {
    let reason = match error.error() {
        simd_json::ErrorType::DepthLimitExceeded => RejectReason::TooDeep,
        _ => RejectReason::NotJson,
    };
    Refused { reason, detail: said(error) }
}

/// What is wrong with a line, in words of somebody who looks at it.
fn said(error: &simd_json::Error) -> String {
    use simd_json::ErrorType::{
        DepthLimitExceeded, Eof, ExpectedArrayComma, ExpectedFalse, ExpectedMapComma, ExpectedMapEnd, ExpectedNull,
        ExpectedObjectColon, ExpectedTrue, InputTooLarge, InvalidEscape, InvalidExponent, InvalidNumber,
        InvalidUnicodeCodepoint, InvalidUnicodeEscape, InvalidUtf8, KeyMustBeAString, TrailingData, UnterminatedString,
    };
    let what = match error.error() {
        DepthLimitExceeded => "brackets nest too deep",
        InputTooLarge => "it is longer than 4 GB",
        InvalidUtf8 => "a byte that is not UTF-8",
        InvalidEscape | InvalidUnicodeEscape | InvalidUnicodeCodepoint => "an escape that means nothing",
        InvalidNumber | InvalidExponent => "something that begins like a number and is not one",
        ExpectedNull | ExpectedTrue | ExpectedFalse => "a word that is not null, true or false",
        ExpectedObjectColon => "a key without a colon",
        KeyMustBeAString => "a key without quotes",
        ExpectedArrayComma | ExpectedMapComma | ExpectedMapEnd => "a missing comma or bracket",
        TrailingData => "text after the end of the value",
        UnterminatedString | Eof => return "it ends in the middle of a value".to_owned(),
        _ => return "it is not JSON".to_owned(),
    };
    match error.index() {
        0 => format!("{what}, at its beginning"),
        at => format!("{what}, at byte {at}"),
    }
}

fn trim(mut line: &[u8]) -> &[u8] {
    if let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf") {
        line = rest;
    }
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0);
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !blank(b)).map_or(start, |i| i + 1);
    &line[start..end]
}

/// The text with invalid stretches replaced by U+FFFD, and how many bytes those were.
fn valid_utf8(bytes: &[u8]) -> (Vec<u8>, u64) {
    let mut out = Vec::with_capacity(bytes.len());
    let mut replaced = 0;
    for chunk in bytes.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            replaced += chunk.invalid().len() as u64;
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    (out, replaced)
}

/// The code unit of a `\uXXXX` escape that starts at `at`.
fn escape_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn has_lone_surrogate(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\\ud").is_some() || memchr::memmem::find(bytes, b"\\uD").is_some()
}

fn replace_lone_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let pair = escape_unit(bytes, at).map(|first| (first, escape_unit(bytes, at + 6)));
        let length = match pair {
            Some((0xd800..=0xdbff, Some(0xdc00..=0xdfff))) => 12,
            Some((0xd800..=0xdfff, _)) => {
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            Some(_) => 6,
            None => 2,
        };
        out.extend_from_slice(&bytes[at..(at + length).min(bytes.len())]);
        at += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(line: &[u8]) -> Result<(Vec<String>, Seen), Refused> {
        let mut out = Vec::new();
        let seen = Parser::default().each(line, |json| out.push(json.to_json()))?;
        Ok((out, seen))
    }

    #[test]
    fn glued_objects_are_taken_apart() {
        let (out, seen) = values(br#"{"a":"x\ny"}{"b":2}"#).unwrap();
        assert_eq!(out, [r#"{"a":"x\ny"}"#, r#"{"b":2}"#]);
        assert_eq!(seen.values, 2);
    }

    #[test]
    fn marks_returns_and_nuls_around_a_value_are_skipped() {
        assert_eq!(values(b"\xef\xbb\xbf{\"a\":1}\r").unwrap().0, [r#"{"a":1}"#]);
        assert_eq!(values(b"\0\0\0{\"a\":1}\0").unwrap().0, [r#"{"a":1}"#]);
        assert_eq!(values(b" \r").unwrap().1.values, 0);
    }

    #[test]
    fn invalid_utf8_is_replaced_and_counted_and_lone_surrogates_survive() {
        let (out, seen) = values(b"{\"a\":\"\xff\xfe!\"}").unwrap();
        assert_eq!((out[0].as_str(), seen.replaced), ("{\"a\":\"\u{fffd}\u{fffd}!\"}", 2));
        assert_eq!(values(br#"{"a":"\ud83d!"}"#).unwrap().0, ["{\"a\":\"\u{fffd}!\"}"]);
        assert_eq!(values(br#"{"a":"\ud83d\ude00 \\ud83d"}"#).unwrap().0, ["{\"a\":\"\u{1f600} \\\\ud83d\"}"]);
    }

    #[test]
    fn what_is_no_json_says_why() {
        for bad in [&b"{\"a\":1"[..], b"nonsense", b"{\"a\":1} tail", b"{\"a\":01}"] {
            assert_eq!(values(bad).unwrap_err().reason, RejectReason::NotJson);
        }
        let deep = "[".repeat(129) + &"]".repeat(129);
        assert_eq!(values(deep.as_bytes()).unwrap_err().reason, RejectReason::TooDeep);
        let fits = "[".repeat(127) + &"]".repeat(127);
        assert_eq!(values(fits.as_bytes()).unwrap().1.values, 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok((out, seen)) = values(&bytes) {
                prop_assert_eq!(out.len(), seen.values);
                for value in out {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok(), "{}", value);
                }
            }
        }
    }
}
