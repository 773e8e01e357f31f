//! What did the user ask for?
//!
//! The only reader of environment variables, configuration files and defaults. Everything else gets
//! a [`Settings`].
//!
//! - [`Env`] is one look at the outside world; [`Settings::resolve`] is a pure function of it, of the
//!   command line ([`Overrides`]) and of `<home>/config.toml`
//! - command line wins over the configuration file, the file over the environment, that over defaults
//! - an empty variable counts as unset

mod env;
mod error;
mod file;
mod line;
mod machine;
mod mapping;
mod mapping_error;
mod own;
mod quantity;
mod socket;
mod terminal;
mod when;
mod zone;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use env::{AGENT_VARIABLES, Env};
pub use error::ConfigError;
pub use mapping_error::MappingError;
pub use own::{OwnFileError, read_own, read_view};
pub use quantity::{ParseQuantityError, parse_duration, parse_size};
pub use terminal::Terminal;
pub use when::{Edge, ParseWhenError, parse_when};

use crate::schema::Mapping;
use crate::zone::Zone;

/// Budget of memory when the user names none.
pub const DEFAULT_MEMORY_BYTES: u64 = 256_000_000;

/// Smallest budget that ring, flush and one query can share.
pub const MINIMUM_MEMORY_BYTES: u64 = 16_000_000;

/// How long to wait for another process that writes the lake, when the user does not say.
const DEFAULT_LOCK_WAIT: Duration = Duration::from_secs(30);

/// Operating system whose path rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Os {
    /// Linux and other Unixes.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Os {
    /// The system this binary was built for.
    #[must_use]
    pub const fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }

    /// Name in machine ids: `linux`, `darwin` or `windows`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::MacOs => "darwin",
            Self::Windows => "windows",
        }
    }
}

/// Where the user's things are: all that the discovery tables depend on.
#[derive(Debug, Clone)]
pub struct Places {
    /// Whose path rules apply.
    pub os: Os,
    /// The user's home directory.
    pub home: PathBuf,
    /// Environment variables that agents know (`CLAUDE_CONFIG_DIR`, `CODEX_HOME`, `XDG_CONFIG_HOME`, `APPDATA`, ...).
    pub env: BTreeMap<String, String>,
}

/// What the command line says about settings; `None` and `false` mean that it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--home`.
    pub home: Option<PathBuf>,
    /// `--lake`.
    pub lake: Option<PathBuf>,
    /// `--memory`, in bytes.
    pub memory_bytes: Option<u64>,
    /// `--timezone`.
    pub timezone: Option<String>,
    /// `--unsafe-network-fs`.
    pub unsafe_network_fs: bool,
    /// `--lock-wait`.
    pub lock_wait: Option<Duration>,
}

/// What the user describes beside the agents that devlog knows.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Folders that agents work in; `*` stands for any characters within a part.
    pub projects: Vec<PathBuf>,
    /// Formats described in `<home>/adapters`.
    pub mappings: Vec<Arc<Mapping>>,
    /// Names of descriptions that cannot be used, and why.
    pub broken: Vec<(String, String)>,
}

impl Own {
    /// The description called `name`.
    #[must_use]
    pub fn mapping(&self, name: &str) -> Option<&Arc<Mapping>> {
        self.mappings.iter().find(|mapping| mapping.agent == name)
    }
}

