//! Where Crush and the program OpenCode in Go log, and how their logs are known.

use crate::config::Os;
use crate::discover::head::Head;
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

/// Databases of Crush and of its ancestor in the folder they are started in.
pub(in crate::discover) const PROJECT_FILES: Files = Files {
    folders: &[".crush", ".opencode"],
    files: &[],
    skip_dirs: &["logs"],
    patterns: &[log(".crush/crush.db", Format::CrushStore), log(".opencode/opencode.db", Format::OpencodeGoStore)],
};

/// A data folder with a name of the user's own, for one project or for all.
pub(in crate::discover) const DATA_FILES: Files =
    Files { folders: &[], files: &["crush.db"], skip_dirs: &[], patterns: &[log("crush.db", Format::CrushStore)] };

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("crush", Layout::Files(&DATA_FILES), ANY, Start::List("CRUSH_GLOBAL_DATA"), ""),
    row("crush", Layout::Files(&DATA_FILES), UNIX, Start::XdgData, "crush"),
    row("crush", Layout::Files(&DATA_FILES), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"),
        "crush"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let ours = head.has_table("sessions") && head.has_table("messages") && head.contains("prompt_tokens");
    if !ours {
        return None;
    }
    let mut ends = head.path.rsplit('/').take(2);
    if ends.clone().any(|part| matches!(part, ".crush" | "crush.db")) {
        return Some(Format::CrushStore);
    }
    if ends.any(|part| matches!(part, ".opencode" | "opencode.db")) {
        return Some(Format::OpencodeGoStore);
    }
    // Only Crush keeps what each session has read, and each message's provider.
    let is_crush = head.has_table("read_files") || head.contains("provider TEXT");
    Some(if is_crush { Format::CrushStore } else { Format::OpencodeGoStore })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Places;
    use crate::discover::places::roots;
    use crate::discover::sniff::sniff as sniff_any;

    #[test]
    fn the_global_folder_is_where_each_system_keeps_data() {
        let paths = |os, env: &[(&str, &str)]| -> Vec<String> {
            let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let found = roots(&Places { os, home: "/h".into(), env });
            let own = found.into_iter().filter(|root| root.agent == "crush");
            own.map(|root| root.path.to_string_lossy().replace('\\', "/")).collect()
        };
        assert_eq!(paths(Os::Linux, &[("CRUSH_GLOBAL_DATA", "/g")]), ["/g", "/h/.local/share/crush"]);
        assert_eq!(paths(Os::MacOs, &[("XDG_DATA_HOME", "/x")]), ["/x/crush"]);
        assert_eq!(paths(Os::Windows, &[]), ["/h/AppData/Local/crush"]);
    }

    #[test]
    fn a_project_holds_either_database() {
        let format = |path: &str| PROJECT_FILES.find(Path::new(path)).map(|pattern| pattern.format);
        assert_eq!(format(".crush/crush.db"), Some(Format::CrushStore));
        assert_eq!(format(".opencode/opencode.db"), Some(Format::OpencodeGoStore));
        assert_eq!(format(".crush/logs/crush.log"), None);
    }

    #[test]
    fn a_database_is_told_by_its_tables_then_its_name_then_its_columns() {
        let head = |more: &str| {
            format!("SQLite format 3\0CREATE TABLE sessions (prompt_tokens, CREATE TABLE messages (id{more}")
                .into_bytes()
        };
        for (path, more, format) in [
            ("/p/.crush/crush.db", "", Format::CrushStore),
            ("/p/.opencode/opencode.db", "", Format::OpencodeGoStore),
            ("/copy/a.db", "", Format::OpencodeGoStore),
            ("/copy/a.db", ", provider TEXT", Format::CrushStore),
        ] {
            assert_eq!(sniff_any(path, &head(more), None), Ok(format), "{path}");
        }
    }
}
