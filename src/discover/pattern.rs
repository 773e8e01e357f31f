//! Paths as patterns: which files below a root are logs, and which folders lead to them. Pure.

use std::path::{Path, PathBuf};

use crate::schema::Format;

/// What lies below a root, as patterns of paths.
///
/// Parts of a pattern are separated by `/`. `*` stands for any characters within a part, `**` as a
/// whole part for any number of folders. The first pattern that fits decides.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Files {
    /// Folders below the root to walk and to watch; the empty name is the root itself.
    pub folders: &'static [&'static str],
    /// Files directly below the root that are looked at without a walk.
    pub files: &'static [&'static str],
    /// Names of folders that no walk enters, wherever they are.
    pub skip_dirs: &'static [&'static str],
    /// What the files are.
    pub patterns: &'static [Pattern],
}

/// One kind of log.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Path below the root; empty when the root is the file itself.
    pub path: &'static str,
    /// What such a file is.
    pub format: Format,
    /// What is to be read with it, relative to its folder: `..` goes up; `{root}` at the beginning is each of
    /// the agent's places, where one of them was moved by a variable. `{stem}` is its name without the
    /// last extension, `{id}` without all of them, `{parent}` its folder's name, `{above}` that of the
    /// folder above. Small files are read; of databases and folders it is only told that they are there.
    /// Behind the path of a database, a table and a key name a value in it, of which the same is told.
    /// Nothing of it need exist.
    pub companions: &'static [&'static str],
}

/// A pattern of a log that comes with other files.
pub(super) const fn with(path: &'static str, format: Format, companions: &'static [&'static str]) -> Pattern {
    Pattern { path, format, companions }
}

/// A pattern of a log that stands by itself.
pub(super) const fn log(path: &'static str, format: Format) -> Pattern {
    with(path, format, &[])
}

impl Files {
    /// The pattern that fits the file at `relative`.
    pub(super) fn find(&self, relative: &Path) -> Option<&'static Pattern> {
        let parts = parts(relative)?;
        self.patterns.iter().find(|pattern| pattern.fits(&parts))
    }

    /// True when a file of this name can be a log: the test before any metadata is asked.
    pub(super) fn may_be_log(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| part_fits(last(pattern.path), name))
    }

    /// True when a log may lie below the folder at `relative`.
    pub(super) fn may_lead(&self, relative: &Path) -> bool {
        let Some(parts) = parts(relative) else { return false };
        parts.last().is_none_or(|name| !self.skip_dirs.contains(name))
            && self.patterns.iter().any(|pattern| pattern.leads(&parts))
    }
}

impl Pattern {
    fn fits(&self, parts: &[&str]) -> bool {
        if self.path.is_empty() {
            return parts.is_empty();
        }
        fits(&self.path.split('/').collect::<Vec<_>>(), parts)
    }

    /// True when the pattern fits the end of `path`, and says more than an extension.
    pub(super) fn fits_end_of(&self, path: &Path) -> bool {
        let wanted: Vec<&str> = self.path.split('/').filter(|part| *part != "**").collect();
        if self.path.is_empty() {
            return false;
        }
        let telling =
            wanted.iter().any(|part| !part.contains('*')) || last(self.path).chars().filter(|c| *c != '*').count() > 8;
        let Some(parts) = path.to_str().map(|p| p.split(['/', '\\']).collect::<Vec<_>>()) else { return false };
        telling && parts.len() >= wanted.len() && fits(&wanted, &parts[parts.len() - wanted.len()..])
    }

    /// True when a file that fits may lie below the folder with these parts.
    fn leads(&self, parts: &[&str]) -> bool {
        let wanted: Vec<&str> = self.path.split('/').collect();
        let folders = &wanted[..wanted.len() - 1];
        leads(folders, parts)
    }

    /// Full paths of what belongs to the log at `path`; `sibling_roots` are the places that `{root}` stands for.
    pub(super) fn companions_of(&self, path: &Path, sibling_roots: &[PathBuf]) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = Vec::with_capacity(self.companions.len());
        for companion in self.companions {
            let found = match companion.strip_prefix(ROOT) {
                Some(below) => sibling_roots.iter().filter_map(|root| named(path, root, below)).collect(),
                None => Vec::from_iter(path.parent().and_then(|folder| named(path, folder, companion))),
            };
            found.into_iter().for_each(|path| {
                if !all.contains(&path) {
                    all.push(path)
                }
            });
        }
        all
    }

    /// True when a companion may lie in any of the agent's places.
    pub(super) fn has_sibling_roots(&self) -> bool {
        self.companions.iter().any(|companion| companion.starts_with(ROOT))
    }
}

/// Stands for each of the agent's places at the beginning of a companion's path.
const ROOT: &str = "{root}/";

/// Name of the folder so many levels above `path`.
fn name_at(path: &Path, levels: usize) -> &str {
    path.ancestors().nth(levels).and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default()
}

