//! Hints about change: notifications where they work, scans everywhere.
//!
//! - a hint is raised on the notification's own thread, with no delay; the second thread here only
//!   keeps the set of watched folders right and beats the time of the backstop scan
//! - a folder that appears is watched first and listed after that, so that no file made in between
//!   is missed
//! - of links below a root's own folders those are watched that a scan has followed: a link to `/` would
//!   watch the whole disk
//! - reading the logs raises notifications too (opened, closed); they are dropped unread

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use notify::event::{Event, EventKind, Flag, ModifyKind};
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::discover::{Followed, Root, ScanItem, classify_change, expand, scan_below};
use crate::watch::hints::{Hint, Hints};
use crate::watch::unwatchable::unwatchable;

/// A backstop scan is followed by a pause of this many times what it took: a third of a percent of one
/// core.
const SCAN_PAUSE: u32 = 300;

/// The same where scanning is all there is: 5 % of one core.
const ONLY_SCAN_PAUSE: u32 = 20;

/// The pause is never longer than this, unless the configuration says so.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What to watch, and how often to scan beside it.
#[derive(Debug, Clone)]
pub struct WatcherConfig {
    /// The places; they need not exist.
    pub roots: Vec<Root>,
    /// Time between backstop scans when every root is watched.
    pub backstop: Duration,
    /// Time between scans while a root exists that cannot be watched; longer when a scan takes long.
    pub unwatched: Duration,
}

impl WatcherConfig {
    /// These roots with the usual times: 5 s, and 1 s while notifications are missing.
    #[must_use]
    pub fn new(roots: Vec<Root>) -> Self {
        Self { roots, backstop: Duration::from_secs(5), unwatched: Duration::from_secs(1) }
    }
}

/// How changes below a root are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchMode {
    /// The root does not exist yet; its appearance is noticed.
    Absent,
    /// At once, by notification; the scan is a backstop.
    Notify,
    /// By scanning.
    Scan {
        /// Why there are no notifications.
        reason: String,
    },
}

/// One root's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootStatus {
    /// Agent id.
    pub agent: &'static str,
    /// The folder.
    pub path: PathBuf,
    /// How changes below it are noticed.
    pub mode: WatchMode,
}

/// How each root is watched at the moment, for who asks while somebody else watches.
#[derive(Debug, Clone, Default)]
pub struct WatchStatus(Arc<Mutex<Vec<RootStatus>>>);

impl WatchStatus {
    /// One entry for each root; none until the first [`Hint::Rescan`].
    #[must_use]
    pub fn roots(&self) -> Vec<RootStatus> {
        lock(&self.0).clone()
    }
}

/// Watches roots until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    hints: Hints,
    status: WatchStatus,
    orders: SyncSender<Order>,
    thread: Option<JoinHandle<()>>,
    /// Roots that were added after the start.
    further: HashSet<Root>,
    /// Links that were followed.
    links: Vec<(Root, Followed)>,
}

/// What the keeper is told.
#[derive(Debug)]
enum Order {
    /// Something that is no log appeared or moved here; it may be a folder.
    Appeared(PathBuf),
    /// The system's limit of watches is reached.
    Full,
    /// These roots too.
    Also(Vec<Root>),
    /// What is behind these links, and behind no others.
    Links(Vec<(Root, Followed)>),
    Stop,
}

impl Watcher {
    /// Starts watching. The first hint is [`Hint::Rescan`], raised when the watches stand: what
    /// changed before is found by that scan, what changes later raises hints.
    ///
    /// # Errors
    ///
    /// Returns the system's error when no thread can be started.
    pub fn start(config: WatcherConfig) -> std::io::Result<Self> {
        let hints = Hints::default();
        let status = WatchStatus::default();
        let (orders, received) = sync_channel(WAITING);
        let mut keeper = Keeper::new(config, hints.clone(), status.clone(), orders.clone());
        let thread = std::thread::Builder::new().name("devlog-watch".into()).spawn(move || keeper.run(&received))?;
        Ok(Self { hints, status, orders, thread: Some(thread), further: HashSet::new(), links: Vec::new() })
    }

    /// Where hints come out; clones share one queue.
    #[must_use]
    pub fn hints(&self) -> Hints {
        self.hints.clone()
    }

    /// Watches these roots too, from now on; those that are watched already are left out. What changed in
    /// them before is for the caller to find.
    pub fn watch_also(&mut self, roots: &[Root]) {
        let fresh: Vec<Root> = roots.iter().filter(|root| self.further.insert((*root).clone())).cloned().collect();
        if !fresh.is_empty() {
            // An error means that the keeper has ended.
            drop(self.orders.send(Order::Also(fresh)));
        }
    }

