//! Queries in processes of their own.
//!
//! Planning, a constant that is folded, one call of a function: none of these listens, and a thread cannot
//! be ended. A process can: at its time limit, at its memory limit, or when nobody waits any more. So a
//! long-lived process answers SQL in workers, of which it keeps one or two warm.
//!
//! - a worker gets the cut with each query: what it has already, rows in memory and the list of files, is
//!   not sent again
//! - it sends its answer as Arrow IPC, and nothing it does is seen by others but the rows of its answer
//! - it ends when the process that started it ends

mod cut;
mod frames;
mod job;
mod worker;

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Preface;
use super::refusal::Refusal;
use crate::pipeline::Unread;
use crate::query::{Cut, EngineOptions, QueryError, Residence, growth, remove_spilled};
use frames::{Frames, Heard};
use job::{Sent, Wish};
pub use worker::run as work;

/// Name of the command that a worker is started with.
pub const COMMAND: &str = "__query-worker";

/// Workers that are kept for the next query.
const KEPT: usize = 2;

/// One that nobody has needed for so long is put away.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// One that has grown by more than this is not kept.
const KEPT_BYTES: u64 = 192 << 20;

/// How often limits are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Who waits for an answer.
pub trait Asker {
    /// True while it waits.
    fn waits(&self) -> bool;

    /// When it wants no answer any more.
    fn until(&self) -> Option<Instant>;

    /// Takes what the answer begins with.
    ///
    /// # Errors
    ///
    /// When it is gone.
    fn preface(&mut self, preface: &Preface) -> io::Result<()>;

    /// Takes a piece of an Arrow IPC stream.
    ///
    /// # Errors
    ///
    /// When it is gone, or wants no answer any more.
    fn rows(&mut self, piece: &[u8]) -> io::Result<()>;
}

/// A query.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The SQL.
    pub sql: &'a str,
    /// Values for `$name` in it.
    pub params: &'a [(String, String)],
    /// What it may use; its time limit is the asker's.
    pub options: EngineOptions,
    /// The time limit, for the message.
    pub timeout: Option<Duration>,
    /// Why the answer is not complete.
    pub lacking: Vec<String>,
    /// What could not be read.
    pub unread: Unread,
}

/// Processes that answer queries.
#[derive(Debug)]
pub struct Workers {
    program: PathBuf,
    idle: Mutex<Vec<Worker>>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    frames: Frames,
    sent: Sent,
    residence: Residence,
    /// Memory before its first query.
    began_with: u64,
    answered: Instant,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended already is waited for all the same.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// How a query left its worker.
enum Left {
    /// Ready for the next.
    Ready,
    /// Busy, or not there any more.
    Lost,
}

impl Workers {
    /// Workers that run `program`: this one.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self { program, idle: Mutex::default() }
    }

    /// This program, even when its file has been replaced meanwhile.
    ///
    /// # Errors
    ///
    /// When the system does not say where it is.
    pub fn of_this_program() -> io::Result<Self> {
        let own = PathBuf::from("/proc/self/exe");
        Ok(Self::new(if own.exists() { own } else { std::env::current_exe()? }))
    }

    /// Answers `question` about `cut`.
    ///
    /// # Errors
    ///
    /// What is wrong with the query, or why no process answers it.
    pub fn answer(&self, cut: &Cut, question: &Question<'_>, asker: &mut dyn Asker) -> Result<(), Refusal> {
        let warm = self.idle().pop();
        if let Some(mut worker) = warm {
            // One that has been ended meanwhile is no reason to fail.
            if let Some(answered) = self.with(&mut worker, cut, question, asker) {
                return self.put_back(worker, answered);
            }
        }
        let no_process = |error: io::Error| Refusal::Busy(format!("the system refuses a process for it: {error}"));
        let mut worker = Worker::start(&self.program).map_err(no_process)?;
        match self.with(&mut worker, cut, question, asker) {
            Some(answered) => self.put_back(worker, answered),
            None => Err(Refusal::Busy("the process that was to answer has ended at once".to_owned())),
        }
    }

    /// Puts away workers that nobody has needed for long.
    pub fn tidy(&self) {
        let old: Vec<Worker> = self.idle().extract_if(.., |worker| worker.answered.elapsed() >= KEPT_FOR).collect();
        drop(old);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, mut worker: Worker, (left, answered): (Left, Result<(), Refusal>)) -> Result<(), Refusal> {
        let grown = || worker.residence.bytes().unwrap_or(0).saturating_sub(worker.began_with);
        if matches!(left, Left::Ready) && grown() <= KEPT_BYTES {
            worker.answered = Instant::now();
            let mut idle = self.idle();
            if idle.len() < KEPT {
                idle.push(worker);
            }
        }
        answered
    }

