//! devlog: the data-pipeline engine for the logs that AI coding agents leave on a machine.
//!
//! Rooms in the data's order; ARCHITECTURE.md gives each one's question and what it may use.

pub mod adapters;
pub mod config;
pub mod discover;
pub mod lake;
#[cfg(feature = "query")]
pub mod query;
pub mod schema;
pub mod watch;
