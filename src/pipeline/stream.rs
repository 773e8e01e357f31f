//! Reads one source of lines or of documents from where it stands to its end.

use std::io;

use super::companions::{changed_ns, read_companions};
use super::context::{Around, ReadContext, vanished};
use super::job::{Job, Outcome, Stop, new_position};
use super::leftover::Leftover;
use super::memory_gate::ReadPermit;
use super::silence::{COPIED_US, SILENCE_US, is_due, is_silent, proves_more};
use super::values::has_too_many_values;
use super::worker::Worker;
use super::{PipelineError, now_us};
use crate::adapters::{Companion, Decoder, Line, SourceInfo, decoder, mapped};
use crate::schema::{Checkpoint, EventId, Fingerprint, Format, Framing, RejectReason, SourceId, SourcePosition};
use crate::watch::{
    Document, FileChange, Frame, Opened, Patience, Reader, durable_offset, fingerprint, inspect, read_document,
};

/// A document is read when it has been left alone for this long.
const SETTLE_US: i64 = 2_000_000;

/// A document that changes all the time is read this often.
const OFTEN_US: i64 = 10_000_000;

/// A source with its decoder, ready to read on.
pub struct StreamReader {
    format: Format,
    decoder: Box<dyn Decoder>,
    position: SourcePosition,
    /// The position when the present look began.
    before: SourcePosition,
    /// Where the decoder in hand reads on.
    next: u64,
    /// When the newest of its companions was changed, if its format asks for that.
    companions_ns: i64,
    /// Events that are shown as open.
    shown: Vec<EventId>,
    /// What was shown as open in content that is gone.
    leftover: Option<Leftover>,
    /// Its last line has no newline, and is no whole record either.
    is_torn: bool,
}

impl std::fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamReader").field("position", &self.position).finish_non_exhaustive()
    }
}

impl StreamReader {
    /// How far the source has been read.
    #[must_use]
    pub const fn position(&self) -> &SourcePosition {
        &self.position
    }

    pub(super) const fn position_mut(&mut self) -> &mut SourcePosition {
        &mut self.position
    }

