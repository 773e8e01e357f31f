//! The views: `queries/*.sql`, and the user's own files beside them.
//!
//! - one SELECT a file, the file's stem is the view's name, a head comment says what it answers
//! - a line that ends in `-- if NAME` belongs to reports that are given NAME and is left out of views
//! - a user's view may take the name of a built-in one, never of a table

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::error::QueryError;

/// A view's definition.
#[derive(Debug, Clone)]
pub struct View {
    /// Name in SQL.
    pub name: String,
    /// Its SELECT.
    pub sql: Cow<'static, str>,
    /// File it comes from, when it is the user's own.
    pub path: Option<PathBuf>,
    /// Why that file cannot be used; told to those who use the view.
    pub fault: Option<String>,
}

/// Reads a file of the user's own, or says why it must not be used.
pub type ReadView = fn(&Path) -> Result<String, String>;

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of every built-in view.
        pub(super) const BUILT_IN: &[(&str, &str)] = &[
            $( ($name, include_str!(concat!("../../queries/", $name, ".sql"))) ),+
        ];
    };
}

built_in!(
    "activity",
    "commands",
    "daily",
    "errors",
    "files",
    "lineage",
    "machines",
    "messages",
    "models",
    "monthly",
    "projects",
    "projects_usage",
    "sessions",
    "tool_calls",
    "tools",
    "turns",
    "usage",
    "weekly",
    "workspaces",
);

impl View {
    /// What the view answers: the first paragraph of its head comment.
    #[must_use]
    pub fn summary(&self) -> String {
        let comment = self.sql.lines().map_while(|line| line.strip_prefix("--").map(str::trim));
        comment.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Says whose fault `error` is.
    pub(super) fn blame(&self, error: QueryError) -> QueryError {
        match &self.path {
            Some(path)
                if !matches!(
                    error,
                    QueryError::View { .. } | QueryError::Circular { .. } | QueryError::UnusableView { .. }
                ) =>
            {
                QueryError::View { name: self.name.clone(), path: path.clone(), source: Box::new(error) }
            }
            _ => error,
        }
    }
}

/// Keeps the lines of `sql` that stand under no condition or under one of `given`.
pub(super) fn under(sql: &str, given: &BTreeSet<&str>) -> String {
    let kept = |line: &&str| line.rsplit_once("-- if ").is_none_or(|(_, name)| given.contains(name.trim()));
    let mut out = String::with_capacity(sql.len());
    for line in sql.lines().filter(kept) {
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Names of the built-in views.
pub fn view_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The built-in views.
pub(super) fn built_in() -> BTreeMap<String, View> {
    let none = BTreeSet::new();
    let view = |(name, sql): &(&str, &'static str)| {
        let sql = if sql.contains("-- if ") { Cow::Owned(under(sql, &none)) } else { Cow::Borrowed(*sql) };
        ((*name).to_owned(), View { name: (*name).to_owned(), sql, path: None, fault: None })
    };
    BUILT_IN.iter().map(view).collect()
}

/// Files in `directory` that are no views, or broken ones, and why.
#[must_use]
pub fn broken_views(directory: &Path, tables: &[&str], read: ReadView) -> Vec<String> {
    add_own(&mut built_in(), directory, tables, read)
}

/// Adds the user's views in `directory` to `views`; returns what could not be used, and why.
///
/// A directory that is not there holds no views. `tables` are names that views cannot take.
pub(super) fn add_own(
    views: &mut BTreeMap<String, View>,
    directory: &Path,
    tables: &[&str],
    read: ReadView,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return warnings,
        Err(e) => return vec![format!("cannot read views in {directory:?}: {e}")],
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|p| p.extension().is_some_and(|e| e == "sql")) {
        let Some(name) = path.file_stem().and_then(|s| s.to_str()).filter(|s| is_name(s)).map(str::to_lowercase) else {
            warnings.push(format!("{path:?} is not used as a view: its name may have letters, digits and _ only"));
            continue;
        };
        if tables.contains(&name.as_str()) {
            warnings.push(format!("{path:?} is not used as a view: `{name}` is a table, choose another name"));
            continue;
        }
        let (sql, fault) = match read(&path) {
            Ok(sql) => {
                if let Err(e) = super::statement::parse(&sql) {
                    warnings.push(format!("the view `{name}` in {path:?} is broken: {e}"));
                }
                (sql, None)
            }
            Err(why) => {
                warnings.push(format!("the view `{name}` cannot be used: {why}"));
                (String::new(), Some(why))
            }
        };
        views.insert(name.clone(), View { name, sql: sql.into(), path: Some(path), fault });
    }
    warnings
}

fn is_name(stem: &str) -> bool {
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    stem.bytes().all(letters) && stem.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}
