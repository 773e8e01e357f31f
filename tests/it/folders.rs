//! Folders that logs name: their repositories, and the logs of agents that lie in them.

use std::fs;

use crate::home::{Home, append};

fn prompt(session: &str, cwd: &std::path::Path, n: usize) -> String {
    format!(
        "{{\"type\":\"user\",\"uuid\":\"{session}-{n}\",\"sessionId\":\"{session}\",\"timestamp\":\"2026-03-01T10:0{n}:00.000Z\",\
         \"cwd\":{cwd:?},\"message\":{{\"role\":\"user\",\"content\":\"do {n}\"}}}}\n"
    )
}

#[test]
fn rows_of_a_worktree_belong_to_the_project_of_its_remote() {
    let home = Home::new();
    let put = |path: &str, text: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("src/shop/.git/config", "[remote \"origin\"]\n\turl = git@github.com:acme/shop.git\n");
    let git = home.path().join("src/shop/.git/worktrees/fix");
    put("src/fix/.git", &format!("gitdir: {}\n", git.display()));
    put("src/shop/.git/worktrees/fix/commondir", "../..\n");
    for (n, folder) in ["src/shop", "src/fix", "src/gone"].iter().enumerate() {
        let session = format!("s{n}");
        append(&home.claude(&format!("-p{n}"), &session), &prompt(&session, &home.path().join(folder), n));
    }
    let rows = home.query("SELECT project, repo_url, sessions FROM projects ORDER BY project");
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0]["project"], &rows[0]["sessions"]), (&"acme/shop".into(), &2.into()));
    assert_eq!(rows[0]["repo_url"], "https://github.com/acme/shop");
    assert_eq!(rows[1]["project"], "gone");
}

#[test]
fn a_log_in_a_project_is_found_in_the_run_that_first_names_the_project() {
    let home = Home::new();
    let project = home.path().join("src/shop");
    fs::create_dir_all(project.join("api")).unwrap();
    fs::write(project.join(".aider.input.history"), "\n# 2026-03-01 10:00:00.000000\n+fix it\n").unwrap();
    append(&home.claude("-p", "s"), &prompt("s", &project.join("api"), 1));
    home.ok(&["backfill"]);
    let found = home.durable_number("SELECT count(*) FROM sources WHERE agent = 'aider'");
    assert_eq!(found, 1);
    let again = home.ok(&["backfill", "--json", "--dry-run"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["found"], 2, "{again}");
}
