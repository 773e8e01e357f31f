//! Somebody waits until everything that is in the logs now has been read.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::watch::{Hint, Hints};

/// Looks at all logs that a [`super::Follower`] is asked for, and how many of them it has made.
///
/// It can be asked before it runs: it then looks when it has started.
#[derive(Debug, Default)]
pub struct Looks {
    counts: Mutex<Counts>,
    bell: Condvar,
    hints: OnceLock<Hints>,
    errands: Mutex<Vec<Errand>>,
}

/// Something to be done while nothing is read.
struct Errand(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Errand")
    }
}

#[derive(Debug, Default)]
struct Counts {
    asked: u64,
    done: u64,
    /// The newest look that failed, and why.
    failed: Option<(u64, String)>,
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a look that begins after this call; returns its number.
    pub fn ask(&self) -> u64 {
        let mut counts = self.lock();
        counts.asked += 1;
        if let Some(hints) = self.hints.get() {
            hints.push(Hint::Rescan);
        }
        counts.asked
    }

    /// Asks for a look from the positions that the lake then has, after `errand` was done: nothing is read meanwhile.
    pub fn ask_after(&self, errand: impl FnOnce() + Send + 'static) -> u64 {
        self.errands.lock().unwrap_or_else(PoisonError::into_inner).push(Errand(Box::new(errand)));
        self.ask()
    }

    /// Does the errands that wait; true when there were some.
    pub(super) fn do_errands(&self) -> bool {
        let errands = std::mem::take(&mut *self.errands.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !errands.is_empty();
        errands.into_iter().for_each(|Errand(errand)| errand());
        any
    }

    /// Waits up to `at_most` for look `number`; true when it has been made.
    ///
    /// # Errors
    ///
    /// Why it failed. The follower tries again, nobody needs to ask.
    pub fn wait(&self, number: u64, at_most: Duration) -> Result<bool, String> {
        let waited = self.bell.wait_timeout_while(self.lock(), at_most, |counts| counts.done < number);
        let counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        match &counts.failed {
            Some((failed, why)) if *failed >= number => Err(why.clone()),
            _ => Ok(counts.done >= number),
        }
    }

    /// The follower runs, and is woken by these hints.
    pub(super) fn attach(&self, hints: &Hints) {
        let counts = self.lock();
        let _once = self.hints.set(hints.clone());
        if counts.asked > counts.done {
            hints.push(Hint::Rescan);
        }
    }

    /// The newest look that somebody waits for.
    pub(super) fn awaited(&self) -> Option<u64> {
        let counts = self.lock();
        (counts.asked > counts.done).then_some(counts.asked)
    }

    /// Look `number`, and all before it, have been made.
    pub(super) fn made(&self, number: u64) {
        let mut counts = self.lock();
        counts.done = counts.done.max(number);
        drop(counts);
        self.bell.notify_all();
    }

    /// All looks that somebody waits for have failed.
    pub(super) fn failed(&self, why: &str) {
        let mut counts = self.lock();
        counts.failed = Some((counts.asked, why.to_owned()));
        counts.done = counts.asked;
        drop(counts);
        self.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_over_when_it_was_made_whenever_it_was_asked_for() {
        let (looks, hints) = (Looks::default(), Hints::default());
        let first = looks.ask();
        let wait = |look| looks.wait(look, Duration::ZERO);
        assert_eq!(wait(first), Ok(false));
        looks.attach(&hints);
        assert_eq!(hints.take(Duration::ZERO), Some(Hint::Rescan), "what was asked before the start is not forgotten");
        assert_eq!(looks.awaited(), Some(first));
        let second = looks.ask();
        looks.made(first);
        assert_eq!((wait(first), wait(second)), (Ok(true), Ok(false)));
        looks.made(second);
        assert_eq!((wait(second), looks.awaited()), (Ok(true), None));
        let third = looks.ask();
        looks.failed("the disk is full");
        assert_eq!((wait(third), looks.awaited()), (Err("the disk is full".to_owned()), None));
        let fourth = looks.ask();
        looks.made(fourth);
        assert_eq!(wait(fourth), Ok(true));
    }
}
