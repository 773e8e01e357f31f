//! What was damaged: each answer is right, or says what is wrong and what to do. Never old rows, or none, in silence.
//!
//! The cases are tables: what is done to the lake, what `fsck` must say, and whether a rebuild and a backfill bring
//! every row back.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::harness::{Figure, Outcome, Trial};
use super::home::{Answer, CONTENT, Content, Home, parsed, wait_for, works};
use super::logs::{append, prompt, prompt_at, session};

/// What `fsck` must say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    Fault,
    Clean,
    Either,
}

/// What is left to do afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// The next writer, or a rebuild and a backfill, bring all rows back.
    Mended,
    /// A person has to look at it; every command says where.
    ByHand,
}

pub struct Case {
    pub name: &'static str,
    pub harm: fn(&Scene),
    pub check: Check,
    pub after: After,
    /// Nothing that is left can tell of it.
    pub hidden: bool,
}

pub const fn case(name: &'static str, harm: fn(&Scene), check: Check) -> Case {
    Case { name, harm, check, after: After::Mended, hidden: false }
}

pub const fn by_hand(name: &'static str, harm: fn(&Scene), check: Check) -> Case {
    Case { name, harm, check, after: After::ByHand, hidden: false }
}

/// A home whose devlog home is put back before each case; logs stay where and what they are.
pub struct Scene {
    pub home: Home,
    backup: tempfile::TempDir,
    pub expected: Content,
}

impl Scene {
    pub fn of(home: Home) -> Self {
        let backup = tempfile::Builder::new().prefix("devlog-faults-").tempdir().unwrap();
        let expected = home.content();
        let from = format!("{}/.", home.devlog().display());
        assert!(works("cp", &["-a", &from, backup.path().to_str().unwrap()]));
        Self { home, backup, expected }
    }

    /// Everything as it was.
    pub fn reset(&self) {
        let devlog = self.home.devlog();
        fs::remove_dir_all(devlog).unwrap();
        fs::create_dir(devlog).unwrap();
        let from = format!("{}/.", self.backup.path().display());
        assert!(works("cp", &["-a", &from, devlog.to_str().unwrap()]));
    }

    fn part(&self) -> PathBuf {
        self.home.parts()[0].clone()
    }
}

/// Flips one bit of a file, `at` of a hundred of its length.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let index = (bytes.len() - 1) * at / 100;
    bytes[index] ^= 1;
    fs::write(path, bytes).unwrap();
}

pub fn cut(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
}

pub fn blank(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
}

pub fn empty(path: &Path) {
    fs::write(path, b"").unwrap();
}

pub fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

const OF_PARTS: &[Case] = &[
    case("a bit in the data of a file is flipped", |s| flip(&s.part(), 40), Check::Fault),
    case("a bit in the footer of a file is flipped", |s| flip(&s.part(), 96), Check::Fault),
    case("a bit in the magic of a file is flipped", |s| flip(&s.part(), 100), Check::Fault),
    case("a file is cut", |s| cut(&s.part()), Check::Fault),
    case("a file is empty", |s| empty(&s.part()), Check::Fault),
    case("a file is NULs", |s| blank(&s.part()), Check::Fault),
    case("a file is gone", |s| remove(&s.part()), Check::Fault),
    case("two files are swapped", swap, Check::Fault),
    case("a month is gone", |s| remove(s.part().parent().unwrap()), Check::Fault),
    by_hand("a file is a link to a copy of itself", link, Check::Either),
];

fn swap(scene: &Scene) {
    let parts = scene.home.parts();
    let (one, other, beside) = (&parts[0], &parts[parts.len() - 1], parts[0].with_extension("tmp"));
    fs::rename(one, &beside).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(beside, other).unwrap();
}

fn link(scene: &Scene) {
    let (part, copy) = (scene.part(), scene.home.devlog().join("copy"));
    fs::rename(&part, &copy).unwrap();
    symlink(copy, part).unwrap();
}

