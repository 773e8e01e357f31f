//! What stdout, stderr and stdin are.

use std::io::IsTerminal;

use super::Env;

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
    pub(super) fn capture(env: &Env) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let measured = || terminal_size::terminal_size().map(|(width, _)| width.0);
        Self {
            stdout,
            stderr: std::io::stderr().is_terminal(),
            stdin: std::io::stdin().is_terminal(),
            columns: env
                .text("COLUMNS")
                .and_then(|text| text.parse().ok())
                .or_else(measured)
                .filter(|n| stdout && *n > 0),
            color: stdout && env.variable("NO_COLOR").is_none() && env.text("TERM") != Some("dumb"),
        }
    }
}
