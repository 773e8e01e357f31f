use super::*;

fn parsed_on(os: Os, text: &str) -> Result<Mapping, ConfigError> {
    let start = Start { os, user_home: "/home/ann".as_ref(), current_dir: "/work".as_ref() };
    parse(Path::new("/h/adapters/mytool.toml"), "mytool", text, &start)
}

fn message(text: &str) -> String {
    parsed_on(Os::Linux, text).unwrap_err().to_string()
}

const WHOLE: &str = r#"
framing = "document"
records = "/messages"
timestamp = "%d.%m.%Y %H:%M:%S"
zone = "Europe/Berlin"
event_type = "system"
id = ["/id", "/rev"]
input_includes_cache = true

[[files]]
path = "~/.mytool/logs/**/*.json"
[[files]]
path = "~/Library/mytool/log.json"
os = "macos"

[columns]
ts = "/time"
text = ["/message/text", "/message"]

[document]
session_id = "/session"

[constants]
provider = "acme"
cost_usd_reported = 0.5

[[types]]
when = { pointer = "/kind", equals = "user" }
event_type = "user_interaction"
set = { role = "user" }
[[types]]
when = [{ pointer = "/kind", in = ["a", 1] }, { pointer = "/x", exists = false }]
ignore = true
"#;

#[test]
fn times_without_a_zone_are_in_the_zone_named_wherever_it_stands_and_in_utc_when_none_is() {
    let time = |text: &str| parsed_on(Os::Linux, &format!("{text}[columns]\ntext = \"/m\"\n")).unwrap().time;
    let berlin = TimeFormat::Auto(chrono_tz::Europe::Berlin);
    assert_eq!(time(""), TimeFormat::Auto(chrono_tz::UTC));
    assert_eq!(time("zone = \"Europe/Berlin\"\n"), berlin);
    assert_eq!(time("timestamp = \"auto\"\nzone = \"Europe/Berlin\"\n"), berlin);
}

#[test]
fn every_key_is_read() {
    let mapping = parsed_on(Os::Linux, WHOLE).unwrap();
    assert_eq!(
        (mapping.agent, mapping.packing, mapping.format()),
        ("mytool", Compression::Document, Format::MappedDocument)
    );
    assert_eq!(mapping.records.0, ["messages"]);
    assert_eq!(mapping.time, TimeFormat::Pattern("%d.%m.%Y %H:%M:%S".into(), chrono_tz::Europe::Berlin));
    assert_eq!(mapping.files, [MappedFiles { folder: "/home/ann/.mytool/logs".into(), pattern: "**/*.json".into() }]);
    assert_eq!(mapping.id.len(), 2);
    assert!(mapping.input_includes_cache && mapping.event_type == Some(EventType::System));
    let text = mapping.columns.iter().find(|(target, _)| target.name == "text").unwrap();
    assert_eq!(text.1.len(), 2);
    assert_eq!(mapping.document[0].0.name, "session_id");
    assert_eq!(mapping.constants.len(), 2);
    assert_eq!(mapping.types[0].event_type, Some(EventType::UserInteraction));
    assert_eq!(mapping.types[0].set[0].1, Constant::Text("user".into()));
    assert_eq!(mapping.types[1].event_type, None);
    assert_eq!(mapping.types[1].when[0].test, Test::OneOf(vec![Constant::Text("a".into()), Constant::Integer(1)]));
    assert_eq!(mapping.types[1].when[1].test, Test::Exists(false));
    assert_eq!(parsed_on(Os::MacOs, WHOLE).unwrap().files.len(), 2);
}

