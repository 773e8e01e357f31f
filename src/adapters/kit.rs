//! What all agents' adapters share: one file for each decision that must be the same whoever wrote the log.

pub(super) mod adapter;
pub(super) mod calls;
pub(super) mod content;
pub(super) mod extra;
pub(super) mod secret;
