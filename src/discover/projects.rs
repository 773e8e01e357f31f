//! Agents that log inside the folders that they work in: Aider, Crush, the Go program OpenCode.
//!
//! Such a folder is known because another agent's log names it as `cwd`, because the user names it in
//! `config.toml`, or because Crush keeps it in its registry. The agent may have been started above it:
//! each folder up to the top of its git repository, or below the home directory, counts.
//!
//! - costs one look for `.git` and one for each log's place, for each distinct folder; nothing is walked
//! - only folders in which something lies are roots: a log that appears is found at the next scan

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::config::{Os, Places};
use crate::discover::agents::{aider, crush};
use crate::discover::expand::expand;
use crate::discover::pattern::Files;
use crate::discover::places::Root;
use crate::discover::table::Layout;
use crate::discover::xdg::xdg;

/// Who logs in projects, and what.
const LAYOUTS: [(&str, &Files); 2] = [("aider", &aider::PROJECT_FILES), ("crush", &crush::PROJECT_FILES)];

/// Bytes of Crush's registry that are read.
const REGISTRY_BYTES: u64 = 4 << 20;

/// The roots of agents that log in projects, for these folders and those above them that belong to the
/// same project. Each root exists, has at least one log's place in it, and comes once.
pub fn project_roots<'a>(folders: impl IntoIterator<Item = &'a Path>, places: &Places) -> Vec<Root> {
    let mut tops: HashMap<&Path, bool> = HashMap::new();
    let mut seen: HashSet<&Path> = HashSet::new();
    let mut roots = Vec::new();
    for folder in folders.into_iter().filter(|folder| is_own(folder)) {
        for candidate in project_folders(folder, &places.home, &mut tops) {
            if seen.insert(candidate) {
                roots.extend(LAYOUTS.iter().filter_map(|(agent, files)| root(agent, files, candidate)));
                let has_other_name = candidate.file_name().is_none_or(|name| name != ".crush");
                roots.extend(root("crush", &crush::DATA_FILES, candidate).filter(|_| has_other_name));
            }
        }
    }
    roots.sort_by(|a, b| (a.agent, &a.path).cmp(&(b.agent, &b.path)));
    roots
}

/// False for shares, which could make a scan wait for a server that is off, and for folders of another
/// system.
fn is_own(folder: &Path) -> bool {
    folder.is_absolute() && folder.to_str().is_some_and(|text| !text.starts_with(r"\\") && !text.starts_with("//"))
}

/// `folder` and those above it that belong to the same project.
fn project_folders<'a>(folder: &'a Path, home: &Path, tops: &mut HashMap<&'a Path, bool>) -> Vec<&'a Path> {
    let mut chain = Vec::new();
    for above in folder.ancestors().take_while(|above| *above == folder || !home.starts_with(above)) {
        chain.push(above);
        if *tops.entry(above).or_insert_with(|| fs::symlink_metadata(above.join(".git")).is_ok()) {
            return chain;
        }
    }
    if !folder.starts_with(home) {
        // Nothing says where the project ends.
        chain.truncate(1);
    }
    chain
}

fn root(agent: &'static str, files: &'static Files, folder: &Path) -> Option<Root> {
    let mut places = files.files.iter().chain(files.folders);
    let any = places.any(|place| fs::symlink_metadata(folder.join(place)).is_ok());
    any.then(|| Root {
        agent,
        layout: Layout::Files(files),
        path: folder.to_owned(),
        wildcard: false,
        sibling_roots: [].into(),
    })
}

/// Folders that nobody's log has to name: those that fit the user's `patterns` (`*` stands for any
/// characters within a part), and those in Crush's registry.
#[must_use]
pub fn named_projects(patterns: &[PathBuf], places: &Places) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = patterns
        .iter()
        .flat_map(|pattern| {
            let wildcard = pattern.to_string_lossy().contains('*');
            expand(&Root {
                agent: "",
                layout: Layout::Files(&aider::PROJECT_FILES),
                path: pattern.clone(),
                wildcard,
                sibling_roots: [].into(),
            })
        })
        .map(|root| root.path)
        .collect();
    for registry in registries(places) {
        let mut text = String::new();
        let read = fs::File::open(&registry).and_then(|file| file.take(REGISTRY_BYTES).read_to_string(&mut text));
        if read.is_ok()
            && let Ok(value) = serde_json::from_str(&text)
        {
            registered(&value, &mut folders);
        }
    }
    folders.sort();
    folders.dedup();
    folders
}

/// Where Crush's registry may be.
fn registries(places: &Places) -> Vec<PathBuf> {
    let set = |name: &str| places.env.get(name).map(|v| v.trim()).filter(|v| !v.is_empty()).map(PathBuf::from);
    let mut folders: Vec<PathBuf> = set("CRUSH_GLOBAL_DATA").into_iter().collect();
    match places.os {
        Os::Windows => {
            folders.push(set("LOCALAPPDATA").unwrap_or_else(|| places.home.join("AppData/Local")).join("crush"));
        }
        Os::Linux | Os::MacOs => folders.push(xdg(places, "XDG_DATA_HOME", ".local/share").join("crush")),
    }
    folders.into_iter().map(|folder| folder.join("projects.json")).collect()
}

