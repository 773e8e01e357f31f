//! Which projects does a name mean that the user typed? The whole name, or the end of it: `shop` is `acme/shop`.

use super::super::{CliError, Streams};
use crate::ops::{self, QueryPlan};

use super::tell;
use crate::config::Settings;
use crate::text::nearest;

/// All projects in the lake.
fn known(settings: &Settings) -> Result<Vec<String>, CliError> {
    use arrow::array::AsArray;
    let sql = "SELECT DISTINCT project FROM events WHERE project IS NOT NULL ORDER BY 1".to_owned();
    let rows = ops::rows(settings, &QueryPlan { sql, ..QueryPlan::default() }, &mut |_| {})?;
    let mut names = Vec::new();
    for batch in rows {
        let batch = batch?;
        let column = batch.column(0).as_string_view_opt();
        names.extend(column.into_iter().flatten().flatten().map(str::to_owned));
    }
    Ok(names)
}

/// Those of `known` that `name` means: the one called so, else those that end with it.
fn meant<'a>(name: &str, known: &'a [String]) -> Vec<&'a str> {
    let ends =
        |project: &&String| project.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    match known.iter().find(|project| *project == name) {
        Some(project) => vec![project],
        None => known.iter().filter(ends).map(String::as_str).collect(),
    }
}

/// What was probably meant by a name that no project has.
fn likely<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let plain = |project: &'a String| (project.to_lowercase(), project.as_str());
    let folded: Vec<(String, &str)> = known.iter().map(plain).collect();
    let same = folded.iter().find(|(folded, _)| *folded == lower || folded.ends_with(&format!("/{lower}")));
    same.map(|(_, project)| *project).or_else(|| {
        // The owner need not be typed.
        let last = |project: &&'a str| project.rsplit('/').next().unwrap_or_default();
        let all: Vec<&'a str> = known.iter().map(String::as_str).collect();
        let near = nearest(name, all.iter().flat_map(|project| [*project, last(project)]))?;
        all.into_iter().find(|project| *project == near || last(project) == near)
    })
}

/// Says that no project is called `name`, and which one perhaps is meant.
pub(super) fn tell_unknown(settings: &Settings, name: &str, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let known = known(settings)?;
    if !meant(name, &known).is_empty() {
        return Ok(());
    }
    let hint = likely(name, &known).map_or_else(
        || "; devlog report projects lists them".to_owned(),
        |project| format!("; did you mean {project}?"),
    );
    tell(streams, &format!("note: no project is called {name}{hint}"))
}

/// The projects that are to be deleted: each name means one, or nothing is deleted.
pub(super) fn resolved(
    settings: &Settings,
    names: &[String],
    streams: &mut Streams<'_>,
) -> Result<Vec<String>, CliError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let known = known(settings)?;
    let mut all = Vec::new();
    for name in names {
        match meant(name, &known)[..] {
            [project] => {
                if project != name {
                    tell(streams, &format!("note: {name} is {project}"))?;
                }
                all.push(project.to_owned());
            }
            [] => {
                tell_unknown(settings, name, streams)?;
                all.push(name.clone());
            }
            ref several => {
                let projects = several.iter().map(|project| (*project).to_owned()).collect();
                return Err(CliError::ManyProjects { name: name.clone(), projects });
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_project_called_so_else_all_that_end_with_it() {
        let known = ["acme/shop", "b/shop", "shop", "git-sync/x", "entireio/git-sync"].map(str::to_owned);
        assert_eq!(meant("shop", &known), ["shop"]);
        assert_eq!(meant("shop", &known[..2]), ["acme/shop", "b/shop"]);
        assert_eq!(meant("git-sync", &known), ["entireio/git-sync"]);
        assert!(meant("sync", &known).is_empty() && meant("", &known[..2]).is_empty());
        assert_eq!(likely("Git-Sync", &known), Some("entireio/git-sync"));
        assert_eq!(likely("git-snyc", &known), Some("entireio/git-sync"));
        assert_eq!(likely("acme/shpo", &known), Some("acme/shop"));
        assert_eq!(likely("xylophone", &known), None);
    }
}
