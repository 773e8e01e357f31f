//! The socket of a running `ingest`.

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::frame::{Kind, write_frame};
use super::{CONNECTIONS, Request, Status, socket_path};

/// Longest request.
const REQUEST_BYTES: u64 = 1 << 20;

/// A client that does not say what it wants for this long is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server asks of its process.
pub trait Service: Send + Sync + 'static {
    /// How it is.
    fn status(&self) -> Status;

    /// Writes the answer to a query as an Arrow IPC stream, while its client `waits`.
    ///
    /// # Errors
    ///
    /// The sentence that the client shows.
    fn answer(&self, request: &Request, out: &mut dyn Write, waits: &dyn Fn() -> bool) -> Result<(), String>;
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on the socket of `home`. The caller holds the lake's lock, so a socket that is there
    /// already is a leftover.
    ///
    /// # Errors
    ///
    /// When the socket cannot be made; the path may be too long for the system (about 100 bytes).
    pub fn start(home: &Path, service: Arc<dyn Service>) -> io::Result<Self> {
        let path = socket_path(home);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || listen(&listener, &service, &stopped))?;
        Ok(Self { path, stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener; it sees the switch and ends.
        drop(UnixStream::connect(&self.path));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        drop(fs::remove_file(&self.path));
    }
}

/// One connection less when it goes.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn listen(listener: &UnixListener, service: &Arc<dyn Service>, stop: &AtomicBool) {
    let taken = Arc::new(AtomicUsize::new(0));
    for connection in listener.incoming() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut stream) = connection else {
            // Too many open files, most likely: others will end.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        if taken.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            taken.fetch_sub(1, Ordering::Relaxed);
            drop(write_frame(&mut stream, Kind::Error, b"too many queries at once; try again in a moment"));
            continue;
        }
        let (seat, service) = (Seat(Arc::clone(&taken)), Arc::clone(service));
        let thread = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
            let _seat = seat;
            if let Err(error) = converse(&stream, service.as_ref()) {
                tracing::debug!(%error, "a client went away");
            }
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "cannot start a thread for a query");
        }
    }
}

fn converse(stream: &UnixStream, service: &dyn Service) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(REQUEST_BYTES)).read_line(&mut line)?;
    let mut out = BufWriter::with_capacity(256 << 10, stream);
    match serde_json::from_str::<Request>(&line) {
        Ok(Request::Status) => {
            let text = serde_json::to_vec(&service.status())?;
            write_frame(&mut out, Kind::Json, &text)?;
        }
        Ok(request) => match service.answer(&request, &mut super::frame::BatchWriter(&mut out), &|| waits(stream)) {
            Ok(()) => write_frame(&mut out, Kind::Done, &[])?,
            Err(message) => write_frame(&mut out, Kind::Error, message.as_bytes())?,
        },
        Err(error) => {
            let text = format!("the running devlog does not understand this one ({error}); stop it and start it again");
            write_frame(&mut out, Kind::Error, text.as_bytes())?;
        }
    }
    out.flush()
}

/// True while the client has not closed its end; it says nothing after its request.
fn waits(mut stream: &UnixStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let is_open = match stream.read(&mut [0]) {
        Ok(bytes) => bytes > 0,
        Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
    };
    stream.set_nonblocking(false).is_ok() && is_open
}

#[cfg(test)]
mod tests {
    use super::super::{Client, ClientError};
    use super::*;

    struct Fixed;

    impl Service for Fixed {
        fn status(&self) -> Status {
            Status { pid: 7, ..Status::default() }
        }

        fn answer(&self, _: &Request, _: &mut dyn Write, _: &dyn Fn() -> bool) -> Result<(), String> {
            Err("there is no table sessons; did you mean sessions?".to_owned())
        }
    }

    #[test]
    fn a_client_waits_until_it_closes_its_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        assert!(waits(&ours));
        let flags = rustix::fs::fcntl_getfl(&ours).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "writes wait for a slow client again");
        drop(theirs);
        assert!(!waits(&ours));
    }

    #[test]
    fn a_client_hears_status_and_refusals_and_the_socket_is_private() {
        let home = tempfile::tempdir().unwrap();
        assert!(Client::connect(home.path()).is_none());
        let server = Server::start(home.path(), Arc::new(Fixed)).unwrap();
        let mode = fs::metadata(socket_path(home.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Client::connect(home.path()).unwrap().status().unwrap().pid, 7);
        let request =
            Request::Query { sql: String::new(), params: vec![], timezone: "UTC".to_owned(), timeout_ms: None };
        let refused = Client::connect(home.path()).unwrap().query(&request).unwrap_err();
        assert!(matches!(refused, ClientError::Refused { message } if message.contains("sessions?")));
        drop(server);
        assert!(!socket_path(home.path()).exists());
    }
}
