//! SQLite databases that another program writes.
//!
//! - opened read-only, and never written to: not even checkpointed on close
//! - while a program has the database open (its `-shm` file is there) it is read through the shared
//!   index of the write-ahead log, in one read transaction: a consistent view that blocks nobody
//! - otherwise the log is read into an index in this process's memory, so that no file appears
//!   beside the agent's; a database that changes meanwhile is read again later
//! - a database is read with its log: agents leave most of their rows there. Only one that has no log
//!   and that nobody has open is read as `immutable`

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::discover::Stat;
use crate::schema::{Format, Query, Record, Tables, Value};
use crate::watch::fingerprint::{UNTRUSTED, is_racy};
use crate::watch::marks::hash;
use crate::watch::opened::not_regular;

/// A writer's log changes first, and the commit is seen only when the disk has it.
const COMMIT_US: i64 = 2_000_000;

/// Longest wait for a lock; after it the database is busy.
const WAIT: Duration = Duration::from_millis(250);

/// Most columns of a query's answer.
const COLUMNS: usize = 48;

/// Longest value that is loaded where nothing else is said.
const MOST_BYTES: usize = 64 << 20;

/// A format that is a database: their files are the same.
const ANY: Format = Format::CursorState;

/// Why a database was not read. Nothing has moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Another program holds it; try again later.
    #[error("another program holds it; it is tried again")]
    Busy,
    /// Its bytes are not those of a whole database.
    #[error("it is damaged ({source}); its agent may repair it, or remove it; the rows read before stay")]
    Damaged {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A query does not fit the tables.
    #[error("its tables are of another version than devlog knows ({source})")]
    Tables {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The operating system refused.
    #[error("cannot read: {source}")]
    Io {
        /// What the system said.
        #[from]
        source: std::io::Error,
    },
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { source },
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied) => {
                Self::Io { source: std::io::Error::other(source) }
            }
            _ => Self::Tables { source },
        }
    }
}

/// How far a query has been handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    /// Largest row id.
    pub rowid: i64,
    /// Largest mark.
    pub mark: i64,
}

impl Cursor {
    /// Before the first record.
    pub const START: Self = Self { rowid: i64::MIN, mark: i64::MIN };
}

/// An open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    format: Format,
    before: Stat,
    access: Access,
}

/// How a database is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// With the locks, and the index of the log, that the programs that write it use.
    Shared,
    /// Without locks, the log's index in this process's memory.
    AloneWithLog,
    /// Without locks; there is no log.
    Alone,
}

impl Database {
    /// Opens the database at `path` and begins a read transaction.
    ///
    /// # Errors
    ///
    /// When it is busy, damaged, no database, or the system refuses.
    pub fn open(path: &Path, format: Format) -> Result<Self, DatabaseError> {
        Self::open_within(path, format, MOST_BYTES)
    }

