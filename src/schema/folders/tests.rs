use arrow::array::{Array, AsArray};

use super::*;
use crate::schema::{EventRow, EventType, Learnt, RowContext, Rows};

#[test]
fn the_newest_folders_are_remembered_whole_and_each_once() {
    let mut visited = Vec::new();
    for name in ["/a", "/b", "/a", "", "/c", &"x".repeat(5000)] {
        visit(&mut visited, name);
    }
    assert_eq!(visited, ["/b", "/a", "/c"]);
    (0..100).for_each(|i| visit(&mut visited, &format!("/{i}")));
    assert_eq!(visited.len(), MOST_REMEMBERED);
    assert_eq!((visited[0].as_str(), visited[15].as_str()), ("/84", "/99"));
}

/// A machine with the repository `acme/shop`, a worktree of it, and a repository without a remote.
fn machine() -> Folders {
    Folders::new(|folder| match folder {
        "/w/shop" => Folder {
            repo_url: Some("https://h/acme/shop".into()),
            top: Some("/w/shop".into()),
            tree: Some("/w/shop".into()),
            is_told: false,
        },
        "/w/shop-fix" => Folder {
            repo_url: Some("https://h/acme/shop".into()),
            top: Some("/w/shop".into()),
            tree: Some("/w/shop-fix".into()),
            is_told: false,
        },
        "/w/local" | "/w/local/src" => {
            Folder { repo_url: None, top: Some("/w/local".into()), tree: Some("/w/local".into()), is_told: false }
        }
        _ => Folder::default(),
    })
}

/// A row: session, folder, remote, branch.
type In<'a> = (&'a str, &'a str, Option<&'a str>, Option<&'a str>);

