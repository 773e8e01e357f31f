//! Looking at everything, changing nothing. Where the log breaks off, what it says up to there is looked at.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::checkpoint;
use super::copies::each_copied;
use super::disk;
use super::entry::Live;
use super::error::{At, LakeError};
use super::evidence::Evidence;
use super::footer::footer;
use super::layout::{files, is_part, state_dir};
use super::log::{Found, Log};
use super::quarantine;
use super::reader::read_ids;
use super::staged::{self, StagedFile};
use super::state::{Files, State};
use crate::schema::{Table, events, rejects};

/// Looks at a lake that changes meanwhile.
const TRIES: u32 = 5;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub path: PathBuf,
    /// What is wrong, in words.
    pub what: String,
    /// What to do about it.
    pub mend: &'static str,
    /// True when rows are missing, doubled or wrong; false for what mends itself.
    pub harmful: bool,
}

/// What was looked at and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// Entries of the log.
    pub entries: u64,
    /// Live files.
    pub parts: u64,
    /// Rows of `events` in them.
    pub rows: u64,
    /// Rows of `rejects` in them.
    pub rejects: u64,
    /// All that is wrong, harmless things included.
    pub findings: Vec<Finding>,
}

impl FsckReport {
    /// True when nothing harmful was found.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| !finding.harmful)
    }

    fn find(&mut self, harmful: bool, path: &Path, what: impl Into<String>, mend: &'static str) {
        self.findings.push(Finding { path: path.to_owned(), what: what.into(), mend, harmful });
    }
}

const REBUILD: &str = "restore it from a backup, or run `devlog fsck --rebuild-from-footers`";
const RESTORE: &str = "restore the file from a backup, or run `devlog fsck --rebuild-from-footers`: it keeps the file in \
                       quarantine, and its rows are read again from the logs that still exist";
const PUT_BACK: &str = "run `devlog fsck --restore-quarantine`";
const DELETE: &str = "restore it from a backup and run `devlog fsck --restore-quarantine`, or delete it";

const COPIES: &str = "run `devlog fsck --repair-duplicates`: it keeps the most complete copy";

/// Reads the whole log, every byte of every live file, and compares ids across files.
///
/// # Errors
///
/// When the lake cannot be looked at at all; what is damaged is in the report.
pub fn fsck(root: &Path) -> Result<FsckReport, LakeError> {
    let mut attempt = 1;
    loop {
        let version = version_of(root);
        let report = check(root)?;
        // Beside a writer: a merge or a prune may have removed what was about to be looked at.
        if report.is_sound() || attempt == TRIES || version == version_of(root) {
            return Ok(report);
        }
        attempt += 1;
    }
}

fn version_of(root: &Path) -> Option<u64> {
    Log::master(root).versions().ok()?.last().copied()
}

fn check(root: &Path) -> Result<FsckReport, LakeError> {
    let mut report = FsckReport::default();
    let Checked { state, is_whole } = check_log(root, &mut report)?;
    for (table, live) in [(events(), &state.events), (rejects(), &state.rejects)] {
        for file in live.values() {
            // An entry that cannot be read may have taken it out.
            let is_gone = || matches!(root.join(&table.name).join(&file.part.path).try_exists(), Ok(false));
            if is_whole || !is_gone() {
                check_part(root, table, file, &mut report);
            }
        }
    }
    check_ids(root, &state, events(), &mut report)?;
    check_ids(root, &state, rejects(), &mut report)?;
    if is_whole {
        check_leftovers(root, &state, &mut report)?;
        check_quarantine(root, &state.events, &mut report)?;
    }
    check_staged(root, &mut report)?;
    Ok(report)
}

/// What the log says, and whether that is all that it once said.
struct Checked {
    state: State,
    is_whole: bool,
}

