//! `<home>/adapters/<name>.toml`: formats that the user describes.
//!
//! Every key is checked; what is wrong is said with file and line, and with the word that was perhaps
//! meant.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::line::line_of;
use super::{ConfigError, MappingError, Os, absolute, read_own};
use crate::schema::{
    Compression, Condition, Constant, EventType, Format, MappedFiles, Mapping, Pointer, Setter, TARGETS, Target, Test,
    TimeFormat, TypeRule, UsageSource, intern,
};
use crate::text::nearest;
use crate::zone::Zone;

const KEYS: [&str; 12] = [
    "columns",
    "constants",
    "document",
    "event_type",
    "files",
    "framing",
    "id",
    "input_includes_cache",
    "records",
    "timestamp",
    "types",
    "zone",
];

const FRAMINGS: [&str; 3] = ["array", "document", "lines"];

const TIMES: [&str; 5] = ["auto", "rfc3339", "unix_ms", "unix_s", "unix_us"];

const SYSTEMS: [(&str, Os); 4] =
    [("linux", Os::Linux), ("macos", Os::MacOs), ("darwin", Os::MacOs), ("windows", Os::Windows)];

/// Where paths of descriptions start.
pub(super) struct Start<'a> {
    pub(super) os: Os,
    pub(super) user_home: &'a Path,
    pub(super) current_dir: &'a Path,
}

/// Reads all descriptions in `home`; what is wrong with the others, by name.
pub(super) fn read_all(home: &Path, start: &Start<'_>) -> (Vec<Arc<Mapping>>, Vec<(String, ConfigError)>) {
    let entries = std::fs::read_dir(home.join("adapters")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    paths.sort();
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = read_own(home, &path).map_err(ConfigError::from);
        match text.and_then(|text| parse(&path, &name, &text, start)) {
            Ok(mapping) => right.push(Arc::new(mapping)),
            Err(error) => wrong.push((name, error)),
        }
    }
    (right, wrong)
}

type Value<'i> = Spanned<DeValue<'i>>;

