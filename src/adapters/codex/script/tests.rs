//! Scripts as models write them, and the commands that they run.

use super::script_commands;

fn commands(script: &str) -> Vec<String> {
    let mut out = String::new();
    script_commands(script, &mut out);
    out.lines().map(str::to_owned).collect()
}

#[test]
fn every_shell_tool_and_every_way_to_name_it_runs_a_command() {
    for (script, command) in [
        (r#"const r = await tools.exec_command({cmd: "git log -1", workdir: "/w"}); text(r.output);"#, "git log -1"),
        (r#"await tools.shell_command({"workdir":"C:\\w","command":"git status","timeout_ms":9})"#, "git status"),
        (r#"await tools.shell_command({command: 'Get-Content -Raw "a.txt"'})"#, r#"Get-Content -Raw "a.txt""#),
        (r#"await tools["exec_command"]({ "cmd" : `ls -l` })"#, "ls -l"),
        ("await tools\n  .exec_command({\n    workdir: '/w', // where\n    cmd: 'ls' })", "ls"),
        (r#"tools?.exec_command({cmd:"pwd"})"#, "pwd"),
        (r#"const { exec_command, other } = tools; await exec_command({cmd: "pwd"})"#, "pwd"),
        (r#"const sh = tools.shell_command; await sh({command: "dir"})"#, "dir"),
        (r#"await tools.shell_command("dir")"#, "dir"),
        (r#"await tools.shell({command: ["bash", "-lc", "cd a && make"]})"#, "cd a && make"),
        (r#"await tools.shell({command: ["powershell.exe", "-Command", "dir"]})"#, "powershell.exe -Command dir"),
    ] {
        assert_eq!(commands(script), [command], "{script}");
    }
}

#[test]
fn texts_are_read_with_their_escapes_in_all_kinds_of_quotes() {
    assert_eq!(
        commands(r#"tools.exec_command({cmd: "echo \"a\" \u0041\x42\u{43}\ud83d\ude00 'b'"})"#),
        ["echo \"a\" ABC😀 'b'"]
    );
    assert_eq!(commands(r#"tools.exec_command({cmd: 'it\'s'})"#), ["it's"]);
    assert_eq!(commands("tools.exec_command({cmd: `a\nb`})"), ["a", "b"]);
    assert_eq!(commands(r"tools.shell_command({command: String.raw`type C:\new\a.txt`})"), [r"type C:\new\a.txt"]);
    assert_eq!(commands(r#"tools.exec_command({cmd: "a " + 'b ' + `c`})"#), ["a b c"]);
}

#[test]
fn names_are_followed_and_what_is_not_known_stays() {
    let known = r#"const dir = "/w/a"; const cmd = `ls ${dir}`; await tools.exec_command({cmd})"#;
    assert_eq!(commands(known), ["ls /w/a"]);
    assert_eq!(commands(r#"tools.exec_command({cmd: `cat ${path} | head`})"#), ["cat ${path} | head"]);
    assert_eq!(commands(r#"tools.exec_command({cmd: "cat " + path})"#), ["cat ${path}"]);
    assert_eq!(
        commands(r#"tools.exec_command({cmd: "echo ${HOME}"})"#),
        ["echo ${HOME}"],
        "the shell's, not the script's"
    );
    let circle = "const a = b; const b = a; tools.exec_command({cmd: a})";
    assert!(commands(circle).is_empty());
}

#[test]
fn several_calls_of_a_script_are_several_lines() {
    let many = r#"const [a, b] = await Promise.all([
        tools.exec_command({cmd: "one"}), tools.shell_command({command: "two"}),
    ]); if (a) { await tools.exec_command({cmd: "three"}); }"#;
    assert_eq!(commands(many), ["one", "two", "three"]);
    for script in [
        r#"for (const cmd of ["one", "two"]) { await tools.exec_command({cmd}); }"#,
        r#"await Promise.all(["one", 'two'].map(cmd => tools.exec_command({cmd, workdir: "/w"})))"#,
        r#"const all = ["one", "two"]; await Promise.all(all.map(async (c) => tools.exec_command({cmd: c})))"#,
        r#"const run = (cmd) => tools.exec_command({cmd, workdir: "/w"}); await run("one"); await run("two");"#,
        r#"async function run(where, what) { return tools.shell_command({command: what}); } run("/w", "one"); run("/w", "two")"#,
        r#"const jobs = [{cmd: "one"}, {cmd: "two"}]; for (const job of jobs) await tools.exec_command(job)"#,
    ] {
        assert_eq!(commands(script), ["one", "two"], "{script}");
    }
}

#[test]
fn what_only_looks_like_a_call_runs_nothing() {
    for script in [
        r#"// tools.exec_command({cmd: "no"})"#,
        r#"/* tools.exec_command({cmd: "no"}) */"#,
        r#"text("tools.exec_command({cmd: 'no'})")"#,
        r#"await tools.apply_patch("*** Begin Patch\n+tools.exec_command({cmd: 'no'})\n*** End Patch")"#,
        r#"await tools.write_stdin({session_id: 1, chars: "cmd"})"#,
        r#"const r = /tools.exec_command\({cmd:"no"}\)/.test(x);"#,
        "tools.exec_command({",
        "tools.exec_command({cmd: ",
        "",
    ] {
        assert!(commands(script).is_empty(), "{script}");
    }
}

#[test]
fn a_script_that_grows_without_bounds_is_read_in_bounds() {
    let sum = |name: &str| vec![name; 500].join(" + ");
    let grown: String = (0..20).map(|n| format!("const a{n} = {};\n", sum(&format!("a{}", n + 1)))).collect();
    let script = grown + &format!("const a20 = '{}'; tools.exec_command({{cmd: a0}});", "x".repeat(1000));
    assert!(commands(&script).iter().map(String::len).sum::<usize>() < 1 << 20);
    let deep = "[".repeat(50_000) + "].map(c => tools.exec_command({cmd: c}))";
    assert!(commands(&deep).is_empty());
    let many = "const c = 'x';".to_owned() + &"tools.exec_command({cmd: c});".repeat(2000);
    assert!(commands(&many).len() <= 256);
}
