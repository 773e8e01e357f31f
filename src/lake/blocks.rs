//! Checksums of a file's bytes, block by block, so that a reader can check the little it reads.
//!
//! They stand in the log beside the file's name. A file of up to 2 MiB has blocks of 4 KiB, a larger one
//! up to 512 blocks until they are 64 KiB long: about 0.1 % of a small file, 0.006 % of a large one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const SMALLEST: u8 = 12;
const LARGEST: u8 = 16;
/// Blocks of a file, until they are as large as they get.
const MOST: usize = 512;

/// The checksums; none where the file was written by an older version.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Blocks {
    /// A block has `1 << bits` bytes, the last one fewer.
    bits: u8,
    sums: Vec<u32>,
}

impl Blocks {
    /// Bytes of a block; `None` without checksums.
    pub(crate) fn block_bytes(&self) -> Option<u64> {
        (!self.sums.is_empty()).then_some(1 << self.bits)
    }

    /// True when `bytes` are what stood in block `number`.
    pub(crate) fn is_right(&self, number: u64, bytes: &[u8]) -> bool {
        let sum = usize::try_from(number).ok().and_then(|number| self.sums.get(number));
        sum.is_some_and(|sum| *sum == crc32c::crc32c(bytes))
    }

    /// As text for the log: `12:` and the checksums, little endian, in base64.
    pub(crate) fn to_text(&self) -> Option<String> {
        let bytes: Vec<u8> = self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        (!bytes.is_empty()).then(|| format!("{}:{}", self.bits, STANDARD_NO_PAD.encode(bytes)))
    }

    /// Reads what [`Blocks::to_text`] wrote for a file of `length` bytes.
    pub(crate) fn from_text(text: &str, length: u64) -> Option<Self> {
        let (bits, sums) = text.split_once(':')?;
        Self::from_bytes(bits.parse().ok()?, &STANDARD_NO_PAD.decode(sums).ok()?, length)
    }

    /// The checksums as bytes, and how large the blocks are.
    pub(crate) fn to_bytes(&self) -> (u8, Vec<u8>) {
        (self.bits, self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect())
    }

    /// Reads what [`Blocks::to_bytes`] gave for a file of `length` bytes.
    pub(crate) fn from_bytes(bits: u8, bytes: &[u8], length: u64) -> Option<Self> {
        let (sums, rest) = bytes.as_chunks::<4>();
        let sums: Vec<u32> = sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
        let expected = length.div_ceil(1u64.checked_shl(bits.into())?);
        let right = sums.is_empty() || (rest.is_empty() && expected == sums.len() as u64);
        right.then_some(Self { bits, sums })
    }
}

/// Sums up a file as it is written or read, from its first byte to its last.
#[derive(Debug, Default)]
pub(crate) struct Summer {
    /// Of blocks of the smallest size.
    sums: Vec<u32>,
    current: u32,
    filled: usize,
    whole: u32,
}

impl Summer {
    /// Takes the next bytes in.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) {
        self.whole = crc32c::crc32c_append(self.whole, bytes);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min((1 << SMALLEST) - self.filled));
            self.current = crc32c::crc32c_append(self.current, now);
            self.filled += now.len();
            if self.filled == 1 << SMALLEST {
                self.sums.push(std::mem::take(&mut self.current));
                self.filled = 0;
            }
            bytes = later;
        }
    }

    /// The checksum of all bytes, and those of the blocks.
    pub(crate) fn finish(mut self) -> (u32, Blocks) {
        let mut last = 1 << SMALLEST;
        if self.filled > 0 {
            self.sums.push(self.current);
            last = self.filled;
        }
        let (mut sums, mut bits) = (self.sums, SMALLEST);
        while sums.len() > MOST && bits < LARGEST {
            let size = 1 << bits;
            let count = sums.len().div_ceil(2);
            let pair = |(at, pair): (usize, &[u32])| match pair {
                [a, b] => crc32c::crc32c_combine(*a, *b, if at + 1 == count { last } else { size }),
                _ => pair[0],
            };
            let is_even = sums.len().is_multiple_of(2);
            sums = sums.chunks(2).enumerate().map(pair).collect();
            last += if is_even { size } else { 0 };
            bits += 1;
        }
        (self.whole, Blocks { bits, sums })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8], step: usize) -> Blocks {
        let mut summer = Summer::default();
        bytes.chunks(step).for_each(|bytes| summer.add(bytes));
        let (whole, blocks) = summer.finish();
        assert_eq!(whole, crc32c::crc32c(bytes));
        blocks
    }

    #[test]
    fn every_block_has_the_checksum_of_its_bytes_whatever_the_size_of_the_file() {
        for length in [1, 4095, 4096, 4097, 1 << 21, (1 << 21) + 1, (5 << 20) + 4097, (40 << 20) + 12_289] {
            let bytes: Vec<u8> = (0..length).map(|at: usize| u8::try_from(at * 31 % 251).unwrap()).collect();
            let blocks = sum(&bytes, 10_007);
            let size = usize::try_from(blocks.block_bytes().unwrap()).unwrap();
            assert_eq!(bytes.len().div_ceil(size), blocks.sums.len(), "{length}");
            for (number, block) in bytes.chunks(size).enumerate() {
                assert!(blocks.is_right(number as u64, block), "block {number} of {length}");
            }
            let text = blocks.to_text().unwrap();
            assert_eq!(Blocks::from_text(&text, length as u64).unwrap(), blocks);
            assert_eq!(Blocks::from_text(&text, length as u64 + (1 << 16)), None, "of another file");
            let (bits, raw) = blocks.to_bytes();
            assert_eq!(Blocks::from_bytes(bits, &raw, length as u64).unwrap(), blocks);
        }
        assert_eq!(sum(&[], 1), Blocks { bits: SMALLEST, sums: Vec::new() });
    }
}
