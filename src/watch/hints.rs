//! The queue of hints: each path at most once, never more than it can hold.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Paths that wait at most; one more turns them all into one [`Hint::Rescan`].
const MOST_PATHS: usize = 8192;

/// Where something may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// This log was written, made, moved or removed.
    Path(PathBuf),
    /// Anything may have changed: scan all roots.
    Rescan,
    /// This root did not exist before.
    RootAppeared(PathBuf),
}

#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<Hint>,
    paths: HashSet<PathBuf>,
    rescan: bool,
    closed: bool,
    /// What the last full scan took.
    scan: Duration,
}

/// The receiving and the sending end, shared by clones.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Hints {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a hint, unless it is waiting already.
    pub fn push(&self, hint: Hint) {
        let mut queue = self.lock();
        match hint {
            Hint::Path(path) => {
                if !queue.paths.insert(path.clone()) {
                    return;
                }
                queue.order.push_back(Hint::Path(path));
            }
            Hint::Rescan => {
                if queue.rescan {
                    return;
                }
                queue.rescan = true;
                queue.order.push_back(Hint::Rescan);
            }
            Hint::RootAppeared(_) => {
                if queue.order.contains(&hint) {
                    return;
                }
                queue.order.push_back(hint);
            }
        }
        if queue.paths.len() > MOST_PATHS {
            queue.paths.clear();
            queue.order.retain(|hint| matches!(hint, Hint::RootAppeared(_)));
            queue.order.push_back(Hint::Rescan);
            queue.rescan = true;
        }
        drop(queue);
        self.shared.1.notify_one();
    }

    /// [`Hints::push`] of a path, without an allocation when it is waiting already.
    pub(super) fn push_path(&self, path: &Path) {
        if !self.lock().paths.contains(path) {
            self.push(Hint::Path(path.to_owned()));
        }
    }

    /// The oldest hint, waiting for one up to `timeout`. From now on the same hint may come again:
    /// what happens while it is worked on is not lost.
    #[must_use]
    pub fn take(&self, timeout: Duration) -> Option<Hint> {
        let idle = |queue: &mut Queue| queue.order.is_empty() && !queue.closed;
        let waited = self.shared.1.wait_timeout_while(self.lock(), timeout, idle);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let hint = queue.order.pop_front()?;
        match &hint {
            Hint::Path(path) => {
                queue.paths.remove(path);
            }
            Hint::Rescan => queue.rescan = false,
            Hint::RootAppeared(_) => {}
        }
        Some(hint)
    }

    /// Says what a full scan takes: scans that only stand by become rarer when they are dear.
    pub fn scan_took(&self, time: Duration) {
        self.lock().scan = time;
    }

    /// What the last full scan took.
    pub(super) fn scan_time(&self) -> Duration {
        self.lock().scan
    }

    /// Hints that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().order.len()
    }

    /// True when none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wakes every [`Hints::take`]; from now on none waits.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.1.notify_all();
    }

    /// True after [`Hints::close`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(hints: &Hints) -> Vec<Hint> {
        std::iter::from_fn(|| hints.take(Duration::ZERO)).collect()
    }

    #[test]
    fn a_path_waits_at_most_once_and_comes_again_after_it_was_taken() {
        let hints = Hints::default();
        let path = || Hint::Path("/a".into());
        hints.push(path());
        hints.push_path(Path::new("/a"));
        hints.push(Hint::Rescan);
        hints.push(Hint::Rescan);
        assert_eq!(drain(&hints), [path(), Hint::Rescan]);
        hints.push(path());
        assert_eq!(drain(&hints), [path()]);
    }

    #[test]
    fn too_many_paths_become_one_rescan() {
        let hints = Hints::default();
        hints.push(Hint::RootAppeared("/r".into()));
        for i in 0..=MOST_PATHS {
            hints.push(Hint::Path(format!("/{i}").into()));
        }
        assert_eq!(drain(&hints), [Hint::RootAppeared("/r".into()), Hint::Rescan]);
    }

    #[test]
    fn closing_wakes_who_waits() {
        let hints = Hints::default();
        let other = hints.clone();
        let waiter = std::thread::spawn(move || other.take(Duration::from_secs(600)));
        hints.close();
        assert_eq!(waiter.join().unwrap(), None);
        assert!(hints.is_closed());
    }
}
