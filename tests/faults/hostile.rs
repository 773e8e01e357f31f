//! What may stand in logs, names, and folders: good lines are kept, and nothing blocks or is touched.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use super::commands::DISTINCT;
use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, TOKENS, files_under, wait_for, works};
use super::logs::{OPENCODE, append, prompt, session, turn};
use super::random::Random;

/// Lines that are no rows, or strange ones.
fn bad_lines() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = [
        "",
        " ",
        "\t",
        "{",
        "}",
        "[]",
        "null",
        "true",
        "1",
        "\"text\"",
        "{}",
        "{\"type\":\"user\"}",
        "[1,2,{}]",
        "nan",
        "{\"type\":1}",
        "{\"type\":\"user\",\"message\":1}",
        "{\"type\":\"user\",\"message\":{\"content\":{}}}",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1},",
        "{\"a\":01}",
        "{\"a\":1e400}",
        "{\"a\":18446744073709551616}",
        "{\"a\":-9223372036854775809}",
        "{\"a\":NaN}",
        "{'a':1}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\u0000\"}",
        "// comment",
        "{\"timestamp\":\"never\"}",
        "{\"timestamp\":-1,\"type\":\"user\"}",
        "<html>",
        "--- a/b",
        "{\"type\":\"user\",\"type\":\"assistant\"}",
        "\u{feff}{}",
        "{\"a\":\"\u{2028}\"}",
        "\u{1b}[31mred\u{1b}[0m",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    lines.extend([
        vec![0; 4096],
        vec![0xff, 0xfe, 0xfd],
        b"{\"a\":\"\xc3\x28\"}".to_vec(),
        b"{\"a\":\"\xe2\x82\"}".to_vec(),
        b"\xf0\x9f\x92".to_vec(),
        b"[".repeat(1_000_000),
        [b"{\"a\":".repeat(5000), b"1".to_vec(), b"}".repeat(5000)].concat(),
        [b"{\"a\":".to_vec(), b"9".repeat(100_000), b"}".to_vec()].concat(),
        [b"{".to_vec(), (0..50_000).map(|n| format!("\"k{}\":{n},", n % 7)).collect::<String>().into_bytes()].concat(),
        b"x".repeat(3_000_000),
    ]);
    lines
}

pub fn bad_lines_cost_no_good_one(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let mut random: Random = trial.random();
    let bad = bad_lines();
    for (n, line) in bad.iter().enumerate() {
        append(&log, turn("s1", n));
        append(&log, [line.as_slice(), if random.percent(50) { b"\n" } else { b"\r\n" }].concat());
    }
    append(&log, turn("s1", 10_000));
    home.ok(&["backfill"]);
    let good = i64::try_from(bad.len() + 1).unwrap();
    assert_eq!(home.durable("SELECT count(*) FROM events WHERE event_type = 'llm_response'"), good);
    assert_eq!(home.durable(TOKENS), 10 * good);
    // A pair of good records on one line may be taken; nothing else makes rows.
    assert!(home.durable("SELECT count(*) FROM rejects") > 20);
    let figure = home.compare_with_undisturbed();
    trial.figure("hostile lines", Figure { trials: bad.len(), ..figure.clone() });
    assert_eq!((figure.lost, figure.doubled), (0, 0));
    Outcome::Held
}

pub fn a_line_that_is_bad_in_any_byte_costs_no_other_line(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let mut random = trial.random();
    let trials = trial.count(300, 5000);
    for n in 0..trials {
        append(&log, turn("s1", n));
        let mut line = prompt("broken", n, "a line with a broken byte").into_bytes();
        let at = random.below(line.len() - 1);
        line[at] = random.below(256) as u8;
        if random.percent(30) {
            line.remove(at);
        }
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        append(&log, line);
    }
    home.ok(&["backfill"]);
    let calls = home.durable("SELECT count(*) FROM events WHERE event_type = 'llm_response' AND output_tokens = 10");
    trial.figure(
        "hostile lines",
        Figure { trials, lost: trials - usize::try_from(calls).unwrap(), ..Figure::default() },
    );
    assert_eq!(calls, i64::try_from(trials).unwrap());
    assert_eq!(home.durable(EVENTS), home.durable(DISTINCT));
    Outcome::Held
}

