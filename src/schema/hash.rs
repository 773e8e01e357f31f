//! The hash of what is stored.

/// FNV-1a of 64 bits: the same on every machine and in every version of this program, which the hashes of
/// the standard library are not. For a handful of values that are compared; not against an adversary.
///
/// ```
/// use devlog::schema::hash64;
/// assert_eq!(hash64(b"foobar"), 0x8594_4171_f739_67e8);
/// ```
#[must_use]
pub fn hash64(bytes: &[u8]) -> u64 {
    more(OFFSET, bytes)
}

/// The hash of several values: where one ends and the next begins counts.
#[must_use]
pub fn hash64_of(parts: &[&[u8]]) -> u64 {
    parts.iter().fold(OFFSET, |hash, part| more(more(hash, &(part.len() as u64).to_le_bytes()), part))
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn more(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_for_ever() {
        // Vectors of the hash's authors.
        for (text, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("b", 0xaf63_df4c_8601_f1a5),
            ("foo", 0xdcb2_7518_fed9_d577),
            ("foobar", 0x8594_4171_f739_67e8),
            ("chongo was here!\n", 0x4681_0940_eff5_f915),
        ] {
            assert_eq!(hash64(text.as_bytes()), hash, "{text:?}");
        }
    }

    #[test]
    fn where_a_value_ends_counts() {
        assert_ne!(hash64_of(&[b"ab", b"c"]), hash64_of(&[b"a", b"bc"]));
        assert_ne!(hash64_of(&[b"a"]), hash64_of(&[b"a", b""]));
        assert_eq!(hash64_of(&[b"a", b"b"]), 0x41c8_0da7_2d0a_ec94);
    }
}
