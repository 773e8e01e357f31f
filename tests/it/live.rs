//! Logs that grow while devlog runs and is killed: in the end the lake holds what one read of the
//! finished files makes of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::home::{Home, answer, prompt, wait_for};

/// Everything that must not depend on how often and from where the files were read.
const ROWS: &str = "SELECT event_id, event_type, CASE ts_source WHEN 'inferred' THEN NULL ELSE ts END AS ts, session_id, message_id, tool_call_id, model, text, \
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, \
    reasoning_tokens, total_tokens FROM events ORDER BY event_id";

/// How a log takes its next state.
#[derive(Clone, Copy)]
enum Growth {
    /// The new bytes are appended, in pieces that do not end where lines end.
    Append,
    /// The whole new state is written beside it and renamed over it.
    Rename,
}

fn grow(log: &Path, state: &[u8], growth: Growth) {
    let have = fs::metadata(log).map_or(0, |m| usize::try_from(m.len()).unwrap());
    match growth {
        Growth::Append => {
            let new = &state[have..];
            for piece in new.chunks((new.len() / 7).max(1)) {
                let mut file = fs::File::options().create(true).append(true).open(log).unwrap();
                std::io::Write::write_all(&mut file, piece).unwrap();
                std::thread::sleep(Duration::from_millis(3));
            }
        }
        Growth::Rename => {
            let beside = log.with_extension("tmp");
            fs::write(&beside, state).unwrap();
            fs::rename(&beside, log).unwrap();
        }
    }
}

fn durable(home: &Home) -> Vec<String> {
    let text = home.ok(&["query", "--no-sync", "--format", "csv", ROWS]);
    text.lines().map(str::to_owned).collect()
}

/// Plays the states of one log into a watched home, killing devlog after every second one.
fn play(log: &str, states: &[Vec<u8>], growth: Growth) {
    let home = Home::new();
    let log = home.path().join(log);
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let mut daemon = Some(home.ingest(&["--flush-interval", "200ms"]));
    for (n, state) in states.iter().enumerate() {
        grow(&log, state, growth);
        std::thread::sleep(Duration::from_millis(40 + 90 * (n as u64 % 4)));
        if n % 2 == 1 {
            daemon.take().unwrap().kill();
            daemon = Some(home.ingest(&["--flush-interval", "200ms"]));
        }
    }
    let size = states.last().unwrap().len();
    wait_for("the end of the log", || {
        home.number(&format!("SELECT count(*) FROM sources WHERE size_bytes = {size}")) == 1
    });
    let seen = home.query("SELECT count(*) AS n, count(DISTINCT event_id) AS d FROM events")[0].clone();
    assert_eq!(seen["n"], seen["d"]);
    assert!(daemon.take().unwrap().stop().success());
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().append(true).open(&log).unwrap().set_modified(hour_ago).unwrap();
    home.ok(&["backfill"]);
    let grown = durable(&home);
    home.ok(&["fsck"]);
    fs::remove_dir_all(home.devlog_home()).unwrap();
    home.ok(&["backfill"]);
    let fresh = durable(&home);
    assert!(fresh.len() > 1, "no rows");
    assert_same(&grown, &fresh);
}

fn assert_same(grown: &[String], fresh: &[String]) {
    let only =
        |a: &[String], b: &[String]| a.iter().filter(|row| !b.contains(row)).take(3).cloned().collect::<Vec<_>>();
    if grown != fresh {
        let (a, b) = (only(grown, fresh), only(fresh, grown));
        panic!("{} rows grown, {} fresh\nonly grown: {a:#?}\nonly fresh: {b:#?}", grown.len(), fresh.len());
    }
}

/// Two calls a turn whose lines stream in with growing counts, a torn line at each state's end.
fn scripted() -> Vec<Vec<u8>> {
    let mut text = String::new();
    let mut states = Vec::new();
    for turn in 0..24u32 {
        let n = turn * 10;
        text += &prompt("s1", n, &format!("question {turn}"));
        for (call, words) in ["first", "second"].into_iter().enumerate() {
            let id = format!("msg_{turn}_{call}");
            let at = n + 1 + u32::try_from(call).unwrap() * 3;
            text += &answer("s1", at, &id, &format!("{words} half"), 3, None);
            states.push(text.clone().into_bytes());
            text += &answer("s1", at + 1, &id, &format!("{words} whole"), 20 + turn, Some("end_turn"));
        }
        let line = prompt("s1", n + 8, "a line that is torn for a while");
        states.push((text.clone() + &line[..line.len() / 2]).into_bytes());
        text += &line;
    }
    states.push(text.into_bytes());
    states
}

#[test]
fn a_scripted_session_that_grows_under_kill_nine_ends_as_if_read_once() {
    play(".claude/projects/-home-u-shop/s1.jsonl", &scripted(), Growth::Append);
}

#[test]
fn a_scripted_session_that_is_renamed_over_under_kill_nine_ends_as_if_read_once() {
    let states: Vec<_> = scripted().into_iter().step_by(4).collect();
    let whole = scripted().pop().unwrap();
    play(".claude/projects/-home-u-shop/s1.jsonl", &[states, vec![whole]].concat(), Growth::Rename);
}

fn growing() -> Option<Vec<PathBuf>> {
    let corpus = PathBuf::from(std::env::var_os("DEVLOG_CORPUS")?).join("growing");
    let folders = |dir: &PathBuf| -> Vec<PathBuf> {
        fs::read_dir(dir).into_iter().flatten().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect()
    };
    let sessions: Vec<_> =
        folders(&corpus).iter().flat_map(folders).collect::<Vec<_>>().iter().flat_map(folders).collect();
    (!sessions.is_empty()).then_some(sessions)
}

#[test]
fn real_sessions_that_grow_under_kill_nine_end_as_if_read_once() {
    let Some(sessions) = growing() else {
        eprintln!("skipped: DEVLOG_CORPUS with growing/AGENT/PROJECT/SESSION/NN.jsonl is not set");
        return;
    };
    for session in sessions {
        let mut files: Vec<PathBuf> = fs::read_dir(&session).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let states: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
        let id = session.file_name().unwrap().to_string_lossy().into_owned();
        let log = if session.components().any(|c| c.as_os_str() == "codex") {
            format!(".codex/sessions/2026/01/02/rollout-2026-01-02T10-00-00-{id}.jsonl")
        } else {
            format!(".claude/projects/-home-u-shop/{id}.jsonl")
        };
        for growth in [Growth::Append, Growth::Rename] {
            play(&log, &states, growth);
        }
    }
}
