//! The table of places: which agent logs where, on which system.
//!
//! Sources: the agents' own documentation and code; XDG base directory specification (a relative
//! `XDG_CONFIG_HOME` is ignored). An agent's variable moves where it writes *from now on*; what it
//! wrote before stays at the default place, so both are roots.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Os, Places};
use crate::discover::agents::AGENTS;
use crate::discover::editors;
use crate::discover::pattern::Pattern;
use crate::discover::table::{Layout, Row, Start};
use crate::discover::xdg::xdg;

/// A place where an agent may log. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root {
    /// Agent id, as in `events.agent`.
    pub agent: &'static str,
    /// What lies where below.
    pub layout: Layout,
    /// The folder; with `wildcard`, one of its components is a pattern such as `Claude_*`.
    pub path: PathBuf,
    /// True when `path` holds a pattern; [`super::expand()`] turns it into folders that exist.
    pub wildcard: bool,
    /// All places of the agent, when its logs have companions in the others and relative paths do not lead
    /// there: a variable has moved one, or this one does not lie in home.
    pub sibling_roots: Arc<[PathBuf]>,
}

impl Root {
    /// Folders to walk.
    pub fn folders(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.layout.folders().iter().map(|f| if f.is_empty() { self.path.clone() } else { self.path.join(f) })
    }

    /// Single files to look at; the empty name is the root itself.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.layout.files().iter().map(|f| if f.is_empty() { self.path.clone() } else { self.path.join(f) })
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

/// Every place where a known agent may log, for this system, home and environment; none is a
/// duplicate of another or lies inside what another already walks. Touches no disk.
#[must_use]
pub fn roots(places: &Places) -> Vec<Root> {
    let mut all: Vec<Root> = Vec::new();
    for row in AGENTS.iter().flat_map(|a| a.rows).filter(|row| row.systems.contains(&places.os)) {
        for path in paths_of(row, places) {
            let names_projects = row.layout == Layout::Claude && path.file_name().is_some_and(|n| n == "projects");
            let layout = if names_projects { Layout::ClaudeProjects } else { row.layout };
            let sibling_roots =
                if has_sibling_roots(row.layout) { sibling_roots_of(row.agent, &path, places) } else { [].into() };
            all.push(Root { agent: row.agent, layout, path, wildcard: row.then.contains('*'), sibling_roots });
        }
    }
    without_covered(all)
}

/// The places that a row of the table stands for.
fn paths_of(row: &Row, places: &Places) -> Vec<PathBuf> {
    let below =
        |start: PathBuf| row.then.split('/').filter(|part| !part.is_empty()).fold(start, |path, part| path.join(part));
    starts(row.start, places).into_iter().map(below).collect()
}

fn has_sibling_roots(layout: Layout) -> bool {
    matches!(layout, Layout::Files(files) if files.patterns.iter().any(Pattern::has_sibling_roots))
}

/// All places of an agent, for the one at `path`; none when it lies in home and all are where they are
/// without any variable.
fn sibling_roots_of(agent: &str, path: &Path, places: &Places) -> Arc<[PathBuf]> {
    let all = |places: &Places| -> Vec<PathBuf> {
        let rows = AGENTS.iter().flat_map(|a| a.rows);
        let own = rows.filter(|row| row.agent == agent && row.systems.contains(&places.os));
        own.flat_map(|row| paths_of(row, places)).collect()
    };
    let (now, usual) = (all(places), all(&Places { env: BTreeMap::default(), ..places.clone() }));
    if now == usual && path.parent() == Some(&places.home) { [].into() } else { now.into() }
}

/// Leaves out roots that another one meets anyway.
pub(super) fn without_covered(all: Vec<Root>) -> Vec<Root> {
    let covered =
        |i: usize| (0..all.len()).any(|j| i != j && all[j].covers(&all[i]) && (j < i || !all[i].covers(&all[j])));
    let keep: Vec<bool> = (0..all.len()).map(|i| !covered(i)).collect();
    all.into_iter().zip(keep).filter_map(|(root, keep)| keep.then_some(root)).collect()
}

/// The folders that `start` stands for.
pub(super) fn starts(start: Start, places: &Places) -> Vec<PathBuf> {
    let set = |name: &str| places.env.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
    match start {
        Start::Home => vec![places.home.clone()],
        Start::Known(name, below) => vec![set(name).map_or_else(|| places.home.join(below), PathBuf::from)],
        Start::XdgConfig => vec![xdg(places, "XDG_CONFIG_HOME", ".config")],
        Start::XdgData => vec![xdg(places, "XDG_DATA_HOME", ".local/share")],
        Start::XdgState => vec![xdg(places, "XDG_STATE_HOME", ".local/state")],
        Start::Editors => editors::user_folders(places, None),
        Start::Editor(name) => editors::user_folders(places, Some(name)),
        Start::List(name) => {
            let entries = set(name).unwrap_or_default().split(',');
            entries.map(str::trim).filter(|e| !e.is_empty()).map(|e| expand_home(e, places)).collect()
        }
        Start::Below(name, folder) => {
            let base = xdg(places, "XDG_DATA_HOME", ".local/share").join(folder);
            starts(Start::List(name), places).into_iter().map(|path| base.join(path)).collect()
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

    /// Roots of Claude Code and Codex.
    fn named(os: Os, home: &str, env: &[(&str, &str)]) -> Vec<(Layout, String)> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places { os, home: home.into(), env };
        let own = |r: &Root| matches!(r.agent, "claude" | "codex") && !matches!(r.layout, Layout::Files(_));
        let found = roots(&places).into_iter().filter(own);
        found.map(|r| (r.layout, r.path.to_string_lossy().into_owned())).collect()
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
                assert_eq!(root.wildcard, root.path.to_string_lossy().replace("/a*b", "").contains('*'), "{root:?}");
            }
        }
    }
}
