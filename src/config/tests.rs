//! How flags, file and environment become settings, on three systems.

use std::path::Path;

use super::*;

fn env(os: Os, variables: &[(&str, &str)]) -> Env {
    let mut env = Env::empty(os);
    env.variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    env.hostname = "Box".to_owned();
    env
}

fn resolved(env: &Env) -> Settings {
    Settings::resolve(&Overrides::default(), env).unwrap()
}

#[test]
fn each_system_has_its_own_home() {
    let linux = resolved(&env(Os::Linux, &[("HOME", "/home/ann"), ("USER", "ann"), ("XDG_CONFIG_HOME", "/cfg")]));
    assert_eq!(linux.home, Path::new("/home/ann/.devlog"));
    assert_eq!(linux.lake, Path::new("/home/ann/.devlog/lake"));
    assert_eq!(linux.places.env.get("XDG_CONFIG_HOME").map(String::as_str), Some("/cfg"));
    assert_eq!((linux.user_name.as_str(), linux.memory_bytes), ("ann", 256_000_000));
    assert!(linux.machine_id.ends_with("-box-linux") && linux.machine_id.len() == 16 + "-box-linux".len());

    let mac = resolved(&env(Os::MacOs, &[("HOME", "/Users/ann"), ("CODEX_HOME", "/c")]));
    assert_eq!(mac.home, Path::new("/Users/ann/.devlog"));
    assert!(mac.machine_id.ends_with("-box-darwin"));
    assert_eq!(mac.places.env.len(), 1);

    let profile = [("USERPROFILE", "C:/Users/ann"), ("HOME", "/c/Users/ann"), ("USERNAME", "ann"), ("APPDATA", "C:/a")];
    let windows = resolved(&env(Os::Windows, &profile));
    assert_eq!(windows.places.home, Path::new("C:/Users/ann"));
    assert_eq!(windows.user_name, "ann");
    assert_eq!(windows.places.env.get("APPDATA").map(String::as_str), Some("C:/a"));
    let drive = resolved(&env(Os::Windows, &[("HOMEDRIVE", "D:"), ("HOMEPATH", "/Users/ann")]));
    assert_eq!(drive.places.home, Path::new("D:/Users/ann"));
}

#[test]
fn the_command_line_wins_over_the_variable() {
    let env = env(Os::Linux, &[("HOME", "/home/ann"), ("DEVLOG_HOME", "data")]);
    assert_eq!(resolved(&env).home, Path::new("/data"), "relative paths start at the current directory");
    let overrides = Overrides { home: Some("~/x".into()), lake: Some("/lake".into()), ..Overrides::default() };
    let settings = Settings::resolve(&overrides, &env).unwrap();
    assert_eq!((settings.home.as_path(), settings.lake.as_path()), (Path::new("/home/ann/x"), Path::new("/lake")));
}

#[test]
fn the_configuration_file_stands_between_flags_and_environment() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "timezone = \"asia/tokyo\"\nmemory = \"64MB\"\nlakes = 1\n")
        .unwrap();
    let env = env(Os::Linux, &[("HOME", "/home/ann"), ("TZ", "Europe/Paris")]);
    let mut overrides = Overrides { home: Some(home.path().to_owned()), ..Overrides::default() };
    let settings = Settings::resolve(&overrides, &env).unwrap();
    assert_eq!((settings.timezone.as_str(), settings.memory_bytes), ("Asia/Tokyo", 64_000_000));
    assert!(settings.warnings[0].contains("did you mean `lake`?"), "{:?}", settings.warnings);
    overrides.timezone = Some("UTC".into());
    overrides.memory_bytes = Some(32_000_000);
    let settings = Settings::resolve(&overrides, &env).unwrap();
    assert_eq!((settings.timezone.as_str(), settings.memory_bytes), ("UTC", 32_000_000));
}

