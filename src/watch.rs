//! Which bytes are new?
//!
//! - a position is never trusted by name, inode or size alone: the bytes just before it, and the
//!   first bytes of the file, must hash to what was seen ([`inspect()`])
//! - only whole lines are handed out; a torn last line stays unread until its newline comes
//!   ([`Reader`])
//! - nothing but regular files is opened, and never in a way that can block
//! - databases are read with their write-ahead logs, in one read transaction, and never written to
//!   ([`Database`])
//! - moved, archived and compressed files keep their source; copies get one of their own
//!   ([`Registry`])
//! - notifications are hints; a scan at an interval finds what they miss ([`Watcher`])
//!
//! A change that keeps size, first 4096 bytes and the 256 bytes before the position cannot be seen
//! by content; agents append, so it is not looked for.

mod database;
mod document;
mod file_change;
mod fingerprint;
mod hints;
mod marks;
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]
mod model;
mod opened;
mod reader;
mod registry;
mod unwatchable;
mod watcher;

pub use database::{Cursor, Database, DatabaseError};
pub use document::{Document, Patience, read_document};
pub use file_change::{FileChange, Rewrite, inspect};
pub use fingerprint::{UNTRUSTED, durable_offset, fingerprint, is_untouched};
pub use hints::{Hint, Hints};
pub use marks::{HEAD_BYTES, TAIL_BYTES};
pub use opened::Opened;
pub use reader::{Frame, Limits, ReadPosition, Reader};
pub use registry::{Decision, Disk, FileProbe, Presence, Registry};
pub use watcher::{RootStatus, WatchMode, WatchStatus, Watcher, WatcherConfig};
