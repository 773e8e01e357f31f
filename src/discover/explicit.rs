//! Any folder or file the user names, whatever the names in it: content decides.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::discover::agents::AGENTS;
use crate::discover::classify::is_lines;
use crate::discover::mapped::is_named_like;
use crate::discover::pattern::Pattern;
use crate::discover::scan::{FoundFile, ScanItem, companion_beside, scan_all};
use crate::discover::sniff::{SNIFF_BYTES, SQLITE_MAGIC, Unknown, sniff};
use crate::discover::stat::Stat;
use crate::discover::table::Layout;
use crate::discover::warning::ScanWarning;
use crate::schema::{Format, Mapping};

/// Bytes that decide nearly always, read first.
const FIRST_BYTES: usize = 8 * 1024;

/// Bytes of a database's log that are looked through for its tables.
const DATABASE_LOG_BYTES: u64 = 1 << 20;

/// Calls `visit` for each log of `agent` (of any agent when `None`) below `path`, and for each file
/// that is not one, with the reason. `path` may be a file; its name does not matter then.
pub fn explicit(agent: Option<&str>, path: &Path, mut visit: impl FnMut(ScanItem)) {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            scan_all(path, &mut |path, stat| Some(by_name(agent, path, stat)), &mut visit);
        }
        Ok(metadata) if metadata.is_file() => visit(by_content(agent, path, &Stat::of(&metadata))),
        Ok(_) => visit(ScanItem::ScanWarning(ScanWarning::Special { path: path.to_owned() })),
        Err(source) => visit(ScanItem::ScanWarning(ScanWarning::Unreadable { path: path.to_owned(), source })),
    }
}

/// Calls `visit` for each file below `path` that is named like one of the format that `mapping` describes;
/// `path` may be a file, whatever its name.
pub fn explicit_mapped(mapping: &Mapping, path: &Path, mut visit: impl FnMut(ScanItem)) {
    let found = |path: &Path, stat: &Stat| {
        ScanItem::File(FoundFile {
            path: path.to_owned(),
            agent: mapping.agent,
            format: mapping.format(),
            companions: Vec::new(),
            stat: *stat,
        })
    };
    let named = |path: &Path| path.file_name().is_some_and(|name| is_named_like(mapping, &name.to_string_lossy()));
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            scan_all(path, &mut |path, stat| named(path).then(|| found(path, stat)), &mut visit);
        }
        Ok(metadata) if metadata.is_file() => visit(found(path, &Stat::of(&metadata))),
        Ok(_) => visit(ScanItem::ScanWarning(ScanWarning::Special { path: path.to_owned() })),
        Err(source) => visit(ScanItem::ScanWarning(ScanWarning::Unreadable { path: path.to_owned(), source })),
    }
}

/// Ends of names that logs have.
const ENDINGS: [&str; 12] =
    [".jsonl", ".zst", ".json", ".db", ".vscdb", ".sqlite", ".sqlite3", ".md", ".txt", ".log", ".history", ".chat"];

fn by_name(agent: Option<&str>, path: &Path, stat: &Stat) -> ScanItem {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !ENDINGS.iter().any(|ending| name.ends_with(ending)) && named(agent, path).is_none() {
        return skipped(path, Unknown::Name);
    }
    if name.starts_with("agent-") && name.ends_with(".meta.json") {
        return skipped(path, Unknown::Companion);
    }
    by_content(agent, path, stat)
}

/// The pattern of the agents' own places that the end of this path fits.
fn named(agent: Option<&str>, path: &Path) -> Option<&'static Pattern> {
    let files = AGENTS.iter().flat_map(|a| a.rows).filter_map(|row| match row.layout() {
        Layout::Files(files) => Some(files),
        _ => None,
    });
    let mut fits = files.flat_map(|files| files.patterns).filter(|pattern| pattern.fits_end_of(path));
    fits.find(|pattern| agent.is_none_or(|agent| pattern.format.agent() == agent))
}

fn by_content(agent: Option<&str>, path: &Path, stat: &Stat) -> ScanItem {
    let shown = path.to_string_lossy().replace('\\', "/");
    let decided = beginning(path, FIRST_BYTES).and_then(|bytes| match sniff(&shown, &bytes, agent) {
        Err(_) if bytes.len() >= FIRST_BYTES => beginning(path, SNIFF_BYTES).map(|b| sniff(&shown, &b, agent)),
        decided => Ok(decided),
    });
    let decided = match decided {
        Ok(decided) => decided,
        Err(source) => return ScanItem::ScanWarning(ScanWarning::Unreadable { path: path.to_owned(), source }),
    };
    let pattern = named(agent, path);
    let format = match (decided, pattern) {
        (Ok(format), _) => format,
        (Err(Unknown::Empty), _) => return skipped(path, Unknown::Empty),
        // The agent's own name for its logs: undecodable lines become rejects, not a silent gap.
        (Err(_), Some(pattern)) => pattern.format,
        (Err(Unknown::Shape), _) if agent == Some("codex") && has_own_name(path) => Format::CodexRollout,
        (Err(reason), _) => return skipped(path, reason),
    };
    let mut companions: Vec<PathBuf> = companion_beside(format, path).into_iter().collect();
    if let Some(pattern) = pattern.filter(|pattern| pattern.format == format) {
        companions.extend(pattern.companions_of(path, &[]));
    }
    let stat = stat.with_changes_beside(path, format);
    ScanItem::File(FoundFile { path: path.to_owned(), agent: format.agent(), format, companions, stat })
}

fn has_own_name(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("rollout-") && is_lines(n))
}

fn skipped(path: &Path, reason: Unknown) -> ScanItem {
    ScanItem::ScanWarning(ScanWarning::Skipped { path: path.to_owned(), reason })
}

/// The first `limit` bytes of the file, decompressed when it is `.zst`; of a database, the first
/// [`SNIFF_BYTES`] of itself and of the log beside it.
fn beginning(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit);
    let file = File::open(path)?;
    if path.extension().is_some_and(|e| e == "zst") {
        let mut stream = zstd::stream::read::Decoder::new(file)?;
        stream.window_log_max(crate::discover::sniff::ZSTD_WINDOW_LOG)?;
        match stream.take(limit as u64).read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {}
        }
    } else {
        let mut file = file.take(limit as u64);
        file.read_to_end(&mut bytes)?;
        if bytes.starts_with(SQLITE_MAGIC) {
            file.set_limit((SNIFF_BYTES - bytes.len().min(SNIFF_BYTES)) as u64);
            file.read_to_end(&mut bytes)?;
            let mut log = path.as_os_str().to_owned();
            log.push("-wal");
            if let Ok(log) = File::open(log) {
                log.take(DATABASE_LOG_BYTES).read_to_end(&mut bytes)?;
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