/// The text of a description, to say where something stands in it.
struct Text<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Text<'_> {
    fn error(&self, span: Range<usize>, source: MappingError) -> ConfigError {
        ConfigError::Mapping { path: self.path.to_owned(), line: line_of(self.text, Some(span)), source }
    }

    fn wrong(&self, value: &Value<'_>, key: &str, expected: &'static str) -> ConfigError {
        self.error(value.span(), MappingError::Wrong { key: key.to_owned(), expected })
    }

    fn unknown(&self, span: Range<usize>, what: &'static str, word: &str, known: Vec<&'static str>) -> ConfigError {
        let nearest = nearest(word, known.iter().copied());
        self.error(span, MappingError::Unknown { what, word: word.to_owned(), nearest, known })
    }

    fn string<'v>(&self, value: &'v Value<'_>, key: &str, expected: &'static str) -> Result<&'v str, ConfigError> {
        value.get_ref().as_str().ok_or_else(|| self.wrong(value, key, expected))
    }

    fn bool(&self, value: &Value<'_>, key: &str) -> Result<bool, ConfigError> {
        value.get_ref().as_bool().ok_or_else(|| self.wrong(value, key, "true or false"))
    }

    fn table<'v, 'i>(&self, value: &'v Value<'i>, key: &str) -> Result<&'v DeTable<'i>, ConfigError> {
        value.get_ref().as_table().ok_or_else(|| self.wrong(value, key, "a table"))
    }

    /// Tables of an array of tables.
    fn tables<'v, 'i>(&self, value: &'v Value<'i>, key: &str) -> Result<Vec<&'v DeTable<'i>>, ConfigError> {
        let expected = "an array of tables, each under a line such as [[types]]";
        let items = value.get_ref().as_array().ok_or_else(|| self.wrong(value, key, expected))?;
        items.iter().map(|item| self.table(item, key)).collect()
    }

    /// One value, or each of an array.
    fn list<'v, 'i>(value: &'v Value<'i>) -> Vec<&'v Value<'i>> {
        value.get_ref().as_array().map_or_else(|| vec![value], |items| items.iter().collect())
    }

    fn pointer(&self, value: &Value<'_>, key: &str) -> Result<Pointer, ConfigError> {
        let expected = "a JSON pointer such as \"/message/text\"";
        let text = self.string(value, key, expected)?;
        Pointer::parse(text).ok_or_else(|| self.wrong(value, key, expected))
    }

    fn pointers(&self, value: &Value<'_>, key: &str) -> Result<Vec<Pointer>, ConfigError> {
        Self::list(value).into_iter().map(|item| self.pointer(item, key)).collect()
    }

    fn event_type(&self, value: &Value<'_>) -> Result<EventType, ConfigError> {
        let word = self.string(value, "event_type", "text such as \"user_interaction\"")?;
        let known = || EventType::ALL.iter().map(|known| known.as_str()).collect();
        EventType::named(word).ok_or_else(|| self.unknown(value.span(), "event type", word, known()))
    }

    fn target(&self, key: &Spanned<toml::de::DeString<'_>>) -> Result<&'static Target, ConfigError> {
        let word = key.get_ref().as_ref();
        Target::named(word)
            .ok_or_else(|| self.unknown(key.span(), "column", word, TARGETS.iter().map(|target| target.name).collect()))
    }

    fn columns(&self, value: &Value<'_>, key: &str) -> Result<Vec<(&'static Target, Vec<Pointer>)>, ConfigError> {
        let columns = self.table(value, key)?.iter();
        columns.map(|(key, value)| Ok((self.target(key)?, self.pointers(value, key.get_ref())?))).collect()
    }

    fn constant(&self, value: &Value<'_>, key: &str) -> Result<Constant, ConfigError> {
        let constant = match value.get_ref() {
            DeValue::String(text) => Some(Constant::Text(text.clone().into_owned())),
            DeValue::Boolean(is) => Some(Constant::Bool(*is)),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Constant::Integer)
            }
            DeValue::Float(number) => number.as_str().parse().ok().filter(|n: &f64| n.is_finite()).map(Constant::Float),
            _ => None,
        };
        constant.ok_or_else(|| self.wrong(value, key, "text, a number, true or false"))
    }

    /// Columns with fixed values, each of the column's kind.
    fn constants(&self, value: &Value<'_>, key: &str) -> Result<Vec<(&'static Target, Constant)>, ConfigError> {
        let mut all = Vec::new();
        for (key, value) in self.table(value, key)? {
            let (target, constant) = (self.target(key)?, self.constant(value, key.get_ref())?);
            if let (Constant::Text(word), "usage_source") = (&constant, target.name)
                && UsageSource::named(word).is_none()
            {
                let known = UsageSource::ALL.iter().map(|source| source.as_str()).collect();
                return Err(self.unknown(value.span(), "usage source", word, known));
            }
            let expected = match (target.set, &constant) {
                (Setter::Text(_) | Setter::Json(_), Constant::Text(_))
                | (Setter::Bool(_), Constant::Bool(_))
                | (Setter::Small(_) | Setter::Number(_) | Setter::Nano(_), Constant::Integer(_))
                | (Setter::Nano(_), Constant::Float(_)) => None,
                (Setter::Text(_), _) => Some("text"),
                (Setter::Json(_), _) => Some("text that is JSON, such as '{\"a\":1}'"),
                (Setter::Bool(_), _) => Some("true or false"),
                (Setter::Small(_) | Setter::Number(_) | Setter::Nano(_), _) => Some("a number"),
                (Setter::Time, _) => Some("a pointer in [columns]: a time cannot be a constant"),
                (Setter::EventType, _) => Some("the key `event_type` above all tables, or one of [[types]]"),
            };
            if let Some(expected) = expected {
                return Err(self.wrong(value, key.get_ref(), expected));
            }
            all.push((target, constant));
        }
        Ok(all)
    }

    fn rule(&self, table: &DeTable<'_>) -> Result<TypeRule, ConfigError> {
        let mut rule = TypeRule { when: Vec::new(), event_type: None, set: Vec::new() };
        let mut ignore = false;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "when" => {
                    for condition in Self::list(value) {
                        rule.when.push(self.condition(condition)?);
                    }
                }
                "event_type" => rule.event_type = Some(self.event_type(value)?),
                "ignore" => ignore = self.bool(value, "ignore")?,
                "set" => rule.set = self.constants(value, "set")?,
                word => {
                    return Err(self.unknown(key.span(), "key", word, vec!["event_type", "ignore", "set", "when"]));
                }
            }
        }
        let start = table.iter().map(|(key, _)| key.span()).min_by_key(|span| span.start).unwrap_or(0..0);
        if rule.when.is_empty() {
            let example = "when = { pointer = \"/kind\", equals = \"user\" }";
            return Err(self.error(start, MappingError::Missing { key: "when", example }));
        }
        if rule.event_type.is_none() != ignore {
            let example = "event_type = \"user_interaction\", or ignore = true for records that make no row";
            return Err(self.error(start, MappingError::Missing { key: "event_type", example }));
        }
        Ok(rule)
    }

    fn condition(&self, value: &Value<'_>) -> Result<Condition, ConfigError> {
        let (mut pointer, mut test) = (None, None);
        for (key, value) in self.table(value, "when")? {
            match key.get_ref().as_ref() {
                "pointer" => pointer = Some(self.pointer(value, "pointer")?),
                "equals" | "in" => {
                    let values: Result<_, _> =
                        Self::list(value).into_iter().map(|item| self.constant(item, key.get_ref())).collect();
                    test = Some(Test::OneOf(values?));
                }
                "exists" => test = Some(Test::Exists(self.bool(value, "exists")?)),
                word => return Err(self.unknown(key.span(), "key", word, vec!["equals", "exists", "in", "pointer"])),
            }
        }
        let expected = "a condition such as { pointer = \"/kind\", equals = \"user\" }";
        match (pointer, test) {
            (Some(pointer), Some(test)) => Ok(Condition { pointer, test }),
            _ => Err(self.wrong(value, "when", expected)),
        }
    }

    fn time(&self, value: &Value<'_>, zone: chrono_tz::Tz) -> Result<TimeFormat, ConfigError> {
        let expected = "auto, rfc3339, unix_s, unix_ms, unix_us, or a pattern such as \"%Y-%m-%d %H:%M:%S\"";
        let word = self.string(value, "timestamp", expected)?;
        Ok(match word {
            "auto" => TimeFormat::Auto(zone),
            "rfc3339" => TimeFormat::Rfc3339,
            "unix_s" => TimeFormat::Unix(1),
            "unix_ms" => TimeFormat::Unix(1_000),
            "unix_us" => TimeFormat::Unix(1_000_000),
            pattern if pattern.contains('%') => {
                let mut items = chrono::format::StrftimeItems::new(pattern);
                if items.any(|item| item == chrono::format::Item::Error) {
                    return Err(self.wrong(value, "timestamp", expected));
                }
                TimeFormat::Pattern(pattern.to_owned(), zone)
            }
            word => return Err(self.unknown(value.span(), "form of times", word, TIMES.to_vec())),
        })
    }

    fn files(&self, table: &DeTable<'_>, start: &Start<'_>, files: &mut Vec<MappedFiles>) -> Result<(), ConfigError> {
        let (mut path, mut wanted) = (None, true);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "path" => path = Some(value),
                "os" => {
                    wanted = false;
                    for system in Self::list(value) {
                        let word = self.string(system, "os", "linux, macos or windows")?;
                        let Some((_, os)) = SYSTEMS.iter().find(|(name, _)| *name == word) else {
                            let known = SYSTEMS.iter().map(|(name, _)| *name).filter(|n| *n != "darwin").collect();
                            return Err(self.unknown(system.span(), "system", word, known));
                        };
                        wanted |= *os == start.os;
                    }
                }
                word => return Err(self.unknown(key.span(), "key", word, vec!["os", "path"])),
            }
        }
        let Some(value) = path else {
            let span = table.iter().map(|(key, _)| key.span()).next().unwrap_or(0..0);
            let example = "path = \"~/.mytool/logs/**/*.jsonl\"";
            return Err(self.error(span, MappingError::Missing { key: "path", example }));
        };
        let expected = "a path such as \"~/.mytool/logs/**/*.jsonl\", with a folder of the tool before the first *";
        let text = self.string(value, "path", expected)?;
        let found = files_at(text, start).ok_or_else(|| self.wrong(value, "path", expected))?;
        if wanted {
            files.push(found);
        }
        Ok(())
    }
}

