//! The power goes off: what was not synced is gone. Needs root and loop devices.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use devlog::lake::Lake;

use super::lake_crash::{child, is_installed, random_wait, rounds};
use super::lake_world::{acknowledged, check, position_of};

/// Tells ext4 to stop at once: 1 writes its journal first, 2 drops that too.
const SHUTDOWN: &str = "import fcntl, os, struct, sys; \
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', int(sys.argv[2])))";

fn run(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Unmounts when the test ends, however it ends.
struct Mount<'a>(&'a str);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        run("umount", &["-l", self.0]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_power_cut_loses_nothing_acknowledged_and_leaves_nothing_torn() {
    let dir = tempfile::tempdir().unwrap();
    let (image, mount) = (dir.path().join("disk"), dir.path().join("mnt"));
    let (image, mount) = (image.to_str().unwrap(), mount.to_str().unwrap());
    std::fs::create_dir(mount).unwrap();
    if !is_installed("python3") || !run("truncate", &["-s", "256M", image]) || !run("mkfs.ext4", &["-q", image]) {
        eprintln!("skipped: mkfs.ext4 or python3 is not there");
        return;
    }
    if !run("mount", &["-o", "loop", image, mount]) {
        eprintln!("skipped: loop devices cannot be mounted here (needs root)");
        return;
    }
    let _mounted = Mount(mount);
    let root = Path::new(mount).join("lake");
    let mut durable = 0;
    for round in 0..rounds(8) {
        let mut worker = child(&root, u64::MAX, &[]);
        std::thread::sleep(random_wait(1500));
        let how = if round % 2 == 0 { "1" } else { "2" };
        assert!(run("python3", &["-c", SHUTDOWN, mount, how]), "the file system takes the shutdown");
        worker.kill().unwrap();
        let mut output = String::new();
        worker.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        worker.wait().unwrap();
        assert!(run("umount", &[mount]) && run("mount", &["-o", "loop", image, mount]), "the journal is replayed");
        let acked = acknowledged(&output).max(durable);
        check(&root, acked, &format!("round {round}, shutdown {how}"));
        durable = position_of(&Lake::read(&root).unwrap());
    }
    assert!(durable > 0);
}