    /// The same where values above `most_bytes` are not loaded.
    ///
    /// # Errors
    ///
    /// As for any.
    pub fn open_within(path: &Path, format: Format, most_bytes: usize) -> Result<Self, DatabaseError> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(not_regular().into());
        }
        let before = Stat::of(&metadata).with_changes_beside(path, format);
        let alone = if beside(path, "-wal").is_file() { Access::AloneWithLog } else { Access::Alone };
        let access = if beside(path, "-shm").is_file() || !is_logged(path)? { Access::Shared } else { alone };
        let (connection, access) = match (connect(path, access), access) {
            (Ok(connection), access) => (connection, access),
            // A folder that may not be written to: the index cannot be shared.
            (Err(DatabaseError::Io { .. } | DatabaseError::Tables { .. }), Access::Shared) => {
                if is_rolling_back(path) {
                    return Err(DatabaseError::Busy);
                }
                (connect(path, alone)?, alone)
            }
            (Err(error), _) => return Err(error),
        };
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(most_bytes).unwrap_or(i32::MAX))?;
        Ok(Self { connection, path: path.to_owned(), format, before, access })
    }

    /// True when the database at `path` has a table `table` with a value under `key`. Of one that is damaged or
    /// has no such table nothing is known, and it says no.
    ///
    /// # Errors
    ///
    /// When it is busy, or the system refuses.
    pub fn has_key(path: &Path, table: &str, key: &str) -> Result<bool, DatabaseError> {
        let asked = Self::open(path, ANY).and_then(|database| {
            let sql = format!("SELECT 1 FROM \"{}\" WHERE key = ?1 AND value IS NOT NULL", table.replace('"', ""));
            let found = database.connection.prepare(&sql)?.exists([key])?;
            if database.stands()? { Ok(found) } else { Err(DatabaseError::Busy) }
        });
        match asked {
            Err(DatabaseError::Damaged { .. } | DatabaseError::Tables { .. }) => Ok(false),
            asked => asked,
        }
    }

    /// What the file system said of the database, with the changes beside it, when it was opened.
    #[must_use]
    pub const fn stat(&self) -> &Stat {
        &self.before
    }

    /// Its tables and views with their columns.
    ///
    /// # Errors
    ///
    /// When the schema cannot be read.
    pub fn tables(&self) -> Result<Tables, DatabaseError> {
        let mut tables = std::collections::BTreeMap::<String, Vec<String>>::new();
        let sql = "SELECT m.name, c.name FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c \
                   WHERE m.type IN ('table', 'view')";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let columns = tables.entry(row.get(0)?).or_default();
            columns.extend(row.get::<_, Option<String>>(1)?);
        }
        Ok(Tables::new(tables))
    }

    /// Hash of the identity of the row with that row id, as the query's anchor tells it: at least 2; 1 when
    /// there is none, 0 without anchor or before the first row.
    ///
    /// # Errors
    ///
    /// When the anchor does not fit the tables, or the database cannot be read.
    pub fn anchor(&self, query: &Query, rowid: i64) -> Result<u64, DatabaseError> {
        if rowid == i64::MIN {
            return Ok(0);
        }
        Ok(self.anchors(query, &[rowid])?.first().copied().unwrap_or(0))
    }

    /// The same of many rows, in the same order.
    ///
    /// # Errors
    ///
    /// As for one.
    pub fn anchors(&self, query: &Query, rowids: &[i64]) -> Result<Vec<u64>, DatabaseError> {
        let Some(sql) = query.anchor.as_ref().filter(|_| !rowids.is_empty()) else { return Ok(vec![0; rowids.len()]) };
        let mut statement = self.connection.prepare(sql)?;
        let mut hashes = Vec::with_capacity(rowids.len());
        for rowid in rowids {
            let mut rows = statement.query(&[(":rowid", rowid)])?;
            let found = rows.next()?.map(|row| row.get_ref(0)).transpose()?;
            hashes.push(found.and_then(|found| value(found).bytes().map(|bytes| hash(bytes).max(2))).unwrap_or(1));
        }
        Ok(hashes)
    }

    /// Calls `visit` with each record that the query answers after `cursor`, until it says `false`.
    ///
    /// # Errors
    ///
    /// When the query does not fit the tables, or the database cannot be read.
    pub fn each(
        &self,
        query: &Query,
        cursor: Cursor,
        visit: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(), DatabaseError> {
        self.each_until(query, cursor, i64::MAX, visit)
    }

    /// The same for a query that names `:until`: no record behind the row `until`.
    ///
    /// # Errors
    ///
    /// As for all records.
    pub fn each_until(
        &self,
        query: &Query,
        cursor: Cursor,
        until: i64,
        mut visit: impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(), DatabaseError> {
        let (mut visited, mut left_out) = (0, Vec::new());
        loop {
            match self.each_but(query, (cursor, until), &left_out, &mut visited, &mut visit) {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::TooBig) => {}
                other => return Ok(other?),
            }
            // A value above the limit ends the statement: its record is told of, and left out from now on.
            let Some((rowid, mark)) = self.nth(query, (cursor, until), &left_out, visited)? else { return Ok(()) };
            left_out.push(rowid);
            let record = Record { query: query.name, rowid, mark, values: &[] };
            if !visit(&record) {
                return Ok(());
            }
        }
    }

    /// Calls `visit` with the records but those of `left_out`, and without the first `visited`, which it counts.
    fn each_but(
        &self,
        query: &Query,
        (cursor, until): (Cursor, i64),
        left_out: &[i64],
        visited: &mut usize,
        visit: &mut impl FnMut(&Record<'_>) -> bool,
    ) -> Result<(), rusqlite::Error> {
        let mut statement = match left_out {
            [] => self.connection.prepare(&query.sql)?,
            left_out => self.connection.prepare(&self.without(query, "*", left_out)?)?,
        };
        bind(&mut statement, cursor, until)?;
        let columns = statement.column_count().saturating_sub(2).min(COLUMNS);
        let mut rows = statement.raw_query();
        let mut before = *visited;
        while let Some(row) = rows.next()? {
            if before > 0 {
                before -= 1;
                continue;
            }
            *visited += 1;
            let mut values = [Value::Null; COLUMNS];
            for (index, slot) in values.iter_mut().enumerate().take(columns) {
                *slot = value(row.get_ref(index + 2)?);
            }
            let integer = |index| value(row.get_ref(index).unwrap_or(ValueRef::Null)).integer().unwrap_or(0);
            let record = Record { query: query.name, rowid: integer(0), mark: integer(1), values: &values[..columns] };
            if !visit(&record) {
                break;
            }
        }
        Ok(())
    }

    /// The query without the records of `left_out`; `columns` says which of its own it has.
    fn without(&self, query: &Query, columns: &str, left_out: &[i64]) -> Result<String, rusqlite::Error> {
        let count = self.connection.prepare(&query.sql)?.column_count();
        let names: Vec<String> = (0..count).map(|n| format!("c{n}")).collect();
        let ids: Vec<String> = left_out.iter().map(i64::to_string).collect();
        let (names, sql, ids) = (names.join(", "), &query.sql, ids.join(", "));
        Ok(format!("WITH asked({names}) AS ({sql}) SELECT {columns} FROM asked WHERE c0 NOT IN ({ids})"))
    }

    /// Row id and mark of the record behind the first `visited`, without its values.
    fn nth(
        &self,
        query: &Query,
        (cursor, until): (Cursor, i64),
        left_out: &[i64],
        visited: usize,
    ) -> Result<Option<(i64, i64)>, DatabaseError> {
        let mut statement = self.connection.prepare(&self.without(query, "c0, c1", left_out)?)?;
        bind(&mut statement, cursor, until)?;
        let mut rows = statement.raw_query();
        for _ in 0..visited {
            rows.next()?;
        }
        let integer = |row: &rusqlite::Row<'_>, at| value(row.get_ref(at).unwrap_or(ValueRef::Null)).integer();
        Ok(rows.next()?.map(|row| (integer(row, 0).unwrap_or(0), integer(row, 1).unwrap_or(0))))
    }

    /// True when what was read is one state of the database: locks saw to it, or nothing has changed
    /// since it was opened.
    ///
    /// # Errors
    ///
    /// Returns what the system says.
    pub fn stands(&self) -> std::io::Result<bool> {
        Ok(self.access == Access::Shared || same_content(&self.now()?, &self.before))
    }

    fn now(&self) -> std::io::Result<Stat> {
        Ok(Stat::of(&std::fs::metadata(&self.path)?).with_changes_beside(&self.path, self.format))
    }

    /// The stat to remember: its times prove something only when nothing changed while it was read,
    /// nor so shortly before that a further change may carry the same times, or that what was written
    /// may not have been seen yet.
    ///
    /// # Errors
    ///
    /// Returns what the system says.
    pub fn trusted_stat(&self, now_us: i64) -> std::io::Result<Stat> {
        let now = self.now()?;
        // For the superuser SQLite sets the owner of a log it opens, which moves the change time.
        let unseen = self.access == Access::Shared && (now_us - now.modified_ns / 1000).abs() < COMMIT_US;
        let settled = !unseen && !is_racy(&Stat { changed_ns: 0, ..now }, now_us);
        let trusted = settled && same_content(&now, &self.before);
        Ok(Stat { changed_ns: if trusted { now.changed_ns } else { UNTRUSTED }, ..now })
    }
}

fn same_content(a: &Stat, b: &Stat) -> bool {
    (a.device, a.inode, a.size, a.modified_ns) == (b.device, b.inode, b.size, b.modified_ns)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// True when the database is in the mode of a write-ahead log (file format 2, bytes 18 and 19 of the
/// header), or has one.
fn is_logged(path: &Path) -> std::io::Result<bool> {
    use std::io::Read;
    let mut header = [0; 20];
    let file = std::fs::File::open(path)?;
    let got = file.take(20).read(&mut header)?;
    Ok((got == 20 && header[18] == 2) || beside(path, "-wal").is_file())
}

/// True when a write was begun and not ended: without the journal beside it the database is half old and
/// half new, and only a program that may write can put that right.
fn is_rolling_back(path: &Path) -> bool {
    std::fs::metadata(beside(path, "-journal")).is_ok_and(|journal| journal.len() > 0)
}

/// A connection that only reads.
fn connect(path: &Path, access: Access) -> Result<Connection, DatabaseError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let vfs = if cfg!(windows) { "win32-longpath-none" } else { "unix-none" };
    let path = escaped(path);
    let connection = match access {
        Access::Shared => Connection::open_with_flags(format!("file:{path}?mode=ro"), flags)?,
        Access::AloneWithLog => Connection::open_with_flags(format!("file:{path}?mode=ro&vfs={vfs}"), flags)?,
        Access::Alone => Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?,
    };
    connection.busy_timeout(WAIT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // A database may hold triggers and views that call functions: it is somebody else's data.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    if access == Access::AloneWithLog {
        connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE")?;
    }
    let begin = "PRAGMA query_only=1; PRAGMA cache_size=-4000; BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1";
    connection.execute_batch(begin)?;
    Ok(connection)
}

/// The path as it stands in a `file:` URI.
fn escaped(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut out = String::with_capacity(text.len() + 8);
    if cfg!(windows) && !text.starts_with('/') {
        out.push('/');
    }
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '?' => out.push_str("%3f"),
            '#' => out.push_str("%23"),
            c => out.push(c),
        }
    }
    out
}

fn bind(statement: &mut rusqlite::Statement<'_>, cursor: Cursor, until: i64) -> Result<(), rusqlite::Error> {
    for (name, number) in [(":rowid", cursor.rowid), (":mark", cursor.mark), (":until", until)] {
        if let Some(index) = statement.parameter_index(name)? {
            statement.raw_bind_parameter(index, number)?;
        }
    }
    Ok(())
}

const fn value(value: ValueRef<'_>) -> Value<'_> {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(bytes),
        ValueRef::Blob(bytes) => Value::Blob(bytes),
    }
}

#[cfg(test)]
mod tests;