/// Project and repo_url of each row of a log, and what they have taught.
fn placed(folders: &Folders, path: &str, rows_in: &[In<'_>]) -> (Vec<(String, Option<String>)>, Learnt) {
    let mut rows = Rows::new(RowContext::new("x", path)).with_folders(folders.clone());
    for (session, cwd, repo_url, git_branch) in rows_in {
        let session_id = (!session.is_empty()).then_some(*session);
        let (cwd, repo_url, git_branch) = (Some(*cwd), *repo_url, *git_branch);
        rows.event(&EventRow {
            event_type: EventType::System,
            cwd,
            repo_url,
            git_branch,
            session_id,
            ..EventRow::default()
        });
    }
    let learnt = rows.learnt().clone();
    let events = rows.finish().events;
    let text = |name: &str, i: usize| {
        let column = events.column_by_name(name).unwrap().as_string_view();
        column.is_valid(i).then(|| column.value(i).to_owned())
    };
    let all = (0..events.num_rows()).map(|i| (text("project", i).unwrap_or_default(), text("repo_url", i)));
    (all.collect(), learnt)
}

/// Projects of the rows of one session in these folders.
fn projects(folders: &Folders, path: &str, cwds: &[&str]) -> Vec<String> {
    let rows: Vec<In<'_>> = cwds.iter().map(|cwd| ("s", *cwd, None, None)).collect();
    placed(folders, path, &rows).0.into_iter().map(|(project, _)| project).collect()
}

#[test]
fn where_the_log_names_no_remote_the_folder_does() {
    let shop = || ("acme/shop".to_owned(), Some("https://h/acme/shop".to_owned()));
    let own = || ("me/fork".to_owned(), Some("https://h/me/fork".to_owned()));
    let (rows, _) = placed(
        &machine(),
        "/logs/x.jsonl",
        &[
            ("", "/w/shop", None, None),
            ("", "/w/shop-fix", None, None),
            ("", "/w/shop", Some("https://h/me/fork"), None),
            ("", "/w/shop", Some("https://me:secret@h/me/fork.git"), None),
            ("", "/w/shop", Some("/srv/git/shop.git"), None),
            ("", "/w/shop", None, None),
            ("", "/w/local/src", None, None),
            ("", "/gone/garden", None, None),
        ],
    );
    let expected =
        [shop(), shop(), own(), own(), shop(), shop(), ("local".to_owned(), None), ("garden".to_owned(), None)];
    assert_eq!(rows, expected);
}

#[test]
fn a_session_stays_in_the_project_that_it_was_started_in() {
    let gone = Folders::default();
    let x = "/logs/x.jsonl";
    assert_eq!(projects(&gone, x, &["/w/shop", "/w/shop/src", "/w/website", "/tmp", "/w/shop"]), ["shop"; 5]);
    assert_eq!(projects(&gone, x, &["/w/shop/.claude/worktrees/fix/src", "/w/shop"]), ["shop"; 2]);
    let slug = "/c/projects/-w-shop/s.jsonl";
    assert_eq!(projects(&gone, slug, &["/w/shop/src", "/w/shop"]), ["shop"; 2]);
    // Before its own folder is seen, a slug is read by what other logs of that folder say.
    assert_eq!(projects(&Folders::default(), slug, &["/tmp", "/w/shop"]), ["tmp", "shop"]);
    gone.learn_start("/w/shop", false);
    assert_eq!(projects(&gone, slug, &["/tmp", "/w/shop"]), ["shop"; 2]);
    // Who starts in the home works in what is below it.
    assert_eq!(projects(&gone, x, &["/home/me", "/home/me/shop", "/home/me/garden"]), ["me", "shop", "garden"]);
}

#[test]
fn another_repository_is_another_project_but_not_one_inside_the_own() {
    let (rows, _) = placed(
        &machine(),
        "/c/projects/-w-shop/s.jsonl",
        &[("s", "/w/shop/vendor/lib", None, None), ("s", "/w/local/src", None, None), ("s", "/w/shop", None, None)],
    );
    let names: Vec<&str> = rows.iter().map(|(project, _)| project.as_str()).collect();
    assert_eq!(names, ["acme/shop", "local", "acme/shop"]);
}

#[test]
fn a_session_started_below_another_ones_repository_belongs_to_it() {
    let folders = Folders::default();
    folders.learn_start("/w/shop", true);
    folders.learn_start("/home/me", true);
    folders.learn_start("/notes", false);
    let project = |cwd, branch| placed(&folders, "/x.jsonl", &[("s", cwd, None, branch)]).0[0].0.clone();
    assert_eq!(project("/w/shop/src/api", Some("main")), "shop");
    assert_eq!(project("/w/shop/src/api", None), "api", "nothing says that it is in a repository");
    assert_eq!(project("/home/me/garden", Some("main")), "garden", "a home is no project");
    assert_eq!(project("/notes/garden", Some("main")), "garden");
    assert_eq!(project("/w/shopping", Some("main")), "shopping");
}

#[test]
fn what_was_learnt_is_remembered_when_the_folder_is_gone() {
    let rows = [("s", "/w/shop-fix", None, None), ("t", "/w/local/src", None, None)];
    let (_, learnt) = placed(&machine(), "/x.jsonl", &rows);
    assert_eq!(learnt.trees.len(), 2, "{learnt:?}");
    let kept = serde_json::to_string(&learnt).unwrap();
    let position = serde_json::json!({"id": "1", "agent": "x", "format": "x", "path": "/x", "generation": 0,
        "born_us": 0, "resume_at": 0, "high_water": 0, "learnt": serde_json::from_str::<serde_json::Value>(&kept).unwrap()});
    let position: SourcePosition = serde_json::from_value(position).unwrap();
    let later = Folders::default();
    later.remember([&position]);
    assert_eq!(projects(&later, "/y.jsonl", &["/w/shop-fix/src"]), ["acme/shop"]);
    assert_eq!(projects(&later, "/y.jsonl", &["/w/local"]), ["local"]);
    // What is there says it better than what was.
    let moved = Folders::new(|_| Folder { repo_url: Some("https://h/b/c".into()), ..Folder::default() });
    moved.remember([&position]);
    assert_eq!(projects(&moved, "/y.jsonl", &["/w/local"]), ["b/c"]);
    // Another machine has folders of its own.
    let other = Folders::of_machine("box");
    other.remember([&position]);
    assert_eq!(projects(&other, "/y.jsonl", &["/w/local/src"]), ["src"]);
}

#[test]
fn a_remote_that_one_agent_names_holds_for_all_in_whatever_order_they_are_read() {
    let tree = |url: &str| Tree { folder: "/w/shop".into(), main: None, repo_url: Some(url.into()), is_told: true };
    let one = placed(&Folders::default(), "/x.jsonl", &[("a", "/w/shop", Some("https://h/b/c"), None)]).1;
    assert_eq!(one.trees, [tree("https://h/b/c")]);
    for urls in [["https://h/b/c", "https://h/d/e"], ["https://h/d/e", "https://h/b/c"]] {
        let folders = Folders::default();
        urls.iter().for_each(|url| folders.learn_tree(&tree(url)));
        assert_eq!(projects(&folders, "/y.jsonl", &["/w/shop/src"]), ["b/c"]);
    }
}

#[test]
fn a_log_that_names_remotes_and_names_none_here_is_in_another_project() {
    let rows = [
        ("a", "/w/shop", Some("https://h/b/c"), None),
        ("a", "/w/shop/src", None, None),
        ("a", "/w/garden", None, None),
    ];
    let (rows, _) = placed(&Folders::default(), "/x.jsonl", &rows);
    let names: Vec<&str> = rows.iter().map(|(project, _)| project.as_str()).collect();
    assert_eq!(names, ["b/c", "b/c", "garden"]);
}