/// Everything that is no plain file, where logs are.
fn odd_files(home: &Home) {
    let folder = home.path().join(".claude/projects/-home-u-odd");
    fs::create_dir_all(&folder).unwrap();
    works("mkfifo", &[folder.join("fifo.jsonl")]);
    std::os::unix::net::UnixListener::bind(folder.join("socket.jsonl")).unwrap();
    fs::create_dir(folder.join("folder.jsonl")).unwrap();
    symlink("/dev/zero", folder.join("zero.jsonl")).unwrap();
    symlink("nowhere", folder.join("dangling.jsonl")).unwrap();
    symlink(".", folder.join("loop")).unwrap();
    symlink("/", folder.join("root")).unwrap();
    symlink("self.jsonl", folder.join("self.jsonl")).unwrap();
    works("mknod", &[folder.join("null.jsonl").into_os_string(), "c".into(), "1".into(), "3".into()]);
}

pub fn pipes_sockets_devices_and_loops_among_the_logs_block_nothing(trial: &Trial) -> Outcome {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), session("s1", 3));
    odd_files(&home);
    for args in [&["backfill"][..], &["query", EVENTS], &["ingest", "--once"], &["sources"], &["adapters"]] {
        let answer = home.run(args);
        assert!(answer.code == Some(0) && !answer.stuck, "{args:?}: {}", answer.text());
    }
    let daemon = home.ingest(&[]);
    append(&home.claude("-home-u-shop", "s1"), prompt("s1", 700, "more"));
    wait_for("the new row", || home.number(EVENTS) == 7);
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    trial.figure("odd files among the logs", Figure::trials(9));
    Outcome::Held
}

const CODEX: &str =
    ".codex/sessions/2026/01/02/rollout-2026-01-02T10-00-00-019b0000-0000-7000-8000-000000000001.jsonl.zst";

pub fn packed_logs_that_are_bombs_or_broken_cost_no_memory_and_no_other_log(trial: &Trial) -> Outcome {
    let bomb = zstd::encode_all(std::io::repeat(b'{').take(300 << 20), 3).unwrap();
    let good = zstd::encode_all(&b"{\"a\":1}\n"[..], 3).unwrap();
    let mut cut = good.clone();
    cut.truncate(good.len() - 4);
    let packed = [
        bomb,
        good.clone(),
        cut,
        [good.clone(), good.clone()].concat(),
        [good, b"rubbish".to_vec()].concat(),
        vec![0x28, 0xb5, 0x2f, 0xfd],
        vec![],
        b"no zstd at all".to_vec(),
    ];
    for bytes in &packed {
        let home = Home::new();
        append(&home.claude("-home-u-shop", "s1"), session("s1", 3));
        let path = home.path().join(CODEX);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let answer = home.run(&["backfill", "--memory", "64MB"]);
        assert_eq!(answer.code, Some(0), "{}", answer.text());
        assert!(answer.peak_kib < 400 << 10, "{} KiB for a packed log of {} bytes", answer.peak_kib, bytes.len());
        assert_eq!(home.durable("SELECT count(*) FROM events WHERE agent = 'claude'"), 6);
        assert_eq!(&fs::read(&path).unwrap(), bytes, "its file is touched");
    }
    trial.figure("packed logs: bombs, cut, rubbish", Figure::trials(packed.len()));
    Outcome::Held
}

pub fn broken_databases_are_named_and_nobodys_file_is_touched(trial: &Trial) -> Outcome {
    let owner = Home::new();
    let path = owner.path().join(OPENCODE);
    let db = super::logs::OpenCode::create(&path);
    (0..20).for_each(|n| (0..4).for_each(|step| db.step(n, step)));
    drop(db);
    let whole = fs::read(&path).unwrap();
    let mut random = trial.random();
    let trials = trial.count(8, 60);
    for n in 0..trials {
        let home = Home::new();
        append(&home.claude("-home-u-shop", "s1"), session("s1", 3));
        let file = home.path().join(OPENCODE);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let bytes = broken(&whole, n, &mut random);
        fs::write(&file, &bytes).unwrap();
        let answer = home.run(&["backfill"]);
        assert!(answer.code == Some(0) && !answer.stuck, "{n}: {}", answer.text());
        assert_eq!(home.durable("SELECT count(*) FROM events WHERE agent = 'claude'"), 6);
        assert_eq!(fs::read(&file).unwrap(), bytes, "the owner's file is touched");
        let beside = files_under(file.parent().unwrap());
        assert_eq!(beside.len(), 1, "files made beside the owner's: {beside:?}");
    }
    trial.figure("broken databases", Figure::trials(trials));
    Outcome::Held
}

fn broken(whole: &[u8], n: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    match n % 4 {
        0 => bytes.truncate(random.below(whole.len())),
        1 => bytes.truncate(100),
        2 => {
            let at = random.below(whole.len() - 4096);
            bytes[at..at + 4096].fill(0xaa);
        }
        _ => {
            for _ in 0..50 {
                let at = random.within(100..whole.len());
                bytes[at] = random.below(256) as u8;
            }
        }
    }
    bytes
}
