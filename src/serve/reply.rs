//! The way back to one client.
//!
//! A client that does not read is waited for as long as it is there: its reader may be a pager. One that
//! has closed its end is gone, and so is one whose time limit has passed.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::frame::{Kind, frame};
use super::{Preface, SIGN_OF_LIFE};

/// How often it is asked whether a client that does not read is still there.
const ASKED_EVERY: Duration = Duration::from_millis(250);

/// The way back to one client, which said what it wants and says nothing more.
#[derive(Debug)]
pub struct Reply<'a> {
    stream: &'a UnixStream,
    until: Option<Instant>,
    heard: Cell<Instant>,
    begun: bool,
    /// A frame went out in part: nothing can follow it.
    broken: Cell<bool>,
}

impl<'a> Reply<'a> {
    /// Answers go to `stream`, until that instant.
    ///
    /// # Errors
    ///
    /// When the socket is no socket any more.
    pub(super) fn new(stream: &'a UnixStream, until: Option<Instant>) -> io::Result<Self> {
        stream.set_write_timeout(Some(ASKED_EVERY))?;
        Ok(Self { stream, until, heard: Cell::new(Instant::now()), begun: false, broken: Cell::new(false) })
    }

    /// When the client wants no answer any more.
    #[must_use]
    pub const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// True while the client waits; tells it now and then that it does not wait in vain.
    #[must_use]
    pub fn waits(&self) -> bool {
        if self.heard.get().elapsed() >= SIGN_OF_LIFE {
            return is_there(self.stream) && self.send(Kind::Working, &[]).is_ok();
        }
        is_there(self.stream)
    }

    /// Says why it takes time.
    ///
    /// # Errors
    ///
    /// When the client is gone.
    pub fn working(&self, why: &str) -> io::Result<()> {
        self.send(Kind::Working, why.as_bytes())
    }

    /// Says what the answer begins with.
    ///
    /// # Errors
    ///
    /// When the client is gone.
    pub fn preface(&mut self, preface: &Preface) -> io::Result<()> {
        self.begun = true;
        self.send(Kind::Preface, &serde_json::to_vec(preface)?)
    }

    /// Sends a piece of an Arrow IPC stream.
    ///
    /// # Errors
    ///
    /// When the client is gone, or wants no answer any more.
    pub fn rows(&mut self, piece: &[u8]) -> io::Result<()> {
        self.begun = true;
        piece.chunks(1 << 20).try_for_each(|piece| self.send(Kind::Batch, piece))
    }

    /// True once a part of the answer was sent.
    pub(super) const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Sends a frame.
    pub(super) fn send(&self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        if self.broken.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let sent = self.send_whole(kind, payload);
        self.broken.set(sent.is_err());
        sent
    }

    fn send_whole(&self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        let bytes = frame(kind, payload);
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            match (&mut &*self.stream).write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if !is_there(self.stream) {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                    if self.until.is_some_and(|until| Instant::now() >= until) {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.heard.set(Instant::now());
        Ok(())
    }
}

#[cfg(feature = "query")]
impl super::workers::Asker for Reply<'_> {
    fn waits(&self) -> bool {
        Reply::waits(self)
    }

    fn until(&self) -> Option<Instant> {
        Reply::until(self)
    }

    fn preface(&mut self, preface: &Preface) -> io::Result<()> {
        Reply::preface(self, preface)
    }

    fn rows(&mut self, piece: &[u8]) -> io::Result<()> {
        Reply::rows(self, piece)
    }
}

/// True while the client has not closed its end; it says nothing after its request.
fn is_there(mut stream: &UnixStream) -> bool {
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
    use super::*;

    #[test]
    fn a_client_waits_until_it_closes_its_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        assert!(is_there(&ours));
        let flags = rustix::fs::fcntl_getfl(&ours).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK), "writes wait for a slow client again");
        drop(theirs);
        assert!(!is_there(&ours));
    }

    #[test]
    fn a_client_that_does_not_read_is_waited_for_until_it_goes_or_its_time_is_up() {
        let much = vec![7u8; 8 << 20];
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let reader = std::thread::spawn(move || {
            std::thread::sleep(ASKED_EVERY * 4);
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all.len()
        });
        Reply::new(&ours, None).unwrap().rows(&much).unwrap();
        drop(ours);
        assert_eq!(reader.join().unwrap(), (8 << 20) + 8 * 5);

        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut reply = Reply::new(&ours, Some(Instant::now() + ASKED_EVERY * 2)).unwrap();
        assert_eq!(reply.rows(&much).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let leaver = std::thread::spawn(move || {
            std::thread::sleep(ASKED_EVERY);
            drop(theirs);
        });
        let mut reply = Reply::new(&ours, None).unwrap();
        let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        assert!(gone.contains(&reply.rows(&much).unwrap_err().kind()));
        leaver.join().unwrap();
    }
}
