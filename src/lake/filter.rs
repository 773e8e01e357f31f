//! Says "not here" for nearly every id that is not in a part, never for one that is.
//!
//! 32 bits of each id stand in buckets by its first bits, about 4.5 bytes a row. The same stands in a
//! file beside the checkpoints, `.state/ids/part-<id>`, so that a start reads no column of ids, and a
//! lake whose filters do not fit in memory is asked block by block:
//!
//! ```text
//! devlogid, format, rows, bits, blocks    8 bytes, then 4 numbers of 4 bytes
//! rows and CRC-32C of each block          8 bytes a block
//! CRC-32C of all before it
//! blocks: rows of each bucket (2 bytes), then their tags (4 bytes)
//! ```
//!
//! The file is a copy of what the part says: it is not synced, and whatever is wrong with it, it is
//! made again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::disk;
use super::ids::PartIds;

const MAGIC: &[u8; 8] = b"devlogid";
const FORMAT: u32 = 1;
const HEAD: usize = 24;
/// Ids in a bucket on average: with their tags they fill half a cache line.
const BUCKET: usize = 8;
/// Buckets of a block: about 4 KiB.
const BLOCK: usize = 128;

/// The filter of one part in memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Bits of the id that choose the bucket.
    bits: u32,
    /// Where each bucket starts in `tags`; one more than there are buckets.
    starts: Vec<u32>,
    tags: Vec<u32>,
}

impl Filter {
    pub(crate) fn new(ids: &PartIds) -> Self {
        let ids = ids.ids();
        let bits = bits_for(ids.len());
        let mut starts = vec![0u32; (1 << bits) + 1];
        for id in ids {
            starts[bucket(*id, bits) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Self { bits, starts, tags: ids.iter().map(|id| tag(*id, bits)).collect() }
    }

    /// True for every id in the part, and for about one in 500 million others.
    pub(crate) fn may_hold(&self, id: u128) -> bool {
        let bucket = bucket(id, self.bits);
        let tag = tag(id, self.bits);
        self.tags[self.starts[bucket] as usize..self.starts[bucket + 1] as usize].contains(&tag)
    }

    /// Memory it takes.
    pub(crate) const fn bytes(&self) -> usize {
        (self.starts.len() + self.tags.len()) * 4
    }

    /// The first 32 bits of every id.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = u32> + '_ {
        self.starts.windows(2).zip(0u64..).flat_map(move |(range, bucket)| {
            let tags = &self.tags[range[0] as usize..range[1] as usize];
            #[expect(clippy::cast_possible_truncation, reason = "the bits above were shifted out")]
            let prefix = move |tag: &u32| ((bucket << 32 | u64::from(*tag)) >> self.bits) as u32;
            tags.iter().map(prefix)
        })
    }

    /// The file that says the same; `None` when it cannot be said.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let buckets = self.starts.len() - 1;
        let (mut index, mut body) = (Vec::new(), Vec::with_capacity(self.tags.len() * 4 + buckets * 2));
        for first in (0..buckets).step_by(BLOCK) {
            let from = body.len();
            let starts = &self.starts[first..=buckets.min(first + BLOCK)];
            for range in starts.windows(2) {
                body.extend_from_slice(&u16::try_from(range[1] - range[0]).ok()?.to_le_bytes());
            }
            let (start, end) = (*starts.first()?, *starts.last()?);
            for tag in &self.tags[start as usize..end as usize] {
                body.extend_from_slice(&tag.to_le_bytes());
            }
            index.extend_from_slice(&(end - start).to_le_bytes());
            index.extend_from_slice(&crc32c::crc32c(&body[from..]).to_le_bytes());
        }
        let mut out = Vec::with_capacity(HEAD + index.len() + 4 + body.len());
        out.extend_from_slice(MAGIC);
        let blocks = buckets.div_ceil(BLOCK);
        for number in [FORMAT, u32::try_from(self.tags.len()).ok()?, self.bits, u32::try_from(blocks).ok()?] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&index);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&body);
        Some(out)
    }
}

/// Bits that choose among the buckets of so many rows.
fn bits_for(rows: usize) -> u32 {
    (rows / BUCKET).max(1).next_power_of_two().trailing_zeros()
}

