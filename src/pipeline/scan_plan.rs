//! What is there to read? Finds the logs and leaves out those that have not changed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::companions::changed_ns;
use super::job::{Job, new_position};
use super::silence::is_due;
use super::stream::has_torn_end;
use crate::config::{Own, Places};
use crate::discover::{
    Elsewhere, Followed, FoundFile, Root, ScanItem, ScanWarning, Stat, explicit, explicit_mapped, mapped_roots,
    named_projects, project_roots, roots, scan_among,
};
use crate::schema::{Format, Mapping, SourceId, SourcePosition};
use crate::watch::{Decision, Disk, Registry, UNTRUSTED, is_untouched};

/// Which logs are meant.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only these agents; all when empty.
    pub agents: Vec<String>,
    /// These folders or files, whatever the names in them, instead of the agents' own places.
    pub paths: Vec<PathBuf>,
    /// Only files changed at or after this time, microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only files changed before this time.
    pub until_us: Option<i64>,
    /// What the user describes beside the agents that devlog knows.
    pub own: Arc<Own>,
}

impl Scope {
    fn wants_agent(&self, agent: &str) -> bool {
        self.agents.is_empty() || self.agents.iter().any(|a| a == agent)
    }

    fn wants(&self, file: &FoundFile) -> bool {
        self.wants_agent(file.agent) && self.wants_time(file.stat.modified_ns)
    }

    fn wants_time(&self, modified_ns: i64) -> bool {
        let modified_us = modified_ns / 1000;
        self.since_us.is_none_or(|since| modified_us >= since) && self.until_us.is_none_or(|until| modified_us < until)
    }

    const fn is_everything(&self) -> bool {
        self.agents.is_empty() && self.paths.is_empty() && self.since_us.is_none() && self.until_us.is_none()
    }
}

/// What a scan came to.
#[derive(Debug, Default)]
pub struct ScanPlan {
    /// Files to read, oldest first.
    pub(super) jobs: Vec<Job>,
    /// Places inside projects that were looked at.
    pub(super) project_roots: Vec<Root>,
    /// Folders whose projects were looked at, and where the home is.
    ground: ProjectDirs,
    /// Files found, changed or not.
    pub found: u64,
    /// Bytes to read (compressed files: on disk).
    pub bytes: u64,
    /// Places that were not read, and why.
    pub notes: Vec<ScanWarning>,
    /// Links that were followed, and the roots below which they are.
    pub(super) links: Vec<(Root, Followed)>,
}

impl ScanPlan {
    /// Number of files to read.
    #[must_use]
    pub const fn files(&self) -> usize {
        self.jobs.len()
    }

    /// Places inside projects that were looked at.
    #[must_use]
    pub fn project_roots(&self) -> &[Root] {
        &self.project_roots
    }

    /// Leaves out the logs in which only what is still open could be told again: nobody is shown it.
    pub fn without_open(&mut self) {
        self.jobs.retain(|job| !only_shows(job));
        self.bytes = self.jobs.iter().map(unread).sum();
    }

    /// Leaves out files that `others` found too: somebody else reads those.
    pub fn leave_out(&mut self, others: &ScanResult) {
        let theirs: HashSet<&Path> = others.found.files.iter().map(|file| file.path.as_path()).collect();
        self.jobs.retain(|job| !theirs.contains(job.path.as_path()));
        self.bytes = self.jobs.iter().map(unread).sum();
    }

    /// Agents and paths of the files to look at with the bytes to read of each, oldest file first.
    pub fn plan(&self) -> impl Iterator<Item = (&str, &Path, u64)> {
        self.jobs.iter().map(|job| (&*job.agent, job.path.as_path(), unread(job)))
    }
}

fn unread(job: &Job) -> u64 {
    let size = job.stat.map_or(0, |s| s.size);
    let read = job.previous.as_ref().filter(|p| !p.is_compressed()).map_or(0, |p| p.checkpoint.resume_at);
    if read > size { size } else { size - read }
}

/// Finds the logs in `scope` and compares them with the known `positions`.
#[must_use]
pub fn survey(places: &Places, scope: &Scope, positions: &HashMap<SourceId, Arc<SourcePosition>>) -> ScanPlan {
    let mut known = Unchanged::of(positions);
    let found = find(places, scope, &mut known);
    sorted(ScanResult { found, ground: ProjectDirs::new(places, scope) }, scope, positions, known)
}

/// What a walk found, not compared with anything yet.
#[derive(Debug, Default)]
pub struct ScanResult {
    found: Found,
    ground: ProjectDirs,
}

