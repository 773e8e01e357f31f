//! Cuts a file's bytes into lines, from a position on.
//!
//! - holds one buffer, `Limits::buffer` bytes, that grows only for a longer line and shrinks after it
//! - hands out whole lines only; [`Reader::offset`] is the end of the last one handed out
//! - of a line above `Limits::max_line` it keeps the first 4 KiB and drops the rest as it reads
//! - remembers first and last bytes handed out, so that [`Reader::fingerprint`] describes what was
//!   read, and is refused when the file no longer agrees

use std::io;

use crate::discover::Stat;
use crate::schema::Fingerprint;
use crate::watch::file_change::Rewrite;
use crate::watch::fingerprint::{UNTRUSTED, is_racy, lengths, of};
use crate::watch::marks::{HEAD_BYTES, TAIL_BYTES, hash};
use crate::watch::opened::{Opened, Unpacked, read_unpacked};

/// Bytes kept of a line or document that is too long.
pub(super) const LONG_HEAD: usize = 4096;

/// Most bytes that a small buffer grows by at once; a large one grows by an eighth.
const GROWTH: usize = 2 << 20;

/// A compressed file may expand this far before its ratio is asked.
const FREE_EXPANSION: u64 = 64 << 20;

/// What a reader may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the buffer between long lines; at least 1024.
    pub buffer: usize,
    /// Bytes above which a line is announced before more memory is taken for it.
    pub long_line: usize,
    /// Bytes of the longest line that is handed out.
    pub max_line: usize,
    /// Most uncompressed bytes per compressed byte, beyond the first 64 MiB.
    pub max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { buffer: 1 << 20, long_line: usize::MAX, max_line: 64 << 20, max_ratio: 2048 }
    }
}

/// A stretch of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole line, without its newline.
    Line {
        /// Where it starts.
        offset: u64,
        /// Where the next one starts.
        end: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The line that is read is longer than [`Limits::long_line`]: whoever shares memory with others takes
    /// turns now, and asks for the next frame when its turn has come. Said once a line.
    Long,
    /// A whole line above the limit.
    TooLong {
        /// Where it starts.
        offset: u64,
        /// Where the next one starts.
        end: u64,
        /// Its first 4 KiB.
        head: &'a [u8],
    },
    /// The beginning of a line that will never end ([`Reader::finish_torn`] only).
    Torn {
        /// Where it starts.
        offset: u64,
        /// Where the stream ends.
        end: u64,
        /// The bytes; at most the first 4 KiB when there were more than the limit.
        bytes: &'a [u8],
    },
}

/// Whether the bytes handed out are still what the file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadPosition {
    /// They are; there may be more by now.
    Same,
    /// They are not: the rest belongs to a new generation.
    Rewritten(Rewrite),
}

/// A line above the limit that is being skipped.
#[derive(Debug)]
struct Skip {
    head: Vec<u8>,
    dropped: u64,
}

