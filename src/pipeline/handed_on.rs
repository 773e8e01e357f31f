//! Open sources of a catch-up, for whoever follows the logs from there on.

use std::sync::{Mutex, PoisonError};

use super::job::Job;
use super::source::SourceReader;

/// Open sources that are handed on at most; the others are read again from their positions.
const MOST: usize = 256;

/// Readers that hold something open, with the jobs they were read for.
#[derive(Debug, Default)]
pub struct HandedOn(Mutex<Vec<(Job, SourceReader)>>);

impl HandedOn {
    /// Adds an open source, if there is room.
    pub(super) fn add(&self, job: &Job, reader: SourceReader) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() < MOST {
            open.push((job.clone(), reader));
        }
    }

    /// Takes all of them.
    pub(super) fn take(&self) -> Vec<(Job, SourceReader)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
