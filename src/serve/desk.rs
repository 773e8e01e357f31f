//! One conversation: what is wanted, its turn, its answer.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{interval, sleep_until, timeout};

use super::frame::{Kind, frame};
use super::refusal::Refusal;
use super::reply::Reply;
use super::service::Service;
use super::{CONNECTIONS, Request, SIGN_OF_LIFE};

/// Longest request.
const REQUEST_BYTES: u64 = 1 << 20;

/// A client that does not say what it wants for this long is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest wait of a query for its turn: then the client may look for itself.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Queries that wait for their turn at a time.
const WAITING: usize = 240;

/// Where those who ask wait for their turn.
pub(super) struct Desk {
    pub(super) service: Arc<dyn Service>,
    seats: Arc<Semaphore>,
    waiting: AtomicUsize,
}

type Stream = BufReader<tokio::net::UnixStream>;

impl Desk {
    pub(super) fn new(service: Arc<dyn Service>) -> Self {
        Self { service, seats: Arc::new(Semaphore::new(CONNECTIONS)), waiting: AtomicUsize::new(0) }
    }

    /// Hears what a client wants and sees to it.
    pub(super) async fn converse(self: Arc<Self>, stream: tokio::net::UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        let mut request = (&mut stream).take(REQUEST_BYTES);
        let reading = request.read_until(b'\n', &mut line);
        timeout(PATIENCE, reading).await.map_err(|_| io::ErrorKind::TimedOut)??;
        match serde_json::from_slice::<Request>(&line) {
            Ok(Request::Status) => {
                let text = serde_json::to_vec(&self.service.status())?;
                stream.write_all(&frame(Kind::Json, &text)).await
            }
            Ok(Request::Work { lake, job }) => self.work(stream, lake, job).await,
            Ok(request) => self.query(stream, request).await,
            Err(error) => {
                let text = format!(
                    "the running devlog does not understand this request ({error}); stop it and start it again"
                );
                stream.write_all(&frame(Kind::Error, text.as_bytes())).await
            }
        }
    }

    /// Work takes no seat from queries, and has a thread of its own.
    async fn work(self: Arc<Self>, mut stream: Stream, lake: PathBuf, job: serde_json::Value) -> io::Result<()> {
        stream.write_all(&frame(Kind::Working, &[])).await?;
        let stream = stream.into_inner().into_std()?;
        stream.set_nonblocking(false)?;
        let stream = Arc::new(stream);
        let (desk, own) = (Arc::clone(&self), Arc::clone(&stream));
        let thread = std::thread::Builder::new().name("work".to_owned()).spawn(move || {
            let done =
                Reply::new(&own, None).and_then(|reply| super::upkeep::work(&reply, &*desk.service, &lake, &job));
            if let Err(error) = done {
                tracing::debug!(%error, "a client went away");
            }
        });
        if let Err(error) = thread {
            let text = format!("the system refuses a thread for it: {error}");
            Reply::new(&stream, None)?.send(Kind::Error, text.as_bytes())?;
        }
        Ok(())
    }

    async fn query(self: Arc<Self>, mut stream: Stream, request: Request) -> io::Result<()> {
        // At once: who hears nothing takes this process for a stopped one.
        stream.write_all(&frame(Kind::Working, &[])).await?;
        let until = match request {
            Request::Query { timeout_ms: Some(limit), .. } => Instant::now().checked_add(Duration::from_millis(limit)),
            _ => None,
        };
        let Some(seat) = self.seat(&mut stream, until).await? else {
            let text = format!("{CONNECTIONS} other queries are being answered");
            return stream.write_all(&frame(Kind::Busy, text.as_bytes())).await;
        };
        let stream = stream.into_inner().into_std()?;
        stream.set_nonblocking(false)?;
        let stream = Arc::new(stream);
        let (desk, own) = (Arc::clone(&self), Arc::clone(&stream));
        let thread = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let _seat = seat;
            if let Err(error) = desk.answer(&own, &request, until) {
                tracing::debug!(%error, "a client went away");
            }
        });
        if let Err(error) = thread {
            let text = format!("the system refuses a thread for it: {error}");
            Reply::new(&stream, until)?.send(Kind::Busy, text.as_bytes())?;
        }
        Ok(())
    }

    /// Waits for a turn; `None` when it takes too long. Fails when the client goes.
    async fn seat(&self, stream: &mut Stream, until: Option<Instant>) -> io::Result<Option<OwnedSemaphorePermit>> {
        if let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            return Ok(Some(seat));
        }
        let _waiting = Waiting::of(&self.waiting);
        if self.waiting.load(Ordering::Relaxed) > WAITING {
            return Ok(None);
        }
        let longest = Instant::now() + LONGEST_WAIT;
        let until = until.map_or(longest, |until| until.min(longest));
        let mut sign = interval(SIGN_OF_LIFE);
        let seat = Arc::clone(&self.seats).acquire_owned();
        tokio::pin!(seat);
        loop {
            tokio::select! {
                seat = &mut seat => return Ok(seat.ok()),
                () = sleep_until(until.into()) => return Ok(None),
                _ = sign.tick() => stream.write_all(&frame(Kind::Working, b"")).await?,
                // A client says nothing more: this is its end.
                _ = stream.read_u8() => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    fn answer(&self, stream: &UnixStream, request: &Request, until: Option<Instant>) -> io::Result<()> {
        let mut reply = Reply::new(stream, until)?;
        match self.service.answer(request, &mut reply) {
            Ok(()) => reply.send(Kind::Done, &[]),
            Err(Refusal::Busy(why)) if !reply.has_begun() => reply.send(Kind::Busy, why.as_bytes()),
            Err(Refusal::Busy(why) | Refusal::Gone(why) | Refusal::Final(why)) => {
                reply.send(Kind::Error, why.as_bytes())
            }
        }
    }
}

/// One that waits less when it goes.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn of(number: &'a AtomicUsize) -> Self {
        number.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
