//! Names, modes, and pipes that few homes have.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, STUCK, bounded, files_under, works};
use super::logs::{append, session};

pub fn names_of_all_kinds_are_read_and_printed_without_their_control_characters(trial: &Trial) -> Outcome {
    let home = Home::new();
    let names = [
        "plain",
        "with space",
        "quote'",
        "double\"quote",
        "new\nline",
        "tab\there",
        "bell\u{7}",
        "escape\u{1b}[31m",
        "日本語",
        "emoji😀",
        "right-to-left\u{202e}gnp",
        "percent%41",
        "dots..",
        "semi;colon",
        "dollar$HOME",
        "star*",
        "comma,",
        "back\\slash",
    ];
    for (n, name) in names.iter().enumerate() {
        append(&home.claude(&format!("-home-{n}"), name), session(&format!("s{n}"), 1));
    }
    home.ok(&["backfill"]);
    assert_eq!(home.durable(EVENTS), 2 * i64::try_from(names.len()).unwrap());
    for args in [&["sources"][..], &["status"], &["query", "SELECT source_path, count(*) FROM events GROUP BY 1"]] {
        let out = home.ok(args);
        let raw: Vec<char> = out.chars().filter(|c| matches!(c, '\u{7}' | '\u{1b}' | '\r' | '\u{202e}')).collect();
        assert!(raw.is_empty(), "{args:?} prints {raw:?} as they are");
    }
    trial.figure("hostile names", Figure::trials(names.len()));
    Outcome::Held
}

pub fn settings_views_and_descriptions_that_are_pipes_stop_no_command_for_ever(trial: &Trial) -> Outcome {
    let places = ["config.toml", "queries/own.sql", "adapters/own.toml"];
    for place in places {
        let home = Home::new();
        append(&home.claude("-home-u-shop", "s1"), session("s1", 3));
        let path = home.devlog().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !works("mkfifo", &[&path]) {
            return Outcome::Skipped("mkfifo is not installed".to_owned());
        }
        let bound = std::time::Duration::from_secs(40);
        let answer = bounded(home.command(&["query", "--format", "csv", EVENTS]), bound);
        assert!(!answer.stuck, "a pipe as {place} stops a query for ever");
        assert!(answer.number() == Some(6) || answer.refused(), "{place}: {}", answer.text());
    }
    trial.figure("pipes as settings, views, descriptions", Figure::trials(places.len()));
    Outcome::Held
}

pub fn files_are_for_their_owner_only_under_any_umask(trial: &Trial) -> Outcome {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), session("s1", 3));
    append(&home.claude("-home-u-shop", "s1"), "{bad\n");
    let script = format!("umask 000; exec \"{}\" \"$@\"", super::process::binary().display());
    let out = home.path().join("out.csv");
    for args in [&["backfill"][..], &["snapshot"], &["export", "events", "-o", out.to_str().unwrap()]] {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, "sh"]).args(args);
        command.env("HOME", home.path()).env("DEVLOG_HOME", home.devlog()).env("TZ", "UTC");
        bounded(command, STUCK).ok();
    }
    let open = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    let mut files = files_under(home.devlog());
    files.push(out);
    let wrong: Vec<_> = files.iter().filter(|path| open(path) != 0).collect();
    trial.figure("files that others may read", Figure { trials: files.len(), lost: wrong.len(), ..Figure::default() });
    assert!(wrong.is_empty(), "{wrong:?}");
    Outcome::Held
}

pub fn a_home_that_everybody_may_write_is_refused(trial: &Trial) -> Outcome {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), session("s1", 3));
    home.ok(&["backfill"]);
    fs::set_permissions(home.devlog(), fs::Permissions::from_mode(0o777)).unwrap();
    File::create(home.devlog().join("config.toml")).unwrap().write_all(b"retention = \"1d\"\n").unwrap();
    let answer = home.run(&["ingest", "--once"]);
    fs::set_permissions(home.devlog(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(home.devlog().join("config.toml")).unwrap();
    assert_eq!(home.durable(EVENTS), 6, "another user's settings deleted rows: {}", answer.text());
    trial.figure("a home that everybody may write", Figure::trials(1));
    Outcome::Held
}
