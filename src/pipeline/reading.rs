//! Whether everything that stands in the logs has been read, as far as a running process knows.

use std::sync::{Arc, Mutex, PoisonError};

use super::now_us;
use super::progress::{Progress, Tally};
use crate::discover::ScanWarning;

/// How far the reading is. One who answers says so with the answer.
#[derive(Debug, Default)]
pub struct Reading {
    state: Mutex<State>,
    catch_up: Arc<Progress>,
    notes: Mutex<Arc<[ScanWarning]>>,
}

/// What is known of it at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// What was in the logs at the start is being read.
    #[default]
    Starting,
    /// What comes is read as it comes.
    Current,
    /// Reading has stopped, and is tried again.
    Stuck {
        /// Since when, microseconds since 1970.
        since_us: i64,
        /// Why.
        why: String,
    },
}

impl Reading {
    /// A reading whose first part `catch_up` counts.
    #[must_use]
    pub fn new(catch_up: Arc<Progress>) -> Self {
        Self { catch_up, ..Self::default() }
    }

    /// Everything has been read, and what comes will be.
    pub fn is_current(&self) {
        self.set(State::Current);
    }

    /// Reading has stopped.
    pub fn is_stuck(&self, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since_us = if let State::Stuck { since_us, .. } = *state { since_us } else { now_us() };
        *state = State::Stuck { since_us, why: why.to_owned() };
    }

    /// What is known.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the newest walk did not read.
    #[must_use]
    pub fn notes(&self) -> Arc<[ScanWarning]> {
        Arc::clone(&self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A walk has met these.
    pub fn met(&self, notes: Vec<ScanWarning>) {
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = notes.into();
    }

    /// How far the first part is.
    #[must_use]
    pub fn catch_up(&self) -> Tally {
        self.catch_up.tally()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_dated_from_its_beginning_and_ends_when_all_is_read() {
        let reading = Reading::default();
        assert_eq!(reading.state(), State::Starting);
        reading.is_stuck("disk full");
        let first = reading.state();
        std::thread::sleep(std::time::Duration::from_millis(2));
        reading.is_stuck("disk full");
        assert_eq!(reading.state(), first);
        reading.is_current();
        assert_eq!(reading.state(), State::Current);
    }
}
