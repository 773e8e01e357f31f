//! A few rows that are durable and stand in no table yet.
//!
//! A commit waits for the disk several times and leaves files for good: too much for the few lines that
//! came since a command ran last. They are gathered in one small file, which is replaced as a whole; the
//! next commit takes it in.
//!
//! `staged`: `devlogst`, format, length of the head, head (JSON), rows of `events` and of `rejects` as Arrow
//! streams, CRC-32C over all before it. It belongs to one commit, which its head names: once there is a newer
//! one its rows are in the tables.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::Snapshot;
use super::disk;
use super::error::{At, LakeError};
use super::guard::WriterLock;
use super::handle::Lake;
use super::log::Log;
use super::quarantine::set_aside;
use crate::schema::{EventId, SourcePosition, events, rejects};

const MAGIC: &[u8; 8] = b"devlogst";
const FORMAT: u32 = 1;
/// Bytes before the head.
const FRONT: usize = 16;

/// What is staged.
#[derive(Debug, Clone, Default)]
pub struct Staged {
    /// Rows of `events`.
    pub events: Vec<RecordBatch>,
    /// Rows of `rejects`.
    pub rejects: Vec<RecordBatch>,
    /// Positions after these rows.
    pub sources: Vec<SourcePosition>,
    /// Events in the tables whose newer record is among the rows.
    pub replaced: Vec<EventId>,
    /// When the oldest of it was staged, microseconds since 1970.
    pub since_us: i64,
}

/// What is staged, as it was read.
#[derive(Debug, Clone)]
pub struct StagedFile {
    /// The content.
    pub staged: Staged,
    /// Size of the file.
    pub bytes: usize,
    /// What tells it from any other.
    pub stamp: StagedStamp,
    base: (u64, u32),
}

/// Tells one state of the file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedStamp(u32, usize);

#[derive(Serialize, Deserialize)]
struct Head {
    version: u64,
    entry_crc32c: u32,
    since_us: i64,
    replaced: Vec<String>,
    sources: Vec<SourcePosition>,
    /// Bytes of the rows of `events`; those of `rejects` are the rest.
    events: usize,
}

/// Where the rows are staged.
pub(crate) fn path(root: &Path) -> PathBuf {
    root.join("staged")
}

impl StagedFile {
    /// What is staged in the lake in `root`; `None` when nothing is, or when the file is damaged: what the logs
    /// still hold of it is read again.
    ///
    /// A reader asks before it reads the log: what is gone by then is in the tables.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn read(root: &Path) -> Result<Option<Self>, LakeError> {
        let path = path(root);
        let bytes = match disk::read_file(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("read", &path),
        };
        let read = decode(&bytes);
        if read.is_none() {
            tracing::warn!("{path:?} is damaged and left out; what the logs still hold of it is read again");
        }
        Ok(read)
    }

    /// True when its rows belong to what `snapshot` shows, and are not among it.
    #[must_use]
    pub fn fits(&self, snapshot: &Snapshot) -> bool {
        snapshot.newest() == Some(self.base)
    }
}

/// Puts `staged` in the place of what was staged before, durably. False when the lake is no longer what
/// `snapshot` shows, or what is staged there not what `before` names: nothing has changed then.
///
/// # Errors
///
/// When another process writes the lake, or it cannot be written; what was staged before stays.
pub fn stage(
    root: &Path,
    snapshot: &Snapshot,
    before: Option<StagedStamp>,
    staged: &Staged,
) -> Result<bool, LakeError> {
    let Some(base) = snapshot.newest() else { return Ok(false) };
    disk::check_private(root)?;
    let _lock = WriterLock::take(root)?;
    let moved_on = Log::master(root).path(base.0 + 1).symlink_metadata().is_ok();
    if moved_on || stamp(root) != before {
        return Ok(false);
    }
    let target = path(root);
    let bytes = encode(base, staged).at("write", &target)?;
    let temp = root.join(format!(".staged-{}.tmp", disk::random_name()?));
    disk::write_new(&temp, &bytes)?;
    let done = disk::rename(&temp, &target);
    if done.is_err() {
        fs::remove_file(&temp).ok();
    }
    done.map(|()| true)
}

/// What tells the file as it stands now.
fn stamp(root: &Path) -> Option<StagedStamp> {
    let bytes = disk::read_file(&path(root)).ok()?;
    let (_, crc) = bytes.split_last_chunk::<4>()?;
    Some(StagedStamp(u32::from_le_bytes(*crc), bytes.len()))
}

impl Lake {
    /// What is staged; a damaged file is set aside.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn staged(&self) -> Result<Option<StagedFile>, LakeError> {
        let read = StagedFile::read(&self.root)?;
        let path = path(&self.root);
        if read.is_none() && path.symlink_metadata().is_ok() {
            set_aside(&self.root, &path)?;
        }
        Ok(read)
    }

    /// Removes what was staged: its rows are in the tables.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn unstage(&self) -> Result<(), LakeError> {
        disk::remove_file(&path(&self.root)).map(drop)
    }
}

fn encode((version, entry_crc32c): (u64, u32), staged: &Staged) -> Result<Vec<u8>, ArrowError> {
    let rows = stream(&events().arrow(), &staged.events)?;
    let refused = stream(&rejects().arrow(), &staged.rejects)?;
    let replaced = staged.replaced.iter().map(|id| String::from_utf8_lossy(&id.hex()).into_owned()).collect();
    let (since_us, sources) = (staged.since_us, staged.sources.clone());
    let head = Head { version, entry_crc32c, since_us, replaced, sources, events: rows.len() };
    let head = serde_json::to_vec(&head).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    let mut out = Vec::with_capacity(FRONT + head.len() + rows.len() + refused.len() + 4);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    for bytes in [head, rows, refused] {
        out.extend_from_slice(&bytes);
    }
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    Ok(out)
}

fn stream(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.into_inner()
}

fn decode(bytes: &[u8]) -> Option<StagedFile> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let crc = u32::from_le_bytes(*crc);
    let rest = body.strip_prefix(MAGIC).filter(|_| crc32c::crc32c(body) == crc)?;
    let (format, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*format) != FORMAT {
        return None;
    }
    let (head, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let (rows, refused) = rest.split_at_checked(head.events)?;
    let staged = Staged {
        events: batches(&events().arrow(), rows).ok()?,
        rejects: batches(&rejects().arrow(), refused).ok()?,
        sources: head.sources,
        replaced: head.replaced.iter().map(|hex| EventId::parse(hex)).collect::<Option<_>>()?,
        since_us: head.since_us,
    };
    let stamp = StagedStamp(crc, bytes.len());
    Some(StagedFile { staged, bytes: bytes.len(), stamp, base: (head.version, head.entry_crc32c) })
}

/// Batches in the present layout of the table: a column that another version did not have is null.
fn batches(schema: &SchemaRef, bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    let read = StreamReader::try_new(Cursor::new(bytes), None)?;
    read.map(|batch| {
        let batch = batch?;
        let column = |field: &Arc<arrow::datatypes::Field>| {
            let found = batch.column_by_name(field.name()).filter(|column| column.data_type() == field.data_type());
            found.map_or_else(|| new_null_array(field.data_type(), batch.num_rows()), Arc::clone)
        };
        RecordBatch::try_new(Arc::clone(schema), schema.fields().iter().map(column).collect())
    })
    .collect()
}
