//! Numbers, clocks and limits that no sane machine has.

use crate::home::{Home, answer, append, prompt};

#[test]
fn sums_of_hostile_counts_do_not_wrap_and_the_numbers_are_kept() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s");
    append(&log, &prompt("s", 0, "a"));
    for n in 1..4 {
        let line = answer("s", n, &format!("m{n}"), "text", 10, Some("end_turn"));
        append(&log, &line.replace("\"output_tokens\":10", "\"output_tokens\":9223372036854775805"));
    }
    append(&log, &answer("s", 4, "m4", "text", 10, Some("end_turn")));
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT sum(output_tokens) FROM events"), 10);
    assert_eq!(home.number("SELECT sum(total_tokens) FROM events WHERE output_tokens IS NULL"), 3 * 113);
    let kept = "SELECT count(*) FROM events WHERE extra LIKE '%\"impossible_counts\":{\"output_tokens\":9223372036854775805}%'";
    assert_eq!(home.number(kept), 3);
    home.ok(&["report", "daily", "--json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_the_size_of_files_is_told_like_a_full_disk_and_nothing_is_lost() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s");
    // Texts that do not compress to less than the limit.
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        format!("{:016x}", state ^ (state >> 29))
    };
    for n in 0..40 {
        append(&log, &prompt("s", n, &(0..500).map(|_| noise()).collect::<String>()));
    }
    let limited = |limit: &str| {
        let devlog = home.command(&["backfill"]);
        let mut command = std::process::Command::new("sh");
        command.arg("-c").arg(format!("ulimit -f {limit}; exec \"$0\" backfill")).arg(devlog.get_program());
        command.env_clear().envs(devlog.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap()
    };
    // In blocks of 512 bytes: 32 kB.
    let output = limited("64");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("part-") || err.contains(".tmp"), "it names the file: {err}");
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT count(*) FROM events"), 40);
    home.ok(&["fsck"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_before_1970_is_told_and_no_panic() {
    let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    if !std::path::Path::new(library).is_file() {
        eprintln!("skipped: libfaketime is not installed");
        return;
    }
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s"), &prompt("s", 0, "a"));
    for args in [&["backfill"][..], &["status"], &["query", "SELECT 1"], &["ingest", "--once"]] {
        let mut command = home.command(args);
        let output = command.env("LD_PRELOAD", library).env("FAKETIME", "@1960-01-01 00:00:00").output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains("the system's clock stands before 1970") && !err.contains("panicked"), "{args:?}: {err}");
    }
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT count(*) FROM events"), 1);
}
