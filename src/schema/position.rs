//! Where rows come from, and how far a source has been read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::learnt::Learnt;
use super::name::Name;

/// Id of a source: one physical stream of bytes, given at first sight and kept across renames.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u64);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceId({self})")
    }
}

impl Serialize for SourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Where a row's record starts: source, generation of its bytes, byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The stream.
    pub source: SourceId,
    /// Incarnation of the stream's bytes.
    pub generation: u32,
    /// Byte offset of the record in the (uncompressed) stream.
    pub offset: u64,
}

/// What a decoder needs to go on later: made and read by the adapter only.
///
/// Bytes from `resume_at` are read again. Rows of records before `high_water` have been handed out
/// already, except those of what is `open`: the decoder uses those records only to rebuild what may
/// still grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Byte offset to read from; never inside a record.
    pub resume_at: u64,
    /// Byte offset up to which settled rows have been handed out; at least `resume_at`.
    pub high_water: u64,
    /// True while rows of records before `high_water` have not been handed out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// The decoder's own state as text (JSON), empty when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
}

impl Checkpoint {
    /// The state as it stands in a checkpoint: its version, a space, its text. No state is an empty one of
    /// every version.
    #[must_use]
    pub fn versioned(version: u32, state: String) -> String {
        if state.is_empty() { state } else { format!("{version} {state}") }
    }

    /// The state's text when it is one of `version`; `None` when it has another meaning, or one that this
    /// program does not know.
    #[must_use]
    pub fn state_of(&self, version: u32) -> Option<&str> {
        if self.state.is_empty() {
            return Some("");
        }
        let (own, state) = self.state.split_once(' ')?;
        (own.parse() == Ok(version)).then_some(state)
    }
}

/// What was seen in a source, summed over all its generations.
///
/// Every line is exactly one of: it made at least one row (`line_rows`), it is ignored by rule, or
/// it is in `rejects`. So `lines == line_rows + ignored + rejects` once nothing is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Lines framed.
    pub lines: u64,
    /// Lines that made, or joined, at least one row.
    pub line_rows: u64,
    /// Lines that by rule make no row.
    pub ignored: u64,
    /// Lines that could not be decoded.
    pub rejects: u64,
    /// Rows handed out.
    pub rows: u64,
    /// Rows that were copies of events already known.
    pub duplicates: u64,
    /// Bytes that were no valid UTF-8 and were replaced.
    pub replaced_chars: u64,
    /// Lines of a record type the decoder does not know; they are rows too.
    pub unknown_types: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.line_rows += other.line_rows;
        self.ignored += other.ignored;
        self.rejects += other.rejects;
        self.rows += other.rows;
        self.duplicates += other.duplicates;
        self.replaced_chars += other.replaced_chars;
        self.unknown_types += other.unknown_types;
    }
}

/// What identifies the bytes of a file: who it is, and hashes of what was read.
///
/// `head` covers the first `head_len` bytes (at most 4096, growing with the file), `tail` the
/// `tail_len` bytes (at most 256) just before the position. A position is trusted only after both
/// match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprint {
    /// Device the file is on.
    pub device: u64,
    /// Inode (Unix) or file index (Windows).
    pub inode: u64,
    /// Size on disk when last read.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Status change time in nanoseconds since 1970; 0 where the system has none.
    pub changed_ns: i64,
    /// Bytes covered by `head`.
    pub head_len: u32,
    /// Hash of the first `head_len` bytes.
    pub head: u64,
    /// Bytes covered by `tail`.
    pub tail_len: u32,
    /// Hash of the `tail_len` bytes before the position.
    pub tail: u64,
    /// When the newest of the files beside it that its rows depend on was changed, in nanoseconds since 1970;
    /// 0 when there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub companions_ns: i64,
}

impl Fingerprint {
    /// Stands for `changed_ns` where times prove nothing: something was left unread, or the file changed so
    /// lately that a further change may carry the same times.
    pub const UNTRUSTED: i64 = -1;

