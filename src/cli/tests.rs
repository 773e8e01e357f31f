//! What command lines do, from arguments to exit codes.

use std::collections::BTreeMap;

use clap::CommandFactory;

use super::*;
use crate::config::Os;

mod help;
mod render;
mod upkeep;

/// 2026-11-23T12:00:00Z.
pub(super) const NOON_US: i64 = 1_795_435_200_000_000;

/// What a command line printed, and its exit code.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: u8,
    out: String,
    err: String,
}

fn env(home: &std::path::Path) -> Env {
    let mut env = Env::empty(Os::current());
    env.variables = BTreeMap::from([("HOME".to_owned(), home.into()), ("USERPROFILE".to_owned(), home.into())]);
    env
}

fn ran(arguments: &[&str], env: Option<Env>) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams { input: &mut std::io::empty(), out: &mut out, err: &mut err, now_us: NOON_US };
    let arguments = ["devlog"].iter().chain(arguments).map(OsString::from);
    let code = run(arguments, || env.expect("this command needs no settings"), &mut streams);
    Ran { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

#[test]
fn the_arguments_fit_together() {
    Arguments::command().debug_assert();
}

#[test]
fn what_is_right_parses_and_what_is_wrong_does_not() {
    let right = [
        "ingest",
        "ingest --once -vv",
        "backfill --agent claude --agent codex --since 7d --until 2026-11-01 --jobs 4 --dry-run",
        "backfill --path /old --machine box",
        "backfill --agent codex --path /old",
        "--home /h --lake /l --memory 1GiB --timezone UTC status --json",
        "status --home /h",
        "sources --state error --state missing --agent codex",
        "schema events --json",
        "adapters --agent claude --json",
        "adapters test mytool x.jsonl --json",
        "fsck --rebuild-from-footers",
        "fsck --repair-duplicates --json",
        "snapshot",
        "prune --before 2026-01 --project a/b --yes",
        "demo --home /h --size 10GB --seed 7 --end 2026-11-01",
        "completions zsh",
        "version --json",
        "compact -q",
    ];
    let right_with_sql = [
        "query SELECT",
        "query -",
        "query -f a.sql --param a=b --param $_c=d=e --format csv -o x.csv --timeout 30s --no-sync",
        "query --watch 2s SELECT",
        "query --format jsonl SELECT",
        "report daily --since 7d --agent claude --project x --timezone UTC --json",
        "export events -o e.parquet --partition-by agent --partition-by month --force",
    ];
    let wrong = [
        "frobnicate",
        "backfill --machine box",
        "backfill --jobs 0",
        "status -v -q",
        "status --memory lots",
        "prune",
        "prune --yes",
        "sources --state fine",
        "demo --size 10XB",
        "completions tcsh",
        "query SELECT -f a.sql",
        "query --param novalue SELECT",
        "query --param 1a=b SELECT",
        "query --watch 2 SELECT",
        "query --watch 2s -o x.csv SELECT",
        "query --format xml SELECT",
        "report",
        "report hourly",
        "export events",
    ];
    let parses = |line: &str| Arguments::try_parse_from(["devlog"].into_iter().chain(line.split(' ')));
    for line in right {
        parses(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for line in right_with_sql {
        assert_eq!(parses(line).is_ok(), cfg!(feature = "query"), "{line}");
    }
    for line in wrong {
        let error = parses(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn global_flags_are_read_before_and_after_the_command() {
    for line in ["--home /h --memory 64MB status", "status --home /h --memory 64MB"] {
        let arguments = Arguments::try_parse_from(["devlog"].into_iter().chain(line.split(' '))).unwrap();
        let overrides = arguments.global.overrides();
        assert_eq!((overrides.home, overrides.memory_bytes), (Some("/h".into()), Some(64_000_000)), "{line}");
    }
}

#[test]
fn version_help_and_completions_are_answers_and_need_no_settings() {
    let version = ran(&["--version"], None);
    assert_eq!((version.code, version.out.as_str()), (0, concat!("devlog ", env!("CARGO_PKG_VERSION"), "\n")));
    assert_eq!(ran(&["version"], None).out.split(' ').next(), Some("devlog"));
    let json: serde_json::Value = serde_json::from_str(&ran(&["version", "--json"], None).out).unwrap();
    assert_eq!(json["sql"], cfg!(feature = "query"));
    assert!(ran(&["--help"], None).out.contains("Usage: devlog"));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = ran(&["completions", shell], None);
        assert!(script.code == 0 && script.out.contains("backfill"), "{shell}");
    }
}

#[test]
fn wrong_usage_is_a_message_on_stderr_and_exit_code_2() {
    let wrong = ran(&["statsu"], None);
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert!(wrong.err.contains("'status'"), "{}", wrong.err);
    let wrong = ran(&["schema", "event"], Some(Env::empty(Os::Linux)));
    assert_eq!(wrong.code, 2);
    assert_eq!(
        wrong.err,
        "error: there is no table \"event\" (did you mean events?); tables are events, rejects, sources\n"
    );
}

#[test]
fn help_can_be_asked_for_as_a_command() {
    let asked = ran(&["help", "backfill"], None);
    assert_eq!((asked.code, asked.err.as_str()), (0, ""));
    assert!(asked.out.contains("devlog backfill --dry-run"), "{}", asked.out);
    assert!(ran(&["help"], None).out.contains("Usage: devlog"));
}

#[cfg(feature = "query")]
#[test]
fn a_view_asked_for_as_a_table_is_named_as_one() {
    let asked = ran(&["schema", "sessions"], Some(Env::empty(Os::Linux)));
    assert_eq!(asked.code, 2);
    assert!(asked.err.contains("sessions is a view: devlog query \"DESCRIBE sessions\""), "{}", asked.err);
}

#[test]
fn settings_that_cannot_be_used_fail_before_anything_is_read() {
    let home = tempfile::tempdir().unwrap();
    let wrong = ran(&["status", "--timezone", "Mars/Olympus"], Some(env(home.path())));
    assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
    assert!(wrong.err.starts_with("error: unknown time zone \"Mars/Olympus\" in --timezone"), "{}", wrong.err);
    let wrong = ran(&["backfill", "--since", "someday"], Some(env(home.path())));
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.starts_with("error: --since: \"someday\" is not a point in time; write"), "{}", wrong.err);
}

#[test]
fn an_agent_that_does_not_exist_is_wrong_usage_with_the_nearest_name() {
    let home = tempfile::tempdir().unwrap();
    for line in [&["backfill", "--agent", "claud"][..], &["sources", "-a", "claud"], &["adapters", "-a", "claud"]] {
        let wrong = ran(line, Some(env(home.path())));
        assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
        let expected = "error: there is no agent \"claud\" (did you mean claude?); agents are ";
        assert!(wrong.err.starts_with(expected), "{}", wrong.err);
    }
}

const MAPPING: &str = r#"
id = "/id"
[columns]
ts = "/time"
text = "/msg"
[[types]]
when = { pointer = "/kind", equals = "user" }
event_type = "user_interaction"
"#;

#[test]
fn a_format_of_ones_own_can_be_tried_and_is_read_from_then_on() {
    let home = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let files = "[[files]]\npath = \"~/.mytool/*.jsonl\"\n";
    put(".devlog/adapters/mytool.toml", &format!("{MAPPING}{files}"));
    let lines = "{\"id\":1,\"time\":1700000000,\"kind\":\"user\",\"msg\":\"hi\"}\n{\"id\":2,\"other\":5}\nrubbish\n";
    let log = put(".mytool/a.jsonl", lines);
    let tried = ran(&["adapters", "test", "mytool", &log], Some(env(home.path())));
    assert_eq!((tried.code, tried.err.as_str()), (0, ""));
    let refused = format!("refused at byte {}: not_json", lines.find("rubbish").unwrap());
    for part in ["user_interaction", "hi", &refused, "kept in extra: id, kind, other", "2 rows of 3 lines"] {
        assert!(tried.out.contains(part), "{part}\n{}", tried.out);
    }
    let json = ran(&["adapters", "test", "mytool", &log, "--json"], Some(env(home.path()))).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["rows"][0]["text"], &json["rows"][1]["extra"]["other"]), (&"hi".into(), &5.into()));
    assert_eq!((&json["rows"][0]["agent"], &json["rejects"][0]["reason"]), (&"mytool".into(), &"not_json".into()));

    let read = ran(&["backfill", "--json"], Some(env(home.path())));
    assert_eq!(read.code, 0, "{}", read.err);
    let sources = ran(&["sources", "--agent", "mytool", "--json"], Some(env(home.path())));
    let sources: serde_json::Value = serde_json::from_str(&sources.out).unwrap();
    assert_eq!((&sources[0]["decoded"], &sources[0]["format"]), (&2.into(), &"mapped-lines".into()));
    let copy = put("elsewhere/b.jsonl", "{\"id\":3,\"kind\":\"user\"}\n");
    let copy = ran(&["backfill", "--agent", "mytool", "--path", &copy], Some(env(home.path())));
    assert_eq!(copy.code, 0, "{}", copy.err);
    let listed = ran(&["adapters", "--agent", "mytool", "--json"], Some(env(home.path())));
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!((&listed[0]["found"], &listed[0]["rows"]), (&true.into(), &3.into()));
    assert!(listed[0]["existing_places"][0].as_str().unwrap().ends_with(".mytool"));
}

#[test]
fn a_wrong_description_is_told_and_stops_nothing() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".devlog/adapters");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mytool.toml"), "[columns]\nmodle = \"/m\"\n").unwrap();
    let listed = ran(&["adapters"], Some(env(home.path())));
    assert!(
        listed.err.contains("line 2: unknown column `modle`; did you mean `model`?; this format is not read"),
        "{}",
        listed.err
    );
    assert!(listed.out.contains("not readable: ~/.devlog/adapters/mytool.toml: "), "{}", listed.out);
    for line in [&["adapters", "test", "mytool", "x"][..], &["adapters", "test", "mytool", "x", "-q"]] {
        let tried = ran(line, Some(env(home.path())));
        assert_eq!((tried.code, tried.err.matches("did you mean `model`?").count()), (2, 1), "{}", tried.err);
    }
    let other = ran(&["adapters", "test", "mytol", "x"], Some(env(home.path())));
    assert!(other.err.starts_with("warning: "), "{}", other.err);
    let none = ran(&["adapters", "test", "mytol", "x", "-q"], Some(env(home.path())));
    assert!(none.code == 2 && none.err.contains("adapters/mytol.toml"), "{}", none.err);
}