    /// True while its agent may still change the newest rows.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.decoder.is_open()
    }

    /// True while a later look may find more in the same bytes: something is open, or the last line
    /// has no newline yet.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.is_open() || has_torn_end(&self.position)
    }

    /// True when its companions are to be asked again once its agent has been silent.
    pub(super) fn asks_again(&self) -> bool {
        self.decoder.asks_again()
    }

    /// Looks at `job` and reads what is new; `kept` is what an earlier call returned for this path.
    pub(super) fn run(
        job: &Job,
        kept: Option<Self>,
        known: Option<&SourcePosition>,
        means: &mut ReadContext<'_>,
    ) -> Result<(Outcome, Option<Self>), Stop> {
        let (mut reader, opened) = match inspect(&job.path, job.stat.as_ref(), known) {
            FileChange::Unchanged => match Self::unchanged(job, kept, known, means)? {
                Ok(again) => again,
                Err(done) => return Ok(done),
            },
            FileChange::Vanished => {
                let position = known.map(|known| kept.as_ref().map_or(known, |k| &k.position)).cloned();
                let settle = |means: &mut ReadContext<'_>| {
                    if let Some(mut kept) = kept {
                        kept.decoder.settle(&mut means.worker.rows);
                        kept.leave(means);
                    }
                };
                return Ok((vanished(position, settle, means), None));
            }
            FileChange::Unreadable { error } => return Err(error.into()),
            FileChange::New(opened) | FileChange::Rewritten { opened, .. } => {
                let mut fresh = Self::from_zero(job, known, &opened, means.around())?;
                fresh.leftover = kept.and_then(|kept| kept.into_leftover(means.worker));
                (fresh, opened)
            }
            FileChange::Touched(opened) | FileChange::Appended(opened) => match (kept, known) {
                (Some(kept), _) if !kept.decoder.asks_again() && !job.format.follows_companions() => (kept, opened),
                (_, Some(known)) => (Self::resume(job, known, &opened, means.around())?, opened),
                (_, None) => (Self::from_zero(job, None, &opened, means.around())?, opened),
            },
        };
        match reader.read(job, opened, means) {
            Ok(outcome) => Ok((outcome, Some(reader))),
            Err(stop) => {
                reader.leave(means);
                Err(stop)
            }
        }
    }

    /// Nothing new in the file, but what is open may have to be settled, or shown.
    #[expect(clippy::type_complexity, reason = "either something to read, or the end of it")]
    fn unchanged(
        job: &Job,
        kept: Option<Self>,
        known: Option<&SourcePosition>,
        means: &mut ReadContext<'_>,
    ) -> Result<Result<(Self, Opened), (Outcome, Option<Self>)>, Stop> {
        if let Some(known) = known.filter(|known| companions_ns(job) != known.fingerprint.companions_ns) {
            let opened = Opened::open(&job.path)?;
            return Ok(Ok((Self::resume(job, known, &opened, means.around())?, opened)));
        }
        let silent = known.is_some_and(|k| is_silent(k.fingerprint.modified_ns / 1000, means.seen_us(k)));
        let torn = silent && known.is_some_and(has_torn_end);
        if let Some(mut kept) = kept {
            if torn && !kept.is_torn {
                return Ok(Ok((kept, Opened::open(&job.path)?)));
            }
            if let Some(known) = known.filter(|_| silent && kept.decoder.asks_again()) {
                let opened = Opened::open(&job.path)?;
                let again = Self::resume(job, known, &opened, means.around())?;
                return Ok(if again.next < kept.next {
                    Ok((again, opened))
                } else {
                    Err((Outcome::Unchanged, Some(kept)))
                });
            }
            if silent && kept.is_open() {
                kept.before = kept.position.clone();
                means.worker.begin(&kept.position);
                kept.refresh(job, means.around());
                kept.finish(true, means);
            }
            return Ok(Err((Outcome::Unchanged, Some(kept))));
        }
        match known {
            Some(known) if is_worth_a_look(known, means) => {
                let opened = Opened::open(&job.path)?;
                Ok(Ok((Self::resume(job, known, &opened, means.around())?, opened)))
            }
            _ => Ok(Err((Outcome::Unchanged, None))),
        }
    }

    /// A source never read, or a new generation of one.
    fn from_zero(job: &Job, known: Option<&SourcePosition>, opened: &Opened, around: Around) -> io::Result<Self> {
        let mut position = match known {
            Some(known) => SourcePosition { generation: known.generation + 1, ..known.clone() },
            None => new_position(job, opened.stat()),
        };
        position.checkpoint = Checkpoint::default();
        position.fingerprint = Fingerprint::default();
        Self::with_decoder(job, position, opened, None, around)
    }

    fn resume(job: &Job, known: &SourcePosition, opened: &Opened, around: Around) -> io::Result<Self> {
        // Where nothing was read a decoder begins, and does not go on.
        let checkpoint = Some(&known.checkpoint).filter(|checkpoint| **checkpoint != Checkpoint::default());
        Self::with_decoder(job, known.clone(), opened, checkpoint, around)
    }

    fn with_decoder(
        job: &Job,
        mut position: SourcePosition,
        opened: &Opened,
        checkpoint: Option<&Checkpoint>,
        Around { zone, most_bytes }: Around,
    ) -> io::Result<Self> {
        position.path = job.path.to_string_lossy().into_owned();
        position.missing = false;
        position.last_error = None;
        let companions_ns = companions_ns(job);
        let read = read_companions(&job.companions, most_bytes)?;
        let companions: Vec<Companion<'_>> = read.iter().map(|(name, text)| Companion { name, text }).collect();
        let modified_us = opened.stat().modified_ns / 1000;
        let info = SourceInfo { path: &position.path, companions: &companions, modified_us, zone };
        let decoder = match &job.mapping {
            Some(mapping) => mapped::decoder(mapping, info, checkpoint),
            None => decoder(job.format, info, checkpoint).ok_or_else(|| unread(job.format))?,
        };
        let next = decoder.checkpoint().resume_at;
        let before = position.clone();
        let (shown, leftover, is_torn) = (Vec::new(), None, false);
        Ok(Self { format: job.format, decoder, before, position, next, companions_ns, shown, leftover, is_torn })
    }

    /// What is shown as open, now that the content it stands in is gone.
    fn into_leftover(self, worker: &Worker) -> Option<Leftover> {
        let Self { mut decoder, position, shown, leftover, .. } = self;
        // A look that ended early has not handed out what it found.
        leftover.or_else(|| Leftover::new(worker.no_rows(&position), shown, move |rows| decoder.settle(rows)))
    }

    /// Hands out what the new content does not hold.
    fn leave(&mut self, means: &mut ReadContext<'_>) {
        if let Some((rows, counts)) = self.leftover.take().and_then(Leftover::rest) {
            self.position.counts += counts;
            means.worker.leave(self.position.id, rows);
        }
    }

    fn read(&mut self, job: &Job, opened: Opened, means: &mut ReadContext<'_>) -> Result<Outcome, Stop> {
        self.before.clone_from(&self.position);
        self.position.path = job.path.to_string_lossy().into_owned();
        self.position.missing = false;
        self.position.last_error = None;
        means.worker.begin(&self.position);
        match self.format.framing() {
            Framing::Document => self.read_document(&opened, means),
            _ => self.read_lines(job, opened, means),
        }
    }

    /// Shows the decoder what stands in its companions now.
    fn refresh(&mut self, job: &Job, Around { zone, most_bytes }: Around) {
        if !job.companions.is_empty() && self.decoder.is_open() {
            // What cannot be told now stays as it was told before.
            let Ok(read) = read_companions(&job.companions, most_bytes) else { return };
            let companions: Vec<Companion<'_>> = read.iter().map(|(name, text)| Companion { name, text }).collect();
            let modified_us = self.position.fingerprint.modified_ns / 1000;
            let info = SourceInfo { path: &self.position.path, companions: &companions, modified_us, zone };
            self.decoder.refresh(info);
        }
    }

    fn read_lines(&mut self, job: &Job, opened: Opened, means: &mut ReadContext<'_>) -> Result<Outcome, Stop> {
        let from = self.next;
        // Lines before this have made their rows already.
        let done = durable_offset(&self.position.checkpoint);
        let mut lines = Reader::new(opened, from, means.limits, std::mem::take(means.buffer))?;
        let mut read = from;
        let mut outcome = Outcome::Read;
        self.is_torn = false;
        let mut turn = means.core.shared_permit();
        while let Some(frame) = lines.next_frame()? {
            let end = match frame {
                Frame::Long => {
                    // Whoever follows the logs is the only reader.
                    if !means.live {
                        turn = means.core.exclusive_permit(turn);
                    }
                    continue;
                }
                Frame::Line { offset, end, bytes } | Frame::Torn { offset, end, bytes } => {
                    let most_bytes = means.limits.max_line;
                    if has_too_many_values(bytes, most_bytes) {
                        if offset >= done {
                            reject(means, (offset, end), TOO_MANY, bytes);
                        }
                    } else {
                        self.decoder.line(Line { bytes, offset, end }, &mut means.worker.rows);
                    }
                    end
                }
                Frame::TooLong { offset, end, head } => {
                    if offset >= done {
                        reject(means, (offset, end), TOO_LONG, head);
                    }
                    end
                }
            };
            if means.worker.is_full() {
                means.progress.read(end - read);
                read = end;
                self.mark(&lines, false)?;
                means.worker.close(&mut self.position, means.progress);
                if turn.is_alone() {
                    lines.relax();
                }
                self.deliver(means)?;
                if turn.is_alone() {
                    means.core.try_flush();
                }
                drop(turn);
                turn = means.core.shared_permit();
                means.worker.begin(&self.position);
            }
            if turn.is_alone() {
                lines.relax();
                drop(turn);
                turn = means.core.shared_permit();
            }
            if means.progress.stopped() {
                outcome = Outcome::Stopped;
                break;
            }
        }
        means.progress.read(lines.offset() - read);
        outcome = self.at_end(job, &mut lines, outcome, means)?;
        self.mark(&lines, true)?;
        self.next = lines.offset();
        *means.buffer = lines.into_buffer();
        self.finish(false, means);
        self.hand_over(&turn, means)?;
        Ok(outcome)
    }

    /// Settles what can be settled at the end of the bytes that are there, after a read that came to `outcome`.
    fn at_end(
        &mut self,
        job: &Job,
        lines: &mut Reader,
        outcome: Outcome,
        means: &mut ReadContext<'_>,
    ) -> Result<Outcome, Stop> {
        if lines.is_cut() && !self.was_cut(lines.opened()) {
            reject(means, (lines.offset(), lines.offset() + lines.waiting()), BOMB, &[]);
        }
        let stat = lines.opened().restat()?;
        let modified_us = stat.modified_ns / 1000;
        if outcome == Outcome::Read && self.is_being_copied(modified_us, means) {
            self.decoder.settle_finished(&mut means.worker.rows);
            if means.comes_again && (self.is_open() || lines.waiting() > 0) {
                return Ok(Outcome::Later { at_us: modified_us + COPIED_US });
            }
        } else if outcome == Outcome::Read && self.is_silent(modified_us, means) {
            self.take_torn(lines, means)?;
            self.is_torn = lines.waiting() > 0;
            self.refresh(job, means.around());
            self.decoder.settle(&mut means.worker.rows);
        } else if means.history {
            self.decoder.settle_finished(&mut means.worker.rows);
        }
        Ok(outcome)
    }

    /// True when the agent has said nothing for a while, as the file's time tells; of history, which
    /// nobody is writing, the newest record's own time tells too.
    fn is_silent(&self, modified_us: i64, means: &ReadContext<'_>) -> bool {
        is_silent(modified_us, means.seen_us(&self.before)) || (means.history && self.is_old())
    }

    /// True when what cuts a packed log off was met before.
    fn was_cut(&self, opened: &Opened) -> bool {
        let Self { before, position, .. } = self;
        let is_same = before.generation == position.generation && before.fingerprint.size == opened.stat().size;
        is_same && before.read_at_us != 0
    }

    /// True when a log of the past is being written at this moment: more of it may come, and what is open may
    /// not be what it will be.
    fn is_being_copied(&self, modified_us: i64, means: &ReadContext<'_>) -> bool {
        means.history && self.is_old() && (0..COPIED_US).contains(&now_us().saturating_sub(modified_us))
    }

    /// True when the newest record is from a while ago by its own time.
    fn is_old(&self) -> bool {
        self.decoder.last_us().is_some_and(|us| now_us().saturating_sub(us) >= SILENCE_US)
    }

    /// Takes the last line of a file that nobody has written to for a while although its newline is
    /// missing: some agents' exporters leave it out. Of JSON only a whole value counts; a value that is
    /// cut off goes on waiting.
    fn take_torn(&mut self, lines: &mut Reader, means: &mut ReadContext<'_>) -> io::Result<()> {
        let whole = match self.format.framing() {
            Framing::Text => !lines.torn().is_empty(),
            _ => {
                lines.torn().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(lines.torn()).is_ok()
            }
        };
        if !whole {
            return Ok(());
        }
        if let Some(Frame::Torn { offset, end, bytes } | Frame::Line { offset, end, bytes }) = lines.finish_torn()? {
            self.decoder.line(Line { bytes, offset, end }, &mut means.worker.rows);
        }
        Ok(())
    }

    /// Takes over the decoder's checkpoint and the content's fingerprint there.
    fn mark(&mut self, lines: &Reader, at_end: bool) -> io::Result<()> {
        let mut checkpoint = self.decoder.checkpoint();
        if at_end && checkpoint.high_water < lines.offset() {
            // The last lines were too long for the decoder to see.
            if checkpoint.resume_at == checkpoint.high_water && !checkpoint.open {
                checkpoint.resume_at = lines.offset();
            }
            if checkpoint.resume_at < checkpoint.high_water || !checkpoint.open {
                checkpoint.high_water = lines.offset();
            }
        }
        self.position.checkpoint = checkpoint;
        match lines.fingerprint(durable_offset(&self.position.checkpoint), now_us())? {
            Some(fingerprint) => self.position.fingerprint = fingerprint,
            // The file changed under us: the old fingerprint does not fit the new position, so the
            // next look finds a rewrite and reads from zero; ids make that harmless.
            None => self.position.fingerprint.tail = !self.position.fingerprint.tail,
        }
        Ok(())
    }

    fn read_document(&mut self, opened: &Opened, means: &mut ReadContext<'_>) -> Result<Outcome, Stop> {
        let mut turn = means.core.shared_permit();
        if !means.live && (opened.is_compressed() || opened.stat().size > means.limits.long_line as u64) {
            turn = means.core.exclusive_permit(turn);
        }
        // Nobody waits for a document in a catch-up, and none that is rewritten all the time is left
        // unread for long.
        let lately = now_us() - self.before.read_at_us < OFTEN_US;
        let patience =
            if means.live && lately { Patience::Wait(SETTLE_US) } else { Patience::WaitUnlessWhole(SETTLE_US) };
        let (bytes, stat, end) = match read_document(opened, means.limits.max_line, patience, now_us())? {
            Document::Whole { bytes, stat } => {
                let end = bytes.len() as u64;
                (bytes, stat, end)
            }
            Document::Settling { until_us } => return Ok(Outcome::Later { at_us: until_us }),
            Document::Moving => return Ok(Outcome::Later { at_us: now_us() + SETTLE_US }),
            Document::TooLong { head, size } => {
                reject(means, (0, size), TOO_LONG, &head);
                (Vec::new(), *opened.stat(), size)
            }
        };
        let refused = means.worker.rows.counts().rejects;
        if has_too_many_values(&bytes, means.limits.max_line) {
            reject(means, (0, end), TOO_MANY, &bytes);
        } else if !bytes.is_empty() {
            self.decoder.line(Line { bytes: &bytes, offset: 0, end }, &mut means.worker.rows);
        }
        drop(bytes);
        // A version that cannot be read says nothing of what was open: the next one tells.
        let is_refused = means.worker.rows.counts().rejects > refused;
        let waits = if is_refused { self.leftover.take() } else { None };
        if self.is_silent(stat.modified_ns / 1000, means) {
            self.decoder.settle(&mut means.worker.rows);
        } else if means.history {
            self.decoder.settle_finished(&mut means.worker.rows);
        }
        means.progress.read(end);
        let open = self.decoder.is_open();
        self.position.checkpoint = Checkpoint { resume_at: end, high_water: end, open, state: String::new() };
        let marks = fingerprint(opened, end)?.unwrap_or_default();
        self.position.fingerprint = Fingerprint {
            changed_ns: stat.changed_ns,
            size: stat.size,
            modified_ns: stat.modified_ns,
            companions_ns: self.companions_ns,
            ..marks
        };
        self.finish(false, means);
        self.leftover = waits;
        self.hand_over(&turn, means)?;
        Ok(Outcome::Read)
    }

    /// What was read alone is durable before others read.
    fn hand_over(&mut self, turn: &ReadPermit<'_>, means: &mut ReadContext<'_>) -> Result<(), Stop> {
        if turn.is_alone() {
            self.deliver(means)?;
            means.core.try_flush();
        }
        Ok(())
    }

    /// Hands out what its agent has marked as finished: nobody will look again soon.
    pub(super) fn finish_for_now(&mut self, means: &mut ReadContext<'_>) {
        if self.is_open() {
            self.before = self.position.clone();
            means.worker.begin(&self.position);
            self.decoder.settle_finished(&mut means.worker.rows);
            self.take_checkpoint();
            self.finish(false, means);
        }
    }

    /// Where to go on later; a document is always read from its beginning.
    fn take_checkpoint(&mut self) {
        if self.format.framing() == Framing::Document {
            self.position.checkpoint.open = self.decoder.is_open();
        } else {
            self.position.checkpoint = self.decoder.checkpoint();
        }
    }

    /// Ends the rows of this source for now: position and provisional tail go with them.
    fn finish(&mut self, settle: bool, means: &mut ReadContext<'_>) {
        if settle {
            self.decoder.settle(&mut means.worker.rows);
            self.take_checkpoint();
        }
        let open = self.decoder.is_open();
        let tail = (open && means.shown)
            .then(|| means.worker.open_rows(&self.position, |rows| self.decoder.provisional(rows)));
        self.shown.clear();
        self.shown.extend(tail.iter().flat_map(|rows| rows.ids.iter().copied()));
        if let Some(leftover) = &mut self.leftover {
            leftover.found(means.worker.rows.ids());
            leftover.found(&self.shown);
        }
        self.leave(means);
        // A file that was only touched is no reason for a commit while it is followed. That an unfinished end was
        // looked at in vain is remembered, and what spares the next run a look.
        let same = SourcePosition { fingerprint: self.before.fingerprint, ..self.position.clone() } == self.before;
        let idle = means.worker.counts_nothing() && same;
        let in_vain = self.is_torn && is_due(&self.before, means.seen_us(&self.before));
        let is_proved = proves_more(&self.before, &self.position, means);
        if !idle || in_vain || is_proved || (open && means.shown) {
            means.worker.close(&mut self.position, means.progress);
        }
        if let Some(rows) = tail {
            means.worker.tail(self.position.id, rows);
        }
    }

    fn deliver(&mut self, means: &mut ReadContext<'_>) -> Result<(), PipelineError> {
        if let Some(leftover) = &mut self.leftover {
            leftover.found(means.worker.rows.ids());
        }
        for (source, copies) in means.worker.deliver(means.core, means.progress)? {
            self.count_copies(source, copies);
        }
        Ok(())
    }

    /// Adds copies that the core found among this source's rows.
    pub(super) fn count_copies(&mut self, source: SourceId, copies: u64) {
        if source == self.position.id {
            self.position.counts.duplicates += copies;
        }
    }
}

