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

mod one_walk_or_two {
    use proptest::prelude::*;

    use super::*;

    /// What is known of a file, and what became of it since.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Fate {
        /// Never read.
        New,
        /// Read to its end, and as it was.
        Same,
        /// Read while its times proved nothing.
        Unproved,
        /// It has grown.
        Grown,
        /// Something in it is open.
        Open,
        /// It was removed.
        Removed,
        /// It was removed, and that is known.
        KnownGone,
        /// It is under another name.
        Renamed,
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        use Fate::{Grown, KnownGone, New, Open, Removed, Renamed, Same, Unproved};
        let fate = prop::sample::select(vec![New, Same, Same, Unproved, Grown, Open, Removed, KnownGone, Renamed]);
        prop::collection::vec(fate, 1..12)
    }

    /// A home after all that, and the positions that were stored before.
    fn home_after(fates: &[Fate]) -> (Home, HashMap<SourceId, Arc<SourcePosition>>) {
        let home = Home(tempfile::tempdir().unwrap());
        let folder = home.path(".claude/projects/p");
        fs::create_dir_all(&folder).unwrap();
        let mut positions = HashMap::new();
        for (number, fate) in fates.iter().enumerate() {
            let path = folder.join(format!("s{number}.jsonl"));
            // Contents differ, so that no file is taken for another that moved.
            let text = format!("{{\"line\":{number}}}\n");
            fs::write(&path, &text).unwrap();
            let stat = Stat::of(&fs::metadata(&path).unwrap());
            let job = Job {
                path: path.clone(),
                agent: "claude".into(),
                format: Format::ClaudeSession,
                companions: Vec::new(),
                stat: Some(stat),
                previous: None,
                mapping: None,
            };
            let opened = crate::watch::Opened::open(&path).unwrap();
            let end = text.len() as u64;
            let mut position = new_position(&job, &stat);
            position.fingerprint = crate::watch::fingerprint(&opened, end).unwrap().unwrap();
            position.fingerprint.changed_ns = if *fate == Fate::Unproved { UNTRUSTED } else { stat.changed_ns };
            (position.checkpoint.resume_at, position.checkpoint.high_water) = (end, end);
            position.checkpoint.open = *fate == Fate::Open;
            position.missing = *fate == Fate::KnownGone;
            if *fate != Fate::New {
                positions.insert(position.id, Arc::new(position));
            }
            match fate {
                Fate::Grown => fs::write(&path, text.repeat(2)).unwrap(),
                Fate::Removed | Fate::KnownGone => fs::remove_file(&path).unwrap(),
                Fate::Renamed => fs::rename(&path, folder.join(format!("moved{number}.jsonl"))).unwrap(),
                Fate::New | Fate::Same | Fate::Unproved | Fate::Open => {}
            }
        }
        (home, positions)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What is left out while walking is what a comparison afterwards leaves out, and nothing else is looked into.
        #[test]
        fn a_survey_that_knows_the_positions_finds_what_a_walk_compared_with_them_does(fates in fates()) {
            let (home, positions) = home_after(&fates);
            let scope = Scope::default();
            let told = |plan: &ScanPlan| {
                let mut jobs: Vec<_> =
                    plan.jobs.iter().map(|job| (job.path.clone(), job.previous.as_ref().map(|p| p.id))).collect();
                jobs.sort();
                (jobs, plan.found, plan.bytes)
            };
            let at_once = survey(&home.places(), &scope, &positions);
            let afterwards = compare(walk(&home.places(), &scope), &scope, &positions);
            prop_assert_eq!(told(&at_once), told(&afterwards));
            let is_looked_into = |fate: &&Fate| !matches!(fate, Fate::Same | Fate::KnownGone);
            prop_assert_eq!(at_once.jobs.len(), fates.iter().filter(is_looked_into).count());
            let there = |fate: &&Fate| !matches!(fate, Fate::Removed | Fate::KnownGone);
            prop_assert_eq!(at_once.found, fates.iter().filter(there).count() as u64);
        }
    }
}
