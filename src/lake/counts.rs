//! How many rows are there of each agent?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;

use super::error::LakeError;
use super::reader::PartReader;
use super::stats::TEXT_BYTES;
use super::{Lake, Part, Snapshot};
use crate::schema::{Table, events, rejects};

/// Rows of one agent in the lake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentRows {
    /// Rows of `events`.
    pub events: u64,
    /// Rows of `rejects`.
    pub rejects: u64,
}

impl Lake {
    /// Counts the durable rows of `snapshot` by agent. The statistics of most files say it; of the others
    /// one column is read.
    ///
    /// # Errors
    ///
    /// When a live file cannot be read.
    pub fn rows_by_agent(snapshot: &Snapshot) -> Result<BTreeMap<String, AgentRows>, LakeError> {
        let mut all: BTreeMap<String, AgentRows> = BTreeMap::new();
        for part in snapshot.events.iter() {
            count(&snapshot.root, events(), part, |agent, rows| {
                all.entry(agent.to_owned()).or_default().events += rows
            })?;
        }
        for part in snapshot.rejects.iter() {
            let add = |agent: &str, rows| all.entry(agent.to_owned()).or_default().rejects += rows;
            count(&snapshot.root, rejects(), part, add)?;
        }
        Ok(all)
    }
}

fn count(root: &Path, table: &Table, part: &Arc<Part>, mut add: impl FnMut(&str, u64)) -> Result<(), LakeError> {
    if let Some((min, max)) = part.min_max.get("agent")
        && let (Some(min), Some(max)) = (min.as_str(), max.as_str())
        && min == max
        && min.len() < TEXT_BYTES
    {
        add(min, part.rows);
        return Ok(());
    }
    let mut reader = PartReader::open_part(root, table, part, Some(&["agent"]), 8192)?;
    while let Some(batch) = reader.next()? {
        let Some(agents) = batch.column_by_name("agent").and_then(|c| c.as_string_view_opt()) else { continue };
        let mut row = 0;
        // Rows of one agent stand together.
        while row < batch.num_rows() {
            let (agent, from) = (agents.value(row), row);
            while row < batch.num_rows() && agents.value(row) == agent {
                row += 1;
            }
            add(agent, (row - from) as u64);
        }
    }
    Ok(())
}
