//! What became of a line, and how it is counted: exactly once.

use crate::adapters::Line;
use crate::adapters::line::{Refused, Seen};
use crate::schema::{RejectReason, Rows};

/// What became of a line, or of one value on it; of several values the largest counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// By rule it makes no row.
    #[default]
    Ignored,
    /// It made or joined a row.
    Row,
    /// It waits for the next line.
    Held,
    /// It made a row, but is of a kind that this version does not know.
    Unknown,
    /// It is not of a shape that the format can have.
    Wrong,
}

/// Adds one line to the counters, or to the rejects.
pub(super) fn count(line: Line<'_>, seen: Result<Seen, Refused>, outcome: Outcome, rows: &mut Rows) {
    rows.counts().lines += 1;
    let length = line.bytes.len() as u64;
    let seen = match seen {
        Err(refused) => return rows.reject(line.offset, length, refused.reason, &refused.detail, line.bytes),
        Ok(seen) => seen,
    };
    rows.counts().replaced_chars += seen.replaced;
    match outcome {
        Outcome::Ignored => rows.counts().ignored += 1,
        Outcome::Row | Outcome::Held => rows.counts().line_rows += 1,
        Outcome::Unknown => {
            rows.counts().line_rows += 1;
            rows.counts().unknown_types += 1;
        }
        Outcome::Wrong => {
            let detail = "its fields are not those of a record of this format";
            rows.reject(line.offset, length, RejectReason::WrongShape, detail, line.bytes);
        }
    }
}
