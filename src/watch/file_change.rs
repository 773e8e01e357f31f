//! One look at a path: are there new bytes, and do the old ones still stand?

use std::fs;
use std::io;
use std::path::Path;

use crate::discover::Stat;
use crate::schema::{Fingerprint, Format, Framing, SourcePosition};
use crate::watch::fingerprint::{UNTRUSTED, durable_offset, is_untouched};
use crate::watch::opened::{Opened, is_compressed, not_regular};

/// What a look found.
#[derive(Debug)]
pub enum FileChange {
    /// Device, inode, size and times are those of the last read, which had reached the end: nothing
    /// was opened.
    Unchanged,
    /// Times or names changed, but the content stands and nothing follows the position. The caller
    /// may remember the fingerprint's new times; there is nothing to decode.
    Touched(Opened),
    /// The content before the position stands and there is more: read on from the checkpoint.
    Appended(Opened),
    /// The content before the position is not what was read: a new generation, from byte 0.
    Rewritten {
        /// What gave it away.
        reason: Rewrite,
        /// The file, for reading it at once.
        opened: Opened,
    },
    /// Nothing is known of it: read from byte 0.
    New(Opened),
    /// There is no such file. What was read of it stays.
    Vanished,
    /// The system refuses, or it is no regular file. Nothing is concluded; look again later.
    Unreadable {
        /// What the system said.
        error: io::Error,
    },
}

/// How a rewrite was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// It ends before the position.
    Shrunk,
    /// Its first bytes differ.
    Head,
    /// The bytes before the position differ.
    Tail,
    /// Another file took the path, and what was compared does not cover all that was read.
    Replaced,
    /// Documents have no position: any change makes them new.
    Document,
}

impl Rewrite {
    /// One word for messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shrunk => "shrunk",
            Self::Head => "head",
            Self::Tail => "tail",
            Self::Replaced => "replaced",
            Self::Document => "document",
        }
    }
}

/// Compares the file at `path` with what was read of it. `stat` saves a system call when a scan has
/// just asked; it only ever leads to [`FileChange::Unchanged`].
#[must_use]
pub fn inspect(path: &Path, stat: Option<&Stat>, previous: Option<&SourcePosition>) -> FileChange {
    match try_inspect(path, stat, previous) {
        Ok(look) => look,
        Err(error) if is_absent(&error) => FileChange::Vanished,
        Err(error) => FileChange::Unreadable { error },
    }
}

fn try_inspect(path: &Path, stat: Option<&Stat>, previous: Option<&SourcePosition>) -> io::Result<FileChange> {
    let Some(previous) = previous else {
        return Opened::open(path).map(FileChange::New);
    };
    let stat = match stat {
        Some(stat) => *stat,
        None => {
            let metadata = fs::metadata(path)?;
            if !metadata.is_file() {
                return Err(not_regular());
            }
            Stat::of(&metadata)
        }
    };
    if is_untouched(&previous.fingerprint, &stat) {
        return Ok(FileChange::Unchanged);
    }
    let opened = Opened::open(path)?;
    if Format::from_name(&previous.format).is_some_and(|format| format.framing() == Framing::Document) {
        return Ok(FileChange::Rewritten { reason: Rewrite::Document, opened });
    }
    let position = durable_offset(&previous.checkpoint);
    let reason = match compare(&opened, &previous.fingerprint, position)? {
        Ok(goes_on) if is_same_file(path, &opened, previous, position) => {
            return Ok(if goes_on { FileChange::Appended(opened) } else { FileChange::Touched(opened) });
        }
        Ok(_) => Rewrite::Replaced,
        Err(reason) => reason,
    };
    Ok(FileChange::Rewritten { reason, opened })
}

/// Whether the stream goes on after `position`, or how it differs before it.
pub(super) fn compare(opened: &Opened, known: &Fingerprint, position: u64) -> io::Result<Result<bool, Rewrite>> {
    if !opened.is_compressed() && opened.stat().size < position {
        return Ok(Err(Rewrite::Shrunk));
    }
    let marks = opened.marks(known.head_len as usize, position, known.tail_len as usize)?;
    Ok(match marks {
        None => Err(Rewrite::Shrunk),
        Some(marks) if known.head_len > 0 && marks.head != known.head => Err(Rewrite::Head),
        Some(marks) if known.tail_len > 0 && marks.tail != known.tail => Err(Rewrite::Tail),
        Some(marks) => Ok(marks.goes_on),
    })
}

/// Whether matching hashes are proof enough. Another inode at the same path was written anew, and
/// between head and tail anything may differ; unless the head covers all that was read, or size and
/// modification time were restored with it (a backup, an unpacked archive). At another path, or with
/// another packing, the registry has decided already.
fn is_same_file(path: &Path, opened: &Opened, previous: &SourcePosition, position: u64) -> bool {
    let known = &previous.fingerprint;
    let stat = opened.stat();
    let old = Path::new(&previous.path);
    stat.inode == known.inode
        || position <= u64::from(known.head_len)
        || (known.changed_ns != UNTRUSTED && stat.size == known.size && stat.modified_ns == known.modified_ns)
        || old != path
        || is_compressed(old) != opened.is_compressed()
}

/// True when the path leads nowhere (any more).
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