/// The folder to walk and the pattern below it; `None` when that would be the whole home or disk.
fn files_at(text: &str, start: &Start<'_>) -> Option<MappedFiles> {
    let text = if start.os == Os::Windows { text.replace('\\', "/") } else { text.to_owned() };
    let parts: Vec<&str> = text.split('/').collect();
    if parts.contains(&"..") {
        return None;
    }
    let fixed = parts.iter().position(|part| part.contains('*')).unwrap_or(parts.len().saturating_sub(1));
    let pattern = parts.get(fixed..)?.join("/");
    let folder = parts.get(..fixed)?.join("/");
    let folder = if folder.is_empty() && text.starts_with('/') { "/" } else { &folder };
    if folder.is_empty() {
        return None;
    }
    let folder = absolute(Path::new(folder), start.user_home, start.current_dir);
    // `~` alone would end in a separator.
    let folder: PathBuf = folder.components().collect();
    let whole = pattern.contains('*') && start.user_home.starts_with(&folder);
    (!pattern.is_empty() && pattern.split('/').all(|part| !part.is_empty()) && !whole)
        .then_some(MappedFiles { folder, pattern })
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    name.bytes().all(plain)
        && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && Format::all().all(|format| format.agent() != name)
}

/// Reads the description called `name`.
pub(super) fn parse(path: &Path, name: &str, text: &str, start: &Start<'_>) -> Result<Mapping, ConfigError> {
    let place = Text { path, text };
    if !is_name(name) {
        return Err(place.error(0..0, MappingError::Name { name: name.to_owned() }));
    }
    let table = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
        path: path.to_owned(),
        line: line_of(text, error.span()),
        message: error.message().to_owned(),
    })?;
    let zone = match table.get_ref().iter().find(|(key, _)| key.get_ref() == "zone") {
        Some((_, value)) => {
            let expected = "an IANA name such as \"Europe/Berlin\"";
            let zone = place.string(value, "zone", expected)?;
            Zone::named(zone).ok_or_else(|| place.wrong(value, "zone", expected))?.tz()
        }
        None => chrono_tz::UTC,
    };
    let mut mapping = Mapping {
        agent: intern(name),
        path: path.to_owned(),
        files: Vec::new(),
        packing: Compression::Lines,
        records: Pointer::default(),
        time: TimeFormat::Auto(zone),
        columns: Vec::new(),
        document: Vec::new(),
        constants: Vec::new(),
        types: Vec::new(),
        event_type: None,
        id: Vec::new(),
        input_includes_cache: false,
    };
    for (key, value) in table.get_ref() {
        match key.get_ref().as_ref() {
            "zone" => {}
            "files" => {
                for table in place.tables(value, "files")? {
                    place.files(table, start, &mut mapping.files)?;
                }
            }
            "framing" => {
                let word = place.string(value, "framing", "lines, array or document")?;
                mapping.packing = match word {
                    "lines" => Compression::Lines,
                    "array" | "document" => Compression::Document,
                    _ => return Err(place.unknown(value.span(), "framing", word, FRAMINGS.to_vec())),
                };
            }
            "records" => mapping.records = place.pointer(value, "records")?,
            "timestamp" => mapping.time = place.time(value, zone)?,
            "columns" => mapping.columns = place.columns(value, "columns")?,
            "document" => mapping.document = place.columns(value, "document")?,
            "constants" => mapping.constants = place.constants(value, "constants")?,
            "types" => {
                let rules: Result<_, _> =
                    place.tables(value, "types")?.into_iter().map(|table| place.rule(table)).collect();
                mapping.types = rules?;
            }
            "event_type" => mapping.event_type = Some(place.event_type(value)?),
            "id" => mapping.id = place.pointers(value, "id")?,
            "input_includes_cache" => mapping.input_includes_cache = place.bool(value, "input_includes_cache")?,
            word => return Err(place.unknown(key.span(), "key", word, KEYS.to_vec())),
        }
    }
    if mapping.columns.is_empty() {
        let example = "a table such as [columns] with ts = \"/time\" and text = \"/message\"";
        return Err(place.error(0..0, MappingError::Missing { key: "columns", example }));
    }
    Ok(mapping)
}

#[cfg(test)]
mod tests;
