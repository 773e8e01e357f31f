//! What a running `ingest` knows of its own work.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use crate::pipeline::{self, Looks};
use crate::watch::WatchStatus;

/// What a running `ingest` knows of its own work; those who answer for it look here.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// Set once it is to end.
    pub(super) stop: Arc<AtomicBool>,
    /// What was there when it started.
    pub(super) first: Arc<pipeline::Progress>,
    /// `first` has been read.
    pub(super) has_caught_up: AtomicBool,
    /// What came since.
    pub(super) live: Arc<pipeline::Progress>,
    /// Looks that others wait for.
    pub(super) looks: Arc<Looks>,
    /// How the logs are watched; unset until they are.
    pub(super) watch: OnceLock<WatchStatus>,
}