#[test]
fn unknown_keys_of_the_configuration_are_warned_about_unless_quiet() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".devlog")).unwrap();
    std::fs::write(home.path().join(".devlog/config.toml"), "timezon = \"UTC\"\n").unwrap();
    let demo = home.path().join("made-up");
    let demo = demo.to_str().unwrap();
    let loud = ran(&["demo", "--home", demo], Some(env(home.path())));
    assert!(loud.err.starts_with("warning: ") && loud.err.contains("did you mean `timezone`?"), "{}", loud.err);
    let quiet = ran(&["demo", "--home", demo, "-q"], Some(env(home.path())));
    assert_eq!(quiet.err, "");
}

/// Fails every write.
struct Closed(io::ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_success_and_a_full_disk_is_not() {
    for (kind, expected) in [(io::ErrorKind::BrokenPipe, 0), (io::ErrorKind::StorageFull, 2)] {
        for line in [&["schema"][..], &["schema", "--json"], &["completions", "bash"], &["version"]] {
            let (mut out, mut err) = (Closed(kind), Vec::new());
            let mut streams = Streams { input: &mut io::empty(), out: &mut out, err: &mut err, now_us: NOON_US };
            let arguments = ["devlog"].iter().chain(line).map(OsString::from);
            assert_eq!(run(arguments, || Env::empty(Os::Linux), &mut streams), expected, "{line:?}");
            let said = String::from_utf8(err).unwrap();
            assert_eq!(said.is_empty(), expected == 0, "{said}");
        }
    }
}

#[test]
fn outcomes_have_exit_codes() {
    let mut err = Vec::new();
    assert_eq!(exit_code(&Ok(Outcome::Done), 1, &mut err), 0);
    assert_eq!(exit_code(&Ok(Outcome::Nothing), 0, &mut err), 0);
    assert_eq!(exit_code(&Ok(Outcome::Nothing), 1, &mut err), 1);
    assert_eq!(exit_code(&Ok(Outcome::Interrupted), 0, &mut err), 130);
    assert!(err.is_empty());
    let inner = io::Error::other("disk on fire");
    assert_eq!(exit_code(&Err(CliError::failed("writing the lake", inner)), 0, &mut err), 2);
    assert_eq!(String::from_utf8(err).unwrap(), "error: writing the lake failed: disk on fire\n");
    let pipe = |kind: io::ErrorKind| CliError::Write { path: "/x".into(), source: kind.into() };
    assert_eq!(exit_code(&Err(pipe(io::ErrorKind::BrokenPipe)), 0, &mut Vec::new()), 2, "a fifo that the user named");
}

#[test]
fn demo_makes_a_home_says_what_is_in_it_and_spares_real_logs() {
    let home = tempfile::tempdir().unwrap();
    let made = ran(&["demo", "--json"], Some(env(home.path())));
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    let demo = home.path().join(".devlog/demo");
    assert_eq!(json["home"], demo.to_str().unwrap());
    assert!(json["truth"]["models"].as_object().unwrap().len() > 3);
    assert!(demo.join(".claude/projects").is_dir() && demo.join(".codex/sessions").is_dir());

    let again = ran(&["demo"], Some(env(home.path())));
    assert_eq!(again.code, 0, "a made-up home may be made anew: {}", again.err);
    assert!(again.err.contains(&format!("HOME={}", demo.display())), "{}", again.err);

    std::fs::create_dir(home.path().join(".claude")).unwrap();
    let refused = ran(&["demo", "--home", home.path().to_str().unwrap()], Some(env(home.path())));
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("exists; remove it"), "{}", refused.err);
    assert_eq!(std::fs::read_dir(home.path().join(".claude")).unwrap().count(), 0);
}

#[test]
fn demo_takes_the_home_for_itself_and_not_for_devlog() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("x");
    for line in [["demo", "--home", target.to_str().unwrap()], ["--home", target.to_str().unwrap(), "demo"]] {
        assert_eq!(ran(&line, Some(env(home.path()))).code, 0);
        assert!(target.join(".codex").is_dir());
    }
    assert!(!home.path().join(".devlog").exists());
}

#[test]
fn commands_that_may_write_are_known_by_their_names() {
    let known = <super::args::Arguments as clap::CommandFactory>::command();
    for name in crate::ops::COMMANDS {
        assert!(known.find_subcommand(name).is_some(), "{name}");
    }
}
