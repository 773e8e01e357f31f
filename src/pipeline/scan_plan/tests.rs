//! Logs inside projects: found through the folders that other logs name.

use std::fs;

use super::*;
use crate::config::Os;
use crate::discover::Stat;
use crate::schema::Format;

/// A home with files in it.
struct Home(tempfile::TempDir);

impl Home {
    fn with(files: &[&str]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for file in files {
            let path = home.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn places(&self) -> Places {
        Places { os: Os::Linux, home: self.path(""), env: Default::default() }
    }

    /// Positions of a source whose rows name these folders.
    fn positions(&self, folders: &[&str]) -> HashMap<SourceId, Arc<SourcePosition>> {
        let job = Job {
            path: self.path(".claude/projects/p/s.jsonl"),
            agent: "claude".into(),
            format: Format::ClaudeSession,
            companions: Vec::new(),
            stat: None,
            previous: None,
            mapping: None,
        };
        let mut position = new_position(&job, &Stat::default());
        position.folders = folders.iter().map(|f| self.path(f).to_string_lossy().as_ref().into()).collect();
        position.missing = true;
        [(position.id, Arc::new(position))].into()
    }

    fn to_read(&self, survey: &ScanPlan) -> Vec<String> {
        let below = |path: &Path| path.strip_prefix(self.0.path()).unwrap().to_string_lossy().into_owned();
        let mut all: Vec<String> = survey.plan().map(|(_, path, _)| below(path)).collect();
        all.sort();
        all
    }
}

const AIDER: &str = "src/shop/.aider.chat.history.md";

#[test]
fn a_log_in_a_folder_that_another_log_names_is_found() {
    let home = Home::with(&[AIDER, "src/shop/.git/config", "src/shop/api/x", "src/other/.aider.chat.history.md"]);
    let survey = survey(&home.places(), &Scope::default(), &home.positions(&["src/shop/api", "src/shop"]));
    assert_eq!(home.to_read(&survey), [AIDER]);
    assert_eq!(survey.found, 1);
    assert_eq!(survey.jobs[0].agent.as_ref(), "aider");
    assert_eq!(survey.project_roots.len(), 1);
}

#[test]
fn the_scope_holds_in_projects_too() {
    let home = Home::with(&[AIDER, "src/shop/.git/config"]);
    let positions = home.positions(&["src/shop"]);
    let read = |scope: &Scope| home.to_read(&survey(&home.places(), scope, &positions));
    assert_eq!(read(&Scope { agents: vec!["aider".into()], ..Scope::default() }), [AIDER]);
    assert!(read(&Scope { agents: vec!["claude".into()], ..Scope::default() }).is_empty());
    assert!(read(&Scope { until_us: Some(0), ..Scope::default() }).is_empty());
    assert!(read(&Scope { paths: vec![home.path("src/shop/.git")], ..Scope::default() }).is_empty());
}

#[test]
fn folders_of_the_configuration_are_looked_into() {
    let home = Home::with(&[AIDER, "src/garden/.crush/crush.db", "src/file"]);
    let own = Arc::new(Own { projects: vec![home.path("src/*")], ..Own::default() });
    let survey = survey(&home.places(), &Scope { own, ..Scope::default() }, &HashMap::new());
    assert_eq!(home.to_read(&survey), ["src/garden/.crush/crush.db", AIDER]);
}

#[test]
fn a_source_that_nobody_looked_for_is_missing_only_when_it_is_gone() {
    let home = Home::with(&["export/chat.json"]);
    let known = |below: &str| {
        let job = Job {
            path: home.path(below),
            agent: "github-copilot".into(),
            format: Format::CopilotSession,
            companions: Vec::new(),
            stat: None,
            previous: None,
            mapping: None,
        };
        let position = new_position(&job, &Stat::default());
        (position.id, Arc::new(position))
    };
    let positions = HashMap::from([known("export/chat.json"), known("export/gone.json")]);
    let found = survey(&home.places(), &Scope::default(), &positions);
    let mut seen: Vec<_> = projected_positions(&found, &positions).into_iter().map(|p| (p.path, p.missing)).collect();
    seen.sort();
    let path = |below: &str| home.path(below).to_string_lossy().into_owned();
    assert_eq!(seen, [(path("export/chat.json"), false), (path("export/gone.json"), true)]);
}

#[test]
fn what_only_new_rows_name_is_found_by_a_further_look_and_once() {
    let home = Home::with(&[AIDER, "src/garden/.aider.chat.history.md"]);
    let scope = Scope::default();
    let mut first = survey(&home.places(), &scope, &home.positions(&["src/garden"]));
    assert_eq!(home.to_read(&first), ["src/garden/.aider.chat.history.md"]);
    assert!(first.further(&scope, &home.positions(&["src/garden"])).is_none());
    let more = first.further(&scope, &home.positions(&["src/garden", "src/shop"])).unwrap();
    assert_eq!(home.to_read(&more), [AIDER]);
    assert!(first.further(&scope, &home.positions(&["src/shop"])).is_none());
}

#[test]
fn a_known_log_in_a_project_whose_folder_is_no_longer_named_is_looked_at_still() {
    let home = Home::with(&[AIDER]);
    let first = survey(&home.places(), &Scope::default(), &home.positions(&["src/shop"]));
    let known = new_position(&first.jobs[0], &Stat::default());
    let positions = [(known.id, Arc::new(known))].into();
    let again = survey(&home.places(), &Scope::default(), &positions);
    assert_eq!(home.to_read(&again), [AIDER]);
}

/// `cargo test --release --lib pipeline::survey -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn twenty_thousand_sources_in_a_thousand_folders() {
    let home = Home::with(&[]);
    let mut positions = HashMap::new();
    for n in 0..20_000u64 {
        let mut position = home.positions(&[]).into_values().next().unwrap().as_ref().clone();
        position.id = SourceId(n);
        let folder = format!("src/project-{}/sub-{}", n % 500, n % 2);
        fs::create_dir_all(home.path(&folder)).unwrap();
        position.folders = vec![home.path(&folder).to_string_lossy().as_ref().into()];
        positions.insert(position.id, Arc::new(position));
    }
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let found = survey(&home.places(), &Scope::default(), &positions).found;
        let took = start.elapsed();
        std::io::Write::write_all(&mut std::io::stderr(), format!("{found} found in {took:?}\n").as_bytes()).unwrap();
    }
}

