//! Documents that their agent rewrites as a whole.

use std::io::{self, Read};

use crate::discover::Stat;
use crate::watch::fingerprint::{UNTRUSTED, is_racy};
use crate::watch::opened::Opened;

/// What reading a document came to.
#[derive(Debug)]
pub enum Document {
    /// All its bytes, the same before and after the read.
    Whole {
        /// The (uncompressed) content.
        bytes: Vec<u8>,
        /// What the file system said of it.
        stat: Stat,
    },
    /// It changed a moment ago, and its writer may not be done: look again at this time.
    Settling {
        /// Microseconds since 1970.
        until_us: i64,
    },
    /// It changed while it was read: look again later.
    Moving,
    /// It is larger than `max_bytes`; nothing of it is held.
    TooLong {
        /// Its first 4 KiB.
        head: Vec<u8>,
        /// Its size on disk in bytes.
        size: u64,
    },
}

/// How long a document must have been left alone before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// This long, in microseconds: its agent is at work, and every state of it would be read whole.
    Wait(i64),
    /// Not at all, when it is whole; if not, this long.
    WaitUnlessWhole(i64),
}

/// Reads a document, unless its writer may not be done with it.
///
/// A modification time in the future by more than the wait says nothing, and is not waited for. The
/// change time of the stat is [`UNTRUSTED`] when the document changed so lately that a further change
/// may carry the same times.
///
/// # Errors
///
/// Returns what the system says.
pub fn read_document(opened: &Opened, max_bytes: usize, patience: Patience, now_us: i64) -> io::Result<Document> {
    let before = opened.restat()?;
    let age_us = now_us - before.modified_ns / 1000;
    let (Patience::Wait(settle_us) | Patience::WaitUnlessWhole(settle_us)) = patience;
    let settling = age_us.abs() < settle_us;
    if settling && matches!(patience, Patience::Wait(_)) {
        return Ok(Document::Settling { until_us: now_us + settle_us - age_us });
    }
    let mut bytes = Vec::new();
    let limit = max_bytes as u64 + 1;
    if opened.is_compressed() {
        opened.unpack()?.take(limit).read_to_end(&mut bytes)?;
    } else {
        let size = usize::try_from(before.size.min(limit)).unwrap_or(usize::MAX);
        // One byte more than the size shows growth.
        bytes.resize(size.saturating_add(1).min(max_bytes + 1), 0);
        let got = opened.read_at(&mut bytes, 0)?;
        bytes.truncate(got);
    }
    if bytes.len() > max_bytes {
        bytes.truncate(super::reader::LONG_HEAD);
        return Ok(Document::TooLong { head: bytes, size: before.size });
    }
    let after = opened.restat()?;
    if after != before || (!opened.is_compressed() && bytes.len() as u64 != before.size) {
        return Ok(Document::Moving);
    }
    if settling && !is_whole(&bytes) {
        return Ok(Document::Settling { until_us: now_us + settle_us - age_us });
    }
    let changed_ns = if is_racy(&after, now_us) { UNTRUSTED } else { after.changed_ns };
    Ok(Document::Whole { bytes, stat: Stat { changed_ns, ..after } })
}

/// True when nothing is cut off: there are values, and the end of the bytes is not in the middle of one. What
/// else may be wrong with it does not pass by waiting, and is the decoder's to say.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let values = serde_json::Deserializer::from_str(text.trim_start_matches('\u{feff}'));
    let mut some = false;
    for value in values.into_iter::<serde::de::IgnoredAny>() {
        match value {
            Ok(_) => some = true,
            Err(error) => return !error.is_eof(),
        }
    }
    some
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_document_is_read_whole_once_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "{\"a\":1}").unwrap();
        let opened = Opened::open(&path).unwrap();
        let changed_us = opened.stat().modified_ns / 1000;
        let read = |max, now_us| read_document(&opened, max, Patience::Wait(2_000_000), now_us).unwrap();
        assert!(
            matches!(read(100, changed_us + 10), Document::Settling { until_us } if until_us == changed_us + 2_000_000)
        );
        assert!(matches!(read(100, changed_us + 2_000_000), Document::Whole { bytes, .. } if bytes == b"{\"a\":1}"));
        assert!(matches!(read(7, changed_us + 2_000_000), Document::Whole { .. }));
        assert!(matches!(read(6, changed_us + 2_000_000), Document::TooLong { size: 7, .. }));
        // A clock that was set back does not keep a document waiting for years.
        assert!(matches!(read(100, changed_us - 60_000_000), Document::Whole { .. }));
    }

    #[test]
    fn a_document_in_the_making_is_read_at_once_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            let opened = Opened::open(&path).unwrap();
            let now_us = opened.stat().modified_ns / 1000 + 10;
            read_document(&opened, 100, Patience::WaitUnlessWhole(2_000_000), now_us).unwrap()
        };
        assert!(matches!(read("{\"a\":1}"), Document::Whole { stat, .. } if stat.changed_ns == UNTRUSTED));
        for cut in ["{\"a\":", "\u{feff}{\"a\":", "[1]\n{\"a\"", "\"a", "", " \n", "\u{feff}"] {
            assert!(matches!(read(cut), Document::Settling { .. }), "{cut:?}");
        }
        for whole in ["\u{feff}{\"a\":1}", "\n[1]\n", "{}{}", "{\"a\":1} and more", "no JSON"] {
            assert!(matches!(read(whole), Document::Whole { .. }), "{whole:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_do_not_keep_a_document_waiting() {
        assert!(is_whole(b"{\"a\":\"\xff\"}"));
        assert!(!is_whole(b"{\"a\":\"\xff"));
    }
}