#[test]
fn errors_name_file_line_and_the_nearest_right_word() {
    for (text, expected) in [
        ("framing = \"lines\"\ncolums = 1\n", "line 2: unknown key `colums`; did you mean `columns`?"),
        ("framing = \"line\"\n", "line 1: unknown framing `line`; did you mean `lines`?"),
        ("[columns]\nts = \"/t\"\nmodle = \"/m\"\n", "line 3: unknown column `modle`; did you mean `model`?"),
        ("[columns]\nts = \"time\"\n", "line 2: `ts` must be a JSON pointer such as \"/message/text\""),
        ("event_type = \"user\"\n", "line 1: unknown event type `user`; did you mean `user_interaction`?"),
        ("timestamp = \"unix_sec\"\n", "line 1: unknown form of times `unix_sec`; did you mean `unix_s`?"),
        ("timestamp = \"%Q!\"\n", "line 1: `timestamp` must be auto, rfc3339, unix_s,"),
        ("zone = \"Berlin\"\n", "line 1: `zone` must be an IANA name"),
        ("[constants]\nturn = \"one\"\n", "line 2: `turn` must be a number"),
        ("[constants]\nts = 1\n", "line 2: `ts` must be a pointer in [columns]"),
        ("[[types]]\nevent_type = \"system\"\n", "line 2: `when` is missing: when = { pointer"),
        ("[[types]]\nwhen = { pointer = \"/a\", equals = 1 }\n", "line 2: `event_type` is missing: event_type = "),
        ("[[types]]\nwhen = { pointer = \"/a\" }\n", "line 2: `when` must be a condition such as"),
        ("[[types]]\nwhen = { point = \"/a\" }\n", "line 2: unknown key `point`; did you mean `pointer`?"),
        ("[types]\na = 1\n", "`types` must be an array of tables"),
        ("[[files]]\nos = \"linux\"\n", "line 2: `path` is missing: path = "),
        ("[[files]]\npath = \"~/*.jsonl\"\n", "line 2: `path` must be a path such as"),
        ("[[files]]\npath = \"/**/*.jsonl\"\n", "line 2: `path` must be a path such as"),
        ("[[files]]\npath = \"/x/a.json\"\nos = \"linus\"\n", "line 3: unknown system `linus`; did you mean `linux`?"),
        ("framing = \"lines\"\n", "line 1: `columns` is missing: a table such as [columns]"),
        ("a = = 1\n", "line 1 is not TOML: "),
    ] {
        let said = message(text);
        assert!(said.starts_with("\"/h/adapters/mytool.toml\" line ") && said.contains(expected), "{text}\n{said}");
    }
}

#[test]
fn a_name_is_no_name_of_a_known_agent() {
    let start = Start { os: Os::Linux, user_home: "/h".as_ref(), current_dir: "/".as_ref() };
    for name in ["claude", "mapped", "My Tool", "", "-x"] {
        assert!(parse(Path::new("/x.toml"), name, "[columns]\nts = \"/t\"\n", &start).is_err(), "{name}");
    }
}

#[test]
fn paths_start_at_the_deepest_folder_without_a_pattern() {
    let files = |os, path: &str| {
        let start = Start { os, user_home: "/home/ann".as_ref(), current_dir: "/work".as_ref() };
        files_at(path, &start).map(|f| (f.folder.to_string_lossy().into_owned(), f.pattern))
    };
    for (path, folder, pattern) in [
        ("~/.t/logs/*.jsonl", "/home/ann/.t/logs", "*.jsonl"),
        ("~/.t/*/s/**/x-*.jsonl", "/home/ann/.t", "*/s/**/x-*.jsonl"),
        ("/var/log/t.jsonl", "/var/log", "t.jsonl"),
        ("~/t.jsonl", "/home/ann", "t.jsonl"),
        ("logs/t.jsonl", "/work/logs", "t.jsonl"),
    ] {
        assert_eq!(files(Os::Linux, path), Some((folder.to_owned(), pattern.to_owned())), "{path}");
    }
    let found = files(Os::Windows, r"~\.t\logs\*.jsonl").unwrap();
    assert_eq!((found.0.replace('\\', "/"), found.1.as_str()), ("/home/ann/.t/logs".to_owned(), "*.jsonl"));
    for path in ["", "~", "~/", "*", "/*", "~/**/x", "/home/*/x", "~/.t/../*"] {
        assert_eq!(files(Os::Linux, path), None, "{path}");
    }
}

#[test]
fn a_broken_description_spoils_no_other() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("adapters");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.toml"), "[columns]\nts = \"/t\"\n").unwrap();
    std::fs::write(folder.join("b.toml"), "nonsense").unwrap();
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    let start = Start { os: Os::Linux, user_home: "/h".as_ref(), current_dir: "/".as_ref() };
    let (right, wrong) = read_all(home.path(), &start);
    assert_eq!(right.iter().map(|m| m.agent).collect::<Vec<_>>(), ["a"]);
    assert_eq!(wrong.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(read_all(&home.path().join("none"), &start).0.len(), 0);
}
