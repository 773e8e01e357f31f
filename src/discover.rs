//! Where does each agent log on this OS?
//!
//! - [`roots`] is a table over (system, home, environment): pure, so every system is tested on any
//! - [`classify()`] says what a file is by its place under a root: pure; one answer per path
//! - [`scan()`] walks the roots' own folders with `readdir`, and asks for metadata only of files whose
//!   name can be a log; one unreadable place is reported and the walk goes on
//! - [`explicit()`] takes any folder or file and decides by content ([`sniff()`])
//! - symbolic links are followed wherever they lead, since people keep logs elsewhere: each folder and
//!   file once, under the name that no link is part of, else under the first link's
//!
//! - [`project_roots`] are the places inside projects, where some agents log: known from what other logs
//!   name as working folder
//! - [`mapped_roots`] are the places of formats that users describe
//!
//! A further agent is one file in `agents/`: rows of places, patterns of paths, a rule for content.

mod agents;
mod classify;
mod editors;
mod expand;
mod explicit;
mod head;
mod links;
mod mapped;
mod pattern;
mod places;
mod projects;
mod scan;
mod sniff;
mod stat;
mod table;
mod unreadable;
mod warning;
mod xdg;

pub use classify::{Found, classify, classify_change};
pub use expand::{expand, matching_paths};
pub use explicit::{explicit, explicit_mapped};
pub use links::{Elsewhere, Followed};
pub use mapped::{is_named_like, mapped_roots};
pub use pattern::{Files, Pattern};
pub use places::{Root, roots};
pub use projects::{named_projects, project_roots};
pub use scan::{FoundFile, ScanItem, agent_of, scan, scan_among, scan_below};
pub use sniff::{SNIFF_BYTES, Unknown, sniff};
pub use stat::Stat;
pub use table::Layout;
pub use unreadable::{Store, unreadable};
pub use warning::{ScanWarning, told};
