//! A regular file, opened so that nothing can block, and what its (uncompressed) content is.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::discover::Stat;
use crate::watch::marks::{HEAD_BYTES, Marks, TAIL_BYTES, hash};

/// Largest zstd window that is accepted: 128 MiB, as the zstd tool does.
const WINDOW_LOG: u32 = 27;

/// The decompressor over a whole file.
pub(super) type Unpacked = zstd::stream::read::Decoder<'static, BufReader<File>>;

/// An open log file.
#[derive(Debug)]
pub struct Opened {
    file: File,
    stat: Stat,
    packed: bool,
}

impl Opened {
    /// Opens the regular file at `path`; `.zst` files count by their uncompressed content.
    ///
    /// # Errors
    ///
    /// Returns what the system says, or `InvalidInput` for anything but a regular file (a FIFO or a
    /// device is not read from).
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // Without it, opening a FIFO that took a log's name would wait for its writer for ever.
            let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
            options.custom_flags(flags.bits().cast_signed());
        }
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_regular());
        }
        Ok(Self { file, stat: Stat::of(&metadata), packed: is_compressed(path) })
    }

    /// What the file system said when the file was opened.
    #[must_use]
    pub const fn stat(&self) -> &Stat {
        &self.stat
    }

    /// True when the bytes on disk are zstd frames; offsets are those of the uncompressed stream.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.packed
    }

    /// What the file system says now of the open file, whatever its name is by now.
    ///
    /// # Errors
    ///
    /// Returns what the system says.
    pub fn restat(&self) -> io::Result<Stat> {
        Ok(Stat::of(&self.file.metadata()?))
    }

    /// The whole (uncompressed) content; `None` when it is longer than `most_bytes`.
    ///
    /// # Errors
    ///
    /// Returns what the system or the decompressor says.
    pub fn content(&self, most_bytes: usize) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let limit = most_bytes as u64 + 1;
        if self.packed {
            self.unpack()?.take(limit).read_to_end(&mut bytes)?;
        } else {
            let size = usize::try_from(self.stat.size.min(limit)).unwrap_or(usize::MAX);
            // One byte more than the size shows growth.
            bytes.resize(size.saturating_add(1).min(most_bytes + 1), 0);
            let got = self.read_at(&mut bytes, 0)?;
            bytes.truncate(got);
        }
        Ok((bytes.len() <= most_bytes).then_some(bytes))
    }

    /// Fills `buffer` from `position` of the file as it lies on disk, short only at its end.
    pub(super) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match pread(&self.file, &mut buffer[done..], position + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// One read from `position` of the file as it lies on disk; 0 at its end.
    pub(super) fn read_some(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        loop {
            match pread(&self.file, buffer, position) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// The uncompressed stream from its beginning.
    pub(super) fn unpack(&self) -> io::Result<Unpacked> {
        let mut file = self.file.try_clone()?;
        io::Seek::seek(&mut file, io::SeekFrom::Start(0))?;
        let mut decoder = zstd::stream::read::Decoder::new(file)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(decoder)
    }

    /// Head of `head_len` bytes and tail before `position`, and whether anything follows; `None`
    /// when the content is shorter than `position` or `head_len`.
    pub(super) fn marks(&self, head_len: usize, position: u64, tail_len: usize) -> io::Result<Option<Marks>> {
        let head_len = head_len.min(HEAD_BYTES);
        let tail_len = tail_len.min(TAIL_BYTES).min(usize::try_from(position).unwrap_or(TAIL_BYTES));
        if self.packed {
            self.compressed_marks(head_len, position, tail_len)
        } else {
            self.plain_marks(head_len, position, tail_len)
        }
    }

    fn plain_marks(&self, head_len: usize, position: u64, tail_len: usize) -> io::Result<Option<Marks>> {
        let mut bytes = [0; HEAD_BYTES];
        if self.read_at(&mut bytes[..head_len], 0)? < head_len {
            return Ok(None);
        }
        let head = hash(&bytes[..head_len]);
        // One byte more than the tail tells whether the file goes on.
        let wanted = tail_len + 1;
        let got = self.read_at(&mut bytes[..wanted], position - tail_len as u64)?;
        if got < tail_len || (tail_len == 0 && position > self.restat()?.size) {
            return Ok(None);
        }
        Ok(Some(Marks { head, tail: hash(&bytes[..tail_len]), goes_on: got == wanted }))
    }

    fn compressed_marks(&self, head_len: usize, position: u64, tail_len: usize) -> io::Result<Option<Marks>> {
        let mut stream = self.unpack()?;
        let mut head = Vec::with_capacity(head_len);
        let mut window = Vec::with_capacity(64 * 1024 + TAIL_BYTES);
        let mut chunk = vec![0; 64 * 1024];
        let mut at = 0_u64;
        while at < position || head.len() < head_len {
            let target = position.max(head_len as u64) - at;
            let want = chunk.len().min(usize::try_from(target).unwrap_or(usize::MAX));
            let got = read_unpacked(&mut stream, &mut chunk[..want])?;
            if got == 0 {
                return Ok(None);
            }
            let missing = (head_len - head.len()).min(got);
            head.extend_from_slice(&chunk[..missing]);
            let before = usize::try_from(position.saturating_sub(at)).unwrap_or(usize::MAX).min(got);
            window.drain(..window.len().saturating_sub(TAIL_BYTES));
            window.extend_from_slice(&chunk[..before]);
            at += got as u64;
        }
        let goes_on = at > position || read_unpacked(&mut stream, &mut chunk[..1])? > 0;
        let tail = window.get(window.len().saturating_sub(tail_len)..).unwrap_or_default();
        Ok(Some(Marks { head: hash(&head), tail: hash(tail), goes_on }))
    }
}

/// One read of the uncompressed stream; a frame that is cut off ends it, as a torn line ends a file.
pub(super) fn read_unpacked(stream: &mut Unpacked, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            result => return result,
        }
    }
}

/// True when the file's bytes are zstd frames.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

pub(super) fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

#[cfg(unix)]
fn pread(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn pread(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}
