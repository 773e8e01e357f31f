//! One look at the outside world: variables, host, account, terminal.
//!
//! Capturing costs a few system calls and starts no process on Linux and Windows.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::{Os, Terminal};

/// Variables that tell where agents keep their logs.
pub const AGENT_VARIABLES: [&str; 37] = [
    "AIDER_ANALYTICS_LOG",
    "AIDER_CHAT_HISTORY_FILE",
    "AIDER_INPUT_HISTORY_FILE",
    "AIDER_LLM_HISTORY_FILE",
    "AMP_DATA_DIR",
    "AMP_DIR",
    "APPDATA",
    "CLAUDE_CODE_PROJECT_DIR_NAME",
    "CLAUDE_CONFIG_DIR",
    "CLINE_DATA_DIR",
    "CLINE_DIR",
    "CLINE_SESSION_DATA_DIR",
    "CODEX_HOME",
    "CODEX_SQLITE_HOME",
    "CODE_HOME",
    "CONTINUE_GLOBAL_DIR",
    "COPILOT_HOME",
    "CRUSH_GLOBAL_DATA",
    "CURSOR_CONFIG_DIR",
    "FACTORY_DIR",
    "GEMINI_CLI_HOME",
    "GEMINI_TELEMETRY_OUTFILE",
    "GOOSE_PATH_ROOT",
    "KIRO_HOME",
    "LOCALAPPDATA",
    "OPENCLAW_STATE_DIR",
    "OPENCODE_DATA_DIR",
    "OPENCODE_DB",
    "PI_CODING_AGENT_DIR",
    "QWEN_HOME",
    "QWEN_RUNTIME_DIR",
    "TEMP",
    "TMPDIR",
    "VSCODE_PORTABLE",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
];

/// The environment of a process at one instant.
#[derive(Debug, Clone)]
pub struct Env {
    /// Whose rules apply.
    pub os: Os,
    /// Environment variables; on Windows with upper-case names.
    pub variables: BTreeMap<String, OsString>,
    /// Directory that relative paths start from.
    pub current_dir: PathBuf,
    /// Name of this host.
    pub hostname: String,
    /// Name of the account the process runs as, from the account database.
    pub account_name: Option<String>,
    /// Home directory of that account.
    pub account_home: Option<PathBuf>,
    /// IANA zone of the system.
    pub system_timezone: Option<String>,
    /// What stdout, stderr and stdin are.
    pub terminal: Terminal,
}

impl Env {
    /// Takes the environment of this process.
    #[must_use]
    pub fn capture() -> Self {
        let os = Os::current();
        let variables: BTreeMap<String, OsString> = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                Some((if os == Os::Windows { name.to_uppercase() } else { name }, value))
            })
            .collect();
        let (account_name, account_home) = account();
        let mut env = Self {
            os,
            variables,
            current_dir: std::env::current_dir().unwrap_or_default(),
            hostname: String::new(),
            account_name,
            account_home,
            system_timezone: iana_time_zone::get_timezone().ok(),
            terminal: Terminal::default(),
        };
        env.hostname = hostname(&env);
        let no_color = env.variable("NO_COLOR").is_some();
        env.terminal = Terminal::capture(env.text("COLUMNS"), env.text("TERM"), no_color);
        env
    }

    /// An environment without any variable, for tests and tools.
    #[must_use]
    pub fn empty(os: Os) -> Self {
        Self {
            os,
            variables: BTreeMap::new(),
            current_dir: PathBuf::from(if os == Os::Windows { "C:\\" } else { "/" }),
            hostname: "localhost".to_owned(),
            account_name: None,
            account_home: None,
            system_timezone: None,
            terminal: Terminal::default(),
        }
    }

    /// The variable `name`, unless it is unset or empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variable `name` as text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.variable(name).and_then(OsStr::to_str)
    }

    /// `DEVLOG_CLOCK_SHIFT`, a number of seconds, in microseconds.
    pub(super) fn clock_shift_us(&self) -> i64 {
        let seconds: Option<i64> = self.text("DEVLOG_CLOCK_SHIFT").and_then(|text| text.parse().ok());
        seconds.unwrap_or(0).saturating_mul(1_000_000)
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from)
    }

    pub(super) fn windows_home(&self) -> Option<PathBuf> {
        let mut home = self.variable("HOMEDRIVE")?.to_owned();
        home.push(self.variable("HOMEPATH")?);
        Some(home.into())
    }

    /// Those of [`AGENT_VARIABLES`] that are set.
    pub(super) fn agent_variables(&self) -> BTreeMap<String, String> {
        AGENT_VARIABLES
            .iter()
            .filter_map(|name| self.text(name).map(|value| ((*name).to_owned(), value.to_owned())))
            .collect()
    }

    /// Who owns the logs: the account, else what the variables say.
    pub(super) fn user_name(&self) -> String {
        let variables = match self.os {
            Os::Windows => ["USERNAME", "USER"],
            Os::Linux | Os::MacOs => ["USER", "LOGNAME"],
        };
        let named = self.account_name.as_deref();
        named.or_else(|| variables.iter().find_map(|name| self.text(name))).unwrap_or("unknown").to_owned()
    }
}

/// Name and home of the account, from `/etc/passwd`. Accounts that only a directory service knows are
/// not there; the variables answer for them.
#[cfg(unix)]
fn account() -> (Option<String>, Option<PathBuf>) {
    let uid = rustix::process::getuid().as_raw().to_string();
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| {
        // name:password:uid:gid:comment:home:shell
        fields.len() >= 6 && fields[2] == uid
    });
    entry.map_or((None, None), |fields| (Some(fields[0].to_owned()), Some(PathBuf::from(fields[5]))))
}

#[cfg(not(unix))]
fn account() -> (Option<String>, Option<PathBuf>) {
    (None, None)
}

fn hostname(env: &Env) -> String {
    let from_system = match env.os {
        Os::Windows => env.text("COMPUTERNAME").map(str::to_owned),
        Os::Linux => std::fs::read_to_string("/proc/sys/kernel/hostname").ok(),
        // macOS shows it in no file.
        Os::MacOs => std::process::Command::new("/bin/hostname")
            .output()
            .ok()
            .and_then(|output| String::from_utf8(output.stdout).ok()),
    };
    let name = from_system.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let name = name.or_else(|| env.text("HOSTNAME").map(str::to_owned)).unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}
