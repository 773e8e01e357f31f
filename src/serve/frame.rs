//! Frames on the socket.
//!
//! ```text
//! request   one line of JSON (`Request`), ended by a newline
//! answer    frames:  kind (1 byte)  length (4 bytes, little endian)  payload
//!           kind 'B'  a piece of an Arrow IPC stream
//!           kind 'J'  JSON (the answer to `status`)
//!           kind 'P'  JSON, before the first piece (`Preface`)
//!           kind 'W'  the other side lives and works on it; why it takes time, or nothing
//!           kind 'A'  no answer now, and why; the last frame
//!           kind 'E'  error text; the last frame
//!           kind 'D'  done, empty; the last frame
//! ```

use std::io::{self, Read, Write};

/// Largest payload; a peer that announces more is not ours.
const MAX_PAYLOAD: usize = 64 << 20;

/// Kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A piece of an Arrow IPC stream.
    Batch,
    /// JSON.
    Json,
    /// JSON before the first piece.
    Preface,
    /// A sign of life.
    Working,
    /// A worker needs the table `sources`.
    Sources,
    /// No answer now; the last frame.
    Busy,
    /// Error text; the last frame.
    Error,
    /// The last frame.
    Done,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Batch => b'B',
            Self::Json => b'J',
            Self::Preface => b'P',
            Self::Working => b'W',
            Self::Sources => b'S',
            Self::Busy => b'A',
            Self::Error => b'E',
            Self::Done => b'D',
        }
    }

    fn from_byte(byte: u8) -> io::Result<Self> {
        const ALL: [Kind; 8] =
            [Kind::Batch, Kind::Json, Kind::Preface, Kind::Working, Kind::Sources, Kind::Busy, Kind::Error, Kind::Done];
        ALL.into_iter()
            .find(|k| k.byte() == byte)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the other end of the socket is not devlog"))
    }
}

/// Writes one frame.
///
/// # Errors
///
/// When the peer is gone, or the payload is longer than 64 MiB.
pub(super) fn write_frame(out: &mut impl Write, kind: Kind, payload: &[u8]) -> io::Result<()> {
    if payload.len() > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "frame is longer than 64 MiB"));
    }
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut head = [kind.byte(), 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_le_bytes());
    out.write_all(&head)?;
    out.write_all(payload)
}

/// Kind and length of a frame.
///
/// # Errors
///
/// When this is no frame.
pub(super) fn head([kind, length @ ..]: [u8; 5]) -> io::Result<(Kind, usize)> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame is longer than 64 MiB"));
    }
    Ok((Kind::from_byte(kind)?, length))
}

/// Reads one frame.
///
/// # Errors
///
/// When the peer is gone or does not speak this protocol.
pub(super) fn read_frame(input: &mut impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut first = [0u8; 5];
    input.read_exact(&mut first)?;
    let (kind, length) = head(first)?;
    let mut payload = vec![0; length];
    input.read_exact(&mut payload)?;
    Ok((kind, payload))
}

/// One frame as bytes.
pub(super) fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 5);
    // Memory takes everything; a payload is at most a message or a piece of 1 MiB.
    let _whole = write_frame(&mut bytes, kind, payload);
    bytes
}

/// A writer whose bytes go out as `Batch` frames.
#[cfg(any(feature = "query", test))]
#[derive(Debug)]
pub(super) struct BatchWriter<W>(pub(super) W);

#[cfg(any(feature = "query", test))]
impl<W: Write> Write for BatchWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.chunks(1 << 20) {
            write_frame(&mut self.0, Kind::Batch, piece)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A reader of the bytes of `Batch` frames; ends at `Done`, fails at `Error`.
#[derive(Debug)]
pub(super) struct BatchReader<R> {
    input: R,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl<R: Read> BatchReader<R> {
    /// Reads frames from `input`.
    pub(super) fn new(input: R) -> Self {
        Self { input, piece: io::Cursor::default(), ended: false }
    }
}

impl<R: Read> Read for BatchReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.piece.read(out)?;
            if n > 0 || out.is_empty() || self.ended {
                return Ok(n);
            }
            // An end here is no end of the rows: Arrow would take it for one.
            let cut = |error: io::Error| match error.kind() {
                io::ErrorKind::UnexpectedEof => io::ErrorKind::ConnectionAborted.into(),
                _ => error,
            };
            match read_frame(&mut self.input).map_err(cut)? {
                (Kind::Batch, payload) => self.piece = io::Cursor::new(payload),
                (Kind::Error | Kind::Busy, text) => {
                    return Err(io::Error::other(String::from_utf8_lossy(&text).into_owned()));
                }
                (Kind::Working | Kind::Preface | Kind::Sources, _) => {}
                (Kind::Done | Kind::Json, _) => self.ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_framing_and_an_error_ends_the_stream() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
        let mut wire = Vec::new();
        BatchWriter(&mut wire).write_all(&bytes).unwrap();
        write_frame(&mut wire, Kind::Done, &[]).unwrap();
        let mut back = Vec::new();
        BatchReader::new(wire.as_slice()).read_to_end(&mut back).unwrap();
        assert_eq!(back, bytes);

        let mut wire = Vec::new();
        write_frame(&mut wire, Kind::Error, b"no such column").unwrap();
        let error = BatchReader::new(wire.as_slice()).read_to_end(&mut back).unwrap_err();
        assert_eq!(error.to_string(), "no such column");
        assert!(read_frame(&mut &b"HTTP/1.1 200"[..]).is_err());
    }

    #[test]
    fn a_stream_that_breaks_off_is_no_whole_one() {
        let mut wire = Vec::new();
        BatchWriter(&mut wire).write_all(&[1, 2, 3]).unwrap();
        let error = BatchReader::new(wire.as_slice()).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
}