    /// Asks `worker`; `None` when it had ended before it heard of the query.
    fn with(
        &self,
        worker: &mut Worker,
        cut: &Cut,
        question: &Question<'_>,
        asker: &mut dyn Asker,
    ) -> Option<(Left, Result<(), Refusal>)> {
        let wish = Wish::new(cut, question, &mut worker.sent);
        if wish.send(&mut worker.frames).is_err() {
            return None;
        }
        let before = worker.residence.bytes().unwrap_or(worker.began_with);
        let most = before.saturating_add(growth(question.options.memory_bytes));
        let mut relay = Relay { worker, cut, question, most, looked: Instant::now(), heard: false };
        match relay.run(asker) {
            Ok(()) => Some((Left::Ready, Ok(()))),
            Err(Ended::Early) if !relay.heard => None,
            Err(Ended::Answer(text)) => Some((Left::Ready, Err(Refusal::Final(text)))),
            Err(Ended::Gone(text)) => Some((Left::Ready, Err(Refusal::Gone(text)))),
            Err(ended) => {
                let text = ended.text(question);
                let _ended = worker.child.kill();
                let _reaped = worker.child.wait();
                remove_spilled(&question.options.spill_dir);
                Some((Left::Lost, Err(Refusal::Final(text))))
            }
        }
    }
}

impl Worker {
    fn start(program: &std::path::Path) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg(COMMAND).stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs))).stdout(Stdio::null());
        // Ctrl-C is for the process that answers, which ends its workers itself.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn()?;
        let residence = Residence::of(child.id());
        let frames = Frames::new(ours, LOOK_EVERY)?;
        let began_with = residence.bytes().unwrap_or(0);
        Ok(Self { child, frames, sent: Sent::default(), residence, began_with, answered: Instant::now() })
    }
}

/// Why a query came to no whole answer.
enum Ended {
    /// It has none, in the words of the query room; the worker is ready for the next.
    Answer(String),
    /// A file of the lake is gone; the worker is ready for the next.
    Gone(String),
    /// The worker has ended before.
    Early,
    /// Its time is up.
    Timeout,
    /// It needs more memory than it may take.
    Memory,
    /// Nobody waits any more.
    Left(io::Error),
}

impl Ended {
    fn text(self, question: &Question<'_>) -> String {
        let memory = QueryError::Memory { limit_bytes: question.options.memory_bytes };
        match self {
            Self::Answer(text) | Self::Gone(text) => text,
            Self::Timeout => {
                let seconds = question.timeout.unwrap_or_default().as_secs_f64();
                QueryError::Timeout { seconds }.to_string()
            }
            Self::Memory => memory.to_string(),
            Self::Early => format!("the process that answered has ended; most likely the system ended it: {memory}"),
            Self::Left(error) => error.to_string(),
        }
    }
}

/// What goes between a worker and who asks.
struct Relay<'a> {
    worker: &'a mut Worker,
    cut: &'a Cut,
    question: &'a Question<'a>,
    /// Memory at which the worker is ended.
    most: u64,
    looked: Instant,
    /// The worker has said something.
    heard: bool,
}

impl Relay<'_> {
    fn run(&mut self, asker: &mut dyn Asker) -> Result<(), Ended> {
        loop {
            let heard = self.worker.frames.next().map_err(|_| Ended::Early)?;
            self.heard |= heard.is_some();
            let Some(heard) = heard else {
                self.look(asker)?;
                continue;
            };
            match heard {
                Heard::Begun => {}
                Heard::Rows(piece) => asker.rows(&piece).map_err(left)?,
                Heard::Warnings(warnings) => {
                    let (lacking, unread) = (self.question.lacking.clone(), self.question.unread.clone());
                    let preface = Preface { lacking, unread, warnings };
                    asker.preface(&preface).map_err(left)?;
                }
                Heard::WantsSources => {
                    let rows = self.cut.sources.rows();
                    cut::send_batches(&mut self.worker.frames, &rows.schema(), &[rows]).map_err(|_| Ended::Early)?;
                }
                Heard::Failed(text) => return Err(Ended::Answer(text)),
                Heard::Gone(text) => return Err(Ended::Gone(text)),
                Heard::Done => return Ok(()),
            }
            self.look(asker)?;
        }
    }

    /// Looks at the limits, now and then.
    fn look(&mut self, asker: &mut dyn Asker) -> Result<(), Ended> {
        let now = Instant::now();
        if asker.until().is_some_and(|until| now >= until) {
            return Err(Ended::Timeout);
        }
        if now.duration_since(self.looked) < LOOK_EVERY {
            return Ok(());
        }
        self.looked = now;
        if self.worker.residence.bytes().is_some_and(|bytes| bytes > self.most) {
            return Err(Ended::Memory);
        }
        if asker.waits() { Ok(()) } else { Err(Ended::Left(io::ErrorKind::BrokenPipe.into())) }
    }
}

fn left(error: io::Error) -> Ended {
    if error.kind() == io::ErrorKind::TimedOut { Ended::Timeout } else { Ended::Left(error) }
}
