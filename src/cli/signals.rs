//! SIGINT and SIGTERM.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{CliError, INTERRUPTED};

/// The signals that end a process, from when it is made on.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "fails elsewhere")]
    const fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

/// Has `work` listen on a thread of its own. From its return on no signal ends the process unseen.
pub(super) fn listen<F>(work: impl FnOnce(Signals) -> F + Send + 'static) -> Result<(), CliError>
where
    F: Future<Output = ()>,
{
    let failed = |source| CliError::failed("listening for signals", source);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = {
        let _entered = runtime.enter();
        Signals::new().map_err(failed)?
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || runtime.block_on(work(signals))).map(drop).map_err(failed)
}

/// Ends the process as interrupted.
pub(super) fn leave() -> ! {
    #[expect(clippy::exit, reason = "the user asked for the end, and what must be tidied up is")]
    std::process::exit(INTERRUPTED.into())
}

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
    })
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
