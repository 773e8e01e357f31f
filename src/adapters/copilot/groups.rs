//! Groups of edits in a response: which call made them, and those that none made.
//!
//! - a group is one write of one file, and comes after the call that made it
//! - a call names its file in its arguments, which only the rounds have; a call of a sub-agent has none
//!   there, but often a link to the file in its message. Patches and lists of replacements are for any
//!   number of files
//! - calls that are made side by side are shown before the groups of all of them
//!
//! So a group belongs to the editing call before it that works on its file, else to the last one when
//! nothing says what that works on: it then names the call's file. A group for one more file is a
//! write of its own.

use super::clean::{extra, rest};
use super::edits::{self, Lines};
use super::request::Turn;
use super::{ids, uri};
use crate::adapters::json::Json;
use crate::schema::{EventRow, EventType, Rows, Status};

/// What the groups of one call wrote.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The file, when the first group names it.
    pub(super) file: Option<String>,
    pub(super) lines: Option<Lines>,
}

/// A call that was shown.
#[derive(Debug)]
struct Call {
    edits: bool,
    /// The only file it can work on.
    file: Option<String>,
    written: Option<Written>,
}

impl Call {
    /// The file it is known to work on.
    fn known(&self) -> Option<&str> {
        self.file.as_deref().or_else(|| self.written.as_ref()?.file.as_deref())
    }
}

/// Groups of edits, by what made them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    calls: Vec<Call>,
    /// Groups that no call made, ascending.
    alone: Vec<usize>,
    seen: usize,
}

impl Groups {
    /// The next call; `file` says the only file it can work on.
    pub(super) fn call(&mut self, edits: bool, file: impl FnOnce() -> Option<String>) {
        let file = if edits { file() } else { None };
        self.calls.push(Call { edits, file, written: None });
    }

    /// The next group.
    pub(super) fn group(&mut self, part: Json<'_, '_>) {
        let at = self.seen;
        self.seen += 1;
        let edits = part.get("edits");
        let has_call = self.calls.iter().any(|call| call.edits);
        if has_call && edits.is_none_or(edits::is_empty) {
            // The call has looked at one more file.
            return;
        }
        let file = part.get("uri").and_then(uri::path_of);
        let owner = self.owner(file.as_deref());
        let Some(call) = owner.and_then(|owner| self.calls.get_mut(owner)) else { return self.alone.push(at) };
        let written = call.written.get_or_insert(Written { file, lines: None });
        if let Some(lines) = edits.and_then(edits::lines_of) {
            written.lines.get_or_insert_with(Lines::default).add(lines);
        }
    }

    fn owner(&self, file: Option<&str>) -> Option<usize> {
        let mut editing = self.calls.iter().enumerate().rev().filter(|(_, call)| call.edits);
        let (last, call) = editing.next()?;
        let (Some(known), Some(file)) = (call.known(), file) else { return Some(last) };
        if is_same(known, file) {
            return Some(last);
        }
        let waits = |call: &Call| call.written.is_none() && call.file.as_deref().is_some_and(|f| is_same(f, file));
        editing.find(|(_, call)| waits(call)).map(|(at, _)| at)
    }

    /// What the call at `at` wrote.
    pub(super) fn of_call(&self, at: usize) -> Option<&Written> {
        self.calls.get(at)?.written.as_ref()
    }

    /// True for a group that no call made.
    pub(super) fn is_alone(&self, at: usize) -> bool {
        self.alone.binary_search(&at).is_ok()
    }
}

/// True when both paths name one file: on Windows and on a Mac in whatever case.
fn is_same(one: &str, other: &str) -> bool {
    one == other || (is_caseless(one) && is_caseless(other) && one.to_lowercase() == other.to_lowercase())
}

/// True for a path whose case does not tell files apart, as its system's file systems are made: with a drive or
/// on a share (Windows), or where a Mac keeps homes and disks.
fn is_caseless(path: &str) -> bool {
    let has_drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    has_drive || ["\\\\", "//", "/Users/", "/Volumes/"].iter().any(|start| path.starts_with(start))
}

/// Appends the rows of the `nth` group that no call made: one group is one write.
pub(super) fn edit(turn: &Turn<'_>, part: Json<'_, '_>, nth: usize, rows: &mut Rows) {
    let path = part.get("uri").and_then(uri::path_of);
    let lines = part.get("edits").and_then(edits::lines_of);
    let facts = extra(|writer| rest(part, &["kind", "uri", "edits", "done"], writer));
    let name = part.str_at("kind");
    let call_id = format!("edit_{}", ids::nth_of_turn("edit", turn.name, nth));
    let row = EventRow {
        tool_name: name,
        tool_call_id: Some(&call_id),
        file_path: path.as_deref(),
        completeness: turn.rank + lines.map_or(0, Lines::size),
        ..turn.base
    };
    let event_id = |kind: &str| Some(ids::nth_of_turn(kind, turn.name, nth));
    rows.event(&EventRow {
        id: event_id("edit"),
        event_type: EventType::FileModify,
        role: Some("assistant"),
        extra: facts.as_deref(),
        ..row
    });
    let done = part.get("done").and_then(Json::as_bool);
    if done != Some(false) {
        rows.event(&EventRow {
            id: event_id("edited"),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            lines_added: lines.map(|l| l.added),
            lines_removed: lines.map(|l| l.removed),
            status: Some(Status::Completed),
            ..row
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_tells_files_apart_on_linux_only() {
        for (one, other, same) in [
            ("/Users/me/User-guide.md", "/Users/me/User-Guide.md", true),
            ("/Volumes/Disk/Émil.md", "/Volumes/Disk/émil.md", true),
            ("c:/app/A.rs", "C:/app/a.rs", true),
            ("//server/share/A.rs", "//Server/share/a.rs", true),
            ("/home/me/A.rs", "/home/me/a.rs", false),
            ("/users/me/A.rs", "/users/me/a.rs", false),
            ("/Users/me/a.rs", "/Users/me/b.rs", false),
            ("a.rs", "A.rs", false),
        ] {
            assert_eq!((is_same(one, other), is_same(other, one)), (same, same), "{one} {other}");
        }
    }
}