/// What scans hand out.
#[derive(Debug, Default)]
struct Found {
    files: Vec<FoundFile>,
    notes: Vec<ScanWarning>,
    links: Vec<(Root, Followed)>,
}

impl Found {
    /// Scans `root`, and takes the files that are wanted and not unchanged.
    fn scan(
        &mut self,
        root: &Root,
        elsewhere: &Elsewhere<'_>,
        known: &mut Unchanged<'_>,
        mut wants: impl FnMut(&FoundFile) -> bool,
    ) {
        scan_among(root, elsewhere, |seen| match seen {
            ScanItem::File(file) if wants(&file) && !known.has(&file) => self.files.push(file),
            ScanItem::File(_) => {}
            ScanItem::Link(link) => self.links.push((root.clone(), link)),
            ScanItem::ScanWarning(note) => self.notes.push(note),
        });
    }
}

/// Known sources that a walk has met as they were: of hundreds of thousands nothing else is kept.
#[derive(Debug, Default)]
struct Unchanged<'a> {
    by_path: HashMap<&'a Path, &'a Arc<SourcePosition>>,
    met: HashSet<SourceId>,
}

impl<'a> Unchanged<'a> {
    fn of(positions: &'a HashMap<SourceId, Arc<SourcePosition>>) -> Self {
        let by_path = positions.values().map(|position| (Path::new(&position.path), position)).collect();
        Self { by_path, met: HashSet::new() }
    }

    /// True when `file` is one of them.
    fn has(&mut self, file: &FoundFile) -> bool {
        let known = self.by_path.get(file.path.as_path());
        let Some(position) = known.filter(|position| !needs_a_look(position, file)) else { return false };
        self.met.insert(position.id);
        true
    }
}

/// Folders that agents may work in, and log in.
#[derive(Debug, Default)]
struct ProjectDirs {
    /// `None` where only some paths are meant.
    places: Option<Places>,
    folders: HashSet<PathBuf>,
}

impl ProjectDirs {
    fn new(places: &Places, scope: &Scope) -> Self {
        if !scope.paths.is_empty() {
            return Self::default();
        }
        let folders = named_projects(&scope.own.projects, places).into_iter().collect();
        Self { places: Some(places.clone()), folders }
    }

    /// Takes in the folders that the rows of known sources name; returns the roots in those that are new,
    /// and with `all` in the others too.
    fn extend(&mut self, positions: &HashMap<SourceId, Arc<SourcePosition>>, all: bool) -> Vec<Root> {
        let Some(places) = &self.places else { return Vec::new() };
        let named: HashSet<&Path> =
            positions.values().flat_map(|p| &p.folders).map(|folder| Path::new(folder.as_str())).collect();
        let fresh: HashSet<PathBuf> =
            named.into_iter().filter(|folder| !self.folders.contains(*folder)).map(Path::to_owned).collect();
        let old = self.folders.iter().filter(|_| all);
        let roots = project_roots(old.chain(&fresh).map(PathBuf::as_path), places);
        self.folders.extend(fresh);
        roots
    }
}

/// Finds the logs in `scope`: the first half of [`survey`].
#[must_use]
pub fn walk(places: &Places, scope: &Scope) -> ScanResult {
    ScanResult { found: find(places, scope, &mut Unchanged::default()), ground: ProjectDirs::new(places, scope) }
}

/// Compares what a walk found with the known `positions`, which may be newer than the walk, after a look
/// into the projects that these name: the second half of [`survey`].
#[must_use]
pub fn compare(walked: ScanResult, scope: &Scope, positions: &HashMap<SourceId, Arc<SourcePosition>>) -> ScanPlan {
    sorted(walked, scope, positions, Unchanged::of(positions))
}

fn sorted(
    walked: ScanResult,
    scope: &Scope,
    positions: &HashMap<SourceId, Arc<SourcePosition>>,
    mut known: Unchanged<'_>,
) -> ScanPlan {
    let ScanResult { mut found, mut ground } = walked;
    let roots = ground.extend(positions, true);
    look_into(&roots, &ground, scope, &mut found, &mut known);
    let survey = plan_jobs(found.files, &scope.own, positions, known, scope.is_everything());
    ScanPlan { notes: found.notes, links: found.links, ground, project_roots: roots, ..survey }
}

