//! What a tool call does: read from the tool's name and arguments.

use crate::schema::EventType;
use std::borrow::Cow;

use crate::adapters::diff;
use crate::adapters::json::Json;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters) enum Deed {
    Command,
    Modify,
    Write,
    Read,
    Use,
}

impl Deed {
    pub(in crate::adapters) const fn event_type(self) -> EventType {
        match self {
            Self::Command => EventType::CommandExecution,
            Self::Modify => EventType::FileModify,
            Self::Write => EventType::FileWrite,
            Self::Read => EventType::FileRead,
            Self::Use => EventType::ToolUse,
        }
    }

    /// What the tool called `name` does with these arguments.
    pub(in crate::adapters) fn of(name: &str, input: Option<Json<'_, '_>>) -> Self {
        let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect();
        let deed = match &*plain {
            "bash" | "shell" | "execute" | "executebash" | "executecommand" | "executecmd" | "executepwsh"
            | "runcommand" | "runterminal" | "runterminalcmd" | "runterminalcommand" | "runshellcommand"
            | "runinterminal" | "terminal" | "exec" | "execcommand" | "localshell" | "powershell" => Self::Command,
            "edit"
            | "editfile"
            | "multiedit"
            | "applypatch"
            | "strreplace"
            | "strreplaceeditor"
            | "strreplacebasededittool"
            | "replace"
            | "replaceinfile"
            | "replacefilecontent"
            | "multireplacefilecontent"
            | "searchreplace"
            | "patch"
            | "applyfilediff"
            | "fsreplace"
            | "fsappend"
            | "append"
            | "undoedit"
            | "codeaction"
            | "smartrelocate" => Self::Modify,
            "write" | "writefile" | "create" | "createfile" | "fswrite" | "writetofile" => Self::Write,
            "read" | "readfile" | "readfiles" | "readmultiplefiles" | "readcode" | "readtextfile" | "fsread"
            | "viewfile" | "view" | "openfile" => Self::Read,
            _ => Self::Use,
        };
        let change = input
            .and_then(|i| i.str_at("command"))
            .is_some_and(|command| matches!(command, "str_replace" | "strReplace" | "insert" | "append" | "undo_edit"));
        if deed == Self::Write && change { Self::Modify } else { deed }
    }
}

/// Command line of a call: a text, or words joined by spaces.
pub(super) fn command_of(input: Json<'_, '_>) -> Option<String> {
    let command = ["command", "cmd", "CommandLine", "commandLine"].iter().find_map(|key| input.get(key))?;
    if command.is_array() {
        let words: Vec<&str> = command.items().filter_map(Json::as_str).collect();
        return (!words.is_empty()).then(|| words.join(" "));
    }
    command.as_filled_str().map(str::to_owned)
}

/// File that a call names in its arguments.
pub(super) fn path_of(input: Json<'_, '_>) -> Option<String> {
    const KEYS: [&str; 12] = [
        "path",
        "file_path",
        "filePath",
        "file",
        "filename",
        "target_file",
        "targetFile",
        "TargetFile",
        "absolute_path",
        "absolutePath",
        "AbsolutePath",
        "uri",
    ];
    let own = KEYS.iter().find_map(|key| input.str_at(key));
    let listed = || {
        let lists = ["operations", "files", "paths", "edits"].iter().filter_map(|key| input.get(key));
        let mut first = lists.filter_map(|list| list.items().next());
        first.find_map(|item| item.as_filled_str().or_else(|| KEYS.iter().find_map(|key| item.str_at(key))))
    };
    let patched = || {
        let patch = ["input", "patch", "patchText"].iter().find_map(|key| input.str_at(key))?;
        let names = ["*** Update File: ", "*** Add File: ", "*** Delete File: "];
        patch.lines().find_map(|line| names.iter().find_map(|name| line.strip_prefix(name))).map(str::trim)
    };
    own.or_else(listed).or_else(patched).map(|path| local_path(path).into_owned())
}

