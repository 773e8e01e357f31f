//! How far a long piece of work is: a bar on a terminal, a line every few seconds elsewhere.
//!
//! Nothing shows in the first moments: work that is done at once needs no bar.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::voice;
use crate::ops::Progress;
use crate::text::units;

/// Work that ends earlier shows no progress.
const PATIENCE: Duration = Duration::from_millis(300);

/// Pause between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows [`Progress`] on stderr.
pub(super) struct View {
    label: &'static str,
    quiet: bool,
    bar: Option<ProgressBar>,
    started: Instant,
    /// When the last plain line was written.
    said: Option<Instant>,
}

impl View {
    /// A view that shows nothing yet; `terminal` says whether stderr is one.
    pub(super) fn new(label: &'static str, terminal: bool, quiet: bool) -> Self {
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            bar.set_style(style());
            bar
        });
        Self { label, quiet, bar, started: Instant::now(), said: None }
    }

    /// Shows how far the work is. Costs next to nothing when called too often.
    pub(super) fn show(&mut self, progress: Progress, err: &mut dyn Write) {
        let elapsed = self.started.elapsed();
        if self.quiet || elapsed < PATIENCE {
            return;
        }
        if let Some(bar) = &self.bar {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
                voice::keep_below(Some(bar.clone()));
            }
            bar.set_length(progress.bytes.max(1));
            bar.set_position(progress.bytes_done);
            bar.set_message(line(self.label, progress, elapsed));
            return;
        }
        if self.said.is_none_or(|said| said.elapsed() >= LINE_EVERY) {
            self.said = Some(Instant::now());
            // Progress that nobody can read is no reason to stop the work.
            let _unheard = voice::write(err, &line(self.label, progress, elapsed));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            voice::keep_below(None);
            bar.finish_and_clear();
        }
    }

    /// Time since the work began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:24.cyan/blue} {percent:>3}%  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `reading 12 of 40 files, 1.2 GB of 3.0 GB, 12,345 events, 512 MB/s, 3s left`.
fn line(label: &str, progress: Progress, elapsed: Duration) -> String {
    let mut text = format!(
        "{label} {} of {}, {} of {}, {}",
        units::count(progress.files_done),
        units::counted(progress.files, "file"),
        units::bytes(progress.bytes_done),
        units::bytes(progress.bytes),
        units::counted(progress.events, "event"),
    );
    if progress.rejects > 0 {
        text.push_str(&format!(", {}", units::counted(progress.rejects, "reject")));
    }
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = progress.bytes_done.saturating_mul(1000) / milliseconds;
    if let Some(seconds) = progress.bytes.saturating_sub(progress.bytes_done).checked_div(rate) {
        let left = units::duration(Duration::from_secs(seconds));
        text.push_str(&format!(", {}/s, {left} left", units::bytes(rate)));
    }
    text
}

/// The same for a summary at the end: what was done, how long it took, how fast it was.
pub(super) fn summary(progress: Progress, elapsed: Duration) -> String {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let took = units::duration(elapsed);
    if (progress.files_done, progress.bytes_done, progress.events, progress.rejects) == (0, 0, 0, 0) {
        return format!("nothing new in {took}");
    }
    let mut text = format!(
        "{}, {}, {} in {took}",
        units::counted(progress.files_done, "file"),
        units::bytes(progress.bytes_done),
        units::counted(progress.events, "event"),
    );
    if progress.bytes_done > 0 {
        text.push_str(&format!(" ({}/s)", units::bytes(progress.bytes_done.saturating_mul(1000) / milliseconds)));
    }
    if progress.rejects > 0 {
        text.push_str(&format!("; {}", undecoded(progress.rejects)));
    }
    text
}

/// `2 lines could not be decoded, see the table rejects`.
pub(super) fn undecoded(rejects: u64) -> String {
    format!("{} could not be decoded, see the table rejects", units::counted(rejects, "line"))
}

/// Runs `work` with a view of its progress on `err`.
pub(super) fn shown<T>(view: &mut View, err: &mut dyn Write, work: impl FnOnce(&mut dyn FnMut(Progress)) -> T) -> T {
    let done = work(&mut |progress| view.show(progress, err));
    view.end();
    done
}

/// Writes one message line, unless the user wants none.
pub(super) fn say(err: &mut dyn Write, quiet: bool, text: &str) -> io::Result<()> {
    if quiet { Ok(()) } else { voice::write(err, text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Progress = Progress {
        files_done: 12,
        files: 40,
        bytes_done: 1_500_000_000,
        bytes: 3_000_000_000,
        events: 12_345,
        rejects: 0,
    };

    #[test]
    fn a_line_tells_files_bytes_events_rate_and_what_is_left() {
        assert_eq!(
            line("reading", HALF, Duration::from_secs(3)),
            "reading 12 of 40 files, 1.5 GB of 3.0 GB, 12,345 events, 500 MB/s, 3.0s left"
        );
        let start = Progress { files: 1, bytes: 5, ..Progress::default() };
        assert_eq!(line("reading", start, Duration::ZERO), "reading 0 of 1 file, 0 B of 5 B, 0 events");
    }

    #[test]
    fn a_summary_names_rejects_only_when_there_are_some() {
        let text = summary(HALF, Duration::from_secs(3));
        assert_eq!(text, "12 files, 1.5 GB, 12,345 events in 3.0s (500 MB/s)");
        assert_eq!(summary(Progress::default(), Duration::from_secs(1)), "nothing new in 1.0s");
        let text = summary(Progress { rejects: 2, ..HALF }, Duration::from_secs(3));
        assert!(text.ends_with("; 2 lines could not be decoded, see the table rejects"), "{text}");
    }

    #[test]
    fn a_quiet_view_writes_nothing_and_a_plain_one_writes_a_line() {
        for (quiet, lines) in [(true, 0), (false, 1)] {
            let mut view = View::new("reading", false, quiet);
            view.started = Instant::now().checked_sub(PATIENCE * 2).unwrap();
            let mut err = Vec::new();
            view.show(HALF, &mut err);
            view.show(HALF, &mut err);
            assert_eq!(String::from_utf8(err).unwrap().lines().count(), lines);
        }
    }
}
