//! What is true now?
//!
//! - a [`Cut`] is what one query sees: rows in memory and durable parts, each row once
//! - an [`Engine`] answers SQL over a cut; tables `events`, `rejects`, `sources` and the views of
//!   `queries/*.sql`, which are planned when first named
//! - days and weeks are formed in one explicit time zone, with `local_date(ts)`
//! - queries only read, stream their answers, and are bounded in text, memory and time

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::lake::Snapshot;
use crate::schema::EventId;

mod catalog;
mod compact;
mod engine;
mod error;
mod file;
mod functions;
mod guard;
mod headers;
mod memory;
mod output;
mod params;
mod parts;
mod position;
mod report;
mod scan;
mod sources;
mod statement;
#[cfg(test)]
pub(crate) mod tests;
mod times;
mod views;

pub use engine::{Answer, Engine, EngineOptions, Runtime, remove_spilled};
pub use error::QueryError;
pub use headers::is_explain;
pub use memory::{Residence, growth};
pub use output::{More, Output, OutputError, OutputFormat, OutputOptions, Written};
pub use position::TextPosition;
pub use report::{Report, ReportError, ReportFilter, ReportKind, ReportOptions};
pub use sources::Sources;
pub use views::{ReadView, View, broken_views, view_names};

/// What a query sees: the newest rows and the durable ones, each row once.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Rows of `events` in memory, settled and provisional, no row of which is visible in `lake`.
    pub events: Vec<RecordBatch>,
    /// Rows of `rejects` in memory.
    pub rejects: Vec<RecordBatch>,
    /// Durable events that a newer record in `events` replaces: not seen from the lake. Nearly always empty.
    pub replaced: Arc<HashSet<EventId>>,
    /// The table `sources`.
    pub sources: Sources,
    /// The durable rows.
    pub lake: Arc<Snapshot>,
}
