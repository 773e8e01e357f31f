//! Where Aider logs, and how its logs are known.
//!
//! There is no register of projects: the files lie in each of them, at the root of its repository. [`PROJECT_FILES`] says
//! which; whoever knows project folders makes roots of them. The variables name files.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, Pattern, log};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

/// What Aider leaves in a project's folder.
pub(in crate::discover) const PROJECT_FILES: Files = Files {
    folders: &[],
    files: &[".aider.chat.history.md", ".aider.input.history", ".aider.llm.history"],
    skip_dirs: &[],
    patterns: &[
        log(".aider.chat.history.md", Format::AiderChat),
        log(".aider.input.history", Format::AiderInput),
        log(".aider.llm.history", Format::AiderCalls),
    ],
};

/// A root that is itself the file, whatever its name.
const fn itself(patterns: &'static [Pattern]) -> Files {
    Files { folders: &[], files: &[""], skip_dirs: &[], patterns }
}

const CHAT: Files = itself(&[log("**", Format::AiderChat)]);
const INPUT: Files = itself(&[log("**", Format::AiderInput)]);
const CALLS: Files = itself(&[log("**", Format::AiderCalls)]);
const ANALYTICS: Files = itself(&[log("**", Format::AiderAnalytics)]);

pub(in crate::discover) const ROWS: &[Row] = &[
    row("aider", Layout::Files(&PROJECT_FILES), ANY, Start::Home, ""),
    row("aider", Layout::Files(&CHAT), ANY, Start::List("AIDER_CHAT_HISTORY_FILE"), ""),
    row("aider", Layout::Files(&INPUT), ANY, Start::List("AIDER_INPUT_HISTORY_FILE"), ""),
    row("aider", Layout::Files(&CALLS), ANY, Start::List("AIDER_LLM_HISTORY_FILE"), ""),
    row("aider", Layout::Files(&ANALYTICS), ANY, Start::List("AIDER_ANALYTICS_LOG"), ""),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    match head.shape {
        Shape::Object if head.has(&["event", "properties", "user_id", "time"]) => Some(Format::AiderAnalytics),
        Shape::Text => text(head),
        _ => None,
    }
}

fn text(head: &Head<'_>) -> Option<Format> {
    let start = head.bytes.trim_ascii_start();
    let is_entry = || {
        let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
        line.starts_with(b"# 2") && line.iter().filter(|b| **b == b':').count() == 2 && head.contains("\n+")
    };
    if start.starts_with(b"TO LLM 2") {
        Some(Format::AiderCalls)
    } else if head.name() == ".aider.chat.history.md"
        || has_line(head, "# aider chat started at ")
        || is_transcript(head)
    {
        Some(Format::AiderChat)
    } else if head.name().contains("input.history") && is_entry() {
        Some(Format::AiderInput)
    } else {
        None
    }
}

/// A chat without its first line, as people publish them.
fn is_transcript(head: &Head<'_>) -> bool {
    head.name().ends_with(".md")
        && has_line(head, "#### ")
        && (has_line(head, "> Applied edit to ") || has_line(head, "> Tokens: ") || has_line(head, "> Aider v"))
}

fn has_line(head: &Head<'_>, start: &str) -> bool {
    head.bytes.starts_with(start.as_bytes()) || head.contains(&format!("\n{start}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Os, Places};
    use crate::discover::classify::classify;
    use crate::discover::places::{Root, roots};
    use crate::discover::scan::{ScanItem, scan};
    use crate::discover::sniff::sniff as sniff_bytes;

    fn own(os: Os, home: &Path, env: &[(&str, &str)]) -> Vec<Root> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places { os, home: home.to_owned(), env };
        roots(&places).into_iter().filter(|r| r.agent == "aider").collect()
    }

    #[test]
    fn home_and_the_files_that_variables_name_are_places_on_every_system() {
        let env = [
            ("AIDER_CHAT_HISTORY_FILE", "/a/chat.md"),
            ("AIDER_INPUT_HISTORY_FILE", "/a/typed"),
            ("AIDER_LLM_HISTORY_FILE", "/a/llm.txt"),
            ("AIDER_ANALYTICS_LOG", "/a/analytics.jsonl"),
        ];
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            let found = own(os, Path::new("/h"), &env);
            let paths: Vec<_> = found.iter().map(|r| r.path.to_str().unwrap()).collect();
            assert_eq!(paths, ["/h", "/a/chat.md", "/a/typed", "/a/llm.txt", "/a/analytics.jsonl"]);
            let formats: Vec<_> = found[1..].iter().map(|r| classify(r, Path::new("")).unwrap().format).collect();
            use Format::{AiderAnalytics, AiderCalls, AiderChat, AiderInput};
            assert_eq!(formats, [AiderChat, AiderInput, AiderCalls, AiderAnalytics]);
        }
    }

    #[test]
    fn a_project_folder_is_a_root_of_its_files_alone_and_a_file_one_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            [".aider.chat.history.md", ".aider.input.history", "README.md", "named.md", "sub/.aider.chat.history.md"]
        {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x\n").unwrap();
        }
        let named = folder.path().join("named.md");
        let found = own(Os::Linux, folder.path(), &[("AIDER_CHAT_HISTORY_FILE", named.to_str().unwrap())]);
        let mut seen = Vec::new();
        for root in &found {
            scan(root, |s| match s {
                ScanItem::File(file) => seen.push((file.path.file_name().unwrap().to_owned(), file.format)),
                other => panic!("{other:?}"),
            });
        }
        let expected = [
            (".aider.chat.history.md".into(), Format::AiderChat),
            (".aider.input.history".into(), Format::AiderInput),
            ("named.md".into(), Format::AiderChat),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn files_with_other_names_are_known_by_their_text() {
        let table: &[(&str, &str, Option<Format>)] = &[
            ("/x/chat.md", "\n# aider chat started at 2025-01-02 03:04:05\n\n> Aider v1  \n", Some(Format::AiderChat)),
            ("/x/css.md", "---\nt: x\n---\n#### do it  \n\nok\n\n> Applied edit to a.css  \n", Some(Format::AiderChat)),
            ("/x/.aider.input.history", "\n# 2025-05-10 15:14:13.842487\n+yes\n", Some(Format::AiderInput)),
            ("/x/.psql_history", "\n# 2025-05-10 15:14:13.842487\n+yes\n", None),
            ("/x/llm.txt", "TO LLM 2025-05-04T17:06:58\n-------\n", Some(Format::AiderCalls)),
            ("/x/a.jsonl", r#"{"event":"exit","properties":{},"user_id":"u","time":1}"#, Some(Format::AiderAnalytics)),
            ("/x/README.md", "# Title\n\n#### Part\n\n> quote\n", None),
        ];
        for (path, text, expected) in table {
            assert_eq!(sniff_bytes(path, text.as_bytes(), None).ok(), *expected, "{path}");
        }
    }
}
