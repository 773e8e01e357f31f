//! What an answer lacks because it could not be read, in one line.

use std::path::Path;

use crate::text::units;

/// Of so many places it is told why.
const NAMED: usize = 2;

/// A path, and why what is there could not be read.
pub(super) type Unread = (String, String);

/// `2 logs could not be read (~/x.jsonl: permission denied; …): devlog sources --state error shows all`; nothing
/// where all was read. `places` are folders, links and names that were not looked into.
pub(super) fn told(home: &Path, logs: &[Unread], places: &[Unread]) -> Option<String> {
    let (mut what, mut shown) = (Vec::new(), Vec::new());
    if !logs.is_empty() {
        what.push(units::counted(logs.len() as u64, "log"));
        shown.push("devlog sources --state error");
    }
    if !places.is_empty() {
        what.push(units::counted(places.len() as u64, "place"));
        shown.push("devlog adapters");
    }
    let all = || logs.iter().chain(places);
    let mut named: Vec<String> = all().take(NAMED).map(|(path, why)| named(home, path, why)).collect();
    if all().count() > NAMED {
        named.push("…".to_owned());
    }
    let verb = if shown.len() > 1 { "show" } else { "shows" };
    (!named.is_empty()).then(|| {
        let (what, shown) = (what.join(" and "), shown.join(" and "));
        format!("{what} could not be read ({}): {shown} {verb} all", named.join("; "))
    })
}

/// The path from the home, and the core of the reason: advice and error numbers stand where all is shown.
fn named(home: &Path, path: &str, why: &str) -> String {
    let short =
        path.strip_prefix(&*home.to_string_lossy()).filter(|rest| rest.starts_with('/')).map(|rest| format!("~{rest}"));
    let why = why.strip_prefix("cannot read: ").unwrap_or(why);
    let why = why.split("; ").next().unwrap_or(why);
    let why = why.split(" (os error").next().unwrap_or(why);
    let mut letters = why.chars();
    let why: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    format!("{}: {why}", short.as_deref().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_one_line_that_names_the_first_and_where_all_are() {
        let home = Path::new("/home/me");
        let pair = |path: &str, why: &str| (path.to_owned(), why.to_owned());
        let log = pair(
            "/home/me/.claude/projects/-p/b.jsonl",
            "cannot read: Permission denied (os error 13); give this user read permission",
        );
        let place = pair("/srv/x", "Input/output error (os error 5)");
        assert_eq!(told(home, &[], &[]), None);
        assert_eq!(
            told(home, std::slice::from_ref(&log), &[]).unwrap(),
            "1 log could not be read (~/.claude/projects/-p/b.jsonl: permission denied): devlog sources --state error shows all"
        );
        assert_eq!(
            told(home, &[log.clone(), log], &[place]).unwrap(),
            "2 logs and 1 place could not be read (~/.claude/projects/-p/b.jsonl: permission denied; \
             ~/.claude/projects/-p/b.jsonl: permission denied; …): devlog sources --state error and devlog adapters show all"
        );
    }
}
