//! How many values does a line hold?
//!
//! A parser needs memory for each value, whatever its length: a line of `[1,1,1,…` takes many times its size.

/// What the parser keeps of a value.
const VALUE_BYTES: usize = 24;

/// Lines up to this size are parsed whatever they hold.
const SMALL_BYTES: usize = 1 << 20;

/// True when the values of a JSON text take more than twice the longest line, `most_bytes`.
pub(super) fn has_too_many_values(bytes: &[u8], most_bytes: usize) -> bool {
    // Even a value for each byte fits.
    if bytes.len() <= SMALL_BYTES || bytes.len().saturating_mul(VALUE_BYTES) <= most_bytes.saturating_mul(2) {
        return false;
    }
    let most = most_bytes.saturating_mul(2) / VALUE_BYTES;
    let (mut values, mut at) = (0, 0);
    while let Some(found) = next(bytes, at) {
        at = match bytes[found] {
            b'"' => after_text(bytes, found + 1),
            _ => found + 1,
        };
        values += 1;
        if values > most {
            return true;
        }
    }
    false
}

/// Where the next text, or sign between values, is.
fn next(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    rest.iter().position(|b| matches!(b, b'"' | b',' | b'[' | b'{')).map(|found| at + found)
}

/// Behind the text that begins at `at`.
fn after_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if bytes[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_short_values_are_too_many_and_long_texts_are_not() {
        let numbers = format!("[{}1]", "1,".repeat(1 << 20));
        assert!(has_too_many_values(numbers.as_bytes(), 4 << 20));
        assert!(!has_too_many_values(numbers.as_bytes(), 64 << 20), "within a larger budget");
        let text = format!("{{\"a\":\"{}\"}}", "1,\\\"[{".repeat(1 << 19));
        assert!(!has_too_many_values(text.as_bytes(), 4 << 20), "a text is one value");
        assert!(!has_too_many_values(format!("\"{}", ",".repeat(3 << 20)).as_bytes(), 4 << 20), "no end");
        assert!(!has_too_many_values(b"[1,1]", 1));
    }
}
