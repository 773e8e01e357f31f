//! The directories of the XDG base directory specification.

use std::path::PathBuf;

use crate::config::Places;

/// A directory of the XDG base directory specification; a relative value is ignored.
pub(super) fn xdg(places: &Places, variable: &str, below_home: &str) -> PathBuf {
    let own = places.env.get(variable).map(|v| v.trim()).filter(|v| v.starts_with('/')).map(PathBuf::from);
    own.unwrap_or_else(|| places.home.join(below_home))
}
