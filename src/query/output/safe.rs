//! A writer that keeps control characters of log content away from a terminal.
//!
//! Works on UTF-8 bytes and across calls: a character may be split.

use std::io::{self, Write};

use crate::text::symbol;

#[derive(Debug)]
pub(super) struct TerminalSafe<W> {
    out: W,
    on: bool,
    /// The beginning of a character whose rest has not come yet.
    half: Vec<u8>,
    buffer: String,
}

impl<W: Write> TerminalSafe<W> {
    pub(super) const fn new(out: W, on: bool) -> Self {
        Self { out, on, half: Vec::new(), buffer: String::new() }
    }

    fn put(&mut self, text: &str) {
        self.buffer.extend(text.chars().map(|c| if matches!(c, '\n' | '\t') { c } else { symbol(c) }));
    }
}

impl<W: Write> Write for TerminalSafe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.on {
            return self.out.write(bytes);
        }
        self.buffer.clear();
        let mut all = std::mem::take(&mut self.half);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.put(text);
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.put(&String::from_utf8_lossy(good));
                    let Some(wrong) = error.error_len() else {
                        self.half = bad.to_vec();
                        break;
                    };
                    self.buffer.push('�');
                    rest = &bad[wrong..];
                }
            }
        }
        self.out.write_all(self.buffer.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_replaced_however_the_bytes_are_split() {
        let text = "a\u{1b}[2J\u{9b}31m£ü\u{7f}\r\n\tz日\u{202e}".as_bytes();
        for size in 1..text.len() {
            let mut safe = TerminalSafe::new(Vec::new(), true);
            for chunk in text.chunks(size) {
                safe.write_all(chunk).unwrap();
            }
            assert_eq!(String::from_utf8(safe.out).unwrap(), "a␛[2J�31m£ü␡␍\n\tz日�", "{size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_pass() {
        let mut safe = TerminalSafe::new(Vec::new(), true);
        safe.write_all(b"a\xff\xc2b").unwrap();
        assert_eq!(String::from_utf8(safe.out).unwrap(), "a��b");
    }
}
