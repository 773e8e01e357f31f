//! Which source is the file at this path?
//!
//! Pure: the known sources are in memory, and what must be asked of the disk is asked through
//! [`FileProbe`]. The answer does not depend on the order of what was learnt before.
//!
//! - the same path is the same source; whether its bytes still stand is [`crate::watch::inspect()`]'s question
//! - another path whose old path is gone is a move, when inode or first bytes lead to the source and
//!   its content stands up to the position
//! - another path whose old path is still there is a copy, a source of its own; but another *name* of
//!   the same file (hard link, other spelling) is an alias and is not read
//! - `x.jsonl.zst` beside or instead of `x.jsonl` is the same source when its content says so

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::discover::{FoundFile, Stat};
use crate::schema::{Fingerprint, SourceId, SourcePosition};
use crate::watch::file_change::{compare, is_absent};
use crate::watch::fingerprint::durable_offset;
use crate::watch::marks::HEAD_BYTES;
use crate::watch::opened::{Opened, is_compressed};

/// Whether a path leads somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// To this file.
    Here(Stat),
    /// Nowhere.
    Gone,
    /// The system does not say; nothing is concluded.
    Unknown,
}

/// What the registry asks of the disk.
pub trait FileProbe {
    /// Whether there is a file at `path`.
    fn presence(&self, path: &Path) -> Presence;

    /// Hash of the first `length` bytes of the (uncompressed) file, if it has that many.
    fn head(&self, path: &Path, length: u32) -> Option<u64>;

    /// Whether more follows in the file at `path`, or `None` when it does not begin with what was read
    /// up to `position`.
    fn continues(&self, path: &Path, fingerprint: &Fingerprint, position: u64) -> Option<bool>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl FileProbe for Disk {
    fn presence(&self, path: &Path) -> Presence {
        match fs::metadata(path) {
            Ok(metadata) => Presence::Here(Stat::of(&metadata)),
            Err(error) if is_absent(&error) => Presence::Gone,
            Err(_) => Presence::Unknown,
        }
    }

    fn head(&self, path: &Path, length: u32) -> Option<u64> {
        let marks = Opened::open(path).and_then(|opened| opened.marks(length as usize, 0, 0));
        marks.ok().flatten().map(|marks| marks.head)
    }

    fn continues(&self, path: &Path, fingerprint: &Fingerprint, position: u64) -> Option<bool> {
        let compared = Opened::open(path).and_then(|opened| compare(&opened, fingerprint, position));
        compared.ok().and_then(Result::ok)
    }
}

/// Whose bytes a found file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The source known at this path.
    Known(SourceId),
    /// A known source that was elsewhere before.
    Moved {
        /// The source.
        id: SourceId,
        /// Its old path.
        from: PathBuf,
    },
    /// Another name or a compressed twin of a file that is read under its first name: not read.
    Alias {
        /// The source.
        of: SourceId,
    },
    /// A source of its own.
    New,
}

#[derive(Debug, Clone)]
struct Known {
    position: Arc<SourcePosition>,
    /// Where it is, when that is not where its position says.
    moved_to: Option<Box<Path>>,
    gone: bool,
}

impl Known {
    fn path(&self) -> &Path {
        self.moved_to.as_deref().unwrap_or_else(|| Path::new(&self.position.path))
    }

    fn fingerprint(&self) -> &Fingerprint {
        &self.position.fingerprint
    }

    fn anchor(&self) -> u64 {
        durable_offset(&self.position.checkpoint)
    }
}

/// The known sources, found by path, by inode and by first bytes. There may be hundreds of thousands: what their
/// positions hold is not held twice.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    sources: HashMap<SourceId, Known>,
    /// Hashes of paths; of two sources of one path the one that was put in last counts.
    by_path: BTreeSet<(u64, SourceId)>,
    hasher: RandomState,
    /// A file that was removed leaves its number to another one.
    by_inode: BTreeSet<(u64, u64, SourceId)>,
    by_head: BTreeSet<(u32, u64, SourceId)>,
    /// Lengths below the full head of sources that are gone, and how many have each.
    short_heads: BTreeMap<u32, usize>,
}