/// Absolute paths in the registry: a list of paths, a list of objects with paths, or an object of either
/// kind; keys may be paths too.
fn registered(value: &serde_json::Value, folders: &mut Vec<PathBuf>) {
    let mut take = |text: &str| {
        let path = Path::new(text);
        if is_own(path) {
            // The data folder stands in the project unless it has a name of its own.
            let in_project = path.file_name().is_some_and(|name| name == ".crush");
            folders.push(if in_project { path.parent().unwrap_or(path) } else { path }.to_owned());
        }
    };
    match value {
        serde_json::Value::String(text) => take(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| registered(item, folders)),
        serde_json::Value::Object(members) => {
            members.keys().for_each(|key| take(key));
            members.values().for_each(|value| registered(value, folders));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World(tempfile::TempDir);

    impl World {
        fn with(files: &[&str]) -> Self {
            let world = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = world.path(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            world
        }

        fn path(&self, below: &str) -> PathBuf {
            self.0.path().join(below)
        }

        fn places(&self, env: &[(&str, &str)]) -> Places {
            let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Places { os: Os::Linux, home: self.path("home"), env }
        }

        /// Agents and roots (below the world) for these folders.
        fn roots(&self, folders: &[&str]) -> Vec<String> {
            let folders: Vec<PathBuf> = folders.iter().map(|f| self.path(f)).collect();
            let roots = project_roots(folders.iter().map(PathBuf::as_path), &self.places(&[]));
            let shown = |root: Root| {
                format!("{} {}", root.agent, root.path.strip_prefix(self.0.path()).unwrap().to_string_lossy())
            };
            roots.into_iter().map(shown).collect()
        }
    }

    #[test]
    fn a_folder_and_those_above_it_up_to_the_repository_are_looked_at_once() {
        let world = World::with(&[
            "home/.aider.chat.history.md",
            "home/src/.aider.chat.history.md",
            "home/src/shop/.git/config",
            "home/src/shop/.aider.input.history",
            "home/src/shop/api/.crush/crush.db",
            "home/src/shop/web/x",
        ]);
        let expected = ["aider home/src/shop", "crush home/src/shop/api"];
        assert_eq!(world.roots(&["home/src/shop/api", "home/src/shop", "home/src/shop/web"]), expected.as_slice());
    }

    #[test]
    fn without_a_repository_the_home_ends_the_project_and_elsewhere_the_folder_itself() {
        let world = World::with(&[
            "home/.aider.chat.history.md",
            "home/notes/.aider.chat.history.md",
            "home/notes/2026/x",
            "srv/.aider.chat.history.md",
            "srv/a/.opencode/opencode.db",
        ]);
        assert_eq!(world.roots(&["home/notes/2026"]), ["aider home/notes"]);
        assert_eq!(world.roots(&["srv/a"]), ["crush srv/a"]);
        assert_eq!(world.roots(&["home"]), ["aider home"], "who works in the home logs there");
        assert!(
            project_roots([Path::new("rel"), Path::new("//server/x"), Path::new(r"C:\x")], &world.places(&[]))
                .is_empty()
        );
    }

    #[test]
    fn patterns_of_the_user_and_the_registry_name_folders() {
        let world = World::with(&["home/src/a/x", "home/src/b/x", "home/other/x"]);
        let (p, data) = (|below: &str| world.path(below).to_string_lossy().into_owned(), world.path("data"));
        let registry = format!(
            r#"{{"projects":[{{"path":"{0}","data_dir":"{0}/.crush","last_accessed":"2026"}},{{"path":"{1}","data_dir":"{2}"}}]}}"#,
            p("srv/one"),
            p("srv/two"),
            p("crush-data/two"),
        );
        fs::create_dir_all(data.join("crush")).unwrap();
        fs::write(data.join("crush/projects.json"), registry).unwrap();
        let env = [("XDG_DATA_HOME", data.to_str().unwrap())];
        let found = named_projects(&[world.path("home/src/*"), world.path("home/other")], &world.places(&env));
        let expected = ["crush-data/two", "home/other", "home/src/a", "home/src/b", "srv/one", "srv/two"];
        assert_eq!(found, expected.map(|below| world.path(below)));
    }

    #[test]
    fn every_shape_of_the_registry_is_read_and_rubbish_names_nothing() {
        for (text, expected) in [
            (r#"["/a","/b/.crush"]"#, &["/a", "/b"][..]),
            (r#"{"/a":{"last":1},"/b":"/c"}"#, &["/a", "/b", "/c"]),
            (r#"{"projects":["rel",5,null]}"#, &[]),
        ] {
            let mut folders = Vec::new();
            registered(&serde_json::from_str(text).unwrap(), &mut folders);
            assert_eq!(folders, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn a_data_folder_of_another_name_is_a_root_itself() {
        let world = World::with(&["crush-data/two/crush.db"]);
        assert_eq!(world.roots(&["crush-data/two"]), ["crush crush-data/two"]);
    }
}
