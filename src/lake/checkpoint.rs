//! The whole state in one file, so that a start reads few entries.
//!
//! `.state/checkpoint-<version>`: `devlogck`, format, content, CRC-32C over all before it. A
//! checkpoint is a copy: it is trusted only when its checksum is right and it names the checksum of
//! an entry that stands in the log; otherwise it is ignored and the log is read instead. So it is
//! not synced, and never needs repair.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::disk;
use super::entry::{Live, TableInfo};
use super::error::LakeError;
use super::pruned::PruneFilter;
use super::state::{Files, State};
use super::{Blocks, Part};
use crate::schema::{Checkpoint, Counts, Fingerprint, Learnt, Name, SourceId, SourcePosition};

const MAGIC: &[u8; 8] = b"devlogck";
const FORMAT: u32 = 4;
/// Checkpoints kept: the newest and the one before.
const KEPT: usize = 2;

/// Checkpoints in `dir` by version, newest first.
pub(crate) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, LakeError> {
    let mut found: Vec<(u64, PathBuf)> = disk::list(dir)?
        .into_iter()
        .filter_map(|(name, path)| Some((name.strip_prefix("checkpoint-")?.parse().ok()?, path)))
        .collect();
    found.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    Ok(found)
}

/// Writes the checkpoint of `state` and removes old ones.
pub(crate) fn write(dir: &Path, state: &State) -> Result<(), LakeError> {
    let Some((version, _)) = state.newest else { return Ok(()) };
    disk::put_copy(&dir.join(format!("checkpoint-{version}")), &encode(state))?;
    for (_, path) in list(dir)?.into_iter().skip(KEPT) {
        disk::remove_file(&path)?;
    }
    Ok(())
}

/// The state in a checkpoint file, or `None` when it is no whole checkpoint of this format.
pub(crate) fn read(path: &Path) -> Option<State> {
    decode(&disk::read_file(path).ok()?)
}

pub(crate) fn encode(state: &State) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(4096 + state.sources.len() * 400 + state.events.len() * 2048));
    out.0.extend_from_slice(MAGIC);
    out.int(u64::from(FORMAT));
    let (version, crc) = state.newest.unwrap_or_default();
    out.int(version);
    out.int(u64::from(crc));
    out.signed(state.committed_at_us);
    out.option(state.rejects_version.as_ref(), |out, v| out.int(*v));
    out.option(state.info.as_ref(), |out, info| {
        out.text(&info.id);
        out.signed(i64::from(info.schema_version));
    });
    for files in [&state.events, &state.rejects] {
        out.int(files.len() as u64);
        for live in files.values() {
            out.int(u64::from(live.crc32c));
            put_part(&mut out, &live.part);
        }
    }
    out.int(state.removed.len() as u64);
    for (path, at_us) in &state.removed {
        out.text(path);
        out.signed(*at_us);
    }
    out.int(state.sources.len() as u64);
    for source in state.sources.values() {
        put_source(&mut out, source);
    }
    out.int(state.pruned.len() as u64);
    for filter in state.pruned.iter() {
        put_filter(&mut out, filter);
    }
    let crc = crc32c::crc32c(&out.0);
    out.0.extend_from_slice(&crc.to_le_bytes());
    out.0
}

pub(crate) fn decode(bytes: &[u8]) -> Option<State> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut input = In(body.strip_prefix(MAGIC)?);
    if input.int()? != u64::from(FORMAT) {
        return None;
    }
    let newest = Some((input.int()?, u32::try_from(input.int()?).ok()?));
    let committed_at_us = input.signed()?;
    let rejects_version = input.option(In::int)?;
    let info = input
        .option(|input| Some(TableInfo { id: input.text()?, schema_version: i32::try_from(input.signed()?).ok()? }))?;
    let events = files(&mut input)?;
    let rejects = files(&mut input)?;
    let mut removed = BTreeMap::new();
    for _ in 0..input.int()? {
        removed.insert(input.text()?, input.signed()?);
    }
    let count = input.int()?;
    let mut sources = HashMap::with_capacity(usize::try_from(count).ok()?.min(body.len() / 8));
    for _ in 0..count {
        let source = source(&mut input)?;
        sources.insert(source.id, Arc::new(source));
    }
    let sources = Arc::new(sources);
    let mut pruned = Vec::new();
    for _ in 0..input.int()? {
        pruned.push(filter(&mut input)?);
    }
    let pruned = Arc::new(pruned);
    input.0.is_empty().then_some(State {
        newest,
        committed_at_us,
        info,
        events,
        rejects,
        sources,
        removed,
        pruned,
        rejects_version,
    })
}

