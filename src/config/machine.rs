//! Stable id of a machine, the same that the older collector makes.

use sha2::{Digest, Sha256};

use super::Os;

/// First 16 hex digits of SHA-256 of `hostname-username-os`, then `-hostname-os` in lower case with
/// every character other than `a-z`, `0-9` and `-` replaced by `-`.
pub(super) fn id(hostname: &str, user_name: &str, os: Os) -> String {
    use std::fmt::Write;
    let digest = Sha256::digest(format!("{hostname}-{user_name}-{}", os.name()).as_bytes());
    let mut id = String::with_capacity(24 + hostname.len());
    for byte in digest.iter().take(8) {
        write!(id, "{byte:02x}").expect("writing to a string cannot fail");
    }
    id.push('-');
    let keep = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '-' };
    id.extend(hostname.to_lowercase().chars().map(keep));
    id.push('-');
    id.push_str(os.name());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_hashes_the_names_as_they_are_and_appends_them_made_plain() {
        // printf 'Ann.Local-ann-darwin' | sha256sum
        assert_eq!(id("Ann.Local", "ann", Os::MacOs), "314f7996b2f1e669-ann-local-darwin");
        assert_ne!(id("a", "b", Os::Linux), id("a", "c", Os::Linux));
    }
}