impl Registry {
    /// Number of known sources.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// True when none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The source at `path`, if one is known there.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<SourceId> {
        let hash = self.hasher.hash_one(path);
        let mut same_hash = self.by_path.range((hash, SourceId(0))..=(hash, SourceId(u64::MAX))).map(|(_, id)| *id);
        same_hash.find(|id| self.sources.get(id).is_some_and(|known| known.path() == path))
    }

    /// Sources and where they were last seen, but for those known to be gone.
    pub fn present(&self) -> impl Iterator<Item = (SourceId, &Path)> {
        self.sources.iter().filter(|(_, known)| !known.gone).map(|(id, known)| (*id, known.path()))
    }

    /// Takes over a source's position, new or changed; its path is `path` from now on.
    pub fn put(&mut self, position: &Arc<SourcePosition>, path: &Path) {
        self.take_out(position.id);
        let moved_to = (Path::new(&position.path) != path).then(|| path.into());
        let known = Known { position: Arc::clone(position), moved_to, gone: position.missing };
        self.put_in(position.id, known);
    }

    /// Remembers that a source's file is at `path` now.
    pub fn moved(&mut self, id: SourceId, path: &Path) {
        if let Some(known) = self.take_out(id) {
            self.put_in(id, Known { moved_to: Some(path.into()), gone: false, ..known });
        }
    }

    /// Remembers that a source's file is gone; its content may turn up elsewhere.
    pub fn gone(&mut self, id: SourceId) {
        if let Some(known) = self.take_out(id) {
            self.put_in(id, Known { gone: true, ..known });
        }
    }

    /// Puts what a scan found into the order of deciding: files that another name was known for come
    /// first, so that a name that was freed and given to a new file is not mistaken for a rewrite.
    pub fn order(&self, found: &mut [FoundFile]) {
        found.sort_by(|a, b| (!self.may_be_move(a), &a.path).cmp(&(!self.may_be_move(b), &b.path)));
    }

    fn may_be_move(&self, found: &FoundFile) -> bool {
        self.with_inode(&found.stat).any(|(_, known)| known.path() != found.path)
    }

    /// Decides whose bytes the file at `path` holds. Changes nothing: the caller says what it made of
    /// the answer ([`Registry::put`], [`Registry::moved`]).
    #[must_use]
    pub fn decide(&self, path: &Path, stat: &Stat, eyes: &impl FileProbe) -> Decision {
        if let Some(id) = self.at(path) {
            return Decision::Known(id);
        }
        self.by_inode(path, stat, eyes)
            .or_else(|| self.by_twin(path, eyes))
            .or_else(|| self.by_content(path, stat, eyes))
            .unwrap_or(Decision::New)
    }

    fn by_inode(&self, path: &Path, stat: &Stat, eyes: &impl FileProbe) -> Option<Decision> {
        let same = |old: &Stat| stat.identifies() && (old.device, old.inode) == (stat.device, stat.inode);
        let mut moved: Option<(u64, Decision)> = None;
        for (id, known) in self.with_inode(stat) {
            match eyes.presence(known.path()) {
                Presence::Unknown => {}
                Presence::Here(old) if same(&old) => return Some(Decision::Alias { of: id }),
                // Without true inodes a file that is still there is a different one.
                Presence::Here(_) if !stat.identifies() => {}
                // Of several that fit, the one that was read furthest.
                _ if moved.as_ref().is_some_and(|(read, _)| *read >= known.anchor()) => {}
                _ if eyes.continues(path, known.fingerprint(), known.anchor()).is_some() => {
                    moved = Some((known.anchor(), Decision::Moved { id, from: known.path().to_owned() }));
                }
                _ => {}
            }
        }
        moved.map(|(_, decision)| decision)
    }

    /// Sources whose file had the inode of `stat` when they were read.
    fn with_inode(&self, stat: &Stat) -> impl Iterator<Item = (SourceId, &Known)> {
        let inode = |id| (stat.device, stat.inode, SourceId(id));
        let ids = self.by_inode.range(inode(0)..=inode(u64::MAX)).map(|(.., id)| *id);
        ids.filter_map(|id| Some((id, self.sources.get(&id)?)))
    }

    fn by_twin(&self, path: &Path, eyes: &impl FileProbe) -> Option<Decision> {
        let twin = twin(path)?;
        let id = self.at(&twin)?;
        let known = self.sources.get(&id)?;
        if known.anchor() == 0 {
            return None;
        }
        let goes_on = eyes.continues(path, known.fingerprint(), known.anchor())?;
        // The plain one of the two is the one that grows.
        if !is_compressed(path) || eyes.presence(&twin) == Presence::Gone {
            return Some(Decision::Moved { id, from: twin });
        }
        // A packed one that holds more than was read of the plain one may be all that is left of it.
        (!goes_on).then_some(Decision::Alias { of: id })
    }

    fn by_content(&self, path: &Path, stat: &Stat, eyes: &impl FileProbe) -> Option<Decision> {
        let full = u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX);
        let lengths = std::iter::once(full).chain(self.short_heads.keys().rev().copied());
        for length in lengths {
            let packed = is_compressed(path);
            if self.by_head.is_empty() || (!packed && stat.size < u64::from(length)) {
                continue;
            }
            let Some(hash) = eyes.head(path, length) else { continue };
            let mut candidates: Vec<(SourceId, &Known)> = self
                .by_head
                .range((length, hash, SourceId(0))..=(length, hash, SourceId(u64::MAX)))
                .filter_map(|(.., id)| self.sources.get(id).map(|known| (*id, known)))
                .collect();
            // Of several that fit, the one that was read furthest; ids break ties.
            candidates.sort_by_key(|(id, known)| (std::cmp::Reverse(known.anchor()), *id));
            let fits = |known: &Known| {
                eyes.presence(known.path()) == Presence::Gone
                    && eyes.continues(path, known.fingerprint(), known.anchor()).is_some()
            };
            if let Some((id, known)) = candidates.into_iter().find(|(_, known)| fits(known)) {
                return Some(Decision::Moved { id, from: known.path().to_owned() });
            }
        }
        None
    }

    fn put_in(&mut self, id: SourceId, known: Known) {
        if let Some(other) = self.at(known.path()) {
            self.by_path.remove(&(self.hasher.hash_one(known.path()), other));
        }
        self.by_path.insert((self.hasher.hash_one(known.path()), id));
        let print = known.fingerprint();
        if print.inode != 0 {
            self.by_inode.insert((print.device, print.inode, id));
        }
        if print.head_len > 0 {
            self.by_head.insert((print.head_len, print.head, id));
            if known.gone && (print.head_len as usize) < HEAD_BYTES {
                *self.short_heads.entry(print.head_len).or_default() += 1;
            }
        }
        self.sources.insert(id, known);
    }

    fn take_out(&mut self, id: SourceId) -> Option<Known> {
        let known = self.sources.remove(&id)?;
        self.by_path.remove(&(self.hasher.hash_one(known.path()), id));
        let print = known.fingerprint();
        self.by_inode.remove(&(print.device, print.inode, id));
        self.by_head.remove(&(print.head_len, print.head, id));
        if known.gone
            && print.head_len > 0
            && (print.head_len as usize) < HEAD_BYTES
            && let Some(count) = self.short_heads.get_mut(&print.head_len)
        {
            *count -= 1;
            if *count == 0 {
                self.short_heads.remove(&print.head_len);
            }
        }
        Some(known)
    }
}

/// `x.jsonl` for `x.jsonl.zst`, and the other way round.
fn twin(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    Some(path.with_file_name(match name.strip_suffix(".zst") {
        Some(plain) => plain.to_owned(),
        None => format!("{name}.zst"),
    }))
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]
mod tests;
