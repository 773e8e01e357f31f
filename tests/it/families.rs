//! Forks of one Codex thread: what they copied of each other is used once, whatever is there and whenever it comes.

use std::fmt::Write as _;
use std::fs;

use crate::home::Home;

/// Input, cached part of it, output.
type Call = [i64; 3];

const ROOT: [Call; 3] = [[1_000, 400, 50], [1_200, 900, 60], [1_500, 1_300, 70]];

/// A rollout of thread `n`, begun in hour `hour`, forked from thread `parent`: the copied calls a few seconds
/// after each other, the others on the next day.
fn rollout(n: u32, hour: u32, parent: Option<u32>, copied: &[Call], own: &[Call]) -> (String, String) {
    let id = |n: u32| format!("019e2{n:03}-0000-7000-8000-000000000000");
    let made = format!("2026-07-11T{hour:02}:00:00.000Z");
    let forked = parent.map_or("null".to_owned(), |parent| format!("\"{}\"", id(parent)));
    let mut text = format!(
        "{{\"timestamp\":\"{made}\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"{}\",\"timestamp\":\"{made}\",\
         \"cwd\":\"/srv/app\",\"forked_from_id\":{forked}}}}}\n\
         {{\"timestamp\":\"{made}\",\"type\":\"turn_context\",\"payload\":{{\"model\":\"gpt-5.5\",\"cwd\":\"/srv/app\"}}}}\n",
        id(n)
    );
    let usage = |[input, cached, output]: Call| {
        format!(
            "{{\"input_tokens\":{input},\"cached_input_tokens\":{cached},\"output_tokens\":{output},\"reasoning_output_tokens\":0}}"
        )
    };
    let mut total = [0; 3];
    for (i, call) in copied.iter().chain(own).enumerate() {
        for (sum, part) in total.iter_mut().zip(call) {
            *sum += part;
        }
        let day = if i < copied.len() { "2026-07-11" } else { "2026-07-12" };
        let at = format!("{day}T{hour:02}:{:02}:{:02}.000Z", (i * 20 + 1) / 60, (i * 20 + 1) % 60);
        writeln!(
            text,
            "{{\"timestamp\":\"{at}\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":\
             {{\"total_token_usage\":{},\"last_token_usage\":{}}}}}}}",
            usage(total),
            usage(*call)
        )
        .unwrap();
    }
    (format!("rollout-2026-07-11T{hour:02}-00-00-{}.jsonl", id(n)), text)
}

fn put(home: &Home, (name, text): &(String, String)) {
    let folder = home.path().join(".codex/sessions/2026/07/11");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
}

/// All orders of `n` things.
fn orders(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let longer = |order: Vec<usize>| {
        (0..n).map(move |at| [&order[..at.min(order.len())], &[n - 1], &order[at.min(order.len())..]].concat())
    };
    orders(n - 1).into_iter().flat_map(longer).collect()
}

const SUMS: &str = "SELECT count(total_tokens) AS calls, sum(input_tokens) AS fresh, sum(cache_read_tokens) AS cached, \
                    sum(output_tokens) AS output FROM events";
const SESSIONS: &str = "SELECT session_id, calls, total_tokens FROM sessions ORDER BY 1";

/// Reads the files at once, and one after the other in every order; all must give `want`: calls, fresh input,
/// cache reads, output. With `whose`, calls and tokens by session too.
fn family_uses(files: &[(String, String)], want: [i64; 4], whose: &[(u32, i64, i64)]) {
    let check = |home: &Home, how: &str| {
        let rows = home.query(SUMS);
        let found = ["calls", "fresh", "cached", "output"].map(|name| rows[0][name].as_i64().unwrap_or_default());
        assert_eq!(found, want, "{how}");
        if !whose.is_empty() {
            let by_session: Vec<(String, i64, i64)> = home
                .query(SESSIONS)
                .iter()
                .map(|row| {
                    let number = |name: &str| row[name].as_i64().unwrap();
                    (row["session_id"].as_str().unwrap()[5..8].to_owned(), number("calls"), number("total_tokens"))
                })
                .collect();
            let want: Vec<_> = whose.iter().map(|(n, calls, total)| (format!("{n:03}"), *calls, *total)).collect();
            assert_eq!(by_session, want, "{how}");
        }
    };
    let home = Home::new();
    files.iter().for_each(|file| put(&home, file));
    home.ok(&["backfill"]);
    check(&home, "at once");
    for order in orders(files.len()) {
        let home = Home::new();
        for at in &order {
            put(&home, &files[*at]);
            home.ok(&["backfill"]);
        }
        check(&home, &format!("in the order {order:?}"));
    }
}

#[test]
fn a_fork_that_repeats_its_parents_counts_uses_only_its_own() {
    let parent = rollout(1, 10, None, &[], &ROOT);
    let fork = rollout(2, 13, Some(1), &ROOT, &[[800, 500, 40]]);
    family_uses(&[parent, fork], [4, 1_400, 3_100, 220], &[(1, 3, 3_880), (2, 1, 840)]);
}

#[test]
fn a_parent_that_goes_on_after_the_fork_and_its_forks_share_only_what_they_begin_with() {
    let parent = rollout(1, 10, None, &[], &[ROOT[0], ROOT[1], ROOT[2], [700, 0, 30]]);
    let forks = [
        rollout(2, 13, Some(1), &ROOT, &[[800, 500, 40]]),
        // Equal work of two forks is work of both.
        rollout(3, 14, Some(1), &ROOT, &[[800, 500, 40]]),
    ];
    let [a, b] = forks;
    family_uses(&[parent, a, b], [6, 2_400, 3_600, 290], &[(1, 4, 4_610), (2, 1, 840), (3, 1, 840)]);
}

#[test]
fn what_forks_of_a_thread_without_a_log_begin_with_was_used_once() {
    let a = rollout(2, 13, Some(1), &ROOT, &[[800, 500, 40]]);
    let b = rollout(3, 15, Some(1), &ROOT, &[[600, 100, 30]]);
    let c = rollout(4, 16, Some(1), &ROOT[..2], &[[10, 0, 1]]);
    family_uses(&[a, b, c], [6, 1_910, 3_200, 251], &[(2, 4, 4_720), (3, 1, 630), (4, 1, 11)]);
}

#[test]
fn a_fork_of_a_fork_uses_only_its_own() {
    let parent = rollout(1, 10, None, &[], &ROOT);
    let fork = rollout(2, 13, Some(1), &ROOT, &[[800, 500, 40]]);
    let grandchild = rollout(3, 18, Some(2), &[ROOT[0], ROOT[1], ROOT[2], [800, 500, 40]], &[[600, 100, 30]]);
    family_uses(&[parent, fork, grandchild], [5, 1_900, 3_200, 250], &[(1, 3, 3_880), (2, 1, 840), (3, 1, 630)]);
}