/// The path that `companion` means from `folder`, for the log at `path`.
fn named(path: &Path, folder: &Path, companion: &str) -> Option<PathBuf> {
    let (mut at, mut rest) = (folder, companion);
    while let Some(below) = rest.strip_prefix("../") {
        (at, rest) = (at.parent()?, below);
    }
    let mut out = at.to_owned();
    for part in rest.split('/') {
        if !part.contains('{') {
            out.push(part);
            continue;
        }
        let stem = path.file_stem()?.to_str()?;
        let id = stem.split('.').next().unwrap_or(stem);
        let (parent, above) = (name_at(path, 1), name_at(path, 2));
        let words = [("{stem}", stem), ("{id}", id), ("{parent}", parent), ("{above}", above)];
        out.push(words.iter().fold(part.to_owned(), |part, (word, name)| part.replace(word, name)));
    }
    Some(out)
}

fn parts(relative: &Path) -> Option<Vec<&str>> {
    relative.components().map(|part| part.as_os_str().to_str()).collect()
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn fits(wanted: &[&str], parts: &[&str]) -> bool {
    match (wanted.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((&"**", more)), _) => {
            fits(more, parts) || parts.split_first().is_some_and(|(_, rest)| fits(wanted, rest))
        }
        (Some((want, more)), Some((part, rest))) => part_fits(want, part) && fits(more, rest),
        _ => false,
    }
}

fn leads(wanted: &[&str], parts: &[&str]) -> bool {
    match (wanted.split_first(), parts.split_first()) {
        (_, None) => true,
        (Some((&"**", more)), Some((_, rest))) => leads(more, parts) || leads(wanted, rest),
        (Some((want, more)), Some((part, rest))) => part_fits(want, part) && leads(more, rest),
        (None, Some(_)) => false,
    }
}

/// True when `name` is `want` with any characters for each `*`.
pub(super) fn part_fits(want: &str, name: &str) -> bool {
    let Some((before, after)) = want.split_once('*') else { return want == name };
    let Some(mut rest) = name.strip_prefix(before) else { return false };
    let mut pieces: Vec<&str> = after.split('*').collect();
    let Some(end) = pieces.pop() else { return true };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Files = Files {
        folders: &["storage"],
        files: &[],
        skip_dirs: &["cache"],
        patterns: &[
            with("storage/*/chats/*.json", Format::CopilotSession, &["../workspace.json", "{stem}.meta"]),
            log("storage/**/deep-*.jsonl", Format::CopilotTranscript),
        ],
    };

    #[test]
    fn a_path_fits_part_by_part() {
        let format = |path: &str| FILES.find(Path::new(path)).map(|p| p.format);
        assert_eq!(format("storage/a/chats/x.json"), Some(Format::CopilotSession));
        assert_eq!(format("storage/a/b/chats/x.json"), None);
        assert_eq!(format("storage/deep-1.jsonl"), Some(Format::CopilotTranscript));
        assert_eq!(format("storage/a/b/c/deep-1.jsonl"), Some(Format::CopilotTranscript));
        assert_eq!(format("other/deep-1.jsonl"), None);
    }

    #[test]
    fn only_folders_that_lead_to_logs_are_entered() {
        const SHALLOW: Files = Files { patterns: &[log("a/*/chats/*.json", Format::CopilotSession)], ..FILES };
        let leads = |path: &str| SHALLOW.may_lead(Path::new(path));
        assert!(leads("a") && leads("a/x") && leads("a/x/chats") && leads(""));
        assert!(!leads("b") && !leads("a/x/other") && !leads("a/x/chats/below") && !leads("a/cache"));
        assert!(FILES.may_lead(Path::new("storage/a/b/c/d")));
    }

    #[test]
    fn companions_are_named_from_the_files_folder() {
        let path = Path::new("/r/storage/a/chats/x.json");
        let found = FILES.patterns[0].companions_of(path, &[]);
        assert_eq!(found, [PathBuf::from("/r/storage/a/workspace.json"), "/r/storage/a/chats/x.meta".into()]);
    }

    #[test]
    fn companions_may_lie_in_any_place_of_the_agent_and_are_named_once() {
        let pattern = with(
            "a/*/b/*.json",
            Format::CopilotSession,
            &["../../../s/{above}.db", "{root}/s/{above}.db", "{root}/{id}-{parent}"],
        );
        let found = pattern.companions_of(Path::new("/r/a/x/b/1.2.json"), &["/r".into(), "/moved".into()]);
        let all = ["/r/s/x.db", "/moved/s/x.db", "/r/1-b", "/moved/1-b"].map(PathBuf::from);
        assert_eq!(found, all);
        assert!(
            with("*.json", Format::CopilotSession, &["../../../x"]).companions_of(Path::new("/1.json"), &[]).is_empty()
        );
    }

    #[test]
    fn the_end_of_a_path_tells_a_log_of_an_unknown_root() {
        let end = |path: &str| FILES.patterns[0].fits_end_of(Path::new(path));
        assert!(end("/copy/storage/a/chats/x.json"));
        assert!(!end("/copy/a/chats/x.json"));
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (want, name, fits) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c", false),
            ("*.json", "x.jsonl", false),
            ("aa*aa", "aaa", false),
            ("x", "x", true),
        ] {
            assert_eq!(part_fits(want, name), fits, "{want} {name}");
        }
    }
}
