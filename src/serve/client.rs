//! Asks a running `ingest`.

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;

use super::frame::{BatchReader, Kind, read_frame};
use super::{Request, Status, socket_path};

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
    /// The connection broke.
    #[error("the running devlog ended the connection; ask again")]
    Broken {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A connection that has not been used yet.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

/// Rows of an answer.
#[derive(Debug)]
pub struct Rows {
    reader: StreamReader<BatchReader<BufReader<UnixStream>>>,
}

impl Client {
    /// Connects to the `ingest` of `home`, if one runs.
    #[must_use]
    pub fn connect(home: &Path) -> Option<Self> {
        UnixStream::connect(socket_path(home)).ok().map(|stream| Self { stream })
    }

    fn ask(&mut self, request: &Request) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(request).map_err(|e| ClientError::Broken { source: e.into() })?;
        line.push(b'\n');
        self.stream.write_all(&line).map_err(|source| ClientError::Broken { source })
    }

    /// Asks how it is.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub fn status(mut self) -> Result<Status, ClientError> {
        self.ask(&Request::Status)?;
        let (kind, payload) = read_frame(&mut self.stream).map_err(|source| ClientError::Broken { source })?;
        match kind {
            Kind::Json => serde_json::from_slice(&payload).map_err(|e| ClientError::Broken { source: e.into() }),
            _ => Err(ClientError::Refused { message: String::from_utf8_lossy(&payload).into_owned() }),
        }
    }

    /// Asks for rows.
    ///
    /// # Errors
    ///
    /// What is wrong with the query, in the words of the query room.
    pub fn query(mut self, request: &Request) -> Result<Rows, ClientError> {
        self.ask(request)?;
        let input = BatchReader::new(BufReader::new(self.stream));
        let reader = StreamReader::try_new(input, None).map_err(refused)?;
        Ok(Rows { reader })
    }
}

fn refused(error: ArrowError) -> ClientError {
    match error {
        ArrowError::IoError(_, source) if source.kind() == io::ErrorKind::Other => {
            ClientError::Refused { message: source.to_string() }
        }
        ArrowError::IoError(_, source) => ClientError::Broken { source },
        other => ClientError::Broken { source: io::Error::other(other) },
    }
}

impl Rows {
    /// Columns of the answer.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reader.next().map(|batch| batch.map_err(refused))
    }
}
