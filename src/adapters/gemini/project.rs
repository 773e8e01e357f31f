//! Which folder a chat is about: its file has only the SHA-256 of the path.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::adapters::SourceInfo;
use crate::adapters::path::folder;

/// Paths that the files beside a chat name.
#[derive(Debug, Default)]
pub(super) struct Folders {
    /// What `.project_root` says.
    root: Option<String>,
    /// Paths in `projects.json` with their slugs.
    registered: Vec<(String, String)>,
    /// Folder of the chat's project below `tmp`: a slug, or the hash itself.
    slug: Option<String>,
}

impl Folders {
    pub(super) fn of(info: SourceInfo<'_>) -> Self {
        let root = info.companion(".project_root").map(str::trim).filter(|root| !root.is_empty());
        let registry = info.companion("projects.json").and_then(|text| serde_json::from_str::<Value>(text).ok());
        let projects = registry.as_ref().and_then(|r| r.get("projects").and_then(Value::as_object));
        let registered =
            projects.into_iter().flatten().filter_map(|(path, slug)| Some((path.clone(), slug.as_str()?.to_owned())));
        // …/tmp/<slug>/chats/<file> or …/tmp/<slug>/chats/<parent>/<file> or …/tmp/<slug>/logs.json
        let slug = (0..4).find(|n| folder(info.path, n + 1) == Some("tmp")).and_then(|n| folder(info.path, n));
        Self { root: root.map(str::to_owned), registered: registered.collect(), slug: slug.map(str::to_owned) }
    }

    /// The folder whose path has this hash, else the one that the files beside the chat name.
    pub(super) fn find(&self, hash: Option<&str>) -> Option<&str> {
        let known = || self.registered.iter().map(|(path, _)| path.as_str());
        let hashed = hash.and_then(|hash| self.root.as_deref().into_iter().chain(known()).find(|p| has_hash(p, hash)));
        let slug =
            || self.registered.iter().find(|(_, slug)| Some(slug) == self.slug.as_ref()).map(|(path, _)| &**path);
        hashed.or(self.root.as_deref()).or_else(slug)
    }
}

fn has_hash(path: &str, hash: &str) -> bool {
    let mut own = String::with_capacity(64);
    for byte in Sha256::digest(path.as_bytes()) {
        write!(own, "{byte:02x}").unwrap_or_default();
    }
    own == hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::Companion;

    #[test]
    fn the_hash_finds_the_folder_among_those_that_are_registered() {
        let hash: String = Sha256::digest(b"/home/me/shop").iter().map(|b| format!("{b:02x}")).collect();
        let registry = r#"{"projects":{"/home/me/other":"other","/home/me/shop":"shop"}}"#;
        let companions = [Companion { name: "projects.json", text: registry }];
        let at = |path| Folders::of(SourceInfo { path, companions: &companions, modified_us: 0, zone: None });
        assert_eq!(at("/g/tmp/x/chats/session-a.json").find(Some(&hash)), Some("/home/me/shop"));
        assert_eq!(at("/g/tmp/other/chats/session-a.json").find(None), Some("/home/me/other"));
        assert_eq!(at("/g/tmp/other/chats/parent/a.jsonl").find(Some("00")), Some("/home/me/other"));
        assert_eq!(at("/g/tmp/x/logs.json").find(None), None);
        let root = [Companion { name: ".project_root", text: "/home/me/garden\n" }];
        let info = SourceInfo { path: r"C:\g\tmp\garden\chats\s.jsonl", companions: &root, modified_us: 0, zone: None };
        assert_eq!(Folders::of(info).find(Some(&hash)), Some("/home/me/garden"));
    }
}
