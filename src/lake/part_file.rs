//! A live file, opened for reading: bytes that are not those that were committed are an error.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::blocks::Blocks;
use super::disk;
use super::error::{At, LakeError, MISSING};
use super::part::Part;

/// Why a block is refused.
const CHANGED: &str = "its bytes have changed: a checksum does not match";

/// One live file. Cloning it opens nothing.
#[derive(Debug, Clone)]
pub struct PartFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: File,
    bytes: u64,
    blocks: Blocks,
}

impl PartFile {
    /// Opens `part` of the table in `directory`.
    ///
    /// # Errors
    ///
    /// When it is missing, has another size than was committed, or cannot be opened.
    pub fn open(directory: &Path, part: &Part) -> Result<Self, LakeError> {
        let path = directory.join(&part.path);
        let file = match disk::open_file(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(LakeError::CorruptPart { path, reason: MISSING });
            }
            Err(e) => return Err(e).at("open", &path),
        };
        if file.metadata().at("look at", &path)?.len() != part.bytes {
            return Err(LakeError::CorruptPart { path, reason: "it has another size than was committed" });
        }
        Ok(Self { inner: Arc::new(Inner { path, file, bytes: part.bytes, blocks: part.blocks.clone() }) })
    }

    /// Reads some of its bytes. They are compared with the checksums in the log, where it has any.
    ///
    /// # Errors
    ///
    /// When they have changed, or cannot be read.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes, LakeError> {
        let Inner { path, bytes: length, blocks, .. } = &*self.inner;
        let damaged = |reason| LakeError::CorruptPart { path: path.clone(), reason };
        if range.start > range.end || range.end > *length {
            return Err(damaged("its footer names bytes that it does not have"));
        }
        let Some(size) = blocks.block_bytes() else { return self.raw(range) };
        let first = range.start / size;
        let aligned = first * size..range.end.div_ceil(size).saturating_mul(size).min(*length);
        let bytes = self.raw(aligned.clone())?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        for (number, block) in (first..).zip(bytes.chunks(size)) {
            if !blocks.is_right(number, block) {
                return Err(damaged(CHANGED));
            }
        }
        let from = usize::try_from(range.start - aligned.start).unwrap_or_default();
        Ok(bytes.slice(from..from + usize::try_from(range.end - range.start).unwrap_or_default()))
    }

    fn raw(&self, range: Range<u64>) -> Result<Bytes, LakeError> {
        let Inner { path, file, .. } = &*self.inner;
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap_or(usize::MAX)];
        match disk::read_exact_at(file, &mut bytes, range.start) {
            Ok(()) => Ok(bytes.into()),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Err(LakeError::CorruptPart { path: path.clone(), reason: "it is shorter than was committed" })
            }
            Err(e) => Err(e).at("read", path),
        }
    }
}

impl Length for PartFile {
    fn len(&self) -> u64 {
        self.inner.bytes
    }
}

impl ChunkReader for PartFile {
    type T = Cursor;

    fn get_read(&self, start: u64) -> ParquetResult<Cursor> {
        Ok(Cursor { file: self.clone(), at: start, bytes: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.read(start..start.saturating_add(length as u64)).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// Reads a file from one place on.
#[derive(Debug)]
pub struct Cursor {
    file: PartFile,
    at: u64,
    bytes: Bytes,
}

impl io::Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            let end = self.at.saturating_add(4096).min(self.file.len());
            self.bytes = self.file.read(self.at..end).map_err(io::Error::other)?;
            self.at = end;
        }
        let length = buffer.len().min(self.bytes.len());
        buffer[..length].copy_from_slice(&self.bytes.split_to(length));
        Ok(length)
    }
}
