//! Where files of the formats are that users describe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::discover::pattern::{Files, Pattern, log, part_fits};
use crate::discover::places::Root;
use crate::discover::table::Layout;
use crate::schema::{Format, Mapping, intern};

/// The places that these descriptions name. They need not exist.
#[must_use]
pub fn mapped_roots(mappings: &[Arc<Mapping>]) -> Vec<Root> {
    let roots = mappings.iter().flat_map(|mapping| {
        mapping.files.iter().map(|files| Root {
            agent: mapping.agent,
            layout: Layout::Files(files_of(&files.pattern, mapping.format())),
            path: files.folder.clone(),
            wildcard: false,
            sibling_roots: [].into(),
        })
    });
    roots.collect()
}

/// True when a file of this name can be one of the format: what is asked of the files in a folder that
/// the user names.
#[must_use]
pub fn is_named_like(mapping: &Mapping, name: &str) -> bool {
    mapping.files.iter().any(|files| files.pattern.rsplit('/').next().is_some_and(|last| part_fits(last, name)))
}

/// The layout of a pattern. Layouts live as long as the process, as those of the built-in agents do: one
/// for each pattern, however often the roots are asked for.
fn files_of(pattern: &str, format: Format) -> &'static Files {
    static KNOWN: Mutex<Option<HashMap<(String, Format), &'static Files>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(HashMap::new);
    if let Some(files) = known.get(&(pattern.to_owned(), format)) {
        return files;
    }
    let path = intern(pattern);
    let patterns: &'static [Pattern] = Box::leak(Box::new([log(path, format)]));
    let single: &'static [&'static str] = Box::leak(Box::new([path]));
    let is_single = !path.contains(['*', '/']);
    let files: &'static Files = Box::leak(Box::new(Files {
        folders: if is_single { &[] } else { &[""] },
        files: if is_single { single } else { &[] },
        skip_dirs: &[".git", "node_modules"],
        patterns,
    }));
    known.insert((pattern.to_owned(), format), files);
    files
}
