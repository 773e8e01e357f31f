//! How everything that is said on stderr looks.
//!
//! - `error: …`, `warning: …`, `note: …`; progress has no prefix, details of `-vv` begin with `debug:`
//! - no times on a terminal; a process that runs for long and writes to a file or a journal says when
//! - a line never lands in the middle of a progress bar

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::ops::NOTE;
use crate::text::lines;

/// Each line says when it was written.
static STAMPED: AtomicBool = AtomicBool::new(false);

/// The progress bar that is on the screen.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Sends what the program says while it works to stderr. A second call in one process changes nothing.
pub(super) fn listen(quiet: u8, verbose: u8) {
    let level = match (quiet, verbose) {
        (1.., _) => Level::ERROR,
        (0, 0) => Level::WARN,
        (0, 1) => Level::INFO,
        (0, 2) => Level::DEBUG,
        (0, _) => Level::TRACE,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(if quiet > 0 { Level::ERROR } else { level.max(Level::INFO) })
        .with_writer(|| AroundBar)
        .event_format(Voice { level })
        .finish();
    let _already_set = tracing::subscriber::set_global_default(subscriber);
}

/// From now on each line says when it was written.
pub(super) fn say_when() {
    STAMPED.store(true, Ordering::Relaxed);
}

/// Shows `bar` below what is said from now on; `None` takes it away.
pub(super) fn keep_below(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Writes one line, with the time where lines have one.
pub(super) fn write(err: &mut dyn Write, text: &str) -> io::Result<()> {
    let mut line = String::new();
    stamp(&mut line);
    writeln!(err, "{line}{}", lines(text))?;
    err.flush()
}

fn stamp(line: &mut String) {
    if STAMPED.load(Ordering::Relaxed) {
        line.push_str(&chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        line.push(' ');
    }
}

/// Writes to stderr above the progress bar.
struct AroundBar;

impl Write for AroundBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Makes lines of events.
struct Voice {
    level: Level,
}

impl Voice {
    fn says(&self, event: &Metadata<'_>) -> bool {
        *event.level() <= self.level || event.target() == NOTE
    }
}

fn prefix(event: &Metadata<'_>) -> &'static str {
    match *event.level() {
        Level::ERROR => "error: ",
        Level::WARN => "warning: ",
        Level::INFO if event.target() == NOTE => "note: ",
        Level::INFO => "",
        Level::DEBUG | Level::TRACE => "debug: ",
    }
}

impl<S, N> FormatEvent<S, N> for Voice
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if !self.says(event.metadata()) {
            return Ok(());
        }
        let mut said = Said::default();
        event.record(&mut said);
        let mut line = String::new();
        stamp(&mut line);
        writeln!(out, "{line}{}{}{}", prefix(event.metadata()), lines(&said.text), lines(&said.details))
    }
}

/// The text of an event, and what else it tells.
#[derive(Debug, Default)]
struct Said {
    text: String,
    details: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.text = format!("{value:?}"),
            _ => self.details.push_str(&format!(": {value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn heard(level: Level) -> String {
        let heard = Heard::default();
        let writer = heard.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_writer(move || writer.clone())
            .event_format(Voice { level })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!("the disk is full");
            tracing::warn!(error = %"no such file", "cannot write a checkpoint");
            crate::ops::note!("waiting for {}", "devlog backfill");
            tracing::info!("stored 3 events");
            tracing::debug!("the file grew");
        });
        let text = heard.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn everything_that_is_said_begins_with_what_it_is() {
        let quietest = "error: the disk is full\nwarning: cannot write a checkpoint: no such file\n\
                        note: waiting for devlog backfill\n";
        assert_eq!(heard(Level::WARN), quietest);
        assert_eq!(heard(Level::INFO), format!("{quietest}stored 3 events\n"));
        assert!(heard(Level::DEBUG).ends_with("stored 3 events\ndebug: the file grew\n"));
    }
}