/// Reads one source.
pub struct Reader {
    opened: Opened,
    unpacked: Option<Unpacked>,
    limits: Limits,
    buffer: Vec<u8>,
    /// `buffer[start..end]` is unread; up to 256 bytes before `start` are what was handed out last.
    start: usize,
    end: usize,
    /// No newline in `buffer[start..scanned]`.
    scanned: usize,
    /// Stream offset of the line that is read.
    offset: u64,
    head: Vec<u8>,
    skip: Option<Skip>,
    long: Vec<u8>,
    announced: bool,
    at_end: bool,
    cut: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("opened", &self.opened).field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Reader {
    /// Starts at `position` of the (uncompressed) stream, the start of a line, with a `buffer` that
    /// may come from another reader.
    ///
    /// # Errors
    ///
    /// Returns what the system says, or `UnexpectedEof` when the stream ends before `position`.
    pub fn new(opened: Opened, position: u64, limits: Limits, buffer: Vec<u8>) -> io::Result<Self> {
        let limits = Limits { buffer: limits.buffer.max(1024), ..limits };
        let mut reader = Self {
            opened,
            unpacked: None,
            limits,
            buffer,
            start: 0,
            end: 0,
            scanned: 0,
            offset: position,
            head: Vec::new(),
            skip: None,
            long: Vec::new(),
            announced: false,
            at_end: false,
            cut: false,
        };
        reader.settle_buffer();
        if reader.opened.is_compressed() {
            reader.begin_packed(position)?
        } else {
            reader.begin_plain(position)?
        }
        Ok(reader)
    }

    fn begin_plain(&mut self, position: u64) -> io::Result<()> {
        let (head_len, tail_len) = lengths(position);
        self.head.resize(head_len, 0);
        let head = self.opened.read_at(&mut self.head, 0)?;
        let tail = self.opened.read_at(&mut self.buffer[..tail_len], position - tail_len as u64)?;
        if head < head_len || tail < tail_len {
            return Err(before_position(position));
        }
        self.set_window(tail_len);
        Ok(())
    }

    /// There is no seeking in a compressed stream: what was read before is read over.
    fn begin_packed(&mut self, position: u64) -> io::Result<()> {
        let mut stream = self.opened.unpack()?;
        let mut at = 0;
        self.set_window(0);
        while at < position {
            let keep = self.end.min(TAIL_BYTES);
            self.buffer.copy_within(self.end - keep..self.end, 0);
            let room = self.buffer.len() - keep;
            let want = room.min(usize::try_from(position - at).unwrap_or(usize::MAX));
            let got = read_unpacked(&mut stream, &mut self.buffer[keep..keep + want])?;
            if got == 0 {
                return Err(before_position(position));
            }
            let missing = (HEAD_BYTES - self.head.len()).min(got);
            self.head.extend_from_slice(&self.buffer[keep..keep + missing]);
            at += got as u64;
            self.end = keep + got;
        }
        self.set_window(self.end);
        self.unpacked = Some(stream);
        Ok(())
    }

    fn set_window(&mut self, end: usize) {
        (self.start, self.end, self.scanned) = (end, end, end);
    }

    /// End of the last line handed out: where a reader would go on.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes read after it that do not make a line yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.skip.as_ref().map_or(0, |skip| skip.dropped) + (self.end - self.start) as u64
    }

    /// True when a packed stream was not read to its end: it is damaged, or unpacks to far more than
    /// [`Limits::max_ratio`] allows. The same bytes would only come to the same end again.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The bytes after the last newline, once [`Reader::next_frame`] has returned `None`; empty when
    /// they are part of a line above the limit.
    #[must_use]
    pub fn torn(&self) -> &[u8] {
        if self.skip.is_some() { &[] } else { &self.buffer[self.start..self.end] }
    }

    /// The file that is read.
    #[must_use]
    pub const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The next whole line, or `None` when there is none yet; more may come later.
    ///
    /// # Errors
    ///
    /// Returns what the system or the decompressor says; the position has not moved.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame<'_>>> {
        loop {
            if let Some(index) = memchr::memchr(b'\n', &self.buffer[self.scanned..self.end]) {
                let newline = self.scanned + index;
                return Ok(Some(self.take(newline)));
            }
            self.scanned = self.end;
            if self.skip.is_some() || self.end - self.start > self.limits.max_line {
                self.drop_unread();
            } else if self.end - self.start > self.limits.long_line && !self.announced {
                self.announced = true;
                return Ok(Some(Frame::Long));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Hands out what stands after the last newline, for a generation that is closed for good.
    ///
    /// # Errors
    ///
    /// Returns what the system says.
    pub fn finish_torn(&mut self) -> io::Result<Option<Frame<'_>>> {
        while memchr::memchr(b'\n', &self.buffer[self.scanned..self.end]).is_none() && self.fill_torn()? {}
        if memchr::memchr(b'\n', &self.buffer[self.scanned..self.end]).is_some() {
            return self.next_frame();
        }
        let (offset, end) = (self.offset, self.offset + self.waiting());
        if offset == end {
            return Ok(None);
        }
        self.remember_head(self.end);
        self.offset = end;
        self.announced = false;
        let from = std::mem::replace(&mut self.start, self.end);
        self.scanned = self.end;
        if let Some(skip) = self.skip.take() {
            self.long = skip.head;
            return Ok(Some(Frame::Torn { offset, end, bytes: &self.long }));
        }
        Ok(Some(Frame::Torn { offset, end, bytes: &self.buffer[from..self.end] }))
    }

    fn fill_torn(&mut self) -> io::Result<bool> {
        self.scanned = self.end;
        if self.skip.is_some() || self.end - self.start > self.limits.max_line {
            self.drop_unread();
        }
        self.fill()
    }

    fn take(&mut self, newline: usize) -> Frame<'_> {
        let (start, offset) = (self.start, self.offset);
        let length = self.waiting_to(newline);
        let end = offset + length + 1;
        self.remember_head(newline + 1);
        self.start = newline + 1;
        self.scanned = newline + 1;
        self.offset = end;
        self.announced = false;
        if let Some(skip) = self.skip.take() {
            self.long = skip.head;
            return Frame::TooLong { offset, end, head: &self.long };
        }
        let bytes = &self.buffer[start..newline];
        if bytes.len() > self.limits.max_line {
            return Frame::TooLong { offset, end, head: &bytes[..bytes.len().min(LONG_HEAD)] };
        }
        Frame::Line { offset, end, bytes }
    }