impl ScanPlan {
    /// Finds logs in those projects that `positions` name and this survey did not know; `None` when they
    /// name no further folder.
    #[must_use]
    pub fn further(&mut self, scope: &Scope, positions: &HashMap<SourceId, Arc<SourcePosition>>) -> Option<Self> {
        let roots = self.ground.extend(positions, false);
        if roots.is_empty() {
            return None;
        }
        let (mut found, mut known) = (Found::default(), Unchanged::of(positions));
        look_into(&roots, &self.ground, scope, &mut found, &mut known);
        let survey = plan_jobs(found.files, &scope.own, positions, known, false);
        Some(Self { notes: found.notes, links: found.links, project_roots: roots, ..survey })
    }
}

/// Scans roots inside projects; a file that was found before is not found again.
fn look_into(roots: &[Root], ground: &ProjectDirs, scope: &Scope, found: &mut Found, known: &mut Unchanged<'_>) {
    if roots.is_empty() {
        return;
    }
    let mut seen: HashSet<PathBuf> = found.files.iter().map(|file| file.path.clone()).collect();
    let all = ground.places.as_ref().map_or_else(Vec::new, |places| all_roots(places, &scope.own));
    let elsewhere = Elsewhere::new(&all);
    for root in roots {
        found.scan(root, &elsewhere, known, |file| scope.wants(file) && seen.insert(file.path.clone()));
    }
}

/// Says which of the files found are to be read; with `whole`, known sources that were not found are gone.
fn plan_jobs(
    files: Vec<FoundFile>,
    own: &Own,
    positions: &HashMap<SourceId, Arc<SourcePosition>>,
    mut known: Unchanged<'_>,
    whole: bool,
) -> ScanPlan {
    let mut survey = ScanPlan::default();
    let mut unknown = Vec::new();
    let mut seen: HashSet<SourceId> = HashSet::new();
    survey.found = files.len() as u64;
    for file in files {
        if known.has(&file) {
            survey.found -= 1;
            continue;
        }
        match known.by_path.get(file.path.as_path()) {
            Some(position) => {
                seen.insert(position.id);
                survey.jobs.push(job(own, file, Some(Arc::clone(position))));
            }
            None => unknown.push(file),
        }
    }
    survey.found += known.met.len() as u64;
    if !unknown.is_empty() {
        place(unknown, own, positions, &mut survey.jobs, &mut seen);
    }
    if whole {
        let gone = positions.values().filter(|p| !p.missing && !seen.contains(&p.id) && !known.met.contains(&p.id));
        survey.jobs.extend(gone.filter_map(|position| missing_job(own, position)));
    }
    let time = |job: &Job| job.stat.map_or(0, |stat| stat.modified_ns);
    survey.jobs.sort_by(|a, b| (time(a), &a.path).cmp(&(time(b), &b.path)));
    survey.bytes = survey.jobs.iter().map(unread).sum();
    survey
}

fn needs_a_look(position: &SourcePosition, file: &FoundFile) -> bool {
    position.checkpoint.open
        || has_torn_end(position)
        || has_changed(position, &file.stat, file.format, &file.companions)
}

fn has_changed(position: &SourcePosition, stat: &Stat, format: Format, companions: &[PathBuf]) -> bool {
    position.missing
        || position.last_error.is_some()
        || !is_untouched(&position.fingerprint, stat)
        || (format.follows_companions() && changed_ns(companions) != position.fingerprint.companions_ns)
}

/// True when a look at the log would settle nothing, and only show what is open.
fn only_shows(job: &Job) -> bool {
    let (Some(position), Some(stat)) = (&job.previous, &job.stat) else { return false };
    !has_changed(position, stat, job.format, &job.companions) && !is_due(position, None)
}

fn job(own: &Own, file: FoundFile, previous: Option<Arc<SourcePosition>>) -> Job {
    let mapping = mapping_of(own, file.format, file.agent);
    Job {
        path: file.path,
        agent: file.agent.into(),
        format: file.format,
        companions: file.companions,
        stat: Some(file.stat),
        previous,
        mapping,
    }
}

/// What describes a format, when a user does.
pub(super) fn mapping_of(own: &Own, format: Format, agent: &str) -> Option<Arc<Mapping>> {
    own.mapping(agent).filter(|_| format.is_mapped()).cloned()
}

/// A source whose file was not found: a look will say whether it is gone.
fn missing_job(own: &Own, position: &Arc<SourcePosition>) -> Option<Job> {
    let format = Format::from_name(&position.format)?;
    let mapping = mapping_of(own, format, &position.agent);
    let previous = Some(Arc::clone(position));
    let agent = position.agent.as_str().into();
    Some(Job {
        path: PathBuf::from(&position.path),
        agent,
        format,
        companions: Vec::new(),
        stat: None,
        previous,
        mapping,
    })
}

