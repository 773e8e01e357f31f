//! One log file being written.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::Truth;

const BUFFER_BYTES: usize = 1 << 20;

/// Writes lines and counts them.
#[derive(Debug)]
pub(super) struct Sink {
    path: PathBuf,
    file: Option<File>,
    compressed: bool,
    buffer: Vec<u8>,
    written: u64,
    lines: u64,
}

impl Sink {
    /// Starts the file at `path`; directories are made.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        Self::start(path, false)
    }

    /// Starts a file that will be zstd, as Codex stores idle rollouts.
    pub(super) fn create_compressed(path: PathBuf) -> io::Result<Self> {
        Self::start(path, true)
    }

    fn start(path: PathBuf, compressed: bool) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        Ok(Self { path, file: None, compressed, buffer: Vec::new(), written: 0, lines: 0 })
    }

    /// Appends `line` and a newline.
    pub(super) fn line(&mut self, line: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        self.lines += 1;
        if self.buffer.len() >= BUFFER_BYTES && !self.compressed { self.flush() } else { Ok(()) }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(&self.path)?),
        };
        file.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the rest and adds the file to `truth`.
    pub(super) fn finish(mut self, truth: &mut Truth) -> io::Result<()> {
        if self.compressed {
            self.buffer = zstd::bulk::compress(&self.buffer, 3)?;
        }
        self.flush()?;
        truth.files += 1;
        truth.bytes += self.written;
        truth.lines += self.lines;
        Ok(())
    }
}
