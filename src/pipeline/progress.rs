//! How far a catch-up has come.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters that workers raise and a display reads; also the switch that stops them.
#[derive(Debug, Default)]
pub struct Progress {
    files_total: AtomicU64,
    bytes_total: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    events: AtomicU64,
    rejects: AtomicU64,
    duplicates: AtomicU64,
    errors: AtomicU64,
    stop: AtomicBool,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files to read.
    pub files_total: u64,
    /// Bytes to read (compressed files: on disk).
    pub bytes_total: u64,
    /// Files done.
    pub files: u64,
    /// Bytes done.
    pub bytes: u64,
    /// Rows decoded, copies included.
    pub events: u64,
    /// Lines refused.
    pub rejects: u64,
    /// Rows that were copies of known events.
    pub duplicates: u64,
    /// Files that could not be read.
    pub errors: u64,
}

impl Progress {
    /// Adds to what there is to do.
    pub fn plan(&self, files: u64, bytes: u64) {
        self.files_total.fetch_add(files, Ordering::Relaxed);
        self.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One file is done.
    pub fn file_done(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// One file could not be read.
    pub fn file_failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// `bytes` more were read.
    pub fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Rows and rejects were made of them.
    pub fn decoded(&self, events: u64, rejects: u64) {
        self.events.fetch_add(events, Ordering::Relaxed);
        self.rejects.fetch_add(rejects, Ordering::Relaxed);
    }

    /// Some of the rows were copies.
    pub fn copies(&self, rows: u64) {
        self.duplicates.fetch_add(rows, Ordering::Relaxed);
    }

    /// Asks the workers to stop after the record in hand; what was read so far is committed.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// True once someone asked to stop.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The counters now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            files_total: get(&self.files_total),
            bytes_total: get(&self.bytes_total),
            files: get(&self.files),
            bytes: get(&self.bytes),
            events: get(&self.events),
            rejects: get(&self.rejects),
            duplicates: get(&self.duplicates),
            errors: get(&self.errors),
        }
    }
}
