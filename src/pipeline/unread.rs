//! What could not be read, or never is: whoever answers says so with the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::Places;
use crate::discover::{ScanWarning, unreadable};
use crate::schema::SourcePosition;

/// So many of each kind are listed; the others are counted.
const LISTED: usize = 100;

/// Logs, folders, links and stores whose rows an answer does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unread {
    /// Logs and folders that could not be read, or not to their end: their rows come once that works.
    pub failed: Vec<Gap>,
    /// What is not read by rule, or by no program but its own: an answer without it is as complete as it gets.
    pub closed: Vec<Gap>,
    /// Those that are not listed.
    pub more: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The file or folder.
    pub path: String,
    /// Why it is not read.
    pub why: String,
}

impl Unread {
    /// What the last looks at `positions` and the walk that made `notes` could not read, and the stores on this
    /// machine that nobody can.
    #[must_use]
    pub fn of<'p>(
        positions: impl IntoIterator<Item = &'p SourcePosition>,
        notes: &[ScanWarning],
        places: &Places,
    ) -> Self {
        let (mut failed, mut closed) = (BTreeMap::new(), BTreeMap::new());
        for note in notes {
            let (path, why) = (note.path().display().to_string(), note.reason());
            if matches!(note, ScanWarning::Unreadable { .. }) { &mut failed } else { &mut closed }.insert(path, why);
        }
        for position in positions {
            if let Some(why) = is_failed(position).then_some(position.last_error.as_ref()).flatten() {
                failed.insert(position.path.clone(), why.clone());
            }
        }
        let stores = unreadable(places).into_iter().filter(|store| store.is_closed);
        // After the links, which a user can do something about.
        let stores: Vec<Gap> = stores.map(|s| Gap { path: s.path.display().to_string(), why: s.why.into() }).collect();
        let listed = |all: BTreeMap<String, String>| all.into_iter().map(|(path, why)| Gap { path, why });
        let mut unread =
            Self { failed: listed(failed).collect(), closed: listed(closed).chain(stores).collect(), more: 0 };
        for gaps in [&mut unread.failed, &mut unread.closed] {
            unread.more += gaps.len().saturating_sub(LISTED) as u64;
            gaps.truncate(LISTED);
        }
        unread
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        (self.failed.len() + self.closed.len()) as u64 + self.more
    }

    /// Those whose rows are missing, then the others.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.failed.iter().chain(&self.closed)
    }
}

/// True when the last look at the source at `position` failed.
#[must_use]
pub const fn is_failed(position: &SourcePosition) -> bool {
    !position.missing && position.last_error.is_some()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::config::Os;

    #[test]
    fn what_fails_is_told_before_what_is_never_read_and_each_place_once() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".codeium/windsurf/cascade")).unwrap();
        let places = Places { os: Os::Linux, home: home.path().into(), env: Default::default() };
        let closed = |path: &str| ScanWarning::Unreadable { path: PathBuf::from(path), source: io::Error::other("no") };
        let link = ScanWarning::LinkToSystem { path: "/x/link".into(), target: "/proc".into() };
        let unread = Unread::of([], &[link, closed("/x/b"), closed("/x/a"), closed("/x/b")], &places);
        let paths: Vec<&str> = unread.gaps().map(|gap| &*gap.path).collect();
        let cascade = home.path().join(".codeium/windsurf/cascade");
        assert_eq!(paths, ["/x/a", "/x/b", "/x/link", cascade.to_str().unwrap()]);
        assert_eq!((unread.failed.len(), unread.count()), (2, 4));
    }

    #[test]
    fn of_very_many_some_are_listed_and_all_are_counted() {
        let places = Places { os: Os::Linux, home: "/nowhere".into(), env: Default::default() };
        let note =
            |n: usize| ScanWarning::Unreadable { path: format!("/x/{n}").into(), source: io::Error::other("no") };
        let unread = Unread::of([], &(0..250).map(note).collect::<Vec<_>>(), &places);
        assert_eq!((unread.gaps().count(), unread.count()), (LISTED, 250));
    }
}
