//! What is hashed of a file at a position: its first bytes, and the last ones before the position.

/// Most bytes that a head covers.
pub const HEAD_BYTES: usize = 4096;

/// Most bytes that a tail covers.
pub const TAIL_BYTES: usize = 256;

/// First 8 bytes of BLAKE3, little endian.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_le_bytes(first)
}

/// Content at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) head: u64,
    pub(super) tail: u64,
    pub(super) goes_on: bool,
}
