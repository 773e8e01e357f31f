//! What a file is, by its place under a root. Pure.

use std::path::{Component, Path, PathBuf};

use crate::discover::places::Root;
use crate::discover::table::Layout;
use crate::schema::{Format, Framing};

/// Deepest level below a Claude Desktop root at which a `projects` folder may lie.
pub(super) const DESKTOP_DEPTH: usize = 8;

/// A log file by its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What its bytes are.
    pub format: Format,
    /// Small files that belong to it and stores that may hold the same, by their full paths: they may lie
    /// outside the root, and need not exist.
    pub companions: Vec<PathBuf>,
}

/// What the file at `relative` (below `root`) is, or `None` when it is no log of that agent.
///
/// Hidden names, temporary files and locks are no logs; neither are files of other tools that live
/// in an agent's folder (`transcripts/ses_*.jsonl`).
#[must_use]
pub fn classify(root: &Root, relative: &Path) -> Option<Found> {
    // Positions and rows name their source as text.
    relative.to_str()?;
    if let Layout::Files(files) = root.layout {
        let pattern = files.find(relative)?;
        return Some(Found {
            format: pattern.format,
            companions: pattern.companions_of(&root.path.join(relative), &root.sibling_roots),
        });
    }
    let name = relative.file_name()?.to_str()?;
    if !may_be_log(name) {
        return None;
    }
    let folders = relative.parent().unwrap_or(Path::new(""));
    let format = match root.layout {
        Layout::Claude => match folders.strip_prefix("projects") {
            Ok(below) => claude(below, name),
            Err(_) if folders.as_os_str().is_empty() && name == "history.jsonl" => Some(Format::ClaudeHistory),
            Err(_) => None,
        },
        Layout::ClaudeProjects => claude(folders, name),
        Layout::ClaudeDesktop => claude(below_desktop_projects(folders)?, name),
        Layout::Codex => codex(folders, name),
        Layout::Files(_) => None,
    }?;
    let beside = companion_name(format, name).map(|name| root.path.join(folders).join(name));
    let companions = beside.into_iter().collect();
    Some(Found { format, companions })
}

/// The log that a change at `path` belongs to, and what it is below `root`: a database's changes appear in
/// the files beside it.
#[must_use]
pub fn classify_change(root: &Root, path: &Path) -> Option<(PathBuf, Found)> {
    let found = |path: &Path| classify(root, path.strip_prefix(&root.path).ok()?);
    if let Some(own) = found(path) {
        return Some((path.to_owned(), own));
    }
    let name = path.file_name()?.to_str()?;
    let database = path.with_file_name(name.strip_suffix("-wal").or_else(|| name.strip_suffix("-journal"))?);
    let found = found(&database)?;
    (found.format.framing() == Framing::Database).then_some((database, found))
}

/// True when a file of this name can be a log under `layout`: the test before any metadata is asked.
pub(super) fn may_be_log_of(layout: Layout, name: &str) -> bool {
    match layout {
        Layout::Files(files) => files.may_be_log(name),
        _ => may_be_log(name),
    }
}

/// True when a file of this name can be a log of lines or documents.
pub(super) fn may_be_log(name: &str) -> bool {
    !name.starts_with('.') && (is_lines(name) || name.ends_with(".json"))
}

/// True for `.jsonl` and `.jsonl.zst`.
pub(super) fn is_lines(name: &str) -> bool {
    stem(name).is_some()
}

fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".zst").unwrap_or(name).strip_suffix(".jsonl")
}

/// Name of the small file beside a sub-agent's transcript that says what the sub-agent is.
pub(super) fn companion_name(format: Format, name: &str) -> Option<String> {
    let stem = stem(name)?;
    (format == Format::ClaudeSession && stem.starts_with("agent-")).then(|| format!("{stem}.meta.json"))
}

/// True for a folder that no log lies under, so a walk need not enter it.
pub(super) fn is_skipped_dir(layout: Layout, name: &str) -> bool {
    match layout {
        Layout::Claude | Layout::ClaudeProjects => matches!(name, "tool-results" | ".git" | "node_modules"),
        Layout::ClaudeDesktop => matches!(name, "tool-results" | ".git" | "node_modules" | "outputs" | "uploads"),
        Layout::Codex => name.starts_with('.'),
        Layout::Files(files) => files.skip_dirs.contains(&name),
    }
}

fn claude(below: &Path, name: &str) -> Option<Format> {
    let third_party = name.starts_with("ses_") && below.ends_with("transcripts");
    (is_lines(name) && !third_party).then_some(Format::ClaudeSession)
}

/// What lies below the first `.claude/projects` of a path, if that is near enough to the root.
fn below_desktop_projects(folders: &Path) -> Option<&Path> {
    let mut parts = folders.components();
    let mut before = None;
    for depth in 0.. {
        let part = parts.next()?;
        if depth >= DESKTOP_DEPTH {
            return None;
        }
        if part.as_os_str() == "projects" && before == Some(".claude".as_ref()) {
            return Some(parts.as_path());
        }
        before = Some(part.as_os_str());
    }
    None
}

