//! What is a row?
//!
//! - tables are defined once, in `schemas/*.toml`; Arrow schemas, documentation and tests come from
//!   there ([`Table`])
//! - a row's identity is an [`EventId`], made from the agent's own ids only
//! - a row's origin is a source, a generation of its bytes and a byte offset ([`Origin`])
//! - [`Rows`] collects decoded rows column by column; no row lives on the heap by itself

mod column;
mod context;
mod database;
mod event;
mod event_type;
mod folders;
mod format;
mod hash;
mod id;
mod learnt;
mod mapping;
mod name;
mod place;
mod position;
mod possible;
mod reject;
mod rows;
mod source;
mod status;
mod table;
mod usage;
mod usage_source;

pub use column::TextColumn;
pub use context::RowContext;
pub use database::{Query, Record, Tables, Value};
pub use event::{EventColumns, EventRow};
pub use event_type::EventType;
pub use folders::{Folder, Folders, visit};
pub use format::{Format, Framing, Usage};
pub use hash::{hash64, hash64_of};
pub use id::EventId;
pub use learnt::{Learnt, Session, Tree};
pub use mapping::{
    Compression, Condition, Constant, MappedFiles, Mapping, Pointer, SetText, Setter, TARGETS, Target, Test,
    TimeFormat, TypeRule, intern,
};
pub use name::Name;
pub use position::{Checkpoint, Counts, Fingerprint, Origin, SourceId, SourcePosition};
pub use reject::{RejectColumns, RejectReason};
pub use rows::{RowBatch, Rows};
pub use source::{SourceState, sources_batch};
pub use status::Status;
pub use table::{
    Column, ColumnType, Table, events, events_schema, rejects, rejects_schema, sources, sources_schema, tables,
};
pub use usage::TokenUsage;
pub use usage_source::UsageSource;

/// Version of the `events` table that this build writes.
pub const EVENTS_VERSION: i32 = 1;