const OF_THE_HOME: &[Case] = &[
    case("a file of rejects is garbage", |s| rejects(s).iter().for_each(|f| blank(f)), Check::Either),
    case("the log of rejects is gone", |s| remove(&s.home.lake().join("rejects/_delta_log")), Check::Either),
    case("the socket is a file", |s| file(&s.home.devlog().join("devlog.sock")), Check::Clean),
    case("the socket is a folder", |s| folder(&s.home.devlog().join("devlog.sock")), Check::Clean),
    case("the lock is gone", |s| fs::remove_file(s.home.lake().join(".lock")).unwrap(), Check::Clean),
    by_hand("the lock is a folder", |s| folder(&s.home.lake().join(".lock")), Check::Either),
    by_hand("the lock is a link", lock_link, Check::Either),
    by_hand("the quarantine is a file", quarantine, Check::Either),
    by_hand("the settings are garbage", |s| append(&s.home.devlog().join("config.toml"), "]["), Check::Either),
    by_hand("the settings are a folder", |s| folder(&s.home.devlog().join("config.toml")), Check::Either),
    case("a description of a format is garbage", |s| put(s, "adapters/own.toml", "]["), Check::Either),
    case("a view is garbage", |s| put(s, "queries/own.sql", "SELEC"), Check::Clean),
    case("the place for spilled rows is a file", |s| file(&s.home.devlog().join("spill")), Check::Clean),
    case("strange files lie in the lake", junk, Check::Clean),
];

fn rejects(scene: &Scene) -> Vec<PathBuf> {
    let mut files = super::home::files_under(&scene.home.lake().join("rejects"));
    files.retain(|path| path.extension().is_some_and(|e| e == "parquet"));
    files
}

fn clear(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    }
    let _ = fs::remove_file(path);
}

/// A folder in place of whatever is there.
fn folder(path: &Path) {
    clear(path);
    fs::create_dir(path).unwrap();
}

/// A file in place of whatever is there.
fn file(path: &Path) {
    clear(path);
    fs::write(path, b"x").unwrap();
}

fn lock_link(scene: &Scene) {
    let lock = scene.home.lake().join(".lock");
    fs::remove_file(&lock).unwrap();
    symlink("/tmp/devlog-faults-nowhere", lock).unwrap();
}

fn quarantine(scene: &Scene) {
    file(&scene.home.lake().join(".quarantine"));
}

fn put(scene: &Scene, name: &str, text: &str) {
    let path = scene.home.devlog().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    append(&path, text);
}

fn junk(scene: &Scene) {
    for name in ["events/notes.txt", "events/month=1999-01/x.parquet", "events/_delta_log/notes", "strange"] {
        put(scene, &format!("lake/{name}"), "junk");
    }
}

/// A lake with a checkpoint and 45 entries after it, the last of them of a daemon that was killed.
pub fn eventful() -> Home {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    for n in 0..12 {
        append(&log, prompt_at(&format!("2026-{:02}-01T09:00:00.000Z", n % 4 + 1), "s1", n, "a question"));
        append(&log, "{bad line\n");
        home.ok(&["--quiet", "ingest", "--once"]);
    }
    let before = home.entries().len();
    let daemon = home.ingest(&["--quiet", "--flush-interval", "10ms"]);
    let mut n = 1000_i64;
    wait_for("entries", || {
        n += 1;
        append(&log, session(&format!("t{n}"), 1));
        home.entries().len() >= before + 45
    });
    append(&log, prompt("s1", 900_000, "the last one"));
    let rows = 12 + 2 * (n - 1000) + 1;
    wait_for("the last row", || home.durable(super::home::EVENTS) == rows);
    daemon.kill();
    home
}

/// Commands that only look.
const LOOKS: [&[&str]; 3] = [&["query", "--no-sync", "--format", "ndjson", CONTENT], &["snapshot"], &["status"]];

/// True when it says what is damaged and what to do about it.
pub fn told(answer: &Answer) -> bool {
    ["damaged", "missing", "fsck", "quarantine", "never finished"].iter().any(|word| answer.err.contains(word))
}

