//! Names in the path of a log.

/// Name of a file without folders and extensions.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let name = name.strip_suffix(".zst").unwrap_or(name);
    name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".json")).unwrap_or(name)
}

/// The `n`-th folder above the file at `path`, from 0.
pub(super) fn folder(path: &str, n: usize) -> Option<&str> {
    path.rsplit(['/', '\\']).nth(n + 1).filter(|name| !name.is_empty())
}
