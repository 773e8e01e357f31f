//! The process that answers: one query after the other, until whoever started it is gone.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;

use super::cut::receive_batches;
use super::job::{Bytes, Job, Options, Table};
use crate::lake::{Part, Snapshot};
use crate::query::{Cut, EngineOptions, QueryError, Runtime, Sources};
use crate::schema::{EventId, sources_schema};
use crate::serve::frame::{BatchReader, Kind, frame, read_frame};

/// How often it is asked whether the process that started this one is still there.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// What is said to whoever asks; each frame goes out whole.
type Line = Arc<Mutex<UnixStream>>;

/// What it says.
type Input = Arc<Mutex<BufReader<UnixStream>>>;

/// Answers what comes over standard input, a socket, until its end.
///
/// # Errors
///
/// When the line breaks.
pub fn run() -> io::Result<()> {
    leave_with_parent()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let input = BufReader::with_capacity(256 << 10, socket.try_clone()?);
    let (line, input): (Line, Input) = (Arc::new(Mutex::new(socket)), Arc::new(Mutex::new(input)));
    let mut known = Known::default();
    while let Some(job) = next_job(&input)? {
        known.take_in(&job, &input)?;
        let last = match known.answer(job, &line, &input) {
            Ok(()) => frame(Kind::Done, &[]),
            Err(Stopped::Query(QueryError::Part { message, is_gone: true })) => frame(Kind::Busy, message.as_bytes()),
            Err(Stopped::Query(error)) => frame(Kind::Error, said(&error).as_bytes()),
            Err(Stopped::Line(error)) => return Err(error),
        };
        lock(&line).write_all(&last)?;
    }
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next query; `None` at the end.
fn next_job(input: &Input) -> io::Result<Option<Job>> {
    let mut input = lock(input);
    match read_frame(&mut *input) {
        Ok((Kind::Json, _)) => {
            let mut job = Vec::new();
            BatchReader::new(&mut *input).read_to_end(&mut job)?;
            Ok(Some(serde_json::from_slice(&job)?))
        }
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends this process when the one that started it has ended: it may be deep in a query then.
fn leave_with_parent() -> io::Result<()> {
    let parent = rustix::process::getppid();
    let watch = move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(ASKED_EVERY);
        }
        #[expect(clippy::exit, reason = "nobody hears the answer, and the query does not listen")]
        std::process::exit(2);
    };
    std::thread::Builder::new().name("parent".to_owned()).spawn(watch).map(drop)
}

/// An error and what the system said.
fn said(error: &QueryError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// `error` in the middle of an answer: there is no other lake to begin with.
fn late(error: QueryError) -> QueryError {
    match error {
        QueryError::Part { message, .. } => QueryError::Part { message, is_gone: false },
        other => other,
    }
}

/// Why an answer stopped.
enum Stopped {
    /// It is not possible.
    Query(QueryError),
    /// Nobody is there.
    Line(io::Error),
}

impl From<QueryError> for Stopped {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

impl From<arrow::error::ArrowError> for Stopped {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Line(io::Error::other(error))
    }
}

/// What is kept from one query to the next.
#[derive(Default)]
struct Known {
    events: KnownTable,
    rejects: KnownTable,
    runtime: Option<(Options, Runtime)>,
}

#[derive(Default)]
struct KnownTable {
    parts: BTreeMap<String, Arc<Part>>,
    live: Arc<Vec<Arc<Part>>>,
    batches: HashMap<u64, RecordBatch>,
}

impl KnownTable {
    fn take_in(&mut self, table: &Table, input: &Input) -> io::Result<()> {
        if !table.gone.is_empty() || !table.parts.is_empty() {
            table.gone.iter().for_each(|path| drop(self.parts.remove(path)));
            self.parts.extend(table.parts.iter().map(|part| (part.path.clone(), Arc::new(part.clone()))));
            self.live = Arc::new(self.parts.values().cloned().collect());
        }
        self.batches.retain(|number, _| table.batches.contains(number));
        if !table.fresh.is_empty() {
            let fresh = receive_batches(&mut *lock(input))?;
            self.batches.extend(table.fresh.iter().copied().zip(fresh));
        }
        Ok(())
    }

    fn batches(&self, table: &Table) -> Vec<RecordBatch> {
        table.batches.iter().filter_map(|number| self.batches.get(number).cloned()).collect()
    }
}

impl Known {
    fn take_in(&mut self, job: &Job, input: &Input) -> io::Result<()> {
        self.events.take_in(&job.events, input)?;
        self.rejects.take_in(&job.rejects, input)
    }

    fn answer(&mut self, job: Job, line: &Line, input: &Input) -> Result<(), Stopped> {
        lock(line).write_all(&frame(Kind::Working, &[]))?;
        let cut = self.cut(&job, line, input);
        let engine = self.runtime(&job.options)?.engine(cut)?;
        let mut answer = engine.run_blocking(&job.sql, &job.params)?;
        // A file that is not there any more is told before anything else.
        let mut next = answer.next_blocking();
        if let Some(Err(QueryError::Part { is_gone: true, .. })) = next {
            return next.map_or(Ok(()), |gone| gone.map(drop).map_err(Stopped::Query));
        }
        let warnings = serde_json::to_vec(engine.warnings()).map_err(io::Error::from)?;
        lock(line).write_all(&frame(Kind::Preface, &warnings))?;
        let out = BufWriter::with_capacity(256 << 10, Pieces(Arc::clone(line)));
        let mut stream = StreamWriter::try_new(out, &answer.schema())?;
        while let Some(batch) = next.take().or_else(|| answer.next_blocking()) {
            stream.write(&batch.map_err(late)?)?;
            stream.flush()?;
        }
        stream.finish()?;
        stream.flush()?;
        Ok(())
    }

    fn cut(&self, job: &Job, line: &Line, input: &Input) -> Cut {
        let root = job.root.clone().path();
        let (line, input) = (Arc::clone(line), Arc::clone(input));
        let sources = Sources::lazy(move || {
            let asked = lock(&line).write_all(&frame(Kind::Sources, &[]));
            let rows = asked.and_then(|()| receive_batches(&mut *lock(&input)));
            // Without a line there is nobody who would see these rows.
            let none = || RecordBatch::new_empty(sources_schema());
            rows.ok().and_then(|rows| rows.into_iter().next()).unwrap_or_else(none)
        });
        let lake = Snapshot {
            events: Arc::clone(&self.events.live),
            rejects: Arc::clone(&self.rejects.live),
            ..Snapshot::empty(&root)
        };
        Cut {
            events: self.events.batches(&job.events),
            rejects: self.rejects.batches(&job.rejects),
            replaced: Arc::new(job.replaced.iter().filter_map(|id| EventId::parse(id)).collect()),
            sources,
            lake: Arc::new(lake),
        }
    }

    /// Threads and functions for what a query may use; those of the last query, most likely.
    fn runtime(&mut self, options: &Options) -> Result<Runtime, QueryError> {
        if let Some((known, runtime)) = &self.runtime
            && known == options
        {
            return Ok(runtime.clone());
        }
        let runtime = Runtime::new(EngineOptions {
            memory_bytes: options.memory_bytes,
            spill_dir: options.spill_dir.clone().path(),
            timezone: options.timezone.clone(),
            user_queries: options.user_queries.clone().map(Bytes::path),
            read_view: crate::config::read_view,
            timeout: None,
            // The process that asked looks at both.
            growth_bytes: None,
            threads: options.threads,
        })?;
        self.runtime = Some((options.clone(), runtime.clone()));
        Ok(runtime)
    }
}

/// A writer whose bytes go out as frames.
struct Pieces(Line);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.chunks(1 << 20) {
            lock(&self.0).write_all(&frame(Kind::Batch, piece))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
