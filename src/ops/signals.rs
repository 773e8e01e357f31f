//! SIGINT and SIGTERM.

use std::io;

use super::OpError;

/// Exit code of what a signal ended, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// The signals that end a process, from when it is made on.
#[cfg(unix)]
pub(crate) struct Signals {
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
    pub(crate) async fn next(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "fails elsewhere")]
    const fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

/// Has `work` listen on a thread of its own. From its return on no signal ends the process unseen.
pub(crate) fn listen<F>(work: impl FnOnce(Signals) -> F + Send + 'static) -> Result<(), OpError>
where
    F: Future<Output = ()>,
{
    let failed = |source| OpError::failed("listening for signals", source);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = {
        let _entered = runtime.enter();
        Signals::new().map_err(failed)?
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || runtime.block_on(work(signals))).map(drop).map_err(failed)
}

/// Ends the process as interrupted.
pub(crate) fn leave() -> ! {
    #[expect(clippy::exit, reason = "the user asked for the end, and what must be tidied up is")]
    std::process::exit(INTERRUPTED.into())
}
