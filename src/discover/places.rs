//! The table of places: which agent logs where, on which system.
//!
//! Sources: the agents' own documentation and code; XDG base directory specification (a relative
//! `XDG_CONFIG_HOME` is ignored). An agent's variable moves where it writes *from now on*; what it
//! wrote before stays at the default place, so both are roots.

use std::path::{Path, PathBuf};

use crate::config::{Os, Places};

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
}

impl Layout {
    /// Folders below the root that hold logs; the empty name is the root itself.
    #[must_use]
    pub const fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["projects"],
            Self::ClaudeProjects | Self::ClaudeDesktop => &[""],
            Self::Codex => &["sessions", "archived_sessions"],
        }
    }

    /// Single files directly below the root that are logs.
    #[must_use]
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["history.jsonl"],
            Self::ClaudeProjects | Self::ClaudeDesktop => &[],
            Self::Codex => &["history.jsonl", "session_index.jsonl"],
        }
    }

    /// True when the folders of `self` are read by the same rules as those of `other`.
    fn reads_like(self, other: Self) -> bool {
        let claude = |l| matches!(l, Self::Claude | Self::ClaudeProjects);
        self == other || (claude(self) && claude(other))
    }
}

/// A place where an agent may log. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root {
    /// Agent id, as in `events.agent`.
    pub agent: &'static str,
    /// What lies where below.
    pub layout: Layout,
    /// The folder; with `wildcard`, one of its components is a pattern such as `Claude_*`.
    pub path: PathBuf,
    /// True when `path` holds a pattern; [`super::expand`] turns it into folders that exist.
    pub wildcard: bool,
}

impl Root {
    /// Folders to walk.
    pub fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.layout.folders().iter().map(|f| if f.is_empty() { self.path.clone() } else { self.path.join(f) })
    }

    /// Single files to look at.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.layout.files().iter().map(|f| self.path.join(f))
    }

    /// True when a walk of `self` meets all that a walk of `other` meets.
    fn covers(&self, other: &Self) -> bool {
        if self.agent != other.agent || !self.layout.reads_like(other.layout) {
            return false;
        }
        let under = |path: &Path| self.folders().any(|f| path.starts_with(f));
        other.folders().all(|f| under(&f)) && other.files().all(|f| under(&f) || self.files().any(|own| own == f))
    }
}

