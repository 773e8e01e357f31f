//! The few file operations that durability rests on.
//!
//! - directories are 0700 and files 0600 from the moment they exist, whatever the umask
//! - nothing follows a symbolic link at the last step of a path
//! - a name is durable after the directory that holds it was synced; [`create_dir`], [`create_dirs`]
//!   and [`rename`] do that
//! - a file whose sync failed is never synced again: the pages may have been dropped while a second
//!   sync would report success, so callers write a new file under a new name

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{At, LakeError};

/// Attempts at writing a file whose write or sync is refused.
pub(crate) const TRIES: u32 = 4;

/// Waits before attempt `attempt` + 1: 20, 80, 320 ms.
pub(crate) fn back_off(attempt: u32) {
    std::thread::sleep(Duration::from_millis(20 << (2 * attempt.min(4))));
}

/// 32 random hex digits.
pub(crate) fn random_name() -> Result<String, LakeError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| io::Error::other(e.to_string()))
        .at("get random bytes for a file in", Path::new("the lake"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Creates `path` and its missing parents, each private and durable.
pub(crate) fn create_dir(path: &Path) -> Result<(), LakeError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) if path.is_dir() => return Ok(()),
        Ok(_) => return Err(io::Error::from(io::ErrorKind::NotADirectory)).at("use as a directory", path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e).at("look at", path),
    }
    let parent = parent_of(path);
    if !parent.as_os_str().is_empty() {
        create_dir(parent)?;
    }
    match private_dir().create(path) {
        Ok(()) => set_mode(path, 0o700).at("set the permissions of", path)?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(e).at("create the directory", path),
    }
    sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Creates the directories `names` in `parent`, each private; all new ones become durable together.
pub(crate) fn create_dirs(parent: &Path, names: impl Iterator<Item = String>) -> Result<(), LakeError> {
    create_dir(parent)?;
    let missing: Vec<PathBuf> =
        names.map(|name| parent.join(name)).filter(|path| fs::symlink_metadata(path).is_err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let made = missing.iter().try_for_each(|path| match private_dir().create(path) {
        Ok(()) => set_mode(path, 0o700).at("set the permissions of", path),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e).at("create the directory", path),
    });
    let durable = made.and_then(|()| sync_dir(parent));
    if durable.is_err() {
        // The next attempt must find them missing, or it would not sync their names. Those that
        // somebody else has begun to fill are not empty and stay.
        missing.iter().for_each(|path| drop(fs::remove_dir(path)));
    }
    durable
}

/// The directory that holds `path`.
pub(crate) fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

/// Creates a file that must not exist yet, for writing, readable by its owner only.
pub(crate) fn create_file(path: &Path) -> Result<File, LakeError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private_file(&mut options);
    let file = options.open(path).at("create", path)?;
    make_private(&file).at("set the permissions of", path)?;
    Ok(file)
}

/// Opens a file for reading.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    no_follow(&mut options);
    options.open(path)
}

/// Reads a whole file.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_file(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// CRC-32C of a whole file.
pub(crate) fn file_crc(path: &Path) -> io::Result<u32> {
    let mut crc = 0;
    read_through(path, |bytes| crc = crc32c::crc32c_append(crc, bytes))?;
    Ok(crc)
}

/// Shows all bytes of a file, in order.
pub(crate) fn read_through(path: &Path, mut show: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut file, mut buffer) = (open_file(path)?, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => show(&buffer[..read]),
        }
    }
}

/// Reads all of `bytes` from `offset` on.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

/// Reads all of `bytes` from `offset` on; moves the file's own place.
#[cfg(not(unix))]
pub(crate) fn read_exact_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

/// Writes a new file and syncs it. On failure the file is removed; it was never referred to.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
    let mut file = create_file(path)?;
    let done = file.write_all(bytes).at("write", path).and_then(|()| file.sync_all().at("sync", path));
    drop(file);
    if done.is_err() {
        fs::remove_file(path).ok();
    }
    done
}

/// Puts a file in place of the one before, for what is a copy and may be lost: it is not synced.
pub(crate) fn put_copy(path: &Path, bytes: &[u8]) -> Result<(), LakeError> {
    let temp = parent_of(path).join(format!(".{}.tmp", random_name()?));
    let mut file = create_file(&temp)?;
    let written = file.write_all(bytes).at("write", &temp);
    drop(file);
    let done = written.and_then(|()| fs::rename(&temp, path).at("rename a file to", path));
    if done.is_err() {
        fs::remove_file(&temp).ok();
    }
    done
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), LakeError> {
    #[cfg(unix)]
    File::open(path).at("open", path)?.sync_all().at("sync the directory", path)?;
    #[cfg(not(unix))]
    let _unused = path;
    Ok(())
}

