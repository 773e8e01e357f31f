//! A row of the table of places: which agent logs where, on which system.

use crate::config::Os;
use crate::discover::pattern::Files;

/// What lies where below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// A Claude Code configuration folder: `projects/`, `history.jsonl`.
    Claude,
    /// A `projects` folder of Claude Code by itself.
    ClaudeProjects,
    /// Claude Desktop's sessions: `.claude/projects` folders up to eight levels down.
    ClaudeDesktop,
    /// A Codex home: `sessions/`, `archived_sessions/`, `history.jsonl`, `session_index.jsonl`.
    Codex,
    /// What these patterns say.
    Files(&'static Files),
}

impl Layout {
    /// Folders below the root that hold logs; the empty name is the root itself.
    #[must_use]
    pub const fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["projects"],
            Self::ClaudeProjects | Self::ClaudeDesktop => &[""],
            Self::Codex => &["sessions", "archived_sessions"],
            Self::Files(files) => files.folders,
        }
    }

    /// Single files directly below the root that are logs.
    #[must_use]
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["history.jsonl"],
            Self::ClaudeProjects | Self::ClaudeDesktop => &[],
            Self::Codex => &["history.jsonl", "session_index.jsonl"],
            Self::Files(files) => files.files,
        }
    }

    /// True when the folders of `self` are read by the same rules as those of `other`.
    pub(super) fn reads_like(self, other: Self) -> bool {
        let claude = |l| matches!(l, Self::Claude | Self::ClaudeProjects);
        self == other || (claude(self) && claude(other))
    }
}

/// Where a row's path starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// Each entry of a comma-separated variable; no row when it is not set.
    List(&'static str),
    /// Each entry of such a variable; what is relative starts in this folder of `XDG_DATA_HOME`.
    Below(&'static str, &'static str),
    /// The home directory.
    Home,
    /// `XDG_CONFIG_HOME`, else `~/.config`.
    XdgConfig,
    /// `XDG_DATA_HOME`, else `~/.local/share`.
    XdgData,
    /// `XDG_STATE_HOME`, else `~/.local/state`.
    XdgState,
    /// A variable that the system sets, else this folder below home.
    Known(&'static str, &'static str),
    /// The `User` folder of each editor of VS Code's kind, of its profiles and remote servers.
    Editors,
    /// The `User` folder of one editor, by the name of its folder (`Cursor`).
    Editor(&'static str),
}

/// One row of the table.
pub(super) struct Row {
    pub(super) agent: &'static str,
    pub(super) layout: Layout,
    pub(super) systems: &'static [Os],
    pub(super) start: Start,
    pub(super) then: &'static str,
}

pub(super) const ANY: &[Os] = &[Os::Linux, Os::MacOs, Os::Windows];

pub(super) const UNIX: &[Os] = &[Os::Linux, Os::MacOs];

/// A place of `agent` on `systems`: `then` below each folder that `start` stands for.
pub(super) const fn row(
    agent: &'static str,
    layout: Layout,
    systems: &'static [Os],
    start: Start,
    then: &'static str,
) -> Row {
    Row { agent, layout, systems, start, then }
}

impl Row {
    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }
}