/// Where a row's path starts.
#[derive(Clone, Copy)]
enum Start {
    /// Each entry of a comma-separated variable; no row when it is not set.
    List(&'static str),
    /// The home directory.
    Home,
    /// `XDG_CONFIG_HOME`, else `~/.config`.
    XdgConfig,
    /// A variable that the system sets, else this folder below home.
    Known(&'static str, &'static str),
}

struct Row {
    agent: &'static str,
    layout: Layout,
    systems: &'static [Os],
    start: Start,
    then: &'static str,
}

const ANY: &[Os] = &[Os::Linux, Os::MacOs, Os::Windows];
const UNIX: &[Os] = &[Os::Linux, Os::MacOs];

const fn row(agent: &'static str, layout: Layout, systems: &'static [Os], start: Start, then: &'static str) -> Row {
    Row { agent, layout, systems, start, then }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row("claude", Layout::Claude, ANY, Start::List("CLAUDE_CONFIG_DIR"), ""),
    row("claude", Layout::Claude, ANY, Start::Home, ".claude"),
    row("claude", Layout::Claude, UNIX, Start::XdgConfig, "claude"),
    row("claude", Layout::ClaudeDesktop, &[Os::Linux], Start::XdgConfig, "Claude/local-agent-mode-sessions"),
    row("claude", Layout::ClaudeDesktop, &[Os::MacOs], Start::Home,
        "Library/Application Support/Claude/local-agent-mode-sessions"),
    row("claude", Layout::ClaudeDesktop, &[Os::Windows], Start::Known("APPDATA", "AppData/Roaming"),
        "Claude/local-agent-mode-sessions"),
    row("claude", Layout::ClaudeDesktop, &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"),
        "Packages/Claude_*/LocalCache/Roaming/Claude/local-agent-mode-sessions"),
    row("codex", Layout::Codex, ANY, Start::List("CODEX_HOME"), ""),
    row("codex", Layout::Codex, ANY, Start::Home, ".codex"),
    // The fork "code" writes the same format into its own home.
    row("codex", Layout::Codex, ANY, Start::List("CODE_HOME"), ""),
    row("codex", Layout::Codex, ANY, Start::Home, ".code"),
];

/// Every place where a known agent may log, for this system, home and environment; none is a
/// duplicate of another or lies inside what another already walks. Touches no disk.
#[must_use]
pub fn roots(places: &Places) -> Vec<Root> {
    let mut all: Vec<Root> = Vec::new();
    for row in TABLE.iter().filter(|row| row.systems.contains(&places.os)) {
        for start in starts(row.start, places) {
            let path = row.then.split('/').filter(|part| !part.is_empty()).fold(start, |path, part| path.join(part));
            let names_projects = row.layout == Layout::Claude && path.file_name().is_some_and(|n| n == "projects");
            let layout = if names_projects { Layout::ClaudeProjects } else { row.layout };
            all.push(Root { agent: row.agent, layout, path, wildcard: row.then.contains('*') });
        }
    }
    let covered =
        |i: usize| (0..all.len()).any(|j| i != j && all[j].covers(&all[i]) && (j < i || !all[i].covers(&all[j])));
    let keep: Vec<bool> = (0..all.len()).map(|i| !covered(i)).collect();
    all.into_iter().zip(keep).filter_map(|(root, keep)| keep.then_some(root)).collect()
}

fn starts(start: Start, places: &Places) -> Vec<PathBuf> {
    let set = |name: &str| places.env.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    match start {
        Start::Home => vec![places.home.clone()],
        Start::Known(name, below) => vec![set(name).map_or_else(|| places.home.join(below), PathBuf::from)],
        Start::XdgConfig => {
            let own = set("XDG_CONFIG_HOME").filter(|v| v.starts_with('/')).map(PathBuf::from);
            vec![own.unwrap_or_else(|| places.home.join(".config"))]
        }
        Start::List(name) => {
            let entries = set(name).unwrap_or_default().split(',');
            entries.map(str::trim).filter(|e| !e.is_empty()).map(|e| expand_home(e, places)).collect()
        }
    }
}

/// `~` and `~/x` (on Windows also `~\x`) name the home directory; a trailing separator is dropped.
fn expand_home(entry: &str, places: &Places) -> PathBuf {
    let separators: &[char] = if places.os == Os::Windows { &['/', '\\'] } else { &['/'] };
    let short = entry.trim_end_matches(separators);
    let entry = if short.is_empty() { entry } else { short };
    match entry.strip_prefix('~') {
        Some("") => places.home.clone(),
        Some(rest) if rest.starts_with(separators) => places.home.join(rest.trim_start_matches(separators)),
        _ => PathBuf::from(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(os: Os, home: &str, env: &[(&str, &str)]) -> Vec<(Layout, String)> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places { os, home: home.into(), env };
        roots(&places).into_iter().map(|r| (r.layout, r.path.to_string_lossy().into_owned())).collect()
    }

    fn of(layout: Layout, paths: &[&str]) -> Vec<(Layout, String)> {
        paths.iter().map(|p| (layout, (*p).to_owned())).collect()
    }

    #[test]
    fn a_plain_home_has_the_default_places_of_its_system() {
        let linux = [
            of(Layout::Claude, &["/h/.claude", "/h/.config/claude"]),
            of(Layout::ClaudeDesktop, &["/h/.config/Claude/local-agent-mode-sessions"]),
            of(Layout::Codex, &["/h/.codex", "/h/.code"]),
        ];
        assert_eq!(named(Os::Linux, "/h", &[]), linux.concat());
        let mac = [
            of(Layout::Claude, &["/Users/u/.claude", "/Users/u/.config/claude"]),
            of(Layout::ClaudeDesktop, &["/Users/u/Library/Application Support/Claude/local-agent-mode-sessions"]),
            of(Layout::Codex, &["/Users/u/.codex", "/Users/u/.code"]),
        ];
        assert_eq!(named(Os::MacOs, "/Users/u", &[]), mac.concat());
        let windows = [
            of(Layout::Claude, &["C:\\Users\\u/.claude"]),
            of(
                Layout::ClaudeDesktop,
                &[
                    "R:\\Roaming/Claude/local-agent-mode-sessions",
                    "L:\\Local/Packages/Claude_*/LocalCache/Roaming/Claude/local-agent-mode-sessions",
                ],
            ),
            of(Layout::Codex, &["C:\\Users\\u/.codex", "C:\\Users\\u/.code"]),
        ];
        let env = [("APPDATA", "R:\\Roaming"), ("LOCALAPPDATA", "L:\\Local"), ("XDG_CONFIG_HOME", "/x")];
        if cfg!(not(windows)) {
            assert_eq!(named(Os::Windows, "C:\\Users\\u", &env), windows.concat());
        }
    }

    #[test]
    fn the_agents_own_variables_add_places_and_the_defaults_stay() {
        let env = [("CLAUDE_CONFIG_DIR", " ~/work/, /data/projects ,,/h/.claude"), ("CODEX_HOME", "/c1,~/c2")];
        let found = named(Os::Linux, "/h", &env);
        let claude: Vec<_> = found.iter().filter(|(l, _)| *l != Layout::Codex).cloned().collect();
        let expected = [
            of(Layout::Claude, &["/h/work"]),
            of(Layout::ClaudeProjects, &["/data/projects"]),
            of(Layout::Claude, &["/h/.claude", "/h/.config/claude"]),
            of(Layout::ClaudeDesktop, &["/h/.config/Claude/local-agent-mode-sessions"]),
        ];
        assert_eq!(claude, expected.concat());
        let codex: Vec<_> = found.into_iter().filter(|(l, _)| *l == Layout::Codex).map(|(_, p)| p).collect();
        assert_eq!(codex, ["/c1", "/h/c2", "/h/.codex", "/h/.code"]);
    }

    #[test]
    fn what_another_root_walks_is_no_root_of_its_own() {
        let found = named(Os::Linux, "/h", &[("CLAUDE_CONFIG_DIR", "/h/.claude/projects,/h/.claude/")]);
        assert_eq!(found[0], (Layout::Claude, "/h/.claude".to_owned()));
        assert_eq!(found.iter().filter(|(_, p)| p.starts_with("/h/.claude")).count(), 1);
        // A profile inside ~/.claude is outside of what ~/.claude walks.
        let found = named(Os::Linux, "/h", &[("CLAUDE_CONFIG_DIR", "/h/.claude/work")]);
        assert_eq!(found.iter().filter(|(_, p)| p.starts_with("/h/.claude")).count(), 2);
    }

    #[test]
    fn a_relative_xdg_config_home_is_ignored() {
        let found = named(Os::Linux, "/h", &[("XDG_CONFIG_HOME", "rel")]);
        assert!(found.iter().any(|(_, p)| p == "/h/.config/claude"));
        let found = named(Os::Linux, "/h", &[("XDG_CONFIG_HOME", "/x")]);
        assert!(found.iter().any(|(_, p)| p == "/x/claude"));
    }

    #[test]
    fn only_rows_with_a_pattern_are_wildcards() {
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            let places = Places { os, home: "/a*b".into(), env: Default::default() };
            for root in roots(&places) {
                assert_eq!(root.wildcard, root.path.to_string_lossy().contains("Claude_*"), "{root:?}");
            }
        }
    }
}
