//! Editors of VS Code's kind: where their `User` folders are.
//!
//! Sources: VS Code's `environmentMainService` and the forks' own documentation. Linux
//! `$XDG_CONFIG_HOME/<App>/User`, macOS `~/Library/Application Support/<App>/User`, Windows
//! `%APPDATA%\\<App>\\User`; a portable installation names its folder in `VSCODE_PORTABLE`. Remote
//! extension hosts (SSH, WSL, containers) keep a `data/User` of their own on the remote machine.

use std::path::PathBuf;

use crate::config::{Os, Places};
use crate::discover::xdg::xdg;

/// Names of the editors' folders.
const APPS: [&str; 13] = [
    "Code",
    "Code - Insiders",
    "Code - Exploration",
    "Code - OSS",
    "VSCodium",
    "VSCodium - Insiders",
    "Cursor",
    "Windsurf",
    "Windsurf - Next",
    "Positron",
    "Trae",
    "Antigravity",
    "Kiro",
];

/// Remote extension hosts: folder, and the editor it belongs to.
const SERVERS: [(&str, &str); 10] = [
    (".vscode-server", "Code"),
    (".vscode-server-insiders", "Code - Insiders"),
    (".vscode-server-oss", "Code - OSS"),
    (".vscode-remote", "Code"),
    (".vscodium-server", "VSCodium"),
    (".cursor-server", "Cursor"),
    (".windsurf-server", "Windsurf"),
    (".positron-server", "Positron"),
    (".trae-server", "Trae"),
    (".kiro-server", "Kiro"),
];

/// The `User` folders of all editors, or of the one called `only`.
pub(super) fn user_folders(places: &Places, only: Option<&str>) -> Vec<PathBuf> {
    let base = match places.os {
        Os::Linux => xdg(places, "XDG_CONFIG_HOME", ".config"),
        Os::MacOs => places.home.join("Library/Application Support"),
        Os::Windows => places
            .env
            .get("APPDATA")
            .filter(|v| !v.trim().is_empty())
            .map_or_else(|| places.home.join("AppData/Roaming"), PathBuf::from),
    };
    let wanted = |app: &str| only.is_none_or(|only| only == app);
    let mut all: Vec<PathBuf> = APPS.iter().filter(|app| wanted(app)).map(|app| base.join(app).join("User")).collect();
    if let Some(portable) = places.env.get("VSCODE_PORTABLE").filter(|v| !v.trim().is_empty())
        && wanted("Code")
    {
        all.push(PathBuf::from(portable).join("user-data/User"));
    }
    let servers = SERVERS.iter().filter(|(_, app)| wanted(app));
    all.extend(servers.map(|(folder, _)| places.home.join(folder).join("data/User")));
    if places.os == Os::Linux && wanted("Code") {
        all.extend(["/tmp/.vscode-server/data/User", "/workspace/.vscode-server/data/User"].map(PathBuf::from));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(os: Os, env: &[(&str, &str)], only: Option<&str>) -> Vec<String> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places { os, home: "/h".into(), env };
        user_folders(&places, only).iter().map(|p| p.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn each_system_has_its_own_base() {
        assert_eq!(folders(Os::Linux, &[], None)[0], "/h/.config/Code/User");
        assert_eq!(folders(Os::Linux, &[("XDG_CONFIG_HOME", "/x")], None)[0], "/x/Code/User");
        assert_eq!(folders(Os::MacOs, &[], None)[1], "/h/Library/Application Support/Code - Insiders/User");
        assert_eq!(folders(Os::Windows, &[("APPDATA", "/r")], None)[0], "/r/Code/User");
        assert_eq!(
            folders(Os::MacOs, &[], Some("Cursor")),
            ["/h/Library/Application Support/Cursor/User", "/h/.cursor-server/data/User"]
        );
    }

    #[test]
    fn portable_and_remote_editors_are_places_too() {
        let all = folders(Os::Linux, &[("VSCODE_PORTABLE", "/opt/code/data")], None);
        for path in ["/opt/code/data/user-data/User", "/h/.vscode-server/data/User", "/tmp/.vscode-server/data/User"] {
            assert!(all.iter().any(|p| p == path), "{path}");
        }
    }
}
