use std::fs;

use super::*;

const CLAUDE: &str = "{\"type\":\"user\",\"uuid\":\"u\",\"sessionId\":\"s\",\"message\":{}}\n";
const CODEX: &str = "{\"timestamp\":\"t\",\"type\":\"session_meta\",\"payload\":{}}\n";

fn seen(agent: Option<&str>, path: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    explicit(agent, path, |seen| {
        let (path, what) = match seen {
            ScanItem::File(file) => (file.path, file.format.name().to_owned()),
            ScanItem::ScanWarning(ScanWarning::Skipped { path, reason }) => (path, reason.to_string()),
            other => panic!("{other:?}"),
        };
        all.push((path.file_name().unwrap().to_string_lossy().into_owned(), what));
    });
    all.sort();
    all
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn content_decides_whatever_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("x/full.jsonl", CLAUDE.as_bytes());
    put("x/any.json", b"{\"session\":{},\"items\":[]}");
    put("y/odd.jsonl", CODEX.as_bytes());
    put("y/p.jsonl.zst", &zstd::encode_all(CODEX.as_bytes(), 3).unwrap());
    put("y/big.jsonl", format!("{{\"type\":\"x\",\"payload\":\"{}", "y".repeat(100_000)).as_bytes());
    put("y/notes.txt", b"hello");
    put("y/empty.jsonl", b"");
    put("y/package.json", b"{\"name\":\"x\"}");
    put("y/agent-1.meta.json", b"{\"agentType\":\"x\"}");
    put("y/rollout-1.jsonl", b"{\"odd\":1}\n");
    let expected = pairs(&[
        ("agent-1.meta.json", "it describes a sub-agent and is read with that transcript"),
        ("any.json", "codex-document"),
        ("big.jsonl", "codex-rollout"),
        ("empty.jsonl", "it is empty"),
        ("full.jsonl", "claude-session"),
        ("notes.txt", "it holds no JSON objects, and no text that an agent writes"),
        ("odd.jsonl", "codex-rollout"),
        ("p.jsonl.zst", "codex-rollout"),
        ("package.json", "its fields are not those of a known agent's log"),
        ("rollout-1.jsonl", "its fields are not those of a known agent's log"),
    ]);
    assert_eq!(seen(None, folder.path()), expected);
    let codex = seen(Some("codex"), folder.path());
    let of = |name: &str| codex.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(of("full.jsonl"), "it is a claude-session file, not one of the agent asked for");
    assert_eq!(of("rollout-1.jsonl"), "codex-rollout");
}

#[test]
fn a_single_file_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.txt");
    fs::write(&path, CLAUDE).unwrap();
    assert_eq!(seen(Some("claude"), &path), pairs(&[("export.txt", "claude-session")]));
}

#[test]
fn a_sub_agents_small_file_is_found_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent-7.jsonl");
    fs::write(&path, CLAUDE).unwrap();
    let companion = |expected: Option<&Path>| {
        explicit(None, &path, |seen| match seen {
            ScanItem::File(file) => assert_eq!(file.companions.first().map(PathBuf::as_path), expected),
            other => panic!("{other:?}"),
        });
    };
    companion(None);
    let beside = folder.path().join("agent-7.meta.json");
    fs::write(&beside, "{}").unwrap();
    companion(Some(&beside));
}