/// Everything the user asked for, resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `DEVLOG_HOME`, default `~/.devlog`.
    pub home: PathBuf,
    /// Where the lake is, default `<home>/lake`.
    pub lake: PathBuf,
    /// Where a running `ingest` answers: in the home, or where a longer path is no matter.
    pub socket: PathBuf,
    /// One memory budget for ring, flush and queries, in bytes.
    pub memory_bytes: u64,
    /// The user named that budget.
    pub memory_is_named: bool,
    /// Where agents' roots derive from.
    pub places: Places,
    /// IANA zone for days and weeks.
    pub timezone: String,
    /// Zone of the local times in agents' logs: this machine's.
    pub log_zone: Option<chrono_tz::Tz>,
    /// Machine id: first 16 hex digits of SHA-256 of `hostname-username-os`, then `-hostname-os`.
    pub machine_id: String,
    /// The machine that the logs are of, when it is another than this.
    pub other_machine: Option<String>,
    /// Operating-system user.
    pub user_name: String,
    /// Accept a home on a network file system.
    pub unsafe_network_fs: bool,
    /// How long to wait for another process that writes the lake.
    pub lock_wait: Duration,
    /// Rows older than this are pruned; `None` keeps all.
    pub retention: Option<Duration>,
    /// Keep binary blobs (images) instead of their hash and size.
    pub keep_blobs: bool,
    /// What is added to the system's clock, in microseconds: `DEVLOG_CLOCK_SHIFT` in seconds, to try what a
    /// wrong clock does.
    pub clock_shift_us: i64,
    /// What stdout, stderr and stdin are.
    pub terminal: Terminal,
    /// What the user describes beside the agents that devlog knows.
    pub own: Arc<Own>,
    /// What was odd about the configuration, for stderr.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Resolves what the user asked for.
    ///
    /// # Errors
    ///
    /// Names the flag, variable, or line of the configuration file that cannot be used.
    pub fn resolve(overrides: &Overrides, env: &Env) -> Result<Self, ConfigError> {
        let user_home = user_home(overrides, env)?;
        let home = overrides
            .home
            .clone()
            .or_else(|| env.path("DEVLOG_HOME"))
            .map_or_else(|| user_home.join(".devlog"), |path| absolute(&path, &user_home, &env.current_dir));
        own::check_home(&home)?;
        let mut warnings = Vec::new();
        let file = file::read(&home, &mut warnings)?;
        let named = overrides.memory_bytes.or(file.memory_bytes);
        let memory_bytes = named.unwrap_or(DEFAULT_MEMORY_BYTES);
        if memory_bytes < MINIMUM_MEMORY_BYTES {
            return Err(ConfigError::MemoryTooSmall { bytes: memory_bytes, minimum: MINIMUM_MEMORY_BYTES });
        }
        let lake = overrides
            .lake
            .clone()
            .or(file.lake)
            .map_or_else(|| home.join("lake"), |path| absolute(&path, &user_home, &env.current_dir));
        own::check_lake(&lake)?;
        let timezone = zone::resolve(overrides.timezone.as_deref(), file.timezone.as_deref(), env, &mut warnings)?;
        if file.keep_blobs == Some(true) {
            // A wish that is not carried out must not look as if it were.
            warnings.push("`keep_blobs` in config.toml is not applied yet, and changes nothing".to_owned());
        }
        let user_name = env.user_name();
        let projects = file.projects.iter().map(|path| absolute(path, &user_home, &env.current_dir)).collect();
        let start = mapping::Start { os: env.os, user_home: &user_home, current_dir: &env.current_dir };
        let (mappings, wrong) = mapping::read_all(&home, &start);
        // One description must not stop everything else.
        warnings.extend(wrong.iter().map(|(_, error)| format!("{error}; this format is not read")));
        let broken = wrong.into_iter().map(|(name, error)| (name, error.to_string())).collect();
        let socket = socket::of(&home, &lake, env);
        Ok(Self {
            own: Arc::new(Own { projects, mappings, broken }),
            lake,
            memory_bytes,
            memory_is_named: named.is_some(),
            timezone,
            log_zone: zone::of_machine(env).map(Zone::tz),
            machine_id: machine::id(&env.hostname, &user_name, env.os),
            other_machine: None,
            user_name,
            unsafe_network_fs: overrides.unsafe_network_fs,
            lock_wait: overrides.lock_wait.unwrap_or(DEFAULT_LOCK_WAIT),
            retention: file.retention,
            keep_blobs: file.keep_blobs.unwrap_or(false),
            clock_shift_us: env.clock_shift_us(),
            terminal: env.terminal,
            socket,
            places: Places { os: env.os, home: user_home, env: env.agent_variables() },
            home,
            warnings,
        })
    }

    /// Defaults for a home directory that is known already: nothing is read, the zone is UTC.
    ///
    /// ```
    /// use devlog::config::Settings;
    /// let settings = Settings::for_home("/tmp/someone".as_ref());
    /// assert_eq!(settings.lake, std::path::Path::new("/tmp/someone/.devlog/lake"));
    /// ```
    #[must_use]
    pub fn for_home(user_home: &Path) -> Self {
        let home = user_home.join(".devlog");
        Self {
            lake: home.join("lake"),
            socket: home.join("devlog.sock"),
            home,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            memory_is_named: false,
            places: Places { os: Os::current(), home: user_home.to_owned(), env: BTreeMap::new() },
            timezone: "UTC".to_owned(),
            log_zone: None,
            machine_id: machine::id("localhost", "nobody", Os::current()),
            other_machine: None,
            user_name: "nobody".to_owned(),
            unsafe_network_fs: false,
            lock_wait: DEFAULT_LOCK_WAIT,
            retention: None,
            keep_blobs: false,
            clock_shift_us: 0,
            terminal: Terminal::default(),
            own: Arc::default(),
            warnings: Vec::new(),
        }
    }
}

/// The user's home directory. With `DEVLOG_HOME` or `--home` a missing one is no error: the parent of
/// that directory stands in, so that a service account without a home can run.
fn user_home(overrides: &Overrides, env: &Env) -> Result<PathBuf, ConfigError> {
    let named = match env.os {
        Os::Windows => env.path("USERPROFILE").or_else(|| env.windows_home()).or_else(|| env.path("HOME")),
        Os::Linux | Os::MacOs => env.path("HOME"),
    };
    if let Some(home) = named.or_else(|| env.account_home.clone()) {
        return Ok(if goes_up(&home) { without_dots(&env.current_dir.join(home)) } else { home });
    }
    let devlog_home = overrides.home.clone().or_else(|| env.path("DEVLOG_HOME"));
    let parent = devlog_home
        .map(|path| without_dots(&env.current_dir.join(path)))
        .and_then(|path| path.parent().map(Path::to_owned));
    parent.ok_or(ConfigError::NoHome { variable: if env.os == Os::Windows { "USERPROFILE" } else { "HOME" } })
}

/// `path` with a leading `~` replaced, made absolute, and without `.` and `..`.
fn absolute(path: &Path, user_home: &Path, current_dir: &Path) -> PathBuf {
    without_dots(&path.strip_prefix("~").map_or_else(|_| current_dir.join(path), |rest| user_home.join(rest)))
}

fn goes_up(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

/// An absolute path without `.` and `..`, which URLs and stores of objects do not take.
///
/// `..` after a link leads to the parent of what the link leads to, so the system is asked for what is
/// before a `..` and exists. All else stays as it was written, links included.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain = std::fs::canonicalize(&plain).unwrap_or(plain);
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