/// Right, or told.
pub fn must_be_honest(scene: &Scene, answer: &Answer, args: &[&str], what: &str) {
    assert!(!answer.stuck && !answer.panicked(), "{what}: {}: {}", args[0], answer.text());
    if answer.code.is_some_and(|code| code > 1) {
        let place = scene.home.path().to_str().unwrap().trim_start_matches('/');
        assert!(answer.err.contains(place), "{what}: {} names no file: {}", args[0], answer.text());
        return;
    }
    if args.last() == Some(&CONTENT) {
        let right = parsed(&answer.out).is_some_and(|found| found == scene.expected);
        assert!(right || told(answer), "{what}: other rows in silence: {}", clipped(answer));
    } else {
        assert!(answer.code == Some(0) || told(answer), "{what}: {} found nothing, in silence", args[0]);
    }
}

pub fn clipped(answer: &Answer) -> String {
    format!("exit code {:?}, {} rows, stderr {:?}", answer.code, answer.out.lines().count(), answer.err)
}

/// Whether a query answers what it must.
fn is_right(scene: &Scene) -> bool {
    let answer = scene.home.run(LOOKS[0]);
    answer.code == Some(0) && parsed(&answer.out).is_some_and(|found| found == scene.expected)
}

fn try_case(scene: &Scene, case: &Case) -> Result<(), String> {
    let what = case.name;
    scene.reset();
    (case.harm)(scene);
    for args in LOOKS.iter().copied().skip(usize::from(case.hidden)) {
        must_be_honest(scene, &scene.home.run(args), args, what);
    }
    let checked = scene.home.run(&["fsck"]);
    assert!(!checked.stuck && !checked.panicked(), "{what}: fsck: {}", checked.text());
    let clean = checked.code == Some(0);
    let wanted = case.check == Check::Either || clean == (case.check == Check::Clean);
    assert!(wanted, "{what}: fsck must find {:?}: {}", case.check, checked.text());
    let written = scene.home.run(&["backfill"]);
    assert!(written.code == Some(0) || written.refused(), "{what}: backfill: {}", written.text());
    let merged = scene.home.run(&["compact"]);
    assert!(merged.code == Some(0) || merged.refused(), "{what}: compact: {}", merged.text());
    if case.after == After::ByHand {
        let again = scene.home.run(&["fsck", "--rebuild-from-footers"]);
        assert!(!again.panicked() && !again.stuck, "{what}: rebuild: {}", again.text());
        return Ok(());
    }
    if !is_right(scene) || scene.home.run(&["fsck"]).code != Some(0) {
        let rebuilt = scene.home.run(&["fsck", "--rebuild-from-footers"]);
        // What cannot be read any more is a fault that it tells.
        assert!(rebuilt.code == Some(0) || rebuilt.refused(), "{what}: rebuild: {}", rebuilt.text());
        scene.home.ok(&["backfill"]);
    }
    let figure = scene.home.content().compare(&scene.expected);
    if (figure.lost, figure.doubled) != (0, 0) {
        return Err(format!("{what}: {} rows lost, {} doubled after a rebuild", figure.lost, figure.doubled));
    }
    // What was put aside is told until somebody looks at it; nothing else is wrong.
    let checked = scene.home.run(&["fsck"]);
    let elsewhere = |line: &&str| line.starts_with("fault") && !line.contains("/.quarantine/");
    if checked.code != Some(0) && (checked.code != Some(2) || checked.text().lines().any(|line| elsewhere(&line))) {
        return Err(format!("{what}: not sound after a rebuild: {}", checked.text()));
    }
    Ok(())
}

/// Tries every case and tells all that fail, not the first only.
pub fn all(trial: &Trial, cases: &[Case]) -> Outcome {
    let scene = Scene::of(eventful());
    let mut broken = Vec::new();
    for case in cases {
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_case(&scene, case)));
        match tried {
            Ok(Ok(())) => {}
            Ok(Err(why)) => broken.push(why),
            Err(_) => broken.push(super::harness::panic_text()),
        }
    }
    trial.figure("kinds of damage, each with eight commands", Figure::trials(cases.len()));
    assert!(broken.is_empty(), "{} of {} kinds of damage:\n{}", broken.len(), cases.len(), broken.join("\n\n"));
    Outcome::Held
}

pub fn a_damaged_parquet_file_is_told_by_every_command_and_its_rows_are_read_again(trial: &Trial) -> Outcome {
    all(trial, OF_PARTS)
}

pub fn odd_things_in_the_home_stop_no_command_without_a_reason(trial: &Trial) -> Outcome {
    all(trial, OF_THE_HOME)
}
