//! devlog: the data-pipeline engine for the logs that AI coding agents leave on a machine.
//!
//! Rooms in the data's order; ARCHITECTURE.md gives each one's question and what it may use.

pub mod adapters;
pub mod backfill;
pub mod cli;
pub mod config;
pub mod demo;
pub mod discover;
pub mod hierarchy;
pub mod lake;
mod ops;
pub mod pipeline;
#[cfg(feature = "query")]
pub mod query;
pub mod ring;
pub mod schema;
#[cfg(unix)]
pub mod serve;
pub mod text;
pub mod watch;
pub mod zone;
