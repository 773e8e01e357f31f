//! Removing files that nobody needs.
//!
//! Two kinds: files that a commit removed (kept for [`GRACE_US`], for readers of older versions),
//! and leftovers that no commit ever named (kept for an hour, and as long as they are being
//! written). Live files are in neither set.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::disk;
use super::error::LakeError;
use super::export::remove_outdated;
use super::handle::{Lake, LakeOptions, Writer, write_checkpoint};
use super::layout::{files, filter_dir, filter_name, is_part, is_temp, state_dir};
use super::log::Log;
use super::state::State;
use super::writer::InFlight;

/// Leftovers younger than this may belong to something that is still going on.
const ORPHAN_AGE_US: i64 = 3_600_000_000;

/// Files that a commit removed stay so long, for those who still read an older version.
pub const GRACE_US: i64 = 3_600_000_000;

/// So many files removed are worth a checkpoint, which no longer names them.
const WORTH_A_CHECKPOINT: usize = 64;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VacuumReport {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl VacuumReport {
    pub(crate) fn remove(&mut self, path: &Path) -> Result<(), LakeError> {
        let bytes = std::fs::symlink_metadata(path).map_or(0, |meta| meta.len());
        if disk::remove_file(path)? {
            self.files += 1;
            self.bytes += bytes;
        }
        Ok(())
    }
}

impl Lake {
    /// Removes the files that commits removed more than `grace_us` ago, leftovers, and snapshots that are
    /// outdated.
    ///
    /// # Errors
    ///
    /// When a directory cannot be listed or a file not be removed; what was not removed is tried
    /// again the next time.
    pub fn vacuum(&self, grace_us: i64, now_us: i64) -> Result<VacuumReport, LakeError> {
        let mut writer = self.ready()?;
        let mut report = self.remove_replaced(&mut writer, grace_us, now_us)?;
        let orphans = remove_orphans(&self.root, &writer.state, &self.in_flight, now_us)?;
        report.files += orphans.files;
        report.bytes += orphans.bytes;
        remove_outdated(&self.root, now_us)?;
        Ok(report)
    }

    /// True when files wait whose grace is over.
    #[must_use]
    pub fn has_waited(&self, now_us: i64) -> bool {
        self.writer().state.removed.values().any(|at_us| is_over(*at_us, GRACE_US, now_us))
    }

    /// Removes the files that commits removed, once their time is over.
    pub(crate) fn remove_replaced(
        &self,
        writer: &mut Writer,
        grace_us: i64,
        now_us: i64,
    ) -> Result<VacuumReport, LakeError> {
        let mut report = VacuumReport::default();
        let old = writer.state.removed.iter().filter(|(_, at_us)| is_over(**at_us, grace_us, now_us));
        let gone: Vec<String> = old.map(|(path, _)| path.clone()).collect();
        for path in &gone {
            report.remove(&self.root.join(path))?;
            writer.state.removed.remove(path);
        }
        if gone.len() >= WORTH_A_CHECKPOINT {
            // Else each start would look for them again.
            write_checkpoint(&self.root, writer);
        }
        note_waiting(&self.root, &writer.state);
        Ok(report)
    }

    /// Files that wait for their grace to be over, and their bytes.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn waiting(root: &Path) -> Result<VacuumReport, LakeError> {
        let (state, _) = Log::master(root).follow(&state_dir(root))?;
        let there = state.removed.keys().filter_map(|path| std::fs::symlink_metadata(root.join(path)).ok());
        Ok(there.fold(VacuumReport::default(), |all, meta| VacuumReport {
            files: all.files + 1,
            bytes: all.bytes + meta.len(),
        }))
    }

    /// Removes files whose grace is over, if there are any and nobody writes the lake; costs one look at
    /// a small file else.
    ///
    /// # Errors
    ///
    /// When the lake cannot be written for another reason than that somebody else does.
    pub fn sweep(options: LakeOptions) -> Result<(), LakeError> {
        let noted = disk::read_file(&note(&options.root)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let oldest: Option<i64> = noted.and_then(|text| text.trim().parse().ok());
        if !oldest.is_some_and(|at_us| is_over(at_us, GRACE_US, options.now_us)) {
            return Ok(());
        }
        match Self::open(options) {
            Err(LakeError::Locked { .. }) => Ok(()),
            opened => opened.map(drop),
        }
    }
}

const fn is_over(at_us: i64, grace_us: i64, now_us: i64) -> bool {
    now_us.saturating_sub(at_us) >= grace_us
}

fn note(root: &Path) -> PathBuf {
    state_dir(root).join("waiting")
}

/// Notes since when the oldest of the files waits that commits removed, for those who look in passing.
pub(crate) fn note_waiting(root: &Path, state: &State) {
    let oldest = state.removed.values().min();
    let done = match oldest {
        Some(at_us) => disk::put_copy(&note(root), at_us.to_string().as_bytes()),
        None => disk::remove_file(&note(root)).map(drop),
    };
    if let Err(error) = done {
        tracing::debug!(%error, "cannot note which files wait");
    }
}

/// True for the name of a part's filter: those of parts that are not live are copies of nothing.
fn is_part_filter(name: &str) -> bool {
    name.starts_with("part-")
}

/// Removes leftovers of crashes: temporary files, and parts that no entry names.
pub(crate) fn remove_orphans(
    root: &Path,
    state: &State,
    in_flight: &InFlight,
    now_us: i64,
) -> Result<VacuumReport, LakeError> {
    let mut report = VacuumReport::default();
    let is_old = |path: &Path| disk::modified_us(path).is_some_and(|at| now_us.saturating_sub(at) >= ORPHAN_AGE_US);
    // Without a log nothing proves that a part is not needed.
    let parts_too = state.newest.is_some();
    for (table, path, name) in files(root)? {
        let referred = state.names(table, &name);
        let file = name.rsplit('/').next().unwrap_or(&name);
        let leftover = is_temp(file) || (parts_too && is_part(file) && !referred);
        if leftover && !in_flight.holds(&path) && is_old(&path) {
            report.remove(&path)?;
        }
    }
    let filters: HashSet<&str> =
        state.events.keys().chain(state.rejects.keys()).map(|path| filter_name(path)).collect();
    for (name, path) in disk::list(&filter_dir(root))? {
        if !filters.contains(name.as_str()) && (is_part_filter(&name) || is_old(&path)) {
            report.remove(&path)?;
        }
    }
    for dir in [root.to_owned(), root.join(".state"), root.join("events/_delta_log"), root.join("rejects/_delta_log")] {
        for (name, path) in disk::list(&dir)? {
            if (is_temp(&name) || name.starts_with(".test-")) && is_old(&path) {
                report.remove(&path)?;
            }
        }
    }
    Ok(report)
}