const fn bucket(id: u128, bits: u32) -> usize {
    if bits == 0 { 0 } else { (id >> (128 - bits)) as usize }
}

#[expect(clippy::cast_possible_truncation, reason = "the 32 bits after those of the bucket")]
const fn tag(id: u128, bits: u32) -> u32 {
    (id >> (96 - bits)) as u32
}

/// A filter in its file, of which only the index of the blocks is in memory.
#[derive(Debug)]
pub(crate) struct Spilled {
    path: PathBuf,
    rows: usize,
    bits: u32,
    /// Where each block begins, its rows, and its checksum.
    blocks: Vec<(u64, u32, u32)>,
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is no whole filter")
}

fn number(bytes: &[u8], at: usize) -> io::Result<u32> {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(damaged)
}

impl Spilled {
    /// The filter of a part with `rows` rows in the file `path`.
    pub(crate) fn open(path: &Path, rows: u64) -> io::Result<Self> {
        let mut file = disk::open_file(path)?;
        let mut bytes = vec![0; HEAD];
        file.read_exact(&mut bytes)?;
        let (bits, blocks) = (number(&bytes, 16)?, number(&bytes, 20)? as usize);
        let rows = usize::try_from(rows).map_err(|_| damaged())?;
        let right = bytes.starts_with(MAGIC) && number(&bytes, 8)? == FORMAT && number(&bytes, 12)? as usize == rows;
        if !right || bits != bits_for(rows) || blocks != (1usize << bits).div_ceil(BLOCK) {
            return Err(damaged());
        }
        bytes.resize(HEAD + blocks * 8 + 4, 0);
        file.read_exact(&mut bytes[HEAD..])?;
        let end = bytes.len() - 4;
        if number(&bytes, end)? != crc32c::crc32c(&bytes[..end]) {
            return Err(damaged());
        }
        let mut begin = bytes.len() as u64;
        let mut index = Vec::with_capacity(blocks);
        for at in (HEAD..end).step_by(8) {
            let (rows, crc) = (number(&bytes, at)?, number(&bytes, at + 4)?);
            index.push((begin, rows, crc));
            begin += u64::from(rows) * 4 + buckets_of(bits) as u64 * 2;
        }
        Ok(Self { path: path.to_owned(), rows, bits, blocks: index })
    }

    /// Blocks that a question about many ids reads.
    pub(crate) const fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Memory that the whole filter takes.
    pub(crate) const fn bytes(&self) -> usize {
        (self.rows + (1 << self.bits) + 1) * 4
    }

    /// Calls `hit` with each of the ascending `ids` that may be in the part.
    pub(crate) fn ask(&self, ids: impl Iterator<Item = u128>, mut hit: impl FnMut(u128)) -> io::Result<()> {
        let file = disk::open_file(&self.path)?;
        let mut block: Option<(usize, Vec<u8>)> = None;
        for id in ids {
            let bucket = bucket(id, self.bits);
            let bytes = match &mut block {
                Some((number, bytes)) if *number == bucket / BLOCK => bytes,
                other => {
                    let bytes = self.read(&file, bucket / BLOCK)?;
                    &mut other.insert((bucket / BLOCK, bytes)).1
                }
            };
            let tag = tag(id, self.bits);
            let (counts, tags) = bytes.split_at(buckets_of(self.bits) * 2);
            let mut counts = counts.chunks_exact(2).map(|c| usize::from(u16::from_le_bytes([c[0], c[1]])));
            let start: usize = counts.by_ref().take(bucket % BLOCK).sum();
            let count = counts.next().unwrap_or(0);
            let own = tags.get(start * 4..(start + count) * 4).ok_or_else(damaged)?;
            if own.chunks_exact(4).any(|own| own == tag.to_le_bytes()) {
                hit(id);
            }
        }
        Ok(())
    }