    /// Watches what is behind these links, which the last scan has followed, each below its root; and what
    /// is behind others no longer.
    pub fn watch_links(&mut self, mut links: Vec<(Root, Followed)>) {
        links.sort_by(|(_, a), (_, b)| a.path.cmp(&b.path));
        if links != self.links {
            self.links.clone_from(&links);
            drop(self.orders.send(Order::Links(links)));
        }
    }

    /// How each root is watched at the moment, whenever it is asked.
    #[must_use]
    pub fn status(&self) -> WatchStatus {
        self.status.clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        drop(self.orders.send(Order::Stop));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        self.hints.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A watched folder as notifications name it, and as the logs' paths do.
#[derive(Debug, Clone)]
struct Named {
    real: PathBuf,
    shown: PathBuf,
    root: Root,
}

/// What the notification thread needs to turn an event into a hint.
#[derive(Debug, Default)]
struct Names {
    table: Vec<Named>,
    absent: HashSet<PathBuf>,
    /// Folders above absent roots that are watched.
    ancestors: HashSet<PathBuf>,
    /// A notification was lost since the last backstop scan.
    lost: bool,
}

impl Names {
    /// The path as a scan would name it, and its root.
    fn shown(&self, path: &Path) -> Option<(PathBuf, &Root)> {
        self.table.iter().find_map(|named| {
            let below = path.strip_prefix(&named.real).ok()?;
            let shown = if below.as_os_str().is_empty() { named.shown.clone() } else { named.shown.join(below) };
            Some((shown, &named.root))
        })
    }
}

/// Orders that wait at most.
const WAITING: usize = 1024;

/// Tells the keeper, unless more waits than it has looked at: then the next scan finds what there is.
fn order(orders: &SyncSender<Order>, hints: &Hints, order: Order) {
    if let Err(TrySendError::Full(_)) = orders.try_send(order) {
        hints.push(Hint::Rescan);
    }
}

fn on_event(event: notify::Result<Event>, names: &Mutex<Names>, hints: &Hints, orders: &SyncSender<Order>) {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            if matches!(error.kind, ErrorKind::MaxFilesWatch) {
                order(orders, hints, Order::Full);
            }
            return hints.push(Hint::Rescan);
        }
    };
    if event.attrs.flag() == Some(Flag::Rescan) {
        // A scan opens every folder and so makes notifications of its own: a second loss before the
        // backstop scan waits for that one, or scans could go on causing each other.
        if !std::mem::replace(&mut lock(names).lost, true) {
            hints.push(Hint::Rescan);
        }
        return;
    }
    let may_be_folder = match event.kind {
        EventKind::Access(_) => return,
        EventKind::Modify(ModifyKind::Data(_)) => false,
        _ => true,
    };
    let names = lock(names);
    for path in &event.paths {
        match names.shown(path) {
            Some((shown, root)) => {
                let log = classify_change(root, &shown).filter(|_| !may_be_folder || !is_link(path));
                if let Some((log, _)) = log {
                    hints.push_path(&log);
                } else if may_be_folder {
                    order(orders, hints, Order::Appeared(path.clone()));
                }
            }
            None if may_be_folder
                && (names.ancestors.contains(path) || names.absent.iter().any(|root| root.starts_with(path))) =>
            {
                order(orders, hints, Order::Appeared(path.clone()));
            }
            None => {}
        }
    }
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

struct Keeper {
    config: WatcherConfig,
    hints: Hints,
    status: WatchStatus,
    /// Reasons for scanning that were told.
    told: HashSet<String>,
    names: Arc<Mutex<Names>>,
    watcher: Option<RecommendedWatcher>,
    /// Why `watcher` is missing.
    broken: String,
    /// Watched paths and the mode that came of it.
    watched: HashMap<PathBuf, WatchMode>,
    existing: HashSet<PathBuf>,
    links: Vec<(Root, Followed)>,
    full: bool,
}

impl Keeper {
    fn new(config: WatcherConfig, hints: Hints, status: WatchStatus, orders: SyncSender<Order>) -> Self {
        let names = Arc::new(Mutex::new(Names::default()));
        let (for_names, for_hints) = (Arc::clone(&names), hints.clone());
        let handler = move |event| on_event(event, &for_names, &for_hints, &orders);
        let (watcher, broken) = match RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false)) {
            Ok(watcher) => (Some(watcher), String::new()),
            Err(error) => (None, format!("notifications cannot be had: {error}")),
        };
        let (watched, existing, told) = (HashMap::new(), HashSet::new(), HashSet::new());
        Self { config, hints, status, told, names, watcher, broken, watched, existing, links: Vec::new(), full: false }
    }

    fn run(&mut self, orders: &Receiver<Order>) {
        self.refresh(true);
        self.hints.push(Hint::Rescan);
        loop {
            match orders.recv_timeout(self.interval()) {
                Ok(Order::Appeared(path)) => self.appeared(&path),
                Ok(Order::Full) => {
                    self.full = true;
                    self.refresh(false);
                }
                Ok(Order::Also(roots)) => {
                    // The caller has just looked at them: that they appear is no news.
                    self.existing.extend(roots.iter().map(|root| root.path.clone()));
                    self.config.roots.extend(roots);
                    self.refresh(false);
                }
                Ok(Order::Links(links)) => self.follow(links),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.refresh(false);
                    lock(&self.names).lost = false;
                    self.hints.push(Hint::Rescan);
                }
            }
        }
    }

    fn interval(&self) -> Duration {
        let scans = lock(&self.status.0).iter().any(|root| matches!(root.mode, WatchMode::Scan { .. }));
        if scans {
            let pause = (self.hints.scan_time() * ONLY_SCAN_PAUSE).min(LONGEST_PAUSE);
            return self.config.unwatched.max(pause);
        }
        (self.hints.scan_time() * SCAN_PAUSE).min(LONGEST_PAUSE).max(self.config.backstop)
    }

    /// Watches what exists by now, and says what appeared.
    fn refresh(&mut self, first: bool) {
        let mut status = Vec::new();
        let mut appeared = Vec::new();
        let mut absent = HashSet::new();
        for root in self.config.roots.clone() {
            for root in expand(&root) {
                let mode = self.root(&root, &mut absent);
                if mode != WatchMode::Absent && self.existing.insert(root.path.clone()) && !first {
                    appeared.push(root.path.clone());
                }
                if mode == WatchMode::Absent {
                    self.existing.remove(&root.path);
                }
                status.push(RootStatus { agent: root.agent, path: root.path, mode });
            }
        }
        for (root, link) in self.links.clone() {
            // Where it leads now, nobody has looked at yet.
            if std::fs::canonicalize(&link.path).ok().as_ref() != Some(&link.target) {
                continue;
            }
            let mode = if link.is_folder { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            let mode = self.watch(&link.path, &root, mode);
            status.push(RootStatus { agent: root.agent, path: link.path, mode });
        }
        lock(&self.names).absent = absent;
        self.tell(&status);
        *lock(&self.status.0) = status;
        for path in appeared {
            self.hints.push(Hint::RootAppeared(path));
        }
    }

    /// Watches what is behind these links instead of what was behind others.
    fn follow(&mut self, links: Vec<(Root, Followed)>) {
        let old = std::mem::replace(&mut self.links, links);
        let dropped: Vec<Followed> =
            old.iter().filter(|link| !self.links.contains(link)).map(|(_, link)| link.clone()).collect();
        for link in dropped {
            self.forget(&link.path);
            if let Some(watcher) = &mut self.watcher {
                // An error means that the watch has died with its folder.
                drop(watcher.unwatch(&link.target));
            }
        }
        self.refresh(false);
        // What was written before the watches stood is found by looking.
        for (root, link) in self.links.iter().filter(|link| !old.contains(link)) {
            if link.is_folder {
                // Links in there were followed by the same scan as this one.
                let _links = self.look_below(root, &link.path);
            } else {
                self.hints.push(Hint::Path(link.path.clone()));
            }
        }
    }

    /// Warns once of each reason for which changes are found by scanning only.
    fn tell(&mut self, status: &[RootStatus]) {
        for RootStatus { path, mode, .. } in status {
            if let WatchMode::Scan { reason } = mode
                && self.told.insert(reason.clone())
            {
                tracing::warn!("changes in {path:?} are found by scanning, later than they could be: {reason}");
            }
        }
    }

    /// Watches one root: itself for its single files and for folders to come, its folders with all
    /// that is below.
    fn root(&mut self, root: &Root, absent: &mut HashSet<PathBuf>) -> WatchMode {
        if !self.exists(&root.path) {
            self.forget(&root.path);
            absent.insert(root.path.clone());
            return WatchMode::Absent;
        }
        let mut mode = self.watch(&root.path, root, RecursiveMode::NonRecursive);
        for folder in root.folders() {
            if folder.is_dir() {
                let found = self.watch(&folder, root, RecursiveMode::Recursive);
                if mode == WatchMode::Notify {
                    mode = found;
                }
            } else {
                self.forget(&folder);
            }
        }
        if self.full && mode == WatchMode::Notify {
            mode = WatchMode::Scan { reason: FULL.to_owned() };
        }
        mode
    }

    /// Whether a root exists; if not, the nearest folder above it is watched. What is made while that
    /// watch is set is found by asking again. On macOS a watch always takes in all that is below, so
    /// there the next backstop scan finds the root instead.
    fn exists(&mut self, path: &Path) -> bool {
        let nearest = |path: &Path| path.ancestors().find(|above| above.is_dir()).map(Path::to_owned);
        let mut above = nearest(path);
        loop {
            if path.is_dir() {
                return true;
            }
            if let Some(above) = above.as_ref().filter(|above| above.parent().is_some())
                && !cfg!(target_os = "macos")
                && let Some(watcher) = &mut self.watcher
                && watcher.watch(above, RecursiveMode::NonRecursive).is_ok()
            {
                lock(&self.names).ancestors.insert(above.clone());
            }
            let now = nearest(path);
            if now == above {
                return false;
            }
            above = now;
        }
    }

    fn watch(&mut self, path: &Path, root: &Root, recursive: RecursiveMode) -> WatchMode {
        let key = match recursive {
            RecursiveMode::Recursive => path.join("**"),
            RecursiveMode::NonRecursive => path.to_owned(),
        };
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let known = lock(&self.names).table.iter().any(|named| named.real == real && named.shown == path);
        if let Some(mode) = self.watched.get(&key).filter(|_| known) {
            return mode.clone();
        }
        {
            let mut names = lock(&self.names);
            names.table.retain(|named| named.shown != path);
            names.table.push(Named { real: real.clone(), shown: path.to_owned(), root: root.clone() });
            // The longest prefix is asked first: a linked folder has a name of its own.
            names.table.sort_by_key(|named| std::cmp::Reverse(named.real.components().count()));
        }
        let mode = match &mut self.watcher {
            None => WatchMode::Scan { reason: self.broken.clone() },
            Some(watcher) => match (watcher.watch(&real, recursive), unwatchable(&real)) {
                (Ok(()), None) => WatchMode::Notify,
                (Ok(()), Some(name)) => {
                    WatchMode::Scan { reason: format!("changes made elsewhere raise no notification on {name}") }
                }
                (Err(error), _) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                    WatchMode::Scan { reason: FULL.to_owned() }
                }
                (Err(error), _) => WatchMode::Scan { reason: error.to_string() },
            },
        };
        self.watched.insert(key, mode.clone());
        mode
    }

    /// A watch dies with its folder; a new folder of that name needs a new one.
    fn forget(&mut self, path: &Path) {
        self.watched.retain(|watched, _| !watched.starts_with(path));
        lock(&self.names).table.retain(|named| !named.shown.starts_with(path));
    }

    /// A folder that appeared below a root is watched, then listed; one above a root may have brought
    /// the root with it.
    fn appeared(&mut self, path: &Path) {
        let named = lock(&self.names).shown(path).map(|(shown, root)| (shown, root.clone()));
        let Some((shown, root)) = named else {
            return self.refresh(false);
        };
        if shown == root.path || root.folders().any(|folder| folder == shown) {
            // Removed, or removed and made again: either way the old watch is of no use.
            self.forget(&shown);
            self.refresh(false);
            self.hints.push(Hint::Rescan);
            return;
        }
        let walked = root.folders().any(|folder| shown.starts_with(folder));
        if walked && is_link(path) {
            // Where it leads, and whether that has a name already, a whole scan knows.
            self.hints.push(Hint::Rescan);
        }
        if !walked || !std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
            return;
        }
        // notify watches new folders by itself, but says nothing of files made before it did.
        if let Some(watcher) = &mut self.watcher
            && let Err(error) = watcher.watch(path, RecursiveMode::Recursive)
            && matches!(error.kind, ErrorKind::MaxFilesWatch)
        {
            self.full = true;
            self.refresh(false);
        }
        if self.look_below(&root, &shown) {
            self.hints.push(Hint::Rescan);
        }
    }

    /// Names the logs below a folder; true when there are links too.
    fn look_below(&self, root: &Root, folder: &Path) -> bool {
        scan_below(root, folder, |seen| {
            if let ScanItem::File(file) = seen {
                self.hints.push(Hint::Path(file.path));
            }
        })
    }
}

const FULL: &str = "the system's limit of watches is reached; raise fs.inotify.max_user_watches";

#[cfg(test)]
mod tests;
