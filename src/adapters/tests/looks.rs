//! A database that grows, read look by look as the pipeline does it.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Decoded, MODIFIED_US, Row, finish};
use crate::adapters::{SourceInfo, database_decoder};
use crate::schema::{Format, RowContext, Rows};
use crate::watch::{Cursor, Database};

/// Positions of all queries, and what the looks have handed out.
#[derive(Debug)]
pub(crate) struct Looks<'a> {
    format: Format,
    path: &'a Path,
    shown: &'a str,
    cursors: BTreeMap<&'static str, (Cursor, u64)>,
    /// Settled rows of all looks.
    pub(crate) all: Decoded,
}

/// What one look brought.
#[derive(Debug)]
pub(crate) struct Look {
    /// Records that the queries answered with.
    pub(crate) records: usize,
    /// Rows of records that may still change.
    pub(crate) provisional: Vec<Row>,
}

impl<'a> Looks<'a> {
    /// Nothing read yet.
    pub(crate) fn new(format: Format, path: &'a Path, shown: &'a str) -> Self {
        let all = Decoded { rows: Vec::new(), rejects: Vec::new(), counts: Default::default() };
        Self { format, path, shown, cursors: BTreeMap::new(), all }
    }

    /// Reads what is new; `silent` when the database has been left alone for long.
    pub(crate) fn look(&mut self, silent: bool) -> Look {
        let info = SourceInfo { path: self.shown, companions: &[], modified_us: MODIFIED_US, zone: None };
        let context = || RowContext::new(self.format.agent(), self.shown);
        let (mut rows, mut tail) = (Rows::new(context()), Rows::new(context()));
        let mut decoder = database_decoder(self.format, info).unwrap();
        let database = Database::open(self.path, self.format).unwrap();
        let mut records = 0;
        for query in &decoder.queries(&database.tables().unwrap()).unwrap() {
            let (mut cursor, anchor) = self.cursors.get(query.name).copied().unwrap_or((Cursor::START, 0));
            if database.anchor(query, cursor.rowid).unwrap() != anchor {
                cursor = Cursor::START;
            }
            let (mut reached, mut held) = (cursor, Vec::new());
            let each = database.each(query, cursor, |record| {
                records += 1;
                if !silent && !decoder.is_settled(record) {
                    decoder.record(record, true, &mut tail);
                    held.push((record.rowid, record.mark));
                    return true;
                }
                reached.rowid = reached.rowid.max(record.rowid);
                reached.mark = reached.mark.max(record.mark);
                decoder.record(record, false, &mut rows);
                true
            });
            each.unwrap();
            for (rowid, mark) in held {
                reached.rowid = reached.rowid.min(rowid - 1);
                reached.mark = reached.mark.min(mark);
            }
            let anchor = database.anchor(query, reached.rowid).unwrap();
            self.cursors.insert(query.name, (reached, anchor));
        }
        self.all.rows.extend(finish(&mut rows).rows);
        Look { records, provisional: finish(&mut tail).rows }
    }
}
