//! Where were the sessions started that are about to be read?
//!
//! Looked at before any row is decoded, so that a session started in `shop/src` belongs to the project of
//! one started in `shop`, and one of an agent that names no remote to the repository that another agent
//! names there, whichever of them is read first.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::job::Job;
use crate::hierarchy::{git, launch_slug, launched, own_folder};
use crate::schema::{Folders, Framing, Tree};

/// Bytes in which the first record with a folder stands nearly always.
const FIRST_BYTES: usize = 16 << 10;

/// Bytes of a first line that is longer: Codex puts its instructions there, and its remote behind them.
const LINE_BYTES: u64 = 256 << 10;

/// Learns from the beginnings of those logs of which nothing was read.
pub(super) fn learn(jobs: &[Job], folders: &Folders) {
    let fresh = |job: &&Job| job.previous.is_none() && job.format.framing() == Framing::Lines;
    for job in jobs.iter().filter(fresh) {
        if let (Some(path), Some(bytes)) = (job.path.to_str(), beginning(&job.path)) {
            learn_from(path, &bytes, folders);
        }
    }
}

/// The first bytes, and all of the first line if it is not much too long. Packed logs tell nothing.
fn beginning(path: &Path) -> Option<Vec<u8>> {
    if path.extension().is_some_and(|ending| ending == "zst") {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let mut bytes = Vec::with_capacity(FIRST_BYTES);
    file.by_ref().take(FIRST_BYTES as u64).read_to_end(&mut bytes).ok()?;
    if memchr::memchr(b'\n', &bytes).is_none() {
        file.take(LINE_BYTES).read_to_end(&mut bytes).ok()?;
    }
    Some(bytes)
}

fn learn_from(path: &str, bytes: &[u8], folders: &Folders) {
    let line = bytes.split(|byte| *byte == b'\n').find_map(|line| Some((line, text(line, "cwd")?)));
    let Some((line, cwd)) = line else { return };
    let start = launch_slug(path).and_then(|slug| launched(&cwd, slug)).unwrap_or_else(|| own_folder(&cwd));
    let has_branch = ["gitBranch", "branch"].iter().any(|name| text(line, name).is_some_and(|text| !text.is_empty()));
    folders.learn_start(start, has_branch);
    if let Some(repo_url) = text(line, "repository_url").as_deref().and_then(git::https) {
        let tree = Tree { folder: start.into(), main: None, repo_url: Some(repo_url.into()), is_told: true };
        folders.learn_tree(&tree);
    }
}

/// The text of the first field of this name; within texts quotes are escaped, so that none is found there.
fn text(line: &[u8], name: &str) -> Option<String> {
    let start = format!("\"{name}\":");
    let at = memchr::memmem::find(line, start.as_bytes())? + start.len();
    let value = line.get(at..)?.trim_ascii_start();
    let mut ends = memchr::memchr_iter(b'"', value.strip_prefix(b"\"")?);
    ends.find_map(|end| serde_json::from_slice(value.get(..end + 2)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_tells_where_it_was_started_by_its_first_folder() {
        let folders = Folders::default();
        learn_from(
            "/h/.claude/projects/-w-shop/s.jsonl",
            b"{\"type\":\"summary\"}\n{\"text\":\"\\\"cwd\\\":\\\"/no\\\"\",\"cwd\":\"/w/shop/src\",\"gitBranch\":\"main\"}\n",
            &folders,
        );
        assert_eq!(folders.started_around("/w/shop/api").as_deref(), Some("/w/shop"));
        learn_from(
            "/x/y.jsonl",
            br#"{"payload":{"cwd":"C:\\w \"x\"","git":{"repository_url":"git@github.com:a/b.git"#,
            &folders,
        );
        assert_eq!(folders.about(r#"C:\w "x""#).repo_url, None, "cut off");
        learn_from(
            "/x/y.jsonl",
            br#"{"payload":{"cwd": "C:\\w","git":{"repository_url":"git@github.com:a/b.git"}}}"#,
            &folders,
        );
        assert_eq!(folders.about(r"C:\w\src").repo_url.as_deref(), Some("https://github.com/a/b"));
    }
}
