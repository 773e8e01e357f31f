//! What README shows of notebooks is run as it stands there, and gives the numbers of the reports.

use std::path::Path;

use serde_json::Value;

use crate::cli::python;
use crate::home::{Home, append, session};

/// The blocks of Python in README.
fn blocks() -> Vec<String> {
    let text = include_str!("../../README.md");
    let blocks = text.split("```python\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_notebook_lines_of_readme_give_the_numbers_of_the_reports() {
    let home = Home::new();
    append(&home.claude("-p", "one"), &session("one", 3));
    let chat = home.path().join("old.md");
    append(
        &chat,
        "# aider chat started at 2026-05-20 09:12:44\n\n#### do it  \n\nok\n\n> Tokens: 12k sent, 680 received.  \n",
    );
    home.ok(&["backfill"]);
    home.ok(&["backfill", "--path", chat.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&home.ok(&["report", "daily", "--json"])).unwrap();
    assert_eq!(home.number("SELECT sum(output_tokens) FROM events"), 710, "estimates are in the plain sum");
    let expected = report["total"]["output_tokens"].to_string();
    let bin = Path::new(env!("CARGO_BIN_EXE_devlog")).parent().unwrap().to_str().unwrap();
    let (folder, devlog) = (home.path().to_str().unwrap().to_owned(), home.devlog_home());
    let before = format!(
        "import os\nos.environ.update(HOME={folder:?}, DEVLOG_HOME={devlog:?}, PATH={bin:?} + ':' + os.environ.get('PATH', ''))\n"
    );
    let sums = [
        (
            "polars, deltalake, pandas",
            "print(pl.scan_delta(events).filter(counted).select(pl.sum('output_tokens')).collect().item())",
        ),
        ("polars, pyarrow", "print(sum(tokens or 0 for tokens in daily['output_tokens'].to_pylist()))"),
    ];
    let blocks = blocks();
    assert_eq!(blocks.len(), sums.len());
    for (block, (modules, sum)) in blocks.iter().zip(sums) {
        if let Some(said) = python(modules, &format!("{before}{block}\n{sum}\n"), home.path()) {
            assert_eq!(said, expected, "{block}");
        }
    }
}