/// Decides for files at paths nobody knows whether they are new, moved, or another name.
fn place(
    mut unknown: Vec<FoundFile>,
    own: &Own,
    positions: &HashMap<SourceId, Arc<SourcePosition>>,
    jobs: &mut Vec<Job>,
    seen: &mut HashSet<SourceId>,
) {
    let mut registry = Registry::default();
    for position in positions.values() {
        registry.put(position, Path::new(&position.path));
    }
    registry.order(&mut unknown);
    for file in unknown {
        let previous = match registry.decide(&file.path, &file.stat, &Disk) {
            Decision::Alias { .. } => continue,
            Decision::New => None,
            Decision::Known(id) | Decision::Moved { id, .. } => {
                registry.moved(id, &file.path);
                positions.get(&id)
            }
        };
        if let Some(position) = previous {
            seen.insert(position.id);
        }
        jobs.push(job(own, file, previous.cloned()));
    }
}

fn find(places: &Places, scope: &Scope, known: &mut Unchanged<'_>) -> Found {
    let mut found = Found::default();
    if scope.paths.is_empty() {
        let all = all_roots(places, &scope.own);
        let elsewhere = Elsewhere::new(&all);
        for root in all.iter().filter(|root| scope.wants_agent(root.agent)) {
            found.scan(root, &elsewhere, known, |file| scope.wants(file));
        }
    } else {
        find_below(scope, &mut found.files, &mut found.notes);
    }
    found
}

/// Finds the logs below the paths that `scope` names, of each agent it names. A file is one agent's, the
/// first's that knows it; what no agent knows is told in the words of the last.
fn find_below(scope: &Scope, files: &mut Vec<FoundFile>, notes: &mut Vec<ScanWarning>) {
    let any = [None];
    let agents: Vec<Option<&str>> = scope.agents.iter().map(|agent| Some(agent.as_str())).collect();
    let agents: &[Option<&str>] = if agents.is_empty() { &any } else { &agents };
    let mut found: HashSet<PathBuf> = HashSet::new();
    for path in &scope.paths {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let mut unknown = Vec::new();
        for agent in agents {
            unknown.clear();
            let mut visit = |seen: ScanItem| match seen {
                ScanItem::File(file) if scope.wants(&file) && found.insert(file.path.clone()) => files.push(file),
                ScanItem::File(_) | ScanItem::Link(_) => {}
                ScanItem::ScanWarning(note) => unknown.push(note),
            };
            match agent.and_then(|agent| scope.own.mapping(agent)) {
                Some(mapping) => explicit_mapped(mapping, &path, &mut visit),
                None => explicit(*agent, &path, &mut visit),
            }
        }
        notes.extend(unknown.into_iter().filter(|note| !found.contains(note.path())));
    }
}

/// The agents' own places that `scope` means.
pub(super) fn wanted_roots(places: &Places, scope: &Scope) -> Vec<Root> {
    let mut all = all_roots(places, &scope.own);
    all.retain(|r| scope.wants_agent(r.agent));
    all
}

fn all_roots(places: &Places, own: &Own) -> Vec<Root> {
    let mut all = roots(places);
    all.extend(mapped_roots(&own.mappings));
    all
}

/// The known positions as the survey saw their files: sizes are those of now, files never read are
/// there with position 0, files that are neither found nor there are missing.
#[must_use]
pub fn projected_positions(
    survey: &ScanPlan,
    positions: &HashMap<SourceId, Arc<SourcePosition>>,
) -> Vec<SourcePosition> {
    let mut all: HashMap<SourceId, SourcePosition> =
        positions.iter().map(|(id, p)| (*id, SourcePosition::clone(p))).collect();
    let mut fresh = Vec::new();
    for job in &survey.jobs {
        let known = job.previous.as_ref().and_then(|p| all.get_mut(&p.id));
        match (known, &job.stat) {
            (Some(position), Some(stat)) => {
                position.path = job.path.to_string_lossy().into_owned();
                if !is_untouched(&position.fingerprint, stat) {
                    position.fingerprint.changed_ns = UNTRUSTED;
                }
                position.fingerprint.size = stat.size;
                position.fingerprint.modified_ns = stat.modified_ns;
            }
            // Nobody looked for it: it may be a file that was named with --path.
            (Some(position), None) => position.missing = !Path::new(&position.path).exists(),
            (None, stat) => fresh.push(new_position(job, &stat.unwrap_or_default())),
        }
    }
    let mut all: Vec<SourcePosition> = all.into_values().collect();
    all.extend(fresh);
    all
}

#[cfg(test)]
mod tests;