#[test]
fn below_a_path_the_logs_of_each_agent_asked_for_are_found_once() {
    let home = Home::with(&["logs/note.txt"]);
    let claude = r#"{"type":"user","uuid":"u","sessionId":"s","timestamp":"2026-01-01T00:00:00Z","message":{"role":"user","content":"x"}}"#;
    let codex = r#"{"timestamp":"2026-01-01T00:00:00Z","type":"session_meta","payload":{"id":"a","timestamp":"2026-01-01T00:00:00Z","cwd":"/w"}}"#;
    fs::write(home.path("logs/a.jsonl"), format!("{claude}\n")).unwrap();
    fs::write(home.path("logs/b.jsonl"), format!("{codex}\n")).unwrap();
    let found = |agents: &[&str]| {
        let agents = agents.iter().map(|agent| (*agent).to_owned()).collect();
        let scope = Scope { agents, paths: vec![home.path("logs"), home.path("logs")], ..Scope::default() };
        let survey = survey(&home.places(), &scope, &HashMap::new());
        (home.to_read(&survey), survey.notes.len())
    };
    let both = vec!["logs/a.jsonl".to_owned(), "logs/b.jsonl".to_owned()];
    assert_eq!(found(&["claude"]).0, both[..1]);
    assert_eq!(found(&["codex", "claude"]), (both.clone(), 2), "only the note is skipped, by each path");
    assert_eq!(found(&[]).0, both);
}