/// The path that a `file:` URI names; anything else as it is.
pub(in crate::adapters) fn local_path(text: &str) -> Cow<'_, str> {
    let Some(rest) = text.strip_prefix("file://") else { return Cow::Borrowed(text) };
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.as_bytes();
    while let Some((byte, after)) = left.split_first() {
        let hex = after.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        let code = hex.filter(|_| *byte == b'%').and_then(|h| u8::from_str_radix(h, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        left = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    let path = String::from_utf8_lossy(&bytes).into_owned();
    // `file:///c:/x` names `c:/x`.
    let drive = matches!(path.as_bytes(), [b'/', letter, b':', ..] if letter.is_ascii_alphabetic());
    Cow::Owned(if drive { path.get(1..).unwrap_or_default().to_owned() } else { path })
}

/// Lines that an edit adds and removes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::adapters) struct Edit {
    pub(in crate::adapters) added: i32,
    pub(in crate::adapters) removed: i32,
}

impl Edit {
    /// Lines of a unified diff or of a patch.
    pub(in crate::adapters) fn of_diff(diff: &str) -> Self {
        let (added, removed) = diff::lines(diff);
        Self { added, removed }
    }

    /// What the arguments of a call say that it will change.
    pub(in crate::adapters) fn of_input(input: Json<'_, '_>, deed: Deed) -> Option<Self> {
        const PAIRS: [(&str, &str); 5] = [
            ("old_str", "new_str"),
            ("old_string", "new_string"),
            ("oldText", "newText"),
            ("oldStr", "newStr"),
            ("originalContent", "modifiedContent"),
        ];
        if !matches!(deed, Deed::Modify | Deed::Write) {
            return None;
        }
        let patch = ["input", "patch", "patchText", "diff"].iter().find_map(|key| input.str_at(key));
        if let Some(patch) = patch {
            return Some(Self::of_diff(patch));
        }
        let pair = |object: Json<'_, '_>| {
            let mut texts = PAIRS.iter().map(|(old, new)| (object.get(old), object.get(new)));
            let (old, new) = texts.rfind(|(old, new)| old.is_some() || new.is_some())?;
            Some(changed(old.and_then(Json::as_str), new.and_then(Json::as_str)))
        };
        let content = ["content", "file_text", "fileText", "text", "contents"].iter().find_map(|key| input.get(key));
        let edits = input.get("edits").into_iter().flat_map(Json::items).filter_map(pair);
        let pairs: Vec<(i32, i32)> = pair(input).into_iter().chain(edits).collect();
        match content {
            _ if !pairs.is_empty() => Some(pairs.iter().fold(Self::default(), |sum, (old, new)| Self {
                added: sum.added.saturating_add(*new),
                removed: sum.removed.saturating_add(*old),
            })),
            Some(content) if deed == Deed::Write => Some(Self { added: lines(Some(content)), removed: 0 }),
            _ => None,
        }
    }
}

/// Lines of the old and of the new text without the lines that both begin and end with.
fn changed(old: Option<&str>, new: Option<&str>) -> (i32, i32) {
    let old: Vec<&str> = old.unwrap_or_default().lines().collect();
    let new: Vec<&str> = new.unwrap_or_default().lines().collect();
    let before = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (old.get(before..).unwrap_or_default(), new.get(before..).unwrap_or_default());
    let after = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let count = |lines: &[&str]| i32::try_from(lines.len() - after).unwrap_or(i32::MAX);
    (count(old), count(new))
}

fn lines(text: Option<Json<'_, '_>>) -> i32 {
    let text = text.and_then(Json::as_str).unwrap_or_default();
    i32::try_from(text.lines().count()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    fn with<T>(json: &str, read: impl FnOnce(Json<'_, '_>) -> T) -> T {
        let (mut read, mut out) = (Some(read), None);
        Parser::default().each(json.as_bytes(), |json| out = read.take().map(|read| read(json))).unwrap();
        out.unwrap()
    }

    #[test]
    fn names_in_any_spelling_say_what_a_call_does() {
        for (name, deed) in [
            ("Bash", Deed::Command),
            ("execute_bash", Deed::Command),
            ("Execute", Deed::Command),
            ("runCommand", Deed::Command),
            ("edit_file", Deed::Modify),
            ("ApplyPatch", Deed::Modify),
            ("fsWrite", Deed::Write),
            ("Create", Deed::Write),
            ("Read", Deed::Read),
            ("readMultipleFiles", Deed::Read),
            ("TodoWrite", Deed::Use),
        ] {
            assert_eq!(Deed::of(name, None), deed, "{name}");
        }
        assert_eq!(with(r#"{"command":"str_replace"}"#, |i| Deed::of("fs_write", Some(i))), Deed::Modify);
    }

    #[test]
    fn files_commands_and_lines_are_found_in_arguments() {
        let path = |json: &str| with(json, path_of);
        assert_eq!(path(r#"{"path":"/a"}"#).as_deref(), Some("/a"));
        assert_eq!(path(r#"{"operations":[{"path":"/b"}]}"#).as_deref(), Some("/b"));
        assert_eq!(path(r#"{"files":["/c","/d"]}"#).as_deref(), Some("/c"));
        assert_eq!(path(r#"{"input":"*** Begin Patch\n*** Update File: e.rs\n"}"#).as_deref(), Some("e.rs"));
        assert_eq!(path(r#"{"uri":"file:///c:/x%20y"}"#).as_deref(), Some("c:/x y"));
        assert_eq!(path("{}"), None);
        assert_eq!(with(r#"{"command":["ls","-a"]}"#, command_of).as_deref(), Some("ls -a"));
        let edit = |json: &str, deed| with(json, |i| Edit::of_input(i, deed));
        assert_eq!(edit(r#"{"old_str":"a\nb","new_str":"c"}"#, Deed::Modify), Some(Edit { added: 1, removed: 2 }));
        assert_eq!(
            edit(r#"{"edits":[{"oldText":"a","newText":"b\nc"},{"oldText":"d","newText":""}]}"#, Deed::Modify),
            Some(Edit { added: 2, removed: 2 })
        );
        assert_eq!(edit(r#"{"content":"a\nb\n"}"#, Deed::Write), Some(Edit { added: 2, removed: 0 }));
        assert_eq!(
            edit(r#"{"originalContent":"a\nb\nc","modifiedContent":"a\nx\ny\nc"}"#, Deed::Modify),
            Some(Edit { added: 2, removed: 1 })
        );
        assert_eq!(edit(r#"{"content":"a"}"#, Deed::Read), None);
        assert_eq!(Edit::of_diff("--- a\n+++ b\n@@\n-x\n+y\n+z\n"), Edit { added: 2, removed: 1 });
    }
}
