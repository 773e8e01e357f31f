//! Asks a running `ingest`.
//!
//! Nobody is waited for in vain: a process that is stopped, or does not come to answer, gives no sign of
//! life, and whoever asks hears so within seconds.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;

use super::frame::{BatchReader, Kind, read_frame};
use super::{Preface, Request, Status};

/// The first sign of life comes at once; on a machine at its limit within this time.
const FIRST_SIGN: Duration = Duration::from_secs(3);

/// One that works says so every second.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// A time limit is kept by the other side, which needs a moment to say so.
const GRACE: Duration = Duration::from_secs(2);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The other side said no; its text says why.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: String,
    },
    /// The other side cannot answer now; its text says why.
    #[error("the running devlog cannot answer now: {message}")]
    Busy {
        /// What it said.
        message: String,
    },
    /// The other side gives no sign of life.
    #[error("the running devlog has given no sign of life for {seconds} s; it may be stopped")]
    Silent {
        /// For how long.
        seconds: u64,
    },
    /// The connection broke.
    #[error("the running devlog ended the connection; ask again")]
    Broken {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl ClientError {
    /// True when the query may have an answer elsewhere.
    #[must_use]
    pub const fn is_about_the_other_side(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

/// A connection that has not been used yet.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// The other side's words, as long as it gives signs of life.
#[derive(Debug)]
pub(super) struct Ear {
    stream: UnixStream,
    pub(super) patience: Duration,
    deadline: Option<Instant>,
}

/// Rows of an answer.
#[derive(Debug)]
pub struct Rows {
    reader: StreamReader<BatchReader<BufReader<Ear>>>,
    preface: Preface,
}

impl Client {
    /// Connects to the `ingest` that answers at `path`, if one runs: one of this user, or of root.
    ///
    /// # Errors
    ///
    /// When one is there and takes no connection.
    pub fn connect(path: &Path) -> Result<Option<Self>, ClientError> {
        let (me, owner) = (rustix::process::geteuid(), std::fs::symlink_metadata(path).map(|meta| meta.uid()));
        if owner.map_or(true, |owner| owner != me.as_raw() && owner != 0 && !me.is_root()) {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|source| ClientError::Broken { source })?;
        let begun = Instant::now();
        loop {
            match runtime.block_on(tokio::net::UnixStream::connect(path)) {
                Ok(stream) => {
                    let stream = stream.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
                    return stream.map(|stream| Some(Self { stream })).map_err(|source| ClientError::Broken { source });
                }
                // So many wait already that no more may.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if begun.elapsed() >= FIRST_SIGN {
                        return Err(ClientError::Silent { seconds: FIRST_SIGN.as_secs() });
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// Sends `request`, and listens for the answer.
    pub(super) fn ask(self, request: &Request, limit: Option<Duration>) -> Result<Ear, ClientError> {
        let mut line = serde_json::to_vec(request).map_err(|e| ClientError::Broken { source: e.into() })?;
        line.push(b'\n');
        let first = limit.map_or(FIRST_SIGN, |limit| (limit / 2).min(FIRST_SIGN));
        let mut stream = self.stream;
        let sent = stream.set_write_timeout(Some(first)).and_then(|()| stream.write_all(&line));
        sent.map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent { seconds: first.as_secs() },
            _ => ClientError::Broken { source },
        })?;
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit + GRACE));
        Ok(Ear { stream, patience: first, deadline })
    }

    /// Asks how it is.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn status(self) -> Result<Status, ClientError> {
        let mut ear = self.ask(&Request::Status, None)?;
        let (kind, payload) = read_frame(&mut ear).map_err(broken)?;
        match kind {
            Kind::Json => serde_json::from_slice(&payload).map_err(|e| ClientError::Broken { source: e.into() }),
            _ => Err(ClientError::Refused { message: String::from_utf8_lossy(&payload).into_owned() }),
        }
    }

    /// Asks for rows; `told` hears why they take time.
    ///
    /// # Errors
    ///
    /// What is wrong with the query, in the words of the query room, or with the other side.
    pub fn query(self, request: &Request, told: &mut dyn FnMut(&str)) -> Result<Rows, ClientError> {
        let limit = match request {
            Request::Query { timeout_ms, .. } => timeout_ms.map(Duration::from_millis),
            Request::Status | Request::Work { .. } => None,
        };
        let mut ear = self.ask(request, limit)?;
        let preface = loop {
            let (kind, payload) = read_frame(&mut ear).map_err(broken)?;
            ear.patience = SILENCE;
            let text = || String::from_utf8_lossy(&payload).into_owned();
            match kind {
                Kind::Working if payload.is_empty() => {}
                Kind::Working => told(&text()),
                Kind::Preface => {
                    let preface = serde_json::from_slice(&payload);
                    break preface.map_err(|e| ClientError::Broken { source: e.into() })?;
                }
                Kind::Busy => return Err(ClientError::Busy { message: text() }),
                _ => return Err(ClientError::Refused { message: text() }),
            }
        };
        let input = BatchReader::new(BufReader::new(ear));
        let reader = StreamReader::try_new(input, None).map_err(refused)?;
        Ok(Rows { reader, preface })
    }
}

impl Read for Ear {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let begun = Instant::now();
        loop {
            let mut left = self.patience.saturating_sub(begun.elapsed());
            if let Some(deadline) = self.deadline {
                left = left.min(deadline.saturating_duration_since(Instant::now()));
            }
            if left.is_zero() {
                let seconds = begun.elapsed().as_secs();
                return Err(io::Error::new(io::ErrorKind::TimedOut, Silent { seconds }));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(out) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

/// Nothing was heard for so long.
#[derive(Debug, thiserror::Error)]
#[error("no sign of life for {seconds} s")]
struct Silent {
    seconds: u64,
}

pub(super) fn broken(source: io::Error) -> ClientError {
    match source.get_ref().and_then(|inner| inner.downcast_ref::<Silent>()) {
        Some(silent) => ClientError::Silent { seconds: silent.seconds },
        None => ClientError::Broken { source },
    }
}

fn refused(error: ArrowError) -> ClientError {
    match error {
        ArrowError::IoError(_, source) if source.kind() == io::ErrorKind::Other => {
            ClientError::Refused { message: source.to_string() }
        }
        ArrowError::IoError(_, source) => broken(source),
        other => ClientError::Broken { source: io::Error::other(other) },
    }
}

impl Rows {
    /// Columns of the answer.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }

    /// What the answer began with.
    #[must_use]
    pub const fn preface(&self) -> &Preface {
        &self.preface
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.next().map(|batch| batch.map_err(refused))
    }
}
