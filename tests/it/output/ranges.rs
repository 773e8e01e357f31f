//! `--since` and `--until` of reports.

use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};
use serde_json::Value;

use super::{Home, out, turn_at};

fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// Runs `check` with today's date; again when midnight passed meanwhile.
fn on_one_day(check: impl Fn(NaiveDate) -> Result<(), String>) {
    loop {
        let day = today();
        let told = check(day);
        if day == today() {
            told.unwrap();
            return;
        }
    }
}

fn instant(day: NaiveDate, hour: u32, minute: u32) -> String {
    let time: DateTime<Utc> = Utc.from_utc_datetime(&day.and_hms_opt(hour, minute, 0).unwrap());
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn rows(home: &Home, args: &[&str]) -> Vec<Value> {
    let told: Value = serde_json::from_slice(&home.run(&[args, &["--json"]].concat()).stdout).unwrap();
    told["rows"].as_array().unwrap().clone()
}

#[test]
fn seven_days_are_today_and_the_six_before_from_midnight() {
    on_one_day(|today| {
        let home = Home::new();
        let ago = |days| today.checked_sub_days(Days::new(days)).unwrap();
        turn_at(&home, "seventh", &instant(ago(6), 0, 1));
        turn_at(&home, "eighth", &instant(ago(7), 23, 59));
        let days = |args: &[&str]| -> Vec<String> {
            let rows = rows(&home, &[&["report", "daily"], args].concat());
            assert!(rows.iter().all(|row| row["is_cut"] == false), "whole days: {rows:?}");
            rows.iter().map(|row| row["day"].as_str().unwrap().to_owned()).collect()
        };
        let (seventh, eighth) = (vec![ago(6).to_string()], vec![ago(7).to_string()]);
        let told = [days(&["--since", "7d"]), days(&["--since", "1w"]), days(&["--until", "7d"])];
        if told != [seventh.clone(), seventh, eighth] {
            return Err(format!("{told:?}"));
        }
        let shown = out(&home.run(&["report", "daily", "--since", "7d"]));
        let head = format!("Usage per day · since {} · UTC\n", ago(6));
        if shown.starts_with(&head) && !shown.contains('*') { Ok(()) } else { Err(shown) }
    });
}

#[test]
fn days_begin_at_the_midnight_of_the_report_s_zone() {
    let home = Home::new();
    turn_at(&home, "before", "2026-03-28T22:59:00Z");
    turn_at(&home, "after", "2026-03-28T23:00:00Z");
    let rows = rows(&home, &["report", "daily", "--since", "2026-03-29", "--timezone", "Europe/Berlin"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!((&rows[0]["day"], &rows[0]["sessions"]), (&"2026-03-29".into(), &1.into()));
}

#[test]
fn a_row_that_the_range_cuts_is_marked() {
    let home = Home::new();
    for (session, at) in [("a", "2026-05-28T09:00:00Z"), ("b", "2026-05-28T21:00:00Z"), ("c", "2026-06-02T10:00:00Z")] {
        turn_at(&home, session, at);
    }
    let daily = ["report", "daily", "--since", "2026-05-28T20:00:00Z"];
    let cut: Vec<Value> = rows(&home, &daily).iter().map(|row| row["is_cut"].clone()).collect();
    assert_eq!(cut, [true, false]);
    let shown = out(&home.run(&daily));
    assert!(shown.starts_with("Usage per day · since 2026-05-28 20:00 · UTC\n"), "{shown}");
    assert!(shown.contains("\n2026-05-28*  ") && shown.contains("\n2026-06-02   "), "{shown}");
    assert!(shown.contains("* Only a part of this day is in the range."), "{shown}");
    // Whole days can be a part of a week or a month.
    let weekly = out(&home.run(&["report", "weekly", "--since", "2026-05-28", "--until", "2026-06-02"]));
    assert!(weekly.contains("\n2026-05-25*") && weekly.contains("\n2026-06-01*"), "{weekly}");
    assert!(weekly.starts_with("Usage per week · 2026-05-28 to 2026-06-02 · UTC\n"), "{weekly}");
    let monthly = out(&home.run(&["report", "monthly", "--since", "2026-05-28", "--until", "2026-06"]));
    assert!(monthly.contains("\n2026-05*") && monthly.contains("\n2026-06  "), "{monthly}");
    let models = out(&home.run(&["report", "models", "--since", "2026-05-28T20:00:00Z"]));
    assert!(!models.contains('*'), "only days, weeks and months have a length: {models}");
}

#[test]
fn a_week_that_is_not_over_yet_is_not_cut_by_today() {
    on_one_day(|today| {
        let home = Home::new();
        turn_at(&home, "now", &instant(today, 0, 0));
        let rows = rows(&home, &["report", "monthly", "--until", "today"]);
        if rows.len() == 1 && rows[0]["is_cut"] == false { Ok(()) } else { Err(format!("{rows:?}")) }
    });
}
