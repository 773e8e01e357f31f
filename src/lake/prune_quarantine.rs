//! Removing rows for good from what was taken out of the way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::compute::filter_record_batch;

use super::encode::month_of;
use super::error::{At, LakeError};
use super::evidence::{Evidence, patiently};
use super::layout::quarantine_dir;
use super::pruned::PruneFilter;
use super::quarantine::{logs_and_entries, parts};
use super::reader::PartReader;
use super::rewrite::{READ_ROWS, size_of_batch};
use super::vacuum::VacuumReport;
use super::writer::PartWriter;
use crate::schema::events;

/// Removes the rows that `filter` means from quarantine too. A file that is whole is copied without them;
/// one that is damaged goes when it may hold some, and so do rejects. Logs are kept while there are files,
/// whose checksums they know.
pub(crate) fn prune(root: &Path, filter: &PruneFilter, report: &mut VacuumReport) -> Result<(), LakeError> {
    let parts_here = parts(root)?;
    if !parts_here.is_empty() {
        let evidence = Evidence::gather(root)?;
        for (table, path, name) in parts_here {
            if table == "rejects" || prune_part(root, filter, &evidence, &path, &name)? {
                report.remove(&path)?;
            }
        }
    }
    if parts(root)?.is_empty() {
        for path in logs_and_entries(root)? {
            if path.is_dir() {
                fs::remove_dir_all(&path).at("remove", &path)?;
            } else {
                report.remove(&path)?;
            }
        }
    }
    Ok(())
}

/// True when a file of events is to go: a copy without the rows is made where that is possible.
fn prune_part(
    root: &Path,
    filter: &PruneFilter,
    evidence: &Evidence,
    path: &Path,
    name: &str,
) -> Result<bool, LakeError> {
    let month = name.split('/').next().and_then(|dir| dir.strip_prefix("month=")).unwrap_or_default();
    if filter.before_us.is_some_and(|before_us| month > month_of(before_us).as_str()) {
        return Ok(false);
    }
    // A copy of what is damaged could not be told from what is whole.
    let is_whole = evidence.fault(&events().name, name, path)?.is_none();
    let copied = patiently(|| {
        let mut reader = PartReader::open(path, events(), None, READ_ROWS)?;
        let mut writer = PartWriter::create(&quarantine_dir(root), events(), month, 1, &Arc::default())?;
        let mut gone = 0;
        while let Some(batch) = reader.next()? {
            let Some(keep) = filter.keeps(&batch) else { continue };
            gone += keep.len() - keep.true_count();
            let kept = filter_record_batch(&batch, &keep).at("rewrite", path)?;
            if kept.num_rows() > 0 {
                writer.write(&kept, size_of_batch(&kept))?;
            }
        }
        if gone > 0 && writer.rows() > 0 && is_whole {
            writer.finish()?;
        }
        Ok(gone > 0)
    });
    match copied {
        Err(error) if !error.is_refusal() => Ok(true),
        other => other,
    }
}