#[test]
fn the_time_zone_falls_back_from_variable_to_system_to_utc() {
    let mut world = env(Os::Linux, &[("HOME", "/h"), ("TZ", ":Europe/Berlin")]);
    assert_eq!(resolved(&world).timezone, "Europe/Berlin");
    world.variables.insert("TZ".into(), "CET-1CEST".into());
    world.system_timezone = Some("Asia/Kolkata".into());
    let settings = resolved(&world);
    assert_eq!(settings.timezone, "Asia/Kolkata");
    assert!(settings.warnings[0].contains("CET-1CEST"));
    for system in [":/etc/localtime", "/etc/localtime"] {
        world.variables.insert("TZ".into(), system.into());
        let settings = resolved(&world);
        assert_eq!((settings.timezone.as_str(), settings.warnings.len()), ("Asia/Kolkata", 0), "{system}");
        assert_eq!(settings.log_zone, Zone::named("Asia/Kolkata").map(Zone::tz));
    }
    world.variables.insert("TZ".into(), ":/usr/share/zoneinfo/America/New_York".into());
    assert_eq!(resolved(&world).timezone, "America/New_York");
    world.variables.insert("TZ".into(), "".into());
    world.system_timezone = None;
    assert_eq!(resolved(&world).timezone, "UTC");
}

#[test]
fn what_cannot_be_used_is_named() {
    let message = |overrides: &Overrides, env: &Env| Settings::resolve(overrides, env).unwrap_err().to_string();
    let nobody = env(Os::Linux, &[]);
    assert!(message(&Overrides::default(), &nobody).contains("set HOME, or pass --home DIR"));
    let service = Overrides { home: Some("/var/devlog".into()), ..Overrides::default() };
    assert_eq!(Settings::resolve(&service, &nobody).unwrap().places.home, Path::new("/var"));

    let someone = env(Os::Linux, &[("HOME", "/h")]);
    let zone = Overrides { timezone: Some("Europe/Berln".into()), ..Overrides::default() };
    assert_eq!(
        message(&zone, &someone),
        "unknown time zone \"Europe/Berln\" in --timezone (did you mean Europe/Berlin?); use an IANA name such as \
         Europe/Berlin or UTC"
    );
    let memory = Overrides { memory_bytes: Some(1000), ..Overrides::default() };
    assert!(message(&memory, &someone).contains("at least 16000000 bytes"));
}

#[test]
fn the_account_names_the_user_before_the_variables_do() {
    let mut world = env(Os::Linux, &[("USER", "ann")]);
    world.account_name = Some("root".into());
    world.account_home = Some("/root".into());
    let settings = resolved(&world);
    assert_eq!((settings.user_name.as_str(), settings.home.as_path()), ("root", Path::new("/root/.devlog")));
}

#[test]
fn this_process_has_an_environment() {
    let env = Env::capture();
    assert!(!env.hostname.is_empty() && env.hostname.trim() == env.hostname);
    assert_eq!(env.os, Os::current());
}

#[cfg(unix)]
#[test]
fn two_dots_lead_where_the_system_says_and_stand_in_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("deep/er/home")).unwrap();
    std::os::unix::fs::symlink("deep/er", root.join("link")).unwrap();
    let named = |path: &str| root.join(path).to_str().unwrap().to_owned();
    for (written, meant) in [
        ("deep/../x", "x"),
        ("deep/er/../../x", "x"),
        ("missing/../x", "x"),
        ("missing/./a/../../x", "x"),
        // Not `x`: the parent of what the link leads to.
        ("link/../x", "deep/x"),
        // Links stay as they are written where no `..` follows.
        ("link/home", "link/home"),
        ("deep/../link/./x", "link/x"),
    ] {
        let overrides =
            Overrides { home: Some(named(written).into()), lake: Some(named(written).into()), ..Overrides::default() };
        let settings = Settings::resolve(&overrides, &env(Os::Linux, &[("HOME", &named(written))])).unwrap();
        for found in [settings.home, settings.lake, settings.places.home] {
            assert_eq!(found, root.join(meant), "{written}");
        }
    }
    let mut world = env(Os::Linux, &[("HOME", "/h")]);
    world.current_dir = root.join("deep");
    let overrides = Overrides { home: Some("../dl".into()), ..Overrides::default() };
    assert_eq!(Settings::resolve(&overrides, &world).unwrap().home, root.join("dl"));
    let climbing = Overrides { home: Some("/../../h".into()), ..Overrides::default() };
    assert_eq!(Settings::resolve(&climbing, &world).unwrap().home, Path::new("/h"));
}
