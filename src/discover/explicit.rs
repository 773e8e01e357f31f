//! Any folder or file the user names, whatever the names in it: content decides.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::discover::classify::{is_lines, may_be_log};
use crate::discover::scan::{FoundFile, Note, Seen, companion_beside, scan_all};
use crate::discover::sniff::{SNIFF_BYTES, Unknown, sniff};
use crate::discover::stat::Stat;
use crate::schema::Format;

/// Bytes that decide nearly always, read first.
const FIRST_BYTES: usize = 8 * 1024;

/// Calls `visit` for each log of `agent` (of any agent when `None`) below `path`, and for each file
/// that is not one, with the reason. `path` may be a file; its name does not matter then.
pub fn explicit(agent: Option<&str>, path: &Path, mut visit: impl FnMut(Seen)) {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            scan_all(path, &mut |path, stat| Some(by_name(agent, path, stat)), &mut visit);
        }
        Ok(metadata) if metadata.is_file() => visit(by_content(agent, path, &Stat::of(&metadata))),
        Ok(_) => visit(Seen::Note(Note::Special { path: path.to_owned() })),
        Err(source) => visit(Seen::Note(Note::Unreadable { path: path.to_owned(), source })),
    }
}

fn by_name(agent: Option<&str>, path: &Path, stat: &Stat) -> Seen {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !may_be_log(&name) {
        return skipped(path, Unknown::Name);
    }
    if name.ends_with(".meta.json") {
        return skipped(path, Unknown::Companion);
    }
    by_content(agent, path, stat)
}

fn by_content(agent: Option<&str>, path: &Path, stat: &Stat) -> Seen {
    let decided = beginning(path, FIRST_BYTES).and_then(|bytes| match sniff(&bytes) {
        Err(Unknown::Shape) if bytes.len() >= FIRST_BYTES => beginning(path, SNIFF_BYTES).map(|b| sniff(&b)),
        decided => Ok(decided),
    });
    let decided = match decided {
        Ok(decided) => decided,
        Err(source) => return Seen::Note(Note::Unreadable { path: path.to_owned(), source }),
    };
    let format = match (decided, agent) {
        (Ok(format), Some(agent)) if format.agent() != agent => {
            return skipped(path, Unknown::OtherAgent { format });
        }
        (Ok(format), _) => format,
        // The agent's own name for its logs: undecodable lines become rejects, not a silent gap.
        (Err(Unknown::Shape), Some("codex")) if has_own_name(path) => Format::CodexRollout,
        (Err(reason), _) => return skipped(path, reason),
    };
    let companion = companion_beside(format, path);
    Seen::File(FoundFile { path: path.to_owned(), format, companion, stat: *stat })
}

fn has_own_name(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("rollout-") && is_lines(n))
}

fn skipped(path: &Path, reason: Unknown) -> Seen {
    Seen::Note(Note::Skipped { path: path.to_owned(), reason })
}

/// The first `limit` bytes of the file, decompressed when it is `.zst`.
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
        file.take(limit as u64).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
