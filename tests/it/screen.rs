//! A pseudo-terminal for the real binary: what a person sees who runs it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, ExitStatus, Stdio};

/// What a command wrote to its screen, and what to stderr, which is none.
#[derive(Debug)]
pub struct Seen {
    pub status: ExitStatus,
    pub screen: String,
    pub err: String,
}

/// Both ends of a new pseudo-terminal of `columns` columns: the one that is read, and the program's.
fn open(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointers are to live variables; name and settings may be absent.
    let done = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw const size).cast_mut(),
        )
    };
    assert_eq!(done, 0, "no pseudo-terminal: {}", std::io::Error::last_os_error());
    // SAFETY: openpty has just made both, and nobody else has them.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

/// Runs `command` with its stdout on a terminal of `columns` columns.
pub fn run(command: &mut Command, columns: u16) -> Seen {
    let (mut ours, theirs) = open(columns);
    command.env("TERM", "xterm").stdout(Stdio::from(theirs)).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The command holds the program's end; with it open here too the reading would never end.
    command.stdout(Stdio::null());
    let reader = std::thread::spawn(move || {
        let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
        // The end of the program is an error here, not an end of file.
        while let Ok(n @ 1..) = ours.read(&mut piece) {
            seen.extend_from_slice(&piece[..n]);
        }
        seen
    });
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let status = child.wait().unwrap();
    let screen = String::from_utf8(reader.join().unwrap()).unwrap().replace("\r\n", "\n");
    Seen { status, screen, err }
}