    /// True when the times prove nothing.
    #[must_use]
    pub const fn is_untrusted(&self) -> bool {
        self.changed_ns == Self::UNTRUSTED
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// All that is known of one source: the unit that a commit makes durable together with its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourcePosition {
    /// Identity, kept across renames.
    pub id: SourceId,
    /// Agent that writes it.
    pub agent: Name,
    /// What the file is: `claude-session`, `codex-rollout`, ...
    pub format: Name,
    /// Where it was last seen.
    pub path: String,
    /// Incarnation of its bytes.
    pub generation: u32,
    /// Earliest sign of its existence in microseconds since 1970 (first record's time, else the
    /// file's): of two copies of an event, the source with the smaller one owns it.
    pub born_us: i64,
    /// How far it has been read, and the decoder's state there.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// Which bytes that was.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
    /// What was seen in it.
    #[serde(flatten)]
    pub counts: Counts,
    /// When it was last read from, microseconds since 1970.
    #[serde(default)]
    pub read_at_us: i64,
    /// True once the file was found gone; its rows stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// What went wrong at the last look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The newest folders that its rows name as `cwd`, newest last: other agents may log there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<Name>,
    /// What its rows have taught of folders.
    #[serde(default, skip_serializing_if = "Learnt::is_empty")]
    pub learnt: Learnt,
}

impl SourcePosition {
    /// Gives back the room that reading it from a text has left: there is one of these for each log.
    #[must_use]
    pub fn fitted(mut self) -> Self {
        self.path.shrink_to_fit();
        self.checkpoint.state.shrink_to_fit();
        self.folders.shrink_to_fit();
        self.learnt.sessions.shrink_to_fit();
        self.learnt.trees.shrink_to_fit();
        self
    }

    /// The same source as a new generation of which nothing was read: the next look reads it from its
    /// beginning. It is still known by its inode, and its counts go on.
    #[must_use]
    pub fn from_the_beginning(&self) -> Self {
        let Fingerprint { device, inode, .. } = self.fingerprint;
        Self {
            generation: self.generation + 1,
            checkpoint: Checkpoint::default(),
            fingerprint: Fingerprint { device, inode, ..Fingerprint::default() },
            read_at_us: 0,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::learnt::{Session, Tree};
    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z/.-]{0,24}", "\\PC{0,12}", Just(String::new())]
    }

    fn learnt() -> impl Strategy<Value = Learnt> {
        let session = (texts(), texts(), any::<bool>());
        let session = session.prop_map(|(id, start, has_branch)| Session { id, start: start.into(), has_branch });
        let option = || prop::option::of(texts().prop_map(Name::from));
        let tree = (texts(), option(), option(), any::<bool>());
        let tree =
            tree.prop_map(|(folder, main, repo_url, is_told)| Tree { folder: folder.into(), main, repo_url, is_told });
        let lists = (prop::collection::vec(session, 0..4), prop::collection::vec(tree, 0..4));
        (prop::option::of(texts()), lists).prop_map(|(machine, (sessions, trees))| Learnt { machine, sessions, trees })
    }

    fn positions() -> impl Strategy<Value = SourcePosition> {
        let names = (texts(), texts(), texts(), texts(), prop::option::of(texts()));
        let numbers = (any::<[u64; 8]>(), any::<[i64; 5]>(), any::<[u32; 3]>(), any::<[u64; 8]>(), any::<[bool; 2]>());
        let lists = (prop::collection::vec(texts(), 0..5), learnt());
        (names, numbers, lists).prop_map(|((agent, format, path, state, last_error), numbers, (folders, learnt))| {
            let (big, times, small, counts, [open, missing]) = numbers;
            let [id, resume_at, high_water, device, inode, size, head, tail] = big;
            let [born_us, read_at_us, modified_ns, changed_ns, companions_ns] = times;
            let [generation, head_len, tail_len] = small;
            let [lines, line_rows, ignored, rejects, rows, duplicates, replaced_chars, unknown_types] = counts;
            SourcePosition {
                id: SourceId(id),
                agent: agent.into(),
                format: format.into(),
                path,
                generation,
                born_us,
                checkpoint: Checkpoint { resume_at, high_water, open, state },
                fingerprint: Fingerprint {
                    device,
                    inode,
                    size,
                    modified_ns,
                    changed_ns,
                    head_len,
                    head,
                    tail_len,
                    tail,
                    companions_ns,
                },
                counts: Counts { lines, line_rows, ignored, rejects, rows, duplicates, replaced_chars, unknown_types },
                read_at_us,
                missing,
                last_error,
                folders: folders.into_iter().map(Name::from).collect(),
                learnt,
            }
        })
    }

    proptest! {
        #[test]
        fn a_position_reads_back_from_the_log_as_it_was_written(position in positions()) {
            let text = serde_json::to_string(&position).unwrap();
            let read: SourcePosition = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read.fitted(), &position);
            // What a newer version adds does no harm.
            let more = text.replacen('{', "{\"of_next_year\":[1,{}],", 1);
            prop_assert_eq!(serde_json::from_str::<SourcePosition>(&more).unwrap(), position);
        }
    }
}