    /// The whole filter.
    pub(crate) fn load(&self) -> io::Result<Filter> {
        let file = disk::open_file(&self.path)?;
        let mut filter = Filter { bits: self.bits, starts: vec![0], tags: Vec::with_capacity(self.rows) };
        for number in 0..self.blocks.len() {
            let bytes = self.read(&file, number)?;
            let (counts, tags) = bytes.split_at(buckets_of(self.bits) * 2);
            for count in counts.chunks_exact(2) {
                let before = filter.starts.last().copied().unwrap_or(0);
                filter.starts.push(before + u32::from(u16::from_le_bytes([count[0], count[1]])));
            }
            filter.tags.extend(tags.chunks_exact(4).map(|t| u32::from_le_bytes([t[0], t[1], t[2], t[3]])));
        }
        let whole = filter.tags.len() == self.rows && filter.starts.last().map(|end| *end as usize) == Some(self.rows);
        if whole { Ok(filter) } else { Err(damaged()) }
    }

    fn read(&self, mut file: &File, number: usize) -> io::Result<Vec<u8>> {
        let (begin, rows, crc) = *self.blocks.get(number).ok_or_else(damaged)?;
        let mut bytes = vec![0; rows as usize * 4 + buckets_of(self.bits) * 2];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut bytes)?;
        if crc32c::crc32c(&bytes) == crc { Ok(bytes) } else { Err(damaged()) }
    }
}

/// Buckets in each block; their number is a power of two, as is that of all.
const fn buckets_of(bits: u32) -> usize {
    if (1usize << bits) < BLOCK { 1 << bits } else { BLOCK }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ids::ids_for_tests;
    use super::*;

    fn spread(i: u128) -> u128 {
        i.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
    }

    fn spilled(filter: &Filter, rows: usize) -> (tempfile::TempDir, Spilled) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part-x");
        std::fs::write(&path, filter.encode().unwrap()).unwrap();
        let spilled = Spilled::open(&path, rows as u64).unwrap();
        (dir, spilled)
    }

    proptest! {
        #[test]
        fn a_filter_lets_every_id_of_its_part_pass(values in prop::collection::vec(any::<u128>(), 0..500), other: u128) {
            let ids = ids_for_tests(values.iter().copied());
            let filter = Filter::new(&ids);
            prop_assert!(values.iter().all(|id| filter.may_hold(*id) && ids.get(*id).is_some()));
            prop_assert_eq!(ids.get(other).is_some(), values.contains(&other));
            let mut prefixes: Vec<u32> = filter.prefixes().collect();
            prefixes.sort_unstable();
            let mut expected: Vec<u32> = values.iter().map(|id| (id >> 96) as u32).collect();
            expected.sort_unstable();
            prop_assert_eq!(prefixes, expected);
        }
    }

    #[test]
    fn a_filter_turns_strangers_away() {
        let filter = Filter::new(&ids_for_tests((0..100_000).map(spread)));
        let strangers =
            (0..1_000_000u128).filter(|i| filter.may_hold(!i.wrapping_mul(0xD1B5_4A32_D192_ED03_AAAA_AAAA_AAAA_AAAB)));
        assert!(strangers.count() < 10);
    }

    #[test]
    fn a_filter_in_its_file_says_the_same() {
        for rows in [0, 1, 7, 900, 50_000] {
            let filter = Filter::new(&ids_for_tests((0..rows as u128).map(spread)));
            let (_dir, spilled) = spilled(&filter, rows);
            assert_eq!(spilled.load().unwrap(), filter);
            let mut asked: Vec<u128> = (0..2 * rows as u128 + 3).map(spread).collect();
            asked.sort_unstable();
            let mut hits = Vec::new();
            spilled.ask(asked.iter().copied(), |id| hits.push(id)).unwrap();
            let expected: Vec<u128> = asked.into_iter().filter(|id| filter.may_hold(*id)).collect();
            assert_eq!(hits, expected, "{rows} rows");
        }
    }

    #[test]
    fn a_damaged_file_is_noticed_wherever_the_damage_is() {
        let ids: Vec<u128> = (0..3000).map(spread).collect();
        let filter = Filter::new(&ids_for_tests(ids.iter().copied()));
        let whole = filter.encode().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("part-x");
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            let opened = Spilled::open(&path, 3000);
            assert!(opened.and_then(|spilled| spilled.load()).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            let opened = Spilled::open(&path, 3000);
            assert!(opened.and_then(|spilled| spilled.load()).is_err(), "cut at {at}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(Spilled::open(&path, 2999).is_err(), "it is of another part");
    }
}
