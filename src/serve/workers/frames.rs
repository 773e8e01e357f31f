//! What a worker says, heard without waiting for ever.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::serve::frame::{Kind, head};

/// Read at a time.
const PIECE: usize = 256 << 10;

/// One frame of a worker.
pub(super) enum Heard {
    /// It has heard of the query.
    Begun,
    /// It has begun: own views that cannot be used.
    Warnings(Vec<String>),
    /// A piece of an Arrow IPC stream.
    Rows(Vec<u8>),
    /// It needs the table `sources`.
    WantsSources,
    /// There is no answer, or no whole one.
    Failed(String),
    /// A file of the lake is not there any more.
    Gone(String),
    /// The answer is whole.
    Done,
}

/// The line to a worker.
#[derive(Debug)]
pub(super) struct Frames {
    stream: UnixStream,
    waiting: Vec<u8>,
    piece: Vec<u8>,
}

impl Frames {
    /// Hears for at most `patience` at a time.
    pub(super) fn new(stream: UnixStream, patience: Duration) -> io::Result<Self> {
        stream.set_read_timeout(Some(patience))?;
        // A worker that waits for a query reads it at once.
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, waiting: Vec::new(), piece: vec![0; PIECE] })
    }

    /// The next frame; `None` when there is none for a while.
    pub(super) fn next(&mut self) -> io::Result<Option<Heard>> {
        loop {
            let frame = self.whole()?;
            if frame.is_some() {
                return Ok(frame);
            }
            match self.stream.read(&mut self.piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.waiting.extend_from_slice(self.piece.get(..read).unwrap_or_default()),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn whole(&mut self) -> io::Result<Option<Heard>> {
        let Some(first) = self.waiting.first_chunk::<5>() else { return Ok(None) };
        let (kind, length) = head(*first)?;
        if self.waiting.len() < length + 5 {
            return Ok(None);
        }
        let rest = self.waiting.split_off(length + 5);
        let mut payload = std::mem::replace(&mut self.waiting, rest);
        payload.drain(..5);
        let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
        Ok(Some(match kind {
            Kind::Preface => Heard::Warnings(serde_json::from_slice(&payload)?),
            Kind::Batch => Heard::Rows(payload),
            Kind::Sources => Heard::WantsSources,
            Kind::Done => Heard::Done,
            Kind::Json | Kind::Working => Heard::Begun,
            Kind::Busy => Heard::Gone(text(&payload)),
            Kind::Error => Heard::Failed(text(&payload)),
        }))
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
