//! One commit as a file: lines of Delta Lake actions, ours among them, and a checksum.
//!
//! ```text
//! {"commitInfo":{..,"txnId":".."}}         who and when; txnId tells our own entry from another's
//! {"protocol":..} {"metaData":..}          in the first entry and after a change of schema
//! {"txn":..}                               devlog's version number, for engines
//! {"remove":..}* {"add":..}*               files of `events`
//! {"devlogParts":{"rejects":..}}           files of the other tables    } engines ignore
//! {"devlogSources":{"changed":[..]}}       positions that moved         } what they do not
//! {"devlogPruned":{"rows":[..]}}           which rows stay away         } know
//! {"devlogEnd":{"version":7,"crc32c":..}}  over all bytes before it
//! ```
//!
//! An entry is valid when its last line is a `devlogEnd` with the number of its name and the right
//! checksum. Everything else counts as never written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::pruned::PruneFilter;
use super::stats;
use super::{Blocks, Part};
use crate::schema::{SourcePosition, Table};

/// Version of the entry format that this build writes.
pub(crate) const FORMAT: u32 = 1;

/// Tag of the checksums of a file's blocks.
const BLOCKS: &str = "devlog.blocks";

/// A live file: what readers know of it, and the checksum of all its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Live {
    pub(crate) part: Arc<Part>,
    pub(crate) crc32c: u32,
}

/// Files that come and go in one commit, for one table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) add: Vec<Live>,
    /// Paths within the table.
    pub(crate) remove: Vec<String>,
}

impl Change {
    pub(crate) const fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// Identity and schema of the table, in the entry that sets them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableInfo {
    pub(crate) id: String,
    pub(crate) schema_version: i32,
}

/// One commit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    pub(crate) txn_id: String,
    pub(crate) operation: String,
    pub(crate) now_us: i64,
    /// False when rows only move between files.
    pub(crate) data_change: bool,
    pub(crate) info: Option<TableInfo>,
    pub(crate) events: Change,
    pub(crate) rejects: Change,
    pub(crate) sources: Vec<SourcePosition>,
    /// Which rows stay away from now on; `None` when that does not change.
    pub(crate) pruned: Option<Vec<PruneFilter>>,
    /// Version of the master log, in entries of the derived log of another table.
    pub(crate) derived_from: Option<u64>,
}

