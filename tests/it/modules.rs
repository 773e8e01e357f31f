//! The module files of `src` and which of them name each other, read with a parser for Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// The path of a module: `["lake", "entry"]`; the library's root is empty.
pub type Module = Vec<String>;

/// The files of `src` without tests, by their module, and what each of them names.
pub struct Modules {
    /// What a file names of others, as full paths: `["lake", "entry", "Entry"]`.
    named: BTreeMap<Module, BTreeSet<Module>>,
    /// What a module hands on under a name of its own: `(["lake"], "Entry")` is `["lake", "entry", "Entry"]`.
    handed_on: BTreeMap<(Module, String), Module>,
}

impl Modules {
    /// Reads every file below `src`; `main.rs` stands aside, it is a program of its own.
    pub fn read(src: &Path) -> Self {
        let mut files = Vec::new();
        sources(src, &mut files);
        let modules: BTreeMap<Module, PathBuf> = files.into_iter().map(|file| (module(src, &file), file)).collect();
        let known: BTreeSet<Module> = modules.keys().cloned().collect();
        let mut all = Self { named: BTreeMap::new(), handed_on: BTreeMap::new() };
        for (module, file) in &modules {
            let text = fs::read_to_string(file).unwrap();
            let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let mut names =
                Names { here: module.clone(), known: &known, named: BTreeSet::new(), handed_on: Vec::new() };
            names.visit_file(&parsed);
            all.named.insert(module.clone(), names.named);
            all.handed_on.extend(names.handed_on.into_iter().map(|(name, target)| ((module.clone(), name), target)));
        }
        all
    }

    /// What each file names, as full paths.
    pub const fn names(&self) -> &BTreeMap<Module, BTreeSet<Module>> {
        &self.named
    }

    /// The other files that each file uses. A module and those inside it always know each other: they are left out.
    pub fn uses(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let mut uses: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for (module, named) in &self.named {
            let targets = named.iter().filter_map(|path| self.file_of(path, 0));
            uses.insert(module, targets.filter(|to| !to.starts_with(module) && !module.starts_with(to)).collect());
        }
        uses
    }

    /// The file in which what a path names is written, through what other modules hand on.
    fn file_of(&self, path: &[String], depth: usize) -> Option<&Module> {
        let longest = (0..=path.len()).rev().find_map(|n| self.named.get_key_value(&path[..n]))?.0;
        let rest = &path[longest.len()..];
        if let Some(name) = rest.first()
            && depth < 8
            && let Some(target) = self.handed_on.get(&(longest.clone(), name.clone()))
        {
            let whole: Module = target.iter().chain(&rest[1..]).cloned().collect();
            return self.file_of(&whole, depth + 1);
        }
        Some(longest)
    }
}

/// Groups of files that reach each other in a circle, each sorted.
pub fn circles<'a>(uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> Vec<Vec<String>> {
    let reach = |from: &'a Module| {
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut open: Vec<&Module> = uses[from].iter().copied().collect();
        while let Some(at) = open.pop() {
            if seen.insert(at) {
                open.extend(uses[at].iter().copied());
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = uses.keys().map(|module| (*module, reach(module))).collect();
    let mut groups: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, seen) in &reached {
        if seen.contains(module) {
            let group = seen.iter().filter(|other| reached[*other].contains(module));
            groups.insert(group.map(|m| m.join("/")).collect());
        }
    }
    groups.into_iter().collect()
}

/// Collects what one file names.
struct Names<'a> {
    here: Module,
    known: &'a BTreeSet<Module>,
    named: BTreeSet<Module>,
    handed_on: Vec<(String, Module)>,
}

impl Names<'_> {
    /// A path as it is written, from the library's root; `None` where it leads out of the library.
    fn absolute(&self, segments: &[String]) -> Option<Module> {
        let mut at = self.here.clone();
        let mut rest = segments;
        match rest.first().map(String::as_str)? {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|s| s == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                at.push(first.to_owned());
                if !self.known.contains(&at) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }

    fn tree(&mut self, prefix: &[String], tree: &syn::UseTree, public: bool) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, public),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(prefix, item, public)),
            syn::UseTree::Name(name) if name.ident == "self" => self.used(prefix, None),
            syn::UseTree::Name(name) => self.used(&with(&name.ident), public.then(|| name.ident.to_string())),
            syn::UseTree::Rename(name) => self.used(&with(&name.ident), public.then(|| name.rename.to_string())),
            syn::UseTree::Glob(_) => self.used(prefix, None),
        }
    }

    fn used(&mut self, segments: &[String], handed_on_as: Option<String>) {
        let Some(path) = self.absolute(segments) else { return };
        if let Some(name) = handed_on_as {
            self.handed_on.push((name, path.clone()));
        }
        self.named.insert(path);
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree, !matches!(item.vis, syn::Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
            self.used(&segments, None);
        }
        visit::visit_path(self, path);
    }
}

/// Whether an item is compiled for tests only.
fn is_for_tests(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Path>().is_ok_and(|p| p.is_ident("test")))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "main.rs" {
            found.push(path);
        }
    }
}

fn module(src: &Path, file: &Path) -> Module {
    let inside = file.strip_prefix(src).unwrap().with_extension("");
    let path: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path == ["lib"] { Vec::new() } else { path }
}
