//! A writer that keeps control characters of log content away from a terminal.
//!
//! Works on UTF-8 bytes and across calls: the two-byte controls U+0080 to U+009F may be split.

use std::io::{self, Write};

#[derive(Debug)]
pub(super) struct TerminalSafe<W> {
    out: W,
    on: bool,
    /// The last byte was the first half of a character in U+0080..=U+00BF.
    half: bool,
    buffer: Vec<u8>,
}

const REPLACEMENT: &[u8] = "�".as_bytes();

impl<W: Write> TerminalSafe<W> {
    pub(super) const fn new(out: W, on: bool) -> Self {
        Self { out, on, half: false, buffer: Vec::new() }
    }

    fn put(&mut self, byte: u8) {
        if self.half {
            self.half = false;
            if (0x80..=0x9f).contains(&byte) {
                self.buffer.extend_from_slice(REPLACEMENT);
                return;
            }
            self.buffer.push(0xc2);
        }
        match byte {
            0xc2 => self.half = true,
            b'\n' | b'\t' => self.buffer.push(byte),
            0..0x20 => self.buffer.extend_from_slice(&[0xe2, 0x90, 0x80 + byte]),
            0x7f => self.buffer.extend_from_slice("␡".as_bytes()),
            _ => self.buffer.push(byte),
        }
    }
}

impl<W: Write> Write for TerminalSafe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.on {
            return self.out.write(bytes);
        }
        self.buffer.clear();
        for byte in bytes {
            self.put(*byte);
        }
        self.out.write_all(&self.buffer)?;
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
        let text = "a\u{1b}[2J\u{9b}31m£ü\u{7f}\r\n\tz日".as_bytes();
        for size in 1..text.len() {
            let mut safe = TerminalSafe::new(Vec::new(), true);
            for chunk in text.chunks(size) {
                safe.write_all(chunk).unwrap();
            }
            assert_eq!(String::from_utf8(safe.out).unwrap(), "a␛[2J�31m£ü␡␍\n\tz日", "{size}");
        }
    }
}