fn files(input: &mut In<'_>) -> Option<Files> {
    let mut files = Files::new();
    for _ in 0..input.int()? {
        let crc32c = u32::try_from(input.int()?).ok()?;
        let part = part(input)?;
        files.insert(part.path.clone(), Live { part: Arc::new(part), crc32c });
    }
    Some(files)
}

fn put_part(out: &mut Out, part: &Part) {
    let Part { path, month, bytes, rows, min_ts_us, max_ts_us, inferred_rows, min_max, nulls, blocks } = part;
    out.text(path);
    out.text(month);
    out.int(*bytes);
    out.int(*rows);
    out.signed(*min_ts_us);
    out.signed(*max_ts_us);
    out.int(*inferred_rows);
    out.int(min_max.len() as u64);
    for (name, (min, max)) in min_max {
        out.text(name);
        out.value(min);
        out.value(max);
    }
    out.int(nulls.len() as u64);
    for (name, count) in nulls {
        out.text(name);
        out.int(*count);
    }
    let (bits, sums) = blocks.to_bytes();
    out.int(u64::from(bits));
    out.bytes(&sums);
}

fn part(input: &mut In<'_>) -> Option<Part> {
    let mut part = Part {
        path: input.text()?,
        month: input.text()?,
        bytes: input.int()?,
        rows: input.int()?,
        min_ts_us: input.signed()?,
        max_ts_us: input.signed()?,
        inferred_rows: input.int()?,
        min_max: BTreeMap::new(),
        nulls: BTreeMap::new(),
        blocks: Blocks::default(),
    };
    for _ in 0..input.int()? {
        part.min_max.insert(input.text()?, (input.value()?, input.value()?));
    }
    for _ in 0..input.int()? {
        part.nulls.insert(input.text()?, input.int()?);
    }
    let bits = u8::try_from(input.int()?).ok()?;
    part.blocks = Blocks::from_bytes(bits, input.bytes()?, part.bytes)?;
    Some(part)
}

fn put_filter(out: &mut Out, filter: &PruneFilter) {
    let PruneFilter { before_us, session, project } = filter;
    out.option(before_us.as_ref(), |out, us| out.signed(*us));
    for text in [session, project] {
        out.option(text.as_ref(), |out, text| out.text(text));
    }
}

fn filter(input: &mut In<'_>) -> Option<PruneFilter> {
    let before_us = input.option(In::signed)?;
    Some(PruneFilter { before_us, session: input.option(In::text)?, project: input.option(In::text)? })
}

fn put_source(out: &mut Out, source: &SourcePosition) {
    // Taken apart in full, so that a new field cannot be forgotten here.
    let SourcePosition {
        id,
        agent,
        format,
        path,
        generation,
        born_us,
        checkpoint,
        fingerprint,
        counts,
        read_at_us,
        missing,
        last_error,
        folders,
        learnt,
    } = source;
    let Checkpoint { resume_at, high_water, open, state } = checkpoint;
    let Fingerprint { device, inode, size, modified_ns, changed_ns, head_len, head, tail_len, tail, companions_ns } =
        fingerprint;
    let Counts { lines, line_rows, ignored, rejects, rows, duplicates, replaced_chars, unknown_types } = counts;
    out.text(agent);
    out.text(format);
    out.text(path);
    out.text(state);
    out.option(last_error.as_ref(), |out, text| out.text(text));
    out.int(folders.len() as u64);
    folders.iter().for_each(|folder| out.text(folder));
    // JSON, as in the entries: few sources teach much.
    let learnt = (!learnt.is_empty()).then(|| serde_json::to_string(learnt).unwrap_or_default());
    out.int(u64::from(*missing) | u64::from(*open) << 1 | u64::from(learnt.is_some()) << 2);
    if let Some(learnt) = &learnt {
        out.text(learnt);
    }
    for number in [born_us, modified_ns, changed_ns, read_at_us, companions_ns] {
        out.signed(*number);
    }
    out.int(u64::from(*generation));
    out.int(u64::from(*head_len));
    out.int(u64::from(*tail_len));
    let numbers = [&id.0, resume_at, high_water, device, inode, size, head, tail];
    let counters = [lines, line_rows, ignored, rejects, rows, duplicates, replaced_chars, unknown_types];
    for number in numbers.into_iter().chain(counters) {
        out.int(*number);
    }
}