/// When the newest of the companions was changed; 0 when the format's rows do not depend on that.
fn companions_ns(job: &Job) -> i64 {
    if job.format.follows_companions() { changed_ns(&job.companions) } else { 0 }
}

/// True when a look at the same bytes may find more, or is for somebody who is shown what is open.
fn is_worth_a_look(known: &SourcePosition, means: &ReadContext<'_>) -> bool {
    let is_due = is_due(known, means.seen_us(known)) || (means.history && was_being_copied(known));
    (known.checkpoint.open && (means.shown || is_due)) || (has_torn_end(known) && is_due)
}

/// True when a log of the past was being written at the last look, and is not any more.
fn was_being_copied(known: &SourcePosition) -> bool {
    let modified_us = known.fingerprint.modified_ns / 1000;
    (0..COPIED_US).contains(&known.read_at_us.saturating_sub(modified_us))
        && now_us().saturating_sub(modified_us) >= COPIED_US
}

/// Bytes after the last newline that was read.
pub(super) fn has_torn_end(position: &SourcePosition) -> bool {
    !position.is_compressed() && durable_offset(&position.checkpoint) < position.fingerprint.size
}

/// Why a line is refused for its length, and what helps.
const TOO_LONG: &str =
    "longer than a quarter of the memory budget; with a larger --memory such lines are read from then on";

/// Why a line is refused for what stands in it.
const TOO_MANY: &str =
    "it holds more values than the memory budget allows; with a larger --memory such lines are read from then on";

/// Why a packed log is read no further.
const BOMB: &str = "it unpacks to far more than a log would, or is damaged here; what follows is not read";

fn reject(means: &mut ReadContext<'_>, (offset, end): (u64, u64), detail: &str, head: &[u8]) {
    means.worker.rows.counts().lines += 1;
    means.worker.rows.reject(offset, end - offset, RejectReason::TooLong, detail, head);
}

fn unread(format: Format) -> io::Error {
    let why = if format.is_mapped() {
        "the description of its format in <home>/adapters is gone or cannot be used"
    } else {
        "this build has no decoder for it"
    };
    io::Error::new(io::ErrorKind::Unsupported, why)
}