/// Renames within one directory and makes that durable.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), LakeError> {
    fs::rename(from, to).at("rename a file to", to)?;
    sync_dir(parent_of(to))
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove_file(path: &Path) -> Result<bool, LakeError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).at("remove", path),
    }
}

/// Names and paths in a directory; empty when it does not exist.
pub(crate) fn list(path: &Path) -> Result<Vec<(String, PathBuf)>, LakeError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).at("list", path),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.at("list", path)?;
        if let Some(name) = entry.file_name().to_str() {
            found.push((name.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Time of the last change, microseconds since 1970; `None` when the file is gone.
pub(crate) fn modified_us(path: &Path) -> Option<i64> {
    let modified = fs::symlink_metadata(path).ok()?.modified().ok()?;
    let age = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(age.as_micros()).ok()
}

/// Checks that the file system can do what a commit needs: link without overwriting, and sync.
pub(crate) fn self_test(root: &Path) -> Result<(), LakeError> {
    let name = random_name()?;
    let (one, two) = (root.join(format!(".test-{name}.a")), root.join(format!(".test-{name}.b")));
    let result = try_link_and_sync(root, &one, &two);
    fs::remove_file(&one).ok();
    fs::remove_file(&two).ok();
    result
}

fn try_link_and_sync(root: &Path, one: &Path, two: &Path) -> Result<(), LakeError> {
    let unsuitable = |action: &'static str| {
        move |source: io::Error| match source.kind() {
            // The file system could, if it had room or might be written.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem => {
                LakeError::io("make a link in", root, source)
            }
            _ => LakeError::Unsuitable { path: root.to_owned(), action, source },
        }
    };
    write_new(one, b"devlog")?;
    fs::hard_link(one, two).map_err(unsuitable("make hard links"))?;
    match fs::hard_link(one, two) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(unsuitable("refuse to overwrite by a link")(e)),
        Ok(()) => return Err(unsuitable("refuse to overwrite by a link")(io::ErrorKind::Other.into())),
    }
    sync_dir(root)
}

/// Refuses a directory that others own or may write to.
pub(crate) fn check_private(root: &Path) -> Result<(), LakeError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let meta = fs::metadata(root).at("look at", root)?;
        let me = rustix::process::geteuid();
        if meta.mode() & 0o002 != 0 {
            return Err(LakeError::NotPrivate { path: root.to_owned(), fault: "may be written by anybody" });
        }
        if meta.uid() != me.as_raw() && !me.is_root() {
            return Err(LakeError::NotPrivate { path: root.to_owned(), fault: "belongs to another user" });
        }
    }
    #[cfg(not(unix))]
    let _unused = root;
    Ok(())
}

/// Identity of the file system a path is on, as text; empty where the system tells none.
pub(crate) fn device(path: &Path) -> Result<String, LakeError> {
    let meta = fs::metadata(path).at("look at", path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::dev(&meta).to_string());
    #[cfg(not(unix))]
    return Ok(format!("{}", meta.is_dir()));
}

/// Makes directories that only their owner may enter.
#[cfg(unix)]
pub(crate) fn private_dir() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes directories.
#[cfg(not(unix))]
pub(crate) fn private_dir() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// Identity of a file or directory that a copy does not share, as text; empty where the system tells
/// none.
pub(crate) fn identity(path: &Path) -> Result<String, LakeError> {
    let meta = fs::metadata(path).at("look at", path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok(format!("{} {}", meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    Ok(format!("{:?}", meta.created().ok()))
}

#[cfg(unix)]
fn private_file(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    no_follow(options);
}

#[cfg(not(unix))]
fn private_file(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn no_follow(options: &mut OpenOptions) {
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
}

#[cfg(not(unix))]
fn no_follow(_options: &mut OpenOptions) {}

// An umask can only take bits away; this gives back the owner's.
#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & 0o777 == 0o600 {
        return Ok(());
    }
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Opens, or creates, a private file for reading and writing without cutting it.
pub(crate) fn open_or_create(path: &Path) -> Result<File, LakeError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private_file(&mut options);
    let file = options.open(path).at("open", path)?;
    make_private(&file).at("set the permissions of", path)?;
    Ok(file)
}