fn source(input: &mut In<'_>) -> Option<SourcePosition> {
    let (agent, format, path, state) = (input.name()?, input.name()?, input.text()?, input.text()?);
    let last_error = input.option(In::text)?;
    let mut folders = Vec::new();
    for _ in 0..input.int()? {
        folders.push(input.name()?);
    }
    let flags = input.int()?;
    let (missing, open) = (flags & 1 != 0, flags & 2 != 0);
    let learnt = if flags & 4 == 0 { Learnt::default() } else { serde_json::from_str(&input.text()?).ok()? };
    let (born_us, modified_ns, changed_ns) = (input.signed()?, input.signed()?, input.signed()?);
    let (read_at_us, companions_ns) = (input.signed()?, input.signed()?);
    let mut small = || u32::try_from(input.int()?).ok();
    let (generation, head_len, tail_len) = (small()?, small()?, small()?);
    let (id, resume_at, high_water) = (SourceId(input.int()?), input.int()?, input.int()?);
    let (device, inode, size, head, tail) = (input.int()?, input.int()?, input.int()?, input.int()?, input.int()?);
    let counts = Counts {
        lines: input.int()?,
        line_rows: input.int()?,
        ignored: input.int()?,
        rejects: input.int()?,
        rows: input.int()?,
        duplicates: input.int()?,
        replaced_chars: input.int()?,
        unknown_types: input.int()?,
    };
    let checkpoint = Checkpoint { resume_at, high_water, open, state };
    let fingerprint =
        Fingerprint { device, inode, size, modified_ns, changed_ns, head_len, head, tail_len, tail, companions_ns };
    let source = SourcePosition {
        id,
        agent,
        format,
        path,
        generation,
        born_us,
        checkpoint,
        fingerprint,
        counts,
        read_at_us,
        missing,
        last_error,
        folders,
        learnt,
    };
    Some(source.fitted())
}

/// Writes numbers as LEB128, texts with their length before them.
struct Out(Vec<u8>);

impl Out {
    #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
    fn int(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Small numbers of either sign stay short.
    fn signed(&mut self, value: i64) {
        self.int(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.int(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn option<T>(&mut self, value: Option<&T>, put: impl FnOnce(&mut Self, &T)) {
        self.int(u64::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn value(&mut self, value: &Value) {
        match (value.as_i64(), value.as_str()) {
            (Some(number), _) => {
                self.int(0);
                self.signed(number);
            }
            (None, Some(text)) => {
                self.int(1);
                self.text(text);
            }
            (None, None) => {
                self.int(2);
                self.text(&value.to_string());
            }
        }
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn int(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.int()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn name(&mut self) -> Option<Name> {
        std::str::from_utf8(self.bytes()?).ok().map(Name::from)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.int()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn option<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.int()? == 0 { Some(None) } else { Some(Some(take(self)?)) }
    }

    fn value(&mut self) -> Option<Value> {
        match self.int()? {
            0 => Some(Value::from(self.signed()?)),
            1 => Some(Value::from(self.text()?)),
            _ => serde_json::from_str(&self.text()?).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::entry::tests::position;
    use super::*;

    fn sample() -> State {
        let part = Part {
            path: "month=2026-03/part-1.parquet".to_owned(),
            month: "2026-03".to_owned(),
            bytes: u64::MAX,
            rows: 1,
            min_ts_us: i64::MIN,
            max_ts_us: i64::MAX,
            inferred_rows: 0,
            min_max: [("a".to_owned(), (json!(-1), json!("é")))].into(),
            nulls: [("b".to_owned(), 3)].into(),
            blocks: Blocks::default(),
        };
        let live = Live { part: Arc::new(part), crc32c: u32::MAX };
        State {
            newest: Some((8, 9)),
            committed_at_us: -4,
            info: Some(TableInfo { id: "t".to_owned(), schema_version: 1 }),
            events: [(live.part.path.clone(), live)].into(),
            rejects: Files::new(),
            pruned: Arc::new(vec![PruneFilter {
                before_us: Some(-5),
                session: None,
                project: Some("me/x".to_owned()),
            }]),
            sources: Arc::new((0..20).map(|i| (SourceId(i), Arc::new(position(i, i * 1000)))).collect()),
            removed: [("events/x".to_owned(), 5)].into(),
            rejects_version: Some(3),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_as_it_was_written() {
        let state = sample();
        let read = decode(&encode(&state)).unwrap();
        assert_eq!(format!("{:?}", read.events), format!("{:?}", state.events));
        assert_eq!(read.sources, state.sources);
        assert_eq!((read.newest, read.committed_at_us, read.rejects_version), (Some((8, 9)), -4, Some(3)));
        assert_eq!((read.removed, read.info), (state.removed, state.info));
    }

    #[test]
    fn a_cut_or_changed_checkpoint_is_none() {
        let bytes = encode(&sample());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_none(), "length {length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert!(decode(&bytes).is_none(), "byte {at}");
        }
    }
}
