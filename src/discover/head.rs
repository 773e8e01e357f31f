//! The first bytes of a file, and what they show of it.

/// What the first bytes of a file show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A JSON object; the keys are its own.
    Object,
    /// A JSON array; the keys are those of its first object.
    Array,
    /// A SQLite database; the bytes are the beginnings of the file and of the log beside it, where the
    /// `CREATE TABLE` statements stand.
    Database,
    /// Anything else.
    Text,
}

/// One thing in the first bytes of a file that may tell what the file is.
#[derive(Debug)]
pub(super) struct Head<'a> {
    /// Path of the file, with `/` between its parts.
    pub(super) path: &'a str,
    pub(super) shape: Shape,
    /// All first bytes.
    pub(super) bytes: &'a [u8],
    keys: Vec<&'a str>,
    kind: &'a str,
}

impl<'a> Head<'a> {
    pub(super) fn new(path: &'a str, shape: Shape, bytes: &'a [u8]) -> Self {
        Self { path, shape, bytes, keys: Vec::new(), kind: "" }
    }

    pub(super) fn of_json(path: &'a str, bytes: &'a [u8], value: &'a [u8]) -> Option<Self> {
        let (shape, object) = match value.first()? {
            b'{' => (Shape::Object, value),
            b'[' => (Shape::Array, &value[memchr::memchr(b'{', value).unwrap_or(value.len())..]),
            _ => return None,
        };
        let mut head = Self::new(path, shape, bytes);
        head.scan(object);
        Some(head)
    }

    /// Name of the file.
    pub(super) fn name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Text of the field `type`; empty when there is none.
    pub(super) const fn kind(&self) -> &'a str {
        self.kind
    }

    /// True when all these fields are there.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.keys.contains(name))
    }

    /// True when the text stands anywhere in the first bytes.
    pub(super) fn contains(&self, text: &str) -> bool {
        memchr::memmem::find(self.bytes, text.as_bytes()).is_some()
    }

    /// True when a database has a table of this name.
    pub(super) fn has_table(&self, table: &str) -> bool {
        self.shape == Shape::Database
            && ["\"", "`", "", "["].iter().any(|quote| {
                ["CREATE TABLE ", "CREATE TABLE IF NOT EXISTS "].iter().any(|create| {
                    let start = format!("{create}{quote}{table}");
                    memchr::memmem::find_iter(self.bytes, start.as_bytes()).any(|at| {
                        let next = self.bytes.get(at + start.len());
                        next.is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_')
                    })
                })
            })
    }

    /// Reads `object` (which starts with `{`) to its end, or as far as it goes.
    fn scan(&mut self, object: &'a [u8]) {
        let (mut at, mut depth, mut awaits_key, mut in_kind) = (0, 0_u32, false, false);
        while let Some(&byte) = object.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    awaits_key = depth == 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                b',' if depth == 1 => awaits_key = true,
                b'"' => {
                    let Some(length) = string_length(&object[at..]) else { break };
                    let text = std::str::from_utf8(&object[at..at + length]).unwrap_or_default();
                    at += length + 1;
                    if depth == 1 && awaits_key {
                        awaits_key = false;
                        in_kind = text == "type";
                        self.keys.push(text);
                    } else if depth == 1 && in_kind && self.kind.is_empty() {
                        self.kind = text;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Length of a JSON text up to its closing quote.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}