fn codex(folders: &Path, name: &str) -> Option<Format> {
    let mut parts = folders.components();
    let Some(Component::Normal(top)) = parts.next() else {
        return match name {
            "history.jsonl" => Some(Format::CodexHistory),
            "session_index.jsonl" => Some(Format::CodexIndex),
            _ => None,
        };
    };
    let hidden = parts.any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
    if hidden || !(top == "sessions" || top == "archived_sessions") || !name.starts_with("rollout-") {
        return None;
    }
    Some(if is_lines(name) { Format::CodexRollout } else { Format::CodexDocument })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(layout: Layout, relative: &str) -> Option<Format> {
        let root = Root { agent: "x", layout, path: "/r".into(), wildcard: false, sibling_roots: [].into() };
        classify(&root, Path::new(relative)).map(|f| f.format)
    }

    #[test]
    fn each_place_has_one_meaning() {
        use Format::{ClaudeHistory, ClaudeSession, CodexDocument, CodexHistory, CodexIndex, CodexRollout};
        let table: &[(Layout, &str, Option<Format>)] = &[
            (Layout::Claude, "projects/-home-u/0a1b.jsonl", Some(ClaudeSession)),
            (Layout::Claude, "projects/-home-u/agent-1f.jsonl", Some(ClaudeSession)),
            (Layout::Claude, "projects/p/s/subagents/agent-1f.jsonl", Some(ClaudeSession)),
            (Layout::Claude, "projects/p/s/subagents/workflows/wf_1/journal.jsonl", Some(ClaudeSession)),
            (Layout::Claude, "projects/p/0a1b.jsonl.zst", Some(ClaudeSession)),
            (Layout::Claude, "history.jsonl", Some(ClaudeHistory)),
            (Layout::Claude, "other/history.jsonl", None),
            (Layout::Claude, "transcripts/ses_1.jsonl", None),
            (Layout::Claude, "projects/p/transcripts/ses_1.jsonl", None),
            (Layout::Claude, "projects/p/.0a1b.jsonl.swp", None),
            (Layout::Claude, "projects/p/.0a1b.jsonl", None),
            (Layout::Claude, "projects/p/0a1b.jsonl.tmp", None),
            (Layout::Claude, "projects/p/0a1b.jsonl.lock", None),
            (Layout::Claude, "projects/p/sessions-index.json", None),
            (Layout::Claude, "projects/p/s/subagents/agent-1f.meta.json", None),
            (Layout::Claude, "todos/a.jsonl", None),
            (Layout::ClaudeProjects, "p/0a1b.jsonl", Some(ClaudeSession)),
            (Layout::ClaudeDesktop, "a/b/.claude/projects/p/x.jsonl", Some(ClaudeSession)),
            (Layout::ClaudeDesktop, "a/b/projects/p/x.jsonl", None),
            (Layout::ClaudeDesktop, "1/2/3/4/5/6/.claude/projects/p/x.jsonl", Some(ClaudeSession)),
            (Layout::ClaudeDesktop, "1/2/3/4/5/6/7/.claude/projects/p/x.jsonl", None),
            (Layout::ClaudeDesktop, "a/audit.jsonl", None),
            (Layout::Codex, "sessions/2026/01/02/rollout-a.jsonl", Some(CodexRollout)),
            (Layout::Codex, "sessions/2026/01/02/rollout-a.jsonl.zst", Some(CodexRollout)),
            (Layout::Codex, "sessions/rollout-a.jsonl", Some(CodexRollout)),
            (Layout::Codex, "sessions/rollout-a.json", Some(CodexDocument)),
            (Layout::Codex, "archived_sessions/rollout-a.jsonl", Some(CodexRollout)),
            (Layout::Codex, "sessions/2026/rollout-a.jsonl.tmp", None),
            (Layout::Codex, "sessions/2026/rollout-a.jsonl.zst.tmp", None),
            (Layout::Codex, "sessions/.tmp/rollout-a.jsonl", None),
            (Layout::Codex, "sessions/2026/other.jsonl", None),
            (Layout::Codex, "history.jsonl", Some(CodexHistory)),
            (Layout::Codex, "session_index.jsonl", Some(CodexIndex)),
            (Layout::Codex, "auth.json", None),
            (Layout::Codex, "log/codex-tui.log", None),
        ];
        for (layout, relative, expected) in table {
            assert_eq!(format(*layout, relative), *expected, "{relative}");
        }
    }

    #[test]
    fn a_sub_agent_names_the_small_file_beside_it() {
        let root = Root {
            agent: "claude",
            layout: Layout::Claude,
            path: "/r".into(),
            wildcard: false,
            sibling_roots: [].into(),
        };
        let found = classify(&root, Path::new("projects/p/s/subagents/agent-1f.jsonl")).unwrap();
        assert_eq!(found.companions, [PathBuf::from("/r/projects/p/s/subagents/agent-1f.meta.json")]);
        assert!(classify(&root, Path::new("projects/p/0a.jsonl")).unwrap().companions.is_empty());
    }
}
