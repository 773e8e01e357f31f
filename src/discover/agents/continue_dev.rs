//! Where Continue logs, and how its logs are known.

use crate::discover::places::Row;
use crate::discover::sniff::Head;
use crate::schema::Format;

pub(in crate::discover) const ROWS: &[Row] = &[];

pub(in crate::discover) fn sniff(_head: &Head<'_>) -> Option<Format> {
    None
}
