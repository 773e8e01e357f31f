//! Who may write, and where: the writer's lock and the check for network file systems.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk;
use super::error::{At, LakeError};

/// Held by the one writer; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock of the lake in `root`, or says who has it.
    pub(crate) fn take(root: &Path) -> Result<Self, LakeError> {
        let path = root.join(".lock");
        let mut file = disk::open_or_create(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LakeError::Locked { pid: read_pid(&mut file), path }),
            Err(TryLockError::Error(source)) => {
                return Err(LakeError::Unsuitable { path, action: "lock files", source });
            }
        }
        write_pid(&mut file, &path)?;
        Ok(Self { _file: file })
    }
}

/// Storing a little takes another process less than this.
const MOMENT: Duration = Duration::from_secs(1);
/// How often it is tried again meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// Does what needs the lake for itself; while another process writes it, tries again for a moment.
///
/// # Errors
///
/// What `attempt` returned last.
pub fn soon<T>(mut attempt: impl FnMut() -> Result<T, LakeError>) -> Result<T, LakeError> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(LakeError::Locked { .. }) if begun.elapsed() < MOMENT => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
}

/// The process that holds the lock of the lake in `root`. The system's list is asked: to try the lock
/// would keep a writer out that starts at this moment. `None` also where there is no such list.
pub(crate) fn writer_of(root: &Path) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mut file = disk::open_file(&root.join(".lock")).ok()?;
        let inode = file.metadata().ok()?.ino();
        let pid = read_pid(&mut file)?;
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        locks.lines().any(|line| is_lock_of(line, pid, inode)).then_some(pid)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _unused = root;
        None
    }
}

/// Whether a line such as `1: FLOCK  ADVISORY  WRITE 4242 08:02:131 0 EOF` is about this process and
/// file. The device is not compared: some file systems give a file's status another one.
#[cfg(target_os = "linux")]
fn is_lock_of(line: &str, pid: u32, inode: u64) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", holder, file, ..] = words.as_slice() else { return false };
    holder.parse() == Ok(pid) && file.rsplit(':').next().is_some_and(|text| text.parse() == Ok(inode))
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File, path: &Path) -> Result<(), LakeError> {
    file.set_len(0).at("write", path)?;
    file.seek(SeekFrom::Start(0)).at("write", path)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes()).at("write", path)
}

/// Refuses a directory on a network file system.
pub(crate) fn refuse_network_fs(root: &Path) -> Result<(), LakeError> {
    network_kind(root)?.map_or(Ok(()), |kind| Err(LakeError::NetworkFs { path: root.to_owned(), kind }))
}

/// File systems behind a network by their number in `statfs` (linux/magic.h).
#[cfg(target_os = "linux")]
const NETWORK: [(u32, &str); 11] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x5346_414F, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0102_1997, "9P"),
    (0x7461_636F, "OCFS2"),
];

#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

#[cfg(target_os = "linux")]
fn network_kind(root: &Path) -> Result<Option<&'static str>, LakeError> {
    let stat = rustix::fs::statfs(root).map_err(std::io::Error::from).at("look at the file system of", root)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "magic numbers have 32 bits")]
    let magic = stat.f_type as u32;
    if magic == FUSE {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        return Ok(remote_fuse(&mounts, &disk_numbers(root)?));
    }
    Ok(NETWORK.iter().find(|(number, _)| *number == magic).map(|(_, kind)| *kind))
}

#[cfg(target_os = "linux")]
fn disk_numbers(root: &Path) -> Result<String, LakeError> {
    let device = std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(root).at("look at", root)?);
    Ok(format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device)))
}

/// FUSE is also used for local disks; only the kinds known to be remote are refused.
#[cfg(target_os = "linux")]
fn remote_fuse(mountinfo: &str, device: &str) -> Option<&'static str> {
    const REMOTE: [(&str, &str); 7] = [
        ("fuse.sshfs", "sshfs"),
        ("fuse.rclone", "rclone"),
        ("fuse.s3fs", "s3fs"),
        ("fuse.gcsfuse", "gcsfuse"),
        ("fuse.glusterfs", "GlusterFS"),
        ("fuse.gvfsd-fuse", "gvfs"),
        ("fuse.davfs", "WebDAV"),
    ];
    let line = mountinfo.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    let kind = line.split(" - ").nth(1)?.split(' ').next()?;
    REMOTE.iter().find(|(name, _)| *name == kind).map(|(_, shown)| *shown)
}

#[cfg(not(target_os = "linux"))]
fn network_kind(_root: &Path) -> Result<Option<&'static str>, LakeError> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_the_process_that_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let held = WriterLock::take(dir.path()).unwrap();
        let error = WriterLock::take(dir.path()).unwrap_err();
        assert!(matches!(error, LakeError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        drop(held);
        WriterLock::take(dir.path()).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_writes_is_known_while_the_lock_is_held_and_asking_takes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(writer_of(dir.path()), None);
        let held = WriterLock::take(dir.path()).unwrap();
        // Some sandboxes show no list of locks.
        if !std::fs::read_to_string("/proc/locks").unwrap_or_default().is_empty() {
            assert_eq!(writer_of(dir.path()), Some(std::process::id()));
        }
        drop(held);
        assert_eq!(writer_of(dir.path()), None, "the number is still in the file");
        let line = "12: FLOCK  ADVISORY  WRITE 4242 00:2e:131 0 EOF";
        assert!(is_lock_of(line, 4242, 131) && !is_lock_of(line, 424, 131) && !is_lock_of(line, 4242, 13));
        assert!(!is_lock_of("12: -> FLOCK  ADVISORY  WRITE 4242 00:2e:131 0 EOF", 4242, 131), "it only waits");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_remote_fuse_mounts_are_refused() {
        let mounts =
            "30 25 0:44 / /mnt/a rw - fuse.sshfs me@host:/ rw\n31 25 0:45 / /mnt/b rw - fuse.ntfs-3g /dev/sda rw\n";
        assert_eq!(remote_fuse(mounts, "0:44"), Some("sshfs"));
        assert_eq!(remote_fuse(mounts, "0:45"), None);
        assert_eq!(remote_fuse(mounts, "0:46"), None);
    }
}
