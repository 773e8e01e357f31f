//! The folders that exist for a place that is named by a pattern.

use std::fs;
use std::path::{Path, PathBuf};

use crate::discover::places::Root;

/// The existing folders that a root with a pattern stands for; any other root stands for itself,
/// whether it exists or not.
#[must_use]
pub fn expand(root: &Root) -> Vec<Root> {
    let paths = if root.wildcard {
        matching_paths(&root.path)
    } else {
        vec![std::path::absolute(&root.path).unwrap_or_else(|_| root.path.clone())]
    };
    paths.into_iter().map(|path| Root { path, wildcard: false, ..root.clone() }).collect()
}

/// The existing paths that `path` stands for when its components hold a `*`, sorted; any other path
/// stands for itself, whether it exists or not.
#[must_use]
pub fn matching_paths(path: &Path) -> Vec<PathBuf> {
    if !path.to_string_lossy().contains('*') {
        return vec![path.to_owned()];
    }
    let mut paths = vec![PathBuf::new()];
    for part in path.components() {
        let text = part.as_os_str().to_string_lossy();
        paths = match text.split_once('*') {
            None => paths.into_iter().map(|p| p.join(part)).collect(),
            Some((before, after)) => paths.iter().flat_map(|p| matching(p, before, after)).collect(),
        };
    }
    paths
}

fn matching(folder: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|e| {
            let name = e.file_name();
            let name = name.to_string_lossy();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        })
        .map(|e| e.path())
        .collect();
    found.sort();
    found
}