    /// Keeps what is about to be handed out, `buffer[start..until]`, as far as it belongs to the head.
    fn remember_head(&mut self, until: usize) {
        let missing = HEAD_BYTES - self.head.len();
        if missing > 0 {
            let stretch = self.skip.as_ref().map_or(&self.buffer[self.start..until], |skip| &skip.head);
            self.head.extend_from_slice(&stretch[..stretch.len().min(missing)]);
        }
    }

    fn waiting_to(&self, newline: usize) -> u64 {
        self.skip.as_ref().map_or(0, |skip| skip.dropped) + (newline - self.start) as u64
    }

    /// Turns the unread bytes, all of one line above the limit, into a count.
    fn drop_unread(&mut self) {
        let unread = &self.buffer[self.start..self.end];
        let skip =
            self.skip.get_or_insert_with(|| Skip { head: unread[..unread.len().min(LONG_HEAD)].to_vec(), dropped: 0 });
        skip.dropped += unread.len() as u64;
        self.start = self.end;
    }

    /// Reads more behind `end`; false at the end of the file as it is now.
    fn fill(&mut self) -> io::Result<bool> {
        self.make_room();
        let at = self.offset + self.waiting();
        let room = &mut self.buffer[self.end..];
        let got = match &mut self.unpacked {
            Some(stream) => {
                let allowed = FREE_EXPANSION.max(self.opened.stat().size.saturating_mul(self.limits.max_ratio));
                let read = if at > allowed { Ok(0) } else { read_unpacked(stream, room) };
                match read {
                    // The system has said nothing: it is the content.
                    Err(error) if error.raw_os_error().is_none() => {
                        self.cut = true;
                        0
                    }
                    read => {
                        self.cut = at > allowed;
                        read?
                    }
                }
            }
            None => self.opened.read_some(room, at)?,
        };
        self.at_end = got == 0;
        self.end += got;
        Ok(got > 0)
    }

    /// Gives back what a long line needed, but for twice of what is left unread behind it.
    pub fn relax(&mut self) {
        let (unread, keep) = (self.end - self.start, self.start.min(TAIL_BYTES));
        let enough = self.limits.buffer.max((keep + unread) * 2);
        if self.buffer.len() > enough {
            self.move_to_front(keep);
            self.buffer.truncate(enough);
            self.buffer.shrink_to_fit();
        }
    }

    /// Moves what is unread, and `keep` bytes before it, to the beginning of the buffer.
    fn move_to_front(&mut self, keep: usize) {
        let scanned = self.scanned - self.start;
        self.buffer.copy_within(self.start - keep..self.end, 0);
        (self.start, self.end) = (keep, keep + self.end - self.start);
        self.scanned = self.start + scanned;
    }

    fn make_room(&mut self) {
        self.relax();
        let keep = self.start.min(TAIL_BYTES);
        if self.start == self.end || (self.end == self.buffer.len() && self.start > keep) {
            self.move_to_front(keep);
        }
        if self.end == self.buffer.len() {
            let ceiling = self.limits.max_line.saturating_add(TAIL_BYTES + 2).max(self.limits.buffer);
            let step = self.buffer.len().min(GROWTH.max(self.buffer.len() / 8));
            let wanted = (self.buffer.len() + step).min(ceiling).max(self.end + 1);
            self.buffer.reserve_exact(wanted - self.buffer.len());
            self.buffer.resize(wanted, 0);
        }
    }

    fn settle_buffer(&mut self) {
        if self.buffer.len() != self.limits.buffer {
            self.buffer.resize(self.limits.buffer, 0);
            self.buffer.shrink_to(self.limits.buffer);
        }
    }

