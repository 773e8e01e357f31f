//! What is whole or not at all, also when a signal ends the process.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::CliError;
use crate::ops::{leave, listen};

type Undo = Box<dyn FnOnce() + Send>;

/// What is to be undone when a signal ends the process: by number, so that it can be taken back.
#[derive(Default)]
struct Unfinished {
    next: u64,
    undo: Vec<(u64, Undo)>,
    is_heard: bool,
}

static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished { next: 0, undo: Vec::new(), is_heard: false });

fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on a signal ends the process only after what is [`Unfinished`] was undone.
pub(super) fn tidy_up() -> Result<(), CliError> {
    let mut all = unfinished();
    if std::mem::replace(&mut all.is_heard, true) {
        return Ok(());
    }
    listen(|mut signals| async move {
        if signals.next().await.is_ok() {
            // Never given back: nobody begins or finishes anything any more.
            let mut all = unfinished();
            all.undo.drain(..).rev().for_each(|(_, undo)| undo());
            leave();
        }
    })?;
    Ok(())
}

/// Something that is whole or not at all. Dropped, its undoing is forgotten.
#[derive(Debug)]
pub(super) struct Pending(u64);

impl Pending {
    /// Makes something, and says how it is undone should a signal come.
    pub(super) fn make<T>(
        make: impl FnOnce() -> io::Result<T>,
        undo: impl FnOnce() + Send + 'static,
    ) -> io::Result<(T, Self)> {
        let mut all = unfinished();
        let made = make()?;
        all.next += 1;
        let number = all.next;
        all.undo.push((number, Box::new(undo)));
        Ok((made, Self(number)))
    }

    /// Finishes it; no signal comes in between.
    pub(super) fn finish<T>(self, finish: impl FnOnce() -> T) -> T {
        let mut all = unfinished();
        let done = finish();
        all.undo.retain(|(number, _)| *number != self.0);
        drop(all);
        std::mem::forget(self);
        done
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        unfinished().undo.retain(|(number, _)| *number != self.0);
    }
}