/// A valid entry as read, with what identifies its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReadEntry {
    pub(crate) entry: Entry,
    pub(crate) crc32c: u32,
    pub(crate) bytes: u64,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Cut, zeroed, or without an end: never finished.
    Torn(&'static str),
    /// Changed, or of another number.
    Damaged(&'static str),
    /// Of a format this build does not know.
    Newer(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Add {
    path: String,
    partition_values: BTreeMap<String, Option<String>>,
    size: u64,
    modification_time: i64,
    data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stats: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remove {
    path: String,
    deletion_timestamp: i64,
    data_change: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    txn_id: String,
    operation: String,
    devlog_time_us: i64,
    #[serde(default)]
    devlog_derived_from: Option<u64>,
}

#[derive(Deserialize)]
struct MetaData {
    id: String,
    #[serde(default)]
    configuration: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
struct OtherParts {
    #[serde(default)]
    rejects: OtherChange,
}

#[derive(Deserialize, Default)]
struct OtherChange {
    #[serde(default)]
    add: Vec<Add>,
    #[serde(default)]
    remove: Vec<String>,
}

#[derive(Deserialize)]
struct Sources {
    changed: Vec<SourcePosition>,
}

#[derive(Serialize, Deserialize)]
struct Pruned {
    rows: Vec<PruneFilter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    commit_info: Option<Info>,
    meta_data: Option<MetaData>,
    add: Option<Add>,
    remove: Option<Remove>,
    devlog_parts: Option<OtherParts>,
    devlog_sources: Option<Sources>,
    devlog_pruned: Option<Pruned>,
}

#[derive(Deserialize)]
struct End {
    format: u32,
    version: u64,
    crc32c: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndLine {
    devlog_end: End,
}

impl Entry {
    /// The entry as the bytes of its file, and their checksum. `table` is the one whose files stand
    /// in `add` and `remove`: [`Entry::events`] for the master log.
    pub(crate) fn encode(&self, table: &Table, partitioned: bool) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(4096);
        put(&mut out, &self.commit_info());
        if let Some(info) = &self.info {
            put(&mut out, &json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
            put(&mut out, &self.meta_data(info, table, partitioned));
            let app = format!("devlog/{}", info.id);
            put(&mut out, &json!({"txn": {"appId": app, "version": self.version, "lastUpdated": self.now_us / 1000}}));
        }
        for path in &self.events.remove {
            let remove =
                Remove { path: path.clone(), deletion_timestamp: self.now_us / 1000, data_change: self.data_change };
            put(&mut out, &json!({"remove": remove}));
        }
        for live in &self.events.add {
            put(&mut out, &json!({"add": self.add(live, table)}));
        }
        if !self.rejects.is_empty() {
            let add: Vec<Add> = self.rejects.add.iter().map(|l| self.add(l, crate::schema::rejects())).collect();
            put(&mut out, &json!({"devlogParts": {"rejects": {"add": add, "remove": self.rejects.remove}}}));
        }
        if !self.sources.is_empty() {
            put(&mut out, &SourcesLine { devlog_sources: Changed { changed: &self.sources } });
        }
        if let Some(rows) = &self.pruned {
            put(&mut out, &json!({"devlogPruned": {"rows": rows}}));
        }
        let crc = crc32c::crc32c(&out);
        let end = json!({"format": FORMAT, "version": self.version, "crc32c": format!("{crc:08x}")});
        put(&mut out, &json!({"devlogEnd": end}));
        (out, crc)
    }

    fn commit_info(&self) -> serde_json::Value {
        json!({"commitInfo": {
            "timestamp": self.now_us / 1000,
            "operation": self.operation,
            "operationParameters": {},
            "isBlindAppend": self.events.remove.is_empty(),
            "engineInfo": concat!("devlog/", env!("CARGO_PKG_VERSION")),
            "txnId": self.txn_id,
            "devlogTimeUs": self.now_us,
            "devlogDerivedFrom": self.derived_from,
        }})
    }

    fn meta_data(&self, info: &TableInfo, table: &Table, partitioned: bool) -> serde_json::Value {
        json!({"metaData": {
            "id": info.id,
            "name": table.name,
            "description": table.doc,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": delta_schema(table, partitioned),
            "partitionColumns": if partitioned { vec!["month"] } else { vec![] },
            "configuration": {"devlog.schemaVersion": info.schema_version.to_string()},
            "createdTime": self.now_us / 1000,
        }})
    }

    fn add(&self, live: &Live, table: &Table) -> Add {
        let part = &live.part;
        let mut partition_values = BTreeMap::new();
        if !part.month.is_empty() {
            partition_values.insert("month".to_owned(), Some(part.month.clone()));
        }
        let tags = [
            ("devlog.minTsUs", part.min_ts_us.to_string()),
            ("devlog.maxTsUs", part.max_ts_us.to_string()),
            ("devlog.inferredRows", part.inferred_rows.to_string()),
            ("devlog.crc32c", format!("{:08x}", live.crc32c)),
        ];
        let mut tags: BTreeMap<String, String> = tags.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        tags.extend(part.blocks.to_text().map(|text| (BLOCKS.to_owned(), text)));
        Add {
            path: part.path.clone(),
            partition_values,
            size: part.bytes,
            modification_time: self.now_us / 1000,
            data_change: self.data_change,
            stats: Some(stats::to_delta(part, table)),
            tags,
        }
    }

    /// Reads the entry numbered `version` from the bytes of its file.
    pub(crate) fn decode(bytes: &[u8], version: u64, table: &Table) -> Result<ReadEntry, Invalid> {
        let (body, crc32c) = checked_body(bytes, version)?;
        let mut entry = Self::blank(version);
        for line in body.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let action: Action = serde_json::from_slice(line).map_err(|_| Invalid::Damaged("a line is no action"))?;
            entry.take(action, table).ok_or(Invalid::Damaged("an action lacks a value"))?;
        }
        if entry.txn_id.is_empty() {
            return Err(Invalid::Damaged("it has no commitInfo"));
        }
        Ok(ReadEntry { entry, crc32c, bytes: bytes.len() as u64 })
    }

    /// An entry that says nothing.
    pub(crate) fn blank(version: u64) -> Self {
        Self {
            version,
            txn_id: String::new(),
            operation: String::new(),
            now_us: 0,
            data_change: true,
            info: None,
            events: Change::default(),
            rejects: Change::default(),
            sources: Vec::new(),
            pruned: None,
            derived_from: None,
        }
    }

    fn take(&mut self, action: Action, table: &Table) -> Option<()> {
        if let Some(info) = action.commit_info {
            self.txn_id = info.txn_id;
            self.operation = info.operation;
            self.now_us = info.devlog_time_us;
            self.derived_from = info.devlog_derived_from;
        }
        if let Some(meta) = action.meta_data {
            let schema_version = meta.configuration.get("devlog.schemaVersion")?.parse().ok()?;
            self.info = Some(TableInfo { id: meta.id, schema_version });
        }
        if let Some(add) = action.add {
            self.data_change = add.data_change;
            self.events.add.push(live(add, table)?);
        }
        if let Some(remove) = action.remove {
            self.data_change = remove.data_change;
            self.events.remove.push(remove.path);
        }
        if let Some(parts) = action.devlog_parts {
            self.rejects.remove.extend(parts.rejects.remove);
            for add in parts.rejects.add {
                self.rejects.add.push(live(add, crate::schema::rejects())?);
            }
        }
        if let Some(sources) = action.devlog_sources {
            self.sources.extend(sources.changed);
        }
        if let Some(pruned) = action.devlog_pruned {
            self.pruned = Some(pruned.rows);
        }
        Some(())
    }
}

/// Checksum that the last bytes of an entry claim, unchecked: tells quickly whether an entry is the
/// one seen before.
pub(crate) fn claimed_crc(tail: &[u8], version: u64) -> Option<u32> {
    let tail = tail.strip_suffix(b"\n")?;
    let start = tail.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let line: EndLine = serde_json::from_slice(&tail[start..]).ok()?;
    (line.devlog_end.version == version).then(|| u32::from_str_radix(&line.devlog_end.crc32c, 16).ok())?
}

/// An entry's body and its last line.
fn ended(bytes: &[u8]) -> Result<(&[u8], EndLine), Invalid> {
    if bytes.is_empty() {
        return Err(Invalid::Torn("it is empty"));
    }
    let cut = Invalid::Torn("its end is missing");
    let Some(trimmed) = bytes.strip_suffix(b"\n") else {
        // With its last byte changed it is no less complete.
        let is_whole = bytes.split_last().is_some_and(|(_, rest)| last_line(rest).is_ok());
        return Err(if is_whole { Invalid::Damaged("its last byte has changed") } else { cut });
    };
    let (body, last) = trimmed.split_at(trimmed.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1));
    match serde_json::from_slice(last) {
        Ok(line) => Ok((body, line)),
        // Cut between two lines, or a commit of another program.
        Err(_) if serde_json::from_slice::<serde::de::IgnoredAny>(last).is_ok() && !is_like_an_end(last) => {
            Err(Invalid::Torn("it has no end of devlog's: it is cut off, or another program wrote it"))
        }
        Err(_) if last.contains(&0) => Err(cut),
        Err(_) => Err(Invalid::Damaged("its end has changed")),
    }
}

fn last_line(bytes: &[u8]) -> Result<EndLine, serde_json::Error> {
    let start = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    serde_json::from_slice(&bytes[start..])
}

/// True for an end in which a few bytes have changed.
fn is_like_an_end(line: &[u8]) -> bool {
    let start = br#"{"devlogEnd":{"#;
    line.len() > start.len() && line.iter().zip(start).filter(|(a, b)| a != b).count() <= 2
}

fn checked_body(bytes: &[u8], version: u64) -> Result<(&[u8], u32), Invalid> {
    let (body, line) = ended(bytes)?;
    let end = line.devlog_end;
    let crc = crc32c::crc32c(body);
    if u32::from_str_radix(&end.crc32c, 16) != Ok(crc) {
        return Err(Invalid::Damaged("its checksum does not match"));
    }
    if end.version != version {
        return Err(Invalid::Damaged("it has the number of another entry"));
    }
    if end.format == 0 {
        return Err(Invalid::Damaged("its end has changed"));
    }
    if end.format > FORMAT {
        return Err(Invalid::Newer(end.format));
    }
    Ok((body, crc))
}

fn live(add: Add, table: &Table) -> Option<Live> {
    let tag = |name: &str| add.tags.get(name);
    let (rows, min_max, nulls) = stats::from_delta(add.stats.as_deref()?, table)?;
    let crc32c = u32::from_str_radix(tag("devlog.crc32c")?, 16).ok()?;
    let part = Part {
        min_ts_us: tag("devlog.minTsUs")?.parse().ok()?,
        max_ts_us: tag("devlog.maxTsUs")?.parse().ok()?,
        inferred_rows: tag("devlog.inferredRows")?.parse().ok()?,
        month: add.partition_values.get("month").cloned().flatten().unwrap_or_default(),
        // Files of older versions have none; what cannot be read is as good as none.
        blocks: tag(BLOCKS).and_then(|text| Blocks::from_text(text, add.size)).unwrap_or_default(),
        path: add.path,
        bytes: add.size,
        rows,
        min_max,
        nulls,
    };
    Some(Live { part: Arc::new(part), crc32c })
}

#[derive(Serialize)]
struct Changed<'a> {
    changed: &'a [SourcePosition],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourcesLine<'a> {
    devlog_sources: Changed<'a>,
}

fn put(out: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(&mut *out, line).expect("actions have text keys and finite numbers");
    out.push(b'\n');
}

fn delta_schema(table: &Table, partitioned: bool) -> String {
    let mut fields: Vec<serde_json::Value> = table
        .columns
        .iter()
        .map(
            |c| json!({"name": c.name, "type": c.kind.delta(), "nullable": c.nullable, "metadata": {"comment": c.doc}}),
        )
        .collect();
    if partitioned {
        fields.push(json!({"name": "month", "type": "string", "nullable": false, "metadata": {}}));
    }
    json!({"type": "struct", "fields": fields}).to_string()
}

#[cfg(test)]
pub(crate) mod tests;