/// Reads the log to its end, or as far as it can be read.
fn check_log(root: &Path, report: &mut FsckReport) -> Result<Checked, LakeError> {
    let log = Log::master(root);
    let mut state = State::default();
    let versions = log.versions()?;
    if versions.is_empty() && !is_new(root)? {
        report.find(true, &log.dir, "the whole log is missing", REBUILD);
        return Ok(Checked { state, is_whole: false });
    }
    for version in &versions {
        let path = log.path(state.next());
        if *version != state.next() {
            report.find(true, &path, "the entry is missing", REBUILD);
            return Ok(usable(&log, root, state));
        }
        report.entries += 1;
        let was_there = || log.was_there(&state_dir(root), &state);
        let reason = match log.read(*version)? {
            Found::Valid(read) => match state.apply(*read) {
                Ok(()) => continue,
                Err(reason) => reason,
            },
            Found::Torn(reason) if !was_there()? => {
                let mend = "nothing: the next writer sets it aside, and what it held is read again from the logs";
                report.find(true, &path, format!("the newest entry was never finished: {reason}"), mend);
                return Ok(Checked { state, is_whole: true });
            }
            Found::Torn(reason) | Found::Damaged(reason) => reason,
            Found::Missing => "it vanished",
        };
        report.find(true, &path, format!("the entry is damaged: {reason}"), REBUILD);
        return Ok(usable(&log, root, state));
    }
    // The writer may have gone on meanwhile: only what is still not there is missing.
    let mut is_whole = true;
    if log.was_there(&state_dir(root), &state)? && matches!(log.read(state.next())?, Found::Missing) {
        report.find(
            true,
            &log.path(state.next()),
            "the entry is missing: it was the newest, or one before it",
            REBUILD,
        );
        is_whole = false;
    }
    Ok(Checked { state, is_whole })
}

/// True for a lake that nothing was ever committed to.
fn is_new(root: &Path) -> Result<bool, LakeError> {
    let part = |name: &str| is_part(name.rsplit('/').next().unwrap_or(name));
    Ok(checkpoint::list(&state_dir(root))?.is_empty() && !files(root)?.iter().any(|(_, _, name)| part(name)))
}

/// With entries before the checkpoint lost, the lake still works. Else the files that the other entries name are
/// known: those that were live `before` the one that cannot be read, and what later ones say.
fn usable(log: &Log, root: &Path, mut before: State) -> Checked {
    if let Ok((state, _)) = log.follow(&state_dir(root)) {
        return Checked { state, is_whole: true };
    }
    let from = before.next();
    for version in log.versions().unwrap_or_default().into_iter().filter(|version| *version > from) {
        let Ok(Found::Valid(read)) = log.read(version) else { continue };
        for (files, change) in [(&mut before.events, read.entry.events), (&mut before.rejects, read.entry.rejects)] {
            change.remove.iter().for_each(|path| drop(files.remove(path)));
            files.extend(change.add.into_iter().map(|live| (live.part.path.clone(), live)));
        }
    }
    Checked { state: before, is_whole: false }
}

fn check_part(root: &Path, table: &Table, live: &Live, report: &mut FsckReport) {
    let path = root.join(&table.name).join(&live.part.path);
    report.parts += 1;
    *(if table.name == events().name { &mut report.rows } else { &mut report.rejects }) += live.part.rows;
    if let Some(what) = part_fault(&path, live) {
        report.find(true, &path, what, RESTORE);
    }
}

fn part_fault(path: &Path, live: &Live) -> Option<String> {
    let part = &live.part;
    let size = match fs::symlink_metadata(path) {
        Ok(meta) => meta.len(),
        Err(e) => return Some(format!("it cannot be looked at: {e}")),
    };
    if size != part.bytes {
        return Some(format!("it has {size} bytes, the log says {}", part.bytes));
    }
    match disk::file_crc(path) {
        Ok(crc) if crc == live.crc32c => {}
        Ok(_) => return Some("its bytes have changed: the checksum does not match".to_owned()),
        Err(e) => return Some(format!("it cannot be read: {e}")),
    }
    match footer(path) {
        Err(e) => Some(format!("its footer cannot be read: {e}")),
        Ok((rows, _)) if rows != part.rows => Some(format!("it has {rows} rows, the log says {}", part.rows)),
        Ok((_, ranges)) => {
            let rows: u64 = ranges.iter().map(|range| range.rows).sum();
            (rows != part.rows).then(|| format!("its ranges name {rows} rows of {}", part.rows))
        }
    }
}

