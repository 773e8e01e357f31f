//! Hashes that prove that the bytes up to a position are those that were read.

use std::io;

use crate::discover::Stat;
use crate::schema::{Checkpoint, Fingerprint};
use crate::watch::marks::{HEAD_BYTES, TAIL_BYTES};
use crate::watch::opened::Opened;

/// The next look opens the file and asks its content.
pub const UNTRUSTED: i64 = Fingerprint::UNTRUSTED;

/// File times move in steps of the kernel's tick (up to 10 ms; 16 ms on Windows).
const RACY_US: i64 = 50_000;

/// The position that a fingerprint's tail stands before: rows of all records before it are durable.
#[must_use]
pub fn durable_offset(checkpoint: &Checkpoint) -> u64 {
    checkpoint.high_water.max(checkpoint.resume_at)
}

/// Fingerprint of the file as it is now, for `position` (uncompressed); it is [`UNTRUSTED`], since
/// only a [`crate::watch::Reader`] knows that everything was read. `None` when the content is shorter.
///
/// # Errors
///
/// Returns what the system says.
pub fn fingerprint(opened: &Opened, position: u64) -> io::Result<Option<Fingerprint>> {
    let stat = opened.restat()?;
    let (head_len, tail_len) = lengths(position);
    Ok(opened.marks(head_len, position, tail_len)?.map(|marks| of(&stat, position, marks.head, marks.tail, UNTRUSTED)))
}

/// Bytes that head and tail cover for a position.
pub(super) fn lengths(position: u64) -> (usize, usize) {
    let covered = usize::try_from(position).unwrap_or(usize::MAX);
    (covered.min(HEAD_BYTES), covered.min(TAIL_BYTES))
}

pub(super) fn of(stat: &Stat, position: u64, head: u64, tail: u64, changed_ns: i64) -> Fingerprint {
    let (head_len, tail_len) = lengths(position);
    Fingerprint {
        device: stat.device,
        inode: stat.inode,
        size: stat.size,
        modified_ns: stat.modified_ns,
        changed_ns,
        head_len: u32::try_from(head_len).unwrap_or(u32::MAX),
        head,
        tail_len: u32::try_from(tail_len).unwrap_or(u32::MAX),
        tail,
        companions_ns: 0,
    }
}

/// True when the file changed so shortly before `now_us` that its times may stay when it changes again.
pub(super) fn is_racy(stat: &Stat, now_us: i64) -> bool {
    let near = |ns: i64| (now_us - ns / 1000).abs() < RACY_US;
    near(stat.modified_ns) || near(stat.changed_ns)
}

/// True when nothing that the file system tells has changed since the fingerprint was taken.
#[must_use]
pub fn is_untouched(fingerprint: &Fingerprint, stat: &Stat) -> bool {
    fingerprint.changed_ns != UNTRUSTED
        && fingerprint.device == stat.device
        && fingerprint.inode == stat.inode
        && fingerprint.size == stat.size
        && fingerprint.modified_ns == stat.modified_ns
        && fingerprint.changed_ns == stat.changed_ns
}
