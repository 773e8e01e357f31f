//! What stdout, stderr and stdin are.

use std::io::IsTerminal;

/// Facts about the terminal, taken once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Answers go to a person's screen.
    pub stdout: bool,
    /// Messages go to a person's screen.
    pub stderr: bool,
    /// A person could type.
    pub stdin: bool,
    /// Columns of the screen that answers go to; `None` when they go elsewhere, where nothing is cut.
    pub columns: Option<u16>,
    /// Colours are welcome on stdout.
    pub color: bool,
}

impl Terminal {
    /// Of this process; the variables `COLUMNS` and `TERM`, and whether `NO_COLOR` is set.
    pub(super) fn capture(columns: Option<&str>, term: Option<&str>, no_color: bool) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let measured = || terminal_size::terminal_size().map(|(width, _)| width.0);
        Self {
            stdout,
            stderr: std::io::stderr().is_terminal(),
            stdin: std::io::stdin().is_terminal(),
            columns: columns.and_then(|text| text.parse().ok()).or_else(measured).filter(|n| stdout && *n > 0),
            color: stdout && !no_color && term != Some("dumb"),
        }
    }
}
