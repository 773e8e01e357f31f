//! The socket of a running `ingest`.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{interval, sleep};

use super::desk::Desk;
use super::service::Service;

/// How often what nobody needs is put away.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Device and number of the socket's file: another process may have put its own there.
    file: Option<(u64, u64)>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `socket`. The caller holds the lake's lock, so a socket that is there
    /// already is a leftover.
    ///
    /// # Errors
    ///
    /// When the socket cannot be made; the path may be too long for the system (about 100 bytes).
    pub fn start(socket: &Path, service: Arc<dyn Service>) -> io::Result<Self> {
        let path = socket.to_owned();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let file = file_at(&path);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || runtime.block_on(listen(listener, Desk::new(service), &stopped)))?;
        Ok(Self { path, file, stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Wakes the listener wherever its path leads by now.
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        if self.file.is_some() && file_at(&self.path) == self.file {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// What stands at `path`.
fn file_at(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

async fn listen(listener: UnixListener, desk: Desk, stop: &Notify) {
    let listener = match tokio::net::UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(%error, "cannot listen: queries see only what is on disk");
            return;
        }
    };
    let desk = Arc::new(desk);
    let mut tidy = interval(TIDY_EVERY);
    loop {
        tokio::select! {
            () = stop.notified() => return,
            _ = tidy.tick() => desk.service.tidy(),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let talk = Arc::clone(&desk).converse(stream);
                    tokio::spawn(async move {
                        if let Err(error) = talk.await {
                            tracing::debug!(%error, "a client went away");
                        }
                    });
                }
                // Too many open files, most likely: others will end.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::super::{CONNECTIONS, Client, ClientError, Preface, Refusal, Reply, Request, Status};
    use super::*;

    struct Fixed;

    impl Service for Fixed {
        fn status(&self) -> Status {
            Status { pid: 7, ..Status::default() }
        }

        fn answer(&self, request: &Request, reply: &mut Reply<'_>) -> Result<(), Refusal> {
            match request {
                Request::Query { sql, .. } if sql == "busy" => Err(Refusal::Busy("no threads".to_owned())),
                Request::Query { sql, .. } if sql == "half" => {
                    reply.preface(&Preface::default()).map_err(|e| Refusal::Final(e.to_string()))?;
                    Err(Refusal::Busy("too late for that".to_owned()))
                }
                _ => Err(Refusal::Final("there is no table sessons; did you mean sessions?".to_owned())),
            }
        }
    }

    fn request(sql: &str) -> Request {
        Request::Query { sql: sql.to_owned(), params: vec![], timezone: "UTC".to_owned(), timeout_ms: None }
    }

    fn ask(socket: &Path, sql: &str) -> ClientError {
        let client = Client::connect(socket).unwrap().unwrap();
        client.query(&request(sql), &mut |_| {}).unwrap_err()
    }

    #[test]
    fn a_client_hears_status_and_refusals_and_the_socket_is_private() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("devlog.sock");
        assert!(Client::connect(&socket).unwrap().is_none());
        let server = Server::start(&socket, Arc::new(Fixed)).unwrap();
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(Client::connect(&socket).unwrap().unwrap().status().unwrap().pid, 7);
        assert!(matches!(ask(&socket, ""), ClientError::Refused { message } if message.contains("sessions?")));
        assert!(matches!(ask(&socket, "busy"), ClientError::Busy { message } if message == "no threads"));
        assert!(matches!(ask(&socket, "half"), ClientError::Refused { message } if message.contains("too late")));
        drop(server);
        assert!(!socket.exists());
    }

    #[test]
    fn those_who_connect_and_say_nothing_are_in_nobodys_way() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("devlog.sock");
        let _server = Server::start(&socket, Arc::new(Fixed)).unwrap();
        let silent = |_| UnixStream::connect(&socket).unwrap();
        let _silent: Vec<UnixStream> = (0..CONNECTIONS * 2).map(silent).collect();
        assert!(matches!(ask(&socket, ""), ClientError::Refused { .. }));
        assert_eq!(Client::connect(&socket).unwrap().unwrap().status().unwrap().pid, 7);
    }

    #[test]
    fn a_server_ends_although_its_path_is_gone_and_leaves_anothers_socket_alone() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("devlog.sock");
        let path = socket.clone();
        let server = Server::start(&socket, Arc::new(Fixed)).unwrap();
        fs::remove_file(&path).unwrap();
        drop(server);
        let first = Server::start(&socket, Arc::new(Fixed)).unwrap();
        let second = Server::start(&socket, Arc::new(Fixed)).unwrap();
        drop(first);
        assert_eq!(Client::connect(&socket).unwrap().unwrap().status().unwrap().pid, 7);
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("devlog.sock");
        let _server = Server::start(&socket, Arc::new(Fixed)).unwrap();
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(b"GET / HTTP/1.1\n").unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut stream, &mut text).unwrap();
        assert!(text.contains("does not understand"), "{text}");
    }
}