fn check_ids(root: &Path, state: &State, table: &Table, report: &mut FsckReport) -> Result<(), LakeError> {
    let (mut copied, mut first) = (0u64, None);
    // Files that cannot be read are in the report already.
    each_copied(root, table, state, true, |records| {
        copied += 1;
        first = first.or_else(|| Some((records[0].id, records[0].part, records[1].part)));
    })?;
    if let Some((id, one, other)) = first {
        let paths: Vec<&String> = state.files(table).keys().collect();
        let rows = &table.name;
        let what = format!("{copied} {rows} are stored twice, the first, {id:032x}, also in {}", paths[one as usize]);
        let path = root.join(rows).join(paths[other as usize]);
        report.find(table.name == events().name, &path, what, COPIES);
    }
    Ok(())
}

fn check_staged(root: &Path, report: &mut FsckReport) -> Result<(), LakeError> {
    let path = staged::path(root);
    if path.symlink_metadata().is_ok() && StagedFile::read(root)?.is_none() {
        let mend = "nothing: the next writer sets it aside, and what the logs still hold is read again";
        report.find(false, &path, "the rows beside the tables are damaged", mend);
    }
    Ok(())
}

fn check_leftovers(root: &Path, state: &State, report: &mut FsckReport) -> Result<(), LakeError> {
    for (table, path, name) in files(root)? {
        let live = if table == "events" { &state.events } else { &state.rejects };
        let removed = state.removed.contains_key(&format!("{table}/{name}"));
        let file = name.rsplit('/').next().unwrap_or(&name);
        if is_part(file) && !live.contains_key(&name) && !removed {
            report.find(false, &path, "no entry names this file", "nothing: the next writer removes it after an hour");
        }
    }
    Ok(())
}

/// Files in quarantine, and whether rows of them are missing in the lake.
fn check_quarantine(root: &Path, live: &Files, report: &mut FsckReport) -> Result<(), LakeError> {
    let parts = quarantine::parts(root)?;
    if parts.is_empty() {
        return Ok(());
    }
    let evidence = Evidence::gather(root)?;
    let mut whole: Vec<(PathBuf, HashSet<u128>)> = Vec::new();
    for (table, path, name) in parts {
        if let Some(why) = evidence.fault(table, &name, &path)? {
            report.find(true, &path, format!("it was left out of the lake, as it is damaged: {why}"), DELETE);
        } else if table == "events" {
            let rows = footer(&path).at("read the footer of", &path)?.0;
            let ids = read_ids(&path, events(), rows)?;
            whole.push((path, ids.iter().map(|(id, _)| id).collect()));
        } else {
            report.find(false, &path, "it was left out of the lake", PUT_BACK);
        }
    }
    let live = if whole.is_empty() { &Files::new() } else { live };
    for file in live.values() {
        // Files that cannot be read are in the report already.
        if let Ok(ids) = read_ids(&root.join("events").join(&file.part.path), events(), file.part.rows) {
            for (id, _) in ids.iter() {
                for (_, missing) in &mut whole {
                    missing.remove(&id);
                }
            }
        }
    }
    for (path, missing) in whole {
        let what = match missing.len() {
            0 => "it was left out of the lake, which has all of its rows by now".to_owned(),
            rows => format!("it was left out of the lake, which lacks {rows} of its rows"),
        };
        report.find(!missing.is_empty(), &path, what, PUT_BACK);
    }
    Ok(())
}