    /// What was handed out last, up to 256 bytes before [`Reader::offset`].
    fn last_bytes(&self) -> &[u8] {
        let end = if self.skip.is_some() { 0 } else { self.start };
        &self.buffer[end.saturating_sub(TAIL_BYTES)..end]
    }

    /// Fingerprint for `position`, which is at most [`Reader::offset`]; `None` when the file no
    /// longer begins with the bytes that were handed out, so that nothing about it can be promised.
    ///
    /// Its times are trusted by the next look only when everything was read and handed out.
    ///
    /// # Errors
    ///
    /// Returns what the system says.
    pub fn fingerprint(&self, position: u64, now_us: i64) -> io::Result<Option<Fingerprint>> {
        let stat = self.opened.restat()?;
        if self.standing(&stat)? != ReadPosition::Same {
            return Ok(None);
        }
        let (head_len, tail_len) = lengths(position);
        let whole_tail = self.skip.is_none() && self.last_bytes().len() >= tail_len;
        let tail = if position == self.offset && whole_tail {
            let last = self.last_bytes();
            hash(&last[last.len() - tail_len..])
        } else {
            match self.opened.marks(0, position, tail_len)? {
                Some(marks) => marks.tail,
                None => return Ok(None),
            }
        };
        let Some(head) = self.head.get(..head_len) else { return Ok(None) };
        let all_framed = memchr::memchr(b'\n', &self.buffer[self.start..self.end]).is_none();
        let read_all = all_framed
            && match self.unpacked {
                Some(_) => self.at_end,
                None => stat.size == self.offset + self.waiting(),
            };
        let trusted = position == self.offset && read_all && !is_racy(&stat, now_us);
        let changed_ns = if trusted { stat.changed_ns } else { UNTRUSTED };
        Ok(Some(of(&stat, position, hash(head), tail, changed_ns)))
    }

    /// Compares the file with what was handed out. Of a compressed file, size and times must be those
    /// it was opened with.
    fn standing(&self, stat: &Stat) -> io::Result<ReadPosition> {
        if self.unpacked.is_some() {
            let opened = self.opened.stat();
            let same = stat.size == opened.size && stat.modified_ns == opened.modified_ns;
            return Ok(if same { ReadPosition::Same } else { ReadPosition::Rewritten(Rewrite::Head) });
        }
        if stat.size < self.offset {
            return Ok(ReadPosition::Rewritten(Rewrite::Shrunk));
        }
        let mut bytes = [0; HEAD_BYTES];
        let head = &mut bytes[..self.head.len()];
        if self.opened.read_at(head, 0)? < self.head.len() || *head != *self.head {
            return Ok(ReadPosition::Rewritten(Rewrite::Head));
        }
        let last = self.last_bytes();
        let tail = &mut bytes[..last.len()];
        if self.opened.read_at(tail, self.offset - last.len() as u64)? < last.len() || tail != last {
            return Ok(ReadPosition::Rewritten(Rewrite::Tail));
        }
        Ok(ReadPosition::Same)
    }

    /// Gives the buffer back and keeps the file open, small: unread bytes are read again later.
    #[must_use]
    pub fn park(&mut self) -> Vec<u8> {
        self.announced = false;
        let last = self.last_bytes().to_vec();
        let mut buffer = std::mem::replace(&mut self.buffer, last);
        self.set_window(self.buffer.len());
        buffer.truncate(self.limits.buffer);
        buffer.shrink_to(self.limits.buffer);
        buffer
    }

    /// Takes a buffer again and compares the file with what was handed out.
    ///
    /// # Errors
    ///
    /// Returns what the system says.
    pub fn unpark(&mut self, buffer: Vec<u8>) -> io::Result<ReadPosition> {
        let last = std::mem::replace(&mut self.buffer, buffer);
        self.settle_buffer();
        self.buffer[..last.len()].copy_from_slice(&last);
        self.set_window(last.len());
        if self.opened.is_compressed() {
            // What was unpacked but not handed out is gone with the buffer.
            self.head.clear();
            self.skip = None;
            self.begin_packed(self.offset)?;
        }
        self.standing(&self.opened.restat()?)
    }

    /// Closes the file and gives the buffer back.
    #[must_use]
    pub fn into_buffer(mut self) -> Vec<u8> {
        self.park()
    }
}

fn before_position(position: u64) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends before byte {position}"))
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]
mod tests;
