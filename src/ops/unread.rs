//! What an answer lacks because it could not be read: one line for people, a list for programs.

use std::path::Path;

use crate::pipeline::{Gap, Unread};
use crate::text::units;

/// `could not be read: ~/x.jsonl (permission denied) and 3 more; devlog adapters lists all`; nothing where all was
/// read.
pub(super) fn note(home: &Path, unread: &Unread) -> Option<String> {
    let first = named(home, unread.gaps().next()?);
    Some(match unread.count() {
        1 => format!("could not be read: {first}; devlog adapters says more"),
        all => format!("could not be read: {first} and {} more; devlog adapters lists all", units::count(all - 1)),
    })
}

/// What rows of an answer are missing for now, one sentence each.
#[cfg(any(test, feature = "query"))]
pub(super) fn lacking(unread: &Unread) -> Vec<String> {
    let told = |Gap { path, why }: &Gap| format!("{path:?} is not in the answer, or not all of it: {why}");
    unread.failed.iter().map(told).chain(more(unread)).collect()
}

/// What is never read, one sentence each.
#[cfg(any(test, feature = "query"))]
pub(super) fn closed(unread: &Unread) -> Vec<String> {
    unread.closed.iter().map(|Gap { path, why }| format!("{path:?}: {why}")).collect()
}

#[cfg(any(test, feature = "query"))]
fn more(unread: &Unread) -> Option<String> {
    let more = unread.more;
    (more > 0 && !unread.failed.is_empty()).then(|| format!("{} more could not be read", units::count(more)))
}

/// The path from the home, and the core of the reason: advice and error numbers stand where all is shown.
fn named(home: &Path, Gap { path, why }: &Gap) -> String {
    let short =
        path.strip_prefix(&*home.to_string_lossy()).filter(|rest| rest.starts_with('/')).map(|rest| format!("~{rest}"));
    let why = why.strip_prefix("cannot read: ").unwrap_or(why);
    let why = why.split("; ").next().unwrap_or(why);
    let why = why.split(" (os error").next().unwrap_or(why);
    let why =
        why.strip_prefix("Permission denied").map_or_else(|| why.to_owned(), |rest| format!("permission denied{rest}"));
    format!("{} ({why})", short.as_deref().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_one_line_that_names_the_first_and_where_all_are() {
        let home = Path::new("/home/me");
        let gap = |path: &str, why: &str| Gap { path: path.to_owned(), why: why.to_owned() };
        let log = gap(
            "/home/me/.claude/projects/-p/b.jsonl",
            "cannot read: Permission denied (os error 13); give this user read permission",
        );
        let store = gap("/srv/x", "Windsurf encrypts its conversations; transcripts are read");
        assert_eq!(note(home, &Unread::default()), None);
        let mut unread = Unread { failed: vec![log], ..Unread::default() };
        assert_eq!(
            note(home, &unread).unwrap(),
            "could not be read: ~/.claude/projects/-p/b.jsonl (permission denied); devlog adapters says more"
        );
        unread.closed.push(store.clone());
        unread.more = 1_000;
        assert_eq!(
            note(home, &unread).unwrap(),
            "could not be read: ~/.claude/projects/-p/b.jsonl (permission denied) and 1,001 more; devlog adapters lists all"
        );
        let only = Unread { closed: vec![store], ..Unread::default() };
        assert_eq!(
            note(home, &only).unwrap(),
            "could not be read: /srv/x (Windsurf encrypts its conversations); devlog adapters says more"
        );
        assert_eq!((lacking(&only).len(), closed(&only).len(), lacking(&unread).len()), (0, 1, 2));
    }
}
