//! Where the socket of a home, or of another lake that is kept with it, is.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Env;

/// Longest path that every system takes for a socket: 108 bytes on Linux, 104 elsewhere, with the zero at its end.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The socket for `lake` in `home`: in the home, or, when that path is too long for one, in the user's folder for
/// such things under a name made of the home's path. A lake elsewhere has a socket of its own: who answers there
/// holds that lake and no other.
pub(super) fn of(home: &Path, lake: &Path, env: &Env) -> PathBuf {
    let (own, lake) = (real(&home.join("lake")), real(lake));
    let other = (lake != own).then_some(lake);
    let name =
        other.as_ref().map_or_else(|| "devlog.sock".to_owned(), |lake| format!("devlog-{}.sock", short(&[lake])));
    let inside = home.join(name);
    if inside.as_os_str().len() <= LONGEST {
        return inside;
    }
    let parts: Vec<&Path> = [home].into_iter().chain(other.as_deref()).collect();
    runtime_dir(env).map_or(inside, |folder| folder.join(format!("devlog-{}.sock", short(&parts))))
}

/// A few letters for these paths.
fn short(paths: &[&Path]) -> String {
    let mut digest = Sha256::new();
    paths.iter().for_each(|path| digest.update(path.as_os_str().as_encoded_bytes()));
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The path without links, as far as it exists: it is the same before and after something is made there.
fn real(path: &Path) -> PathBuf {
    let whole = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        Some(std::fs::canonicalize(above).ok()?.join(rest))
    });
    // Joining nothing leaves a separator at the end.
    whole.unwrap_or_else(|| path.to_owned()).components().collect()
}

/// The user's folder for sockets, which only they may enter.
#[cfg(unix)]
fn runtime_dir(env: &Env) -> Option<PathBuf> {
    let named = env.path("XDG_RUNTIME_DIR").filter(|path| path.is_absolute());
    // A shell that was not started by a login does not have the variable; the folder is there all the same.
    let usual = || PathBuf::from(format!("/run/user/{}", rustix::process::geteuid().as_raw()));
    let temporary = || env.path("TMPDIR").filter(|path| path.is_absolute());
    [named, Some(usual()), temporary()].into_iter().flatten().find(|path| is_private(path))
}

#[cfg(not(unix))]
const fn runtime_dir(_: &Env) -> Option<PathBuf> {
    None
}

/// True for a folder of this user that nobody else may enter.
#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|meta| {
        meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::Os;
    use super::*;

    #[test]
    fn a_home_with_a_long_path_has_its_socket_in_the_users_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o700);
        let mut env = Env::empty(Os::current());
        env.variables.insert("XDG_RUNTIME_DIR".to_owned(), folder.path().into());
        let short = Path::new("/home/u/.devlog");
        let of = |home: &Path, env: &Env| super::of(home, &home.join("lake"), env);
        assert_eq!(of(short, &env), short.join("devlog.sock"));
        let (long, other) = (Path::new("/").join("x".repeat(120)), Path::new("/").join("y".repeat(120)));
        let socket = of(&long, &env);
        assert_eq!(socket.parent(), Some(folder.path()));
        assert!(socket.as_os_str().len() <= LONGEST);
        assert_eq!(socket, of(&long, &env));
        assert_ne!(socket, of(&other, &env));
        // A folder that others may enter is no place for it.
        set(0o755);
        assert_ne!(of(&long, &env).parent(), Some(folder.path()));
    }

    #[test]
    fn a_lake_elsewhere_has_a_socket_of_its_own_whatever_name_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let (home, env) = (folder.path().join("home"), Env::empty(Os::current()));
        let socket = |lake: &Path| of(&home, lake, &env);
        let other = folder.path().join("other/lake");
        let before = socket(&other);
        assert_ne!(before, home.join("devlog.sock"));
        assert_eq!(before.parent(), Some(&*home));
        std::fs::create_dir_all(&other).unwrap();
        std::fs::create_dir_all(home.join("lake")).unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink(home.join("lake"), folder.path().join("own")).unwrap();
        assert_eq!([socket(&other), socket(&folder.path().join("link"))], [before.clone(), before]);
        assert_eq!(socket(&folder.path().join("own")), home.join("devlog.sock"));
    }
}
