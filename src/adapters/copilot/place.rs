//! What a log's path and the `workspace.json` above it say.

use super::uri::{self, Location};
use crate::adapters::SourceInfo;

/// Folders whose files are named by their session.
const SESSION_FOLDERS: [&str; 4] =
    ["chatSessions", "emptyWindowChatSessions", "transferredChatSessions", "transcripts"];

/// Where a log stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Session, when the file is named by it.
    pub(super) session: Option<String>,
    /// Name of the workspace's storage folder.
    pub(super) workspace_id: Option<String>,
    /// The workspace's folder.
    pub(super) cwd: Option<String>,
    /// Machine that folder is on, when it is not this one.
    pub(super) remote: Option<String>,
    /// Folder that a container shows.
    pub(super) host_path: Option<String>,
    /// The repository, when the workspace is one on the web.
    pub(super) repo_url: Option<String>,
    /// The `.code-workspace` file of a workspace of several folders.
    pub(super) workspace_file: Option<String>,
    /// Last change of the file.
    pub(super) modified_us: i64,
}

impl Place {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let parts: Vec<&str> = info.path.split(['/', '\\']).collect();
        let folder = parts.len().checked_sub(2).and_then(|at| parts.get(at)).copied().unwrap_or_default();
        let stem = parts.last().copied().unwrap_or_default().split('.').next().unwrap_or_default();
        let session = (SESSION_FOLDERS.contains(&folder) && !stem.is_empty()).then(|| stem.to_owned());
        let storage = parts.iter().position(|part| *part == "workspaceStorage");
        let workspace_id = storage.and_then(|at| parts.get(at + 1)).map(|id| (*id).to_owned());
        let mut place = Self { session, workspace_id, modified_us: info.modified_us, ..Self::default() };
        if let Some(text) = info.companion("workspace.json") {
            place.workspace(text);
        }
        place
    }

    fn workspace(&mut self, text: &str) {
        let text = text.trim_start_matches('\u{feff}');
        let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let at = |key: &str| value.get(key).and_then(|v| v.as_str()).and_then(uri::locate);
        if let Some(Location { path, remote, host_path }) = at("folder") {
            if matches!(remote.as_deref(), Some("github" | "azurerepos")) {
                let host = if remote.as_deref() == Some("github") { "github.com" } else { "dev.azure.com" };
                self.repo_url = Some(format!("https://{host}{path}"));
            }
            (self.cwd, self.remote, self.host_path) = (Some(path), remote, host_path);
        } else if let Some(location) = at("workspace").or_else(|| at("configuration")) {
            (self.workspace_file, self.remote) = (Some(location.path), location.remote);
        }
    }
}
