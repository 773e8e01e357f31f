//! File systems on which changes made elsewhere raise no notification.

use std::path::Path;

/// Name of the file system at `path` when notifications cannot be relied on there.
#[cfg(target_os = "linux")]
pub(super) fn unwatchable(path: &Path) -> Option<&'static str> {
    // From linux/magic.h and the file systems' own headers.
    const MAGIC: [(i64, &str); 13] = [
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "fuse"),
        (0x7375_7245, "coda"),
        (0x5346_414f, "afs"),
        (0x6b41_4653, "kafs"),
        (0x00c3_6400, "ceph"),
        (0x786f_4256, "vboxsf"),
        (0xbacb_acbc, "vmhgfs"),
        (0x0bd0_0bd0, "lustre"),
    ];
    let found = rustix::fs::statfs(path).ok()?;
    // The field's type differs between architectures; the magic numbers are 32 bits.
    let magic = found.f_type as i64 & 0xffff_ffff;
    MAGIC.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

/// Name of the file system at `path` when notifications cannot be relied on there.
#[cfg(not(target_os = "linux"))]
pub(super) fn unwatchable(_path: &Path) -> Option<&'static str> {
    None
}
