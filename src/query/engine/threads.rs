//! The threads that plan and run queries.
//!
//! - a system that refuses threads is an error before the query, never a panic or a hang in it
//! - one thread for reading files is always there: work that waits for a thread which cannot be started
//!   would wait for ever

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Stack of every thread that plans or runs a query.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// A started thread runs within this time, or the machine is too busy for a query.
const PATIENCE: Duration = Duration::from_secs(30);

/// The thread for reading files does not end while a process lives.
const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 3600);

/// Threads that may be dropped anywhere, async code included.
pub(super) struct Threads(pub(super) Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Threads {
    /// Starts `count` threads, and one for reading files.
    ///
    /// # Errors
    ///
    /// When the system refuses them.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        try_threads(count + 1)?;
        let build = || {
            Builder::new_multi_thread()
                .worker_threads(count)
                .thread_name("query")
                .thread_stack_size(STACK_BYTES)
                .thread_keep_alive(FOR_GOOD)
                .enable_time()
                .build()
        };
        // It panics where the last of them is refused after all.
        let refused = |_| Err(io::ErrorKind::WouldBlock.into());
        let runtime = catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(refused)?;
        let (running, runs) = channel();
        runtime.spawn_blocking(move || running.send(()));
        let threads = Self(Some(runtime));
        runs.recv_timeout(PATIENCE).map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
        Ok(threads)
    }
}

/// Whether `count` threads at a time can be started.
fn try_threads(count: usize) -> io::Result<()> {
    let mut started = Vec::with_capacity(count);
    let mut refused = Ok(());
    for _ in 0..count {
        let (end, ended) = channel::<()>();
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || ended.recv().is_ok());
        match thread {
            Ok(thread) => started.push((end, thread)),
            Err(error) => {
                refused = Err(error);
                break;
            }
        }
    }
    let (ends, threads): (Vec<_>, Vec<_>) = started.into_iter().unzip();
    drop(ends);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    refused
}
