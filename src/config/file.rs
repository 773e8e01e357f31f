//! `<home>/config.toml`: all keys optional, unknown keys warned about.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::line::line_of;
use super::{ConfigError, parse_duration, parse_size, read_own};
use crate::text::nearest;

/// Keys that the file may have.
const KEYS: [&str; 6] = ["keep_blobs", "lake", "memory", "projects", "retention", "timezone"];

/// What the configuration file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) timezone: Option<String>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) retention: Option<Duration>,
    pub(super) keep_blobs: Option<bool>,
    pub(super) lake: Option<PathBuf>,
    pub(super) projects: Vec<PathBuf>,
}

/// Reads the file in `home`; a missing one says nothing.
pub(super) fn read(home: &Path, warnings: &mut Vec<String>) -> Result<File, ConfigError> {
    let path = home.join("config.toml");
    match read_own(home, &path) {
        Ok(text) => parse(&path, &text, warnings),
        Err(error) if error.is_absent() => Ok(File::default()),
        Err(error) => Err(error.into()),
    }
}

fn parse(path: &Path, text: &str, warnings: &mut Vec<String>) -> Result<File, ConfigError> {
    let table = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
        path: path.to_owned(),
        line: line_of(text, error.span()),
        message: error.message().to_owned(),
    })?;
    let mut file = File::default();
    for (key, value) in table.get_ref() {
        let place = Place { path, line: line_of(text, Some(value.span())) };
        match key.get_ref().as_ref() {
            "timezone" => file.timezone = Some(place.text("timezone", value, TIMEZONE)?.to_owned()),
            "lake" => file.lake = Some(place.text("lake", value, "a path such as \"/data/lake\"")?.into()),
            "memory" => {
                let text = place.text("memory", value, "a size such as \"256MB\"")?;
                file.memory_bytes = Some(parse_size(text).map_err(|source| place.quantity("memory", source))?);
            }
            "retention" => {
                let text = place.text("retention", value, RETENTION)?;
                let keep = parse_duration(text).map_err(|source| place.quantity("retention", source))?;
                if keep < SHORTEST_RETENTION {
                    return Err(place.wrong("retention", RETENTION));
                }
                file.retention = Some(keep);
            }
            "keep_blobs" => match value.get_ref() {
                DeValue::Boolean(keep) => file.keep_blobs = Some(*keep),
                _ => return Err(place.wrong("keep_blobs", "true or false")),
            },
            "projects" => {
                let DeValue::Array(items) = value.get_ref() else { return Err(place.wrong("projects", PROJECTS)) };
                for item in items {
                    let place = Place { path, line: line_of(text, Some(item.span())) };
                    file.projects.push(place.text("projects", item, PROJECTS)?.into());
                }
            }
            unknown => warnings.push(unknown_key(path, line_of(text, Some(key.span())), unknown)),
        }
    }
    Ok(file)
}

const PROJECTS: &str = "a list of folders such as [\"~/src/*\"]";

const RETENTION: &str = "a duration of at least one day such as \"400d\"";

/// Rows are deleted by whole days; less would empty the lake, which nobody means.
const SHORTEST_RETENTION: Duration = Duration::from_secs(86_400);

const TIMEZONE: &str = "an IANA name such as \"Europe/Berlin\"";

/// Where a value stands.
struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn text<'v>(
        &self,
        key: &'static str,
        value: &'v Spanned<DeValue<'_>>,
        expected: &'static str,
    ) -> Result<&'v str, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong(key, expected)),
        }
    }

    fn wrong(&self, key: &'static str, expected: &'static str) -> ConfigError {
        ConfigError::WrongType { path: self.path.to_owned(), line: self.line, key, expected }
    }

    fn quantity(&self, key: &'static str, source: super::ParseQuantityError) -> ConfigError {
        ConfigError::Quantity { path: self.path.to_owned(), line: self.line, key, source }
    }
}

fn unknown_key(path: &Path, line: usize, key: &str) -> String {
    let hint = nearest(key, KEYS.iter().copied())
        .map_or_else(|| format!("known keys are {}", KEYS.join(", ")), |known| format!("did you mean `{known}`?"));
    format!("{path:?} line {line}: unknown key `{key}` is ignored; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Result<File, ConfigError>, Vec<String>) {
        let mut warnings = Vec::new();
        let file = parse(Path::new("/h/config.toml"), text, &mut warnings);
        (file, warnings)
    }

    #[test]
    fn every_key_is_read() {
        let (file, warnings) = parsed(
            "timezone = \"Asia/Tokyo\"\nmemory = \"1GiB\"\nretention = \"400d\"\nkeep_blobs = true\nlake = \"/l\"\n\
             projects = [\"~/src/*\", \"/w\"]\n",
        );
        assert_eq!(
            file.unwrap(),
            File {
                timezone: Some("Asia/Tokyo".into()),
                memory_bytes: Some(1 << 30),
                retention: Some(Duration::from_secs(400 * 86_400)),
                keep_blobs: Some(true),
                lake: Some("/l".into()),
                projects: vec!["~/src/*".into(), "/w".into()],
            }
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn an_unknown_key_is_a_warning_with_the_nearest_right_one() {
        let (file, warnings) = parsed("\ntime_zone = \"UTC\"\nzzz = 1\n");
        assert_eq!(file.unwrap(), File::default());
        assert_eq!(
            warnings,
            [
                "\"/h/config.toml\" line 2: unknown key `time_zone` is ignored; did you mean `timezone`?",
                "\"/h/config.toml\" line 3: unknown key `zzz` is ignored; known keys are keep_blobs, lake, memory, \
                 projects, retention, timezone",
            ]
        );
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        let message = |text: &str| parsed(text).0.unwrap_err().to_string();
        assert_eq!(
            message("keep_blobs = true\nmemory = 5\n"),
            "\"/h/config.toml\" line 2: `memory` must be a size such as \"256MB\""
        );
        assert_eq!(
            message("\n\nretention = \"soon\"\n"),
            "\"/h/config.toml\" line 3: `retention`: \"soon\" is not a duration; write a number and a unit, such as \
             500ms, 30s, 5m, 2h, 7d or 4w"
        );
        for short in ["0d", "23h"] {
            assert_eq!(
                message(&format!("retention = \"{short}\"")),
                "\"/h/config.toml\" line 1: `retention` must be a duration of at least one day such as \"400d\""
            );
        }
        assert!(message("a = 1\nb = = 2\n").starts_with("\"/h/config.toml\" line 2 is not TOML: "));
        assert!(message("keep_blobs = \"yes\"").ends_with("line 1: `keep_blobs` must be true or false"));
        assert!(
            message("projects = [\"/a\",\n5]")
                .ends_with("line 2: `projects` must be a list of folders such as [\"~/src/*\"]")
        );
    }
}
