//! Small files that the user writes for devlog: settings, descriptions, views.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// Longest such file that is read.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a small regular file. Nothing else is opened in a way that could wait: a FIFO under the name of
/// a view would stop every command.
///
/// # Errors
///
/// What the system says, and when it is no regular file, longer than 1 MiB, or no UTF-8.
pub fn own_text(path: &Path) -> io::Result<String> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, "a = 1").unwrap();
        assert_eq!(own_text(&path).unwrap(), "a = 1");
        fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
        assert_eq!(own_text(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(own_text(folder.path()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(own_text(&folder.path().join("b")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
