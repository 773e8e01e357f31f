//! What did the user ask for?
//!
//! The only reader of environment variables, configuration files and defaults. Everything else gets
//! a [`Settings`].

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Operating system whose path rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux and other Unixes.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// Where the user's things are: all that the discovery tables depend on.
#[derive(Debug, Clone)]
pub struct Places {
    /// Whose path rules apply.
    pub os: Os,
    /// The user's home directory.
    pub home: PathBuf,
    /// Environment variables that agents know (`CLAUDE_CONFIG_DIR`, `CODEX_HOME`, `XDG_CONFIG_HOME`, `APPDATA`, ...).
    pub env: BTreeMap<String, String>,
}

/// Everything the user asked for, resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `DEVLOG_HOME`, default `~/.devlog`.
    pub home: PathBuf,
    /// Where the lake is, default `<home>/lake`.
    pub lake: PathBuf,
    /// One memory budget for ring, flush and queries, in bytes.
    pub memory_bytes: u64,
    /// Where agents' roots derive from.
    pub places: Places,
    /// IANA zone for days and weeks.
    pub timezone: String,
    /// Machine id: first 16 hex digits of SHA-256 of `hostname-username-os`.
    pub machine_id: String,
    /// Operating-system user.
    pub user_name: String,
    /// Accept a home on a network file system.
    pub unsafe_network_fs: bool,
}
