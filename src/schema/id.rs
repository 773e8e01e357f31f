//! Stable identity of an event.

use std::fmt;

/// 128-bit id of an event, made from the agent's own ids.
///
/// The same event has the same id in every copy of its log, in every run, on every machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

impl EventId {
    /// Id of the event that `agent` names by `parts`; `kind` keeps two events of one record apart.
    ///
    /// Parts are length-prefixed before hashing, so `["ab", "c"]` and `["a", "bc"]` differ.
    ///
    /// ```
    /// use devlog::schema::EventId;
    /// let a = EventId::of("claude", "call", &[b"msg_1"]);
    /// assert_eq!(a, EventId::of("claude", "call", &[b"msg_1"]));
    /// assert_ne!(a, EventId::of("claude", "thinking", &[b"msg_1"]));
    /// ```
    #[must_use]
    pub fn of(agent: &str, kind: &str, parts: &[&[u8]]) -> Self {
        // Ids are short: a stack buffer and one compression beat an incremental hasher by far.
        let mut buffer = [0u8; 256];
        let mut used = 0;
        let mut spill: Option<blake3::Hasher> = None;
        let mut put = |bytes: &[u8]| {
            if spill.is_none() && used + bytes.len() <= buffer.len() {
                buffer[used..used + bytes.len()].copy_from_slice(bytes);
                used += bytes.len();
                return;
            }
            let hasher = spill.get_or_insert_with(|| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&buffer[..used]);
                hasher
            });
            hasher.update(bytes);
        };
        for part in [agent.as_bytes(), kind.as_bytes()].iter().chain(parts) {
            put(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            put(part);
        }
        let hash = match spill {
            Some(hasher) => hasher.finalize(),
            None => blake3::hash(&buffer[..used]),
        };
        let mut id = [0u8; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        Self(u128::from_be_bytes(id))
    }

    /// The id as 32 lower-case hex digits.
    #[must_use]
    pub fn hex(self) -> [u8; 32] {
        const PAIRS: [[u8; 2]; 256] = {
            let (digits, mut pairs, mut byte) = (b"0123456789abcdef", [[0; 2]; 256], 0);
            while byte < 256 {
                pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
                byte += 1;
            }
            pairs
        };
        let mut out = [0u8; 32];
        for (two, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(self.0.to_be_bytes()) {
            *two = PAIRS[usize::from(byte)];
        }
        out
    }

    /// Reads the 32 hex digits that [`EventId::hex`] writes; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_parse_are_inverse_and_long_parts_spill_unharmed() {
        let id = EventId::of("a", "k", &[b"x"]);
        assert_eq!(EventId::parse(std::str::from_utf8(&id.hex()).unwrap()), Some(id));
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        let long = vec![b'x'; 1000];
        assert_ne!(EventId::of("a", "k", &[&long]), EventId::of("a", "k", &[&long[..999]]));
        assert_ne!(EventId::of("a", "k", &[b"ab", b"c"]), EventId::of("a", "k", &[b"a", b"bc"]));
    }
}
