//! Texts that look and compress like the real ones: prose, code, command output.
//!
//! Everything is written already escaped for JSON. A word costs one random number and one copy.

use super::json::Json;
use super::random::Random;

/// Common first: [`Random::pick_skewed`] prefers the beginning.
const WORDS: &str = "the to and is in a of for that it this with on be not are we so if as can now test file code \
    function line when from should need use by add value run only error let check then its one will module have \
    already call change first also return type but into before after up path still new data read works write more \
    there which existing other fails same both config parser default because cache current case looking make all \
    output instead build request tests find state field here does just each see update missing handle no fix result \
    way where through without branch method has being passes command over main session instance directory looks \
    small correct string commit instead keep table query server between note second two argument empty next option \
    length index struct pass buffer loop while timeout key part start end remove set name version user stream \
    version client thread column parse number safe response batch move limit schema lock entry order page worker \
    retry token queue split header matches clean simple trait iterator actually clear left right every whole depends \
    however otherwise during behaviour boundary overflow invariant snapshot rename allocation benchmark regression \
    pipeline fixture assertion recursion serialisation backoff checksum manifest partition dashboard migration \
    deployment endpoint permission fallback wrapper exported dependency feature release warning compiler lifetime \
    borrow generic closure macro crate package import attribute annotation documentation example integration \
    coverage flaky deterministic concurrency contention latency throughput percentile histogram telemetry \
    authentication credential rotation expiry certificate handshake proxy gateway upstream downstream replica shard \
    consensus election heartbeat quorum compaction retention tombstone bloom prefix suffix separator delimiter \
    encoding decoding normalise sanitise truncate placeholder locale calendar midnight zone offset interval window \
    naïve façade café résumé coördinate Zürich München Århus Kraków touché";

/// What code lines are made of: texts with identifiers between them.
const CODE: [&[&str]; 24] = [
    &["let ", " = ", ".", "(&", ")?;"],
    &["let mut ", " = Vec::with_capacity(", ");"],
    &["if ", ".is_empty() {"],
    &["return Err(Error::", " { path: path.to_owned(), source });"],
    &["for ", " in ", ".iter() {"],
    &["}"],
    &["}"],
    &["pub fn ", "(&self, ", ": &str) -> Result<", ", Error> {"],
    &["match ", " {"],
    &["Some(", ") => ", ","],
    &["None => return Ok(()),"],
    &["// Keeps ", " in step with ", ", otherwise a reader sees half of it."],
    &["assert_eq!(", ", ", ");"],
    &["self.", ".insert(", ", ", ".clone());"],
    &["use crate::", "::{", ", ", "};"],
    &["const ", " = require('./", "');"],
    &["export async function ", "(", ") {"],
    &["def ", "(self, ", "=None):"],
    &["    raise ValueError(f\\\"unknown ", ": {", "}\\\")"],
    &["print!(\\\"{} {}\\\\n\\\", ", ", ", ");"],
    &["#[derive(Debug, Clone, PartialEq)]"],
    &["struct ", " {"],
    &["", ": Option<", ">,"],
    &[""],
];

/// What a person asks for; `%` becomes an identifier.
const PROMPTS: [&str; 14] = [
    "fix the failing test in %",
    "add a retry with backoff to %",
    "why does % return an empty result when the cache is cold?",
    "rename % to % everywhere and update the docs",
    "write a regression test for %",
    "the build is broken since the last merge, please look at %",
    "make % faster, it shows up in every profile",
    "review the changes in % and list what could break",
    "explain how % and % work together",
    "% panics on an empty file, handle it",
    "split % into two modules",
    "continue",
    "now do the same for %",
    "looks good, commit it with a message that says why",
];

/// Names of one project, and the words of the language.
#[derive(Debug)]
pub(super) struct Texts {
    words: Vec<&'static str>,
    identifiers: Vec<String>,
    paths: Vec<String>,
}

impl Texts {
    /// Names that depend on `random`; words that never change.
    pub(super) fn new(random: &mut Random) -> Self {
        let words: Vec<&'static str> = WORDS.split_whitespace().collect();
        let plain: Vec<&str> = words.iter().copied().filter(|word| word.is_ascii() && word.len() > 3).collect();
        let identifiers: Vec<String> = (0..160)
            .map(|_| match random.below(3) {
                0 => (*random.pick(&plain)).to_owned(),
                1 => format!("{}_{}", random.pick(&plain), random.pick(&plain)),
                _ => format!("{}_{}_{}", random.pick(&plain), random.pick(&plain), random.below(10)),
            })
            .collect();
        let folders = ["src", "src/core", "src/store", "tests", "src/api", "web/components"];
        let endings = ["rs", "rs", "ts", "py", "go"];
        let paths = (0..60)
            .map(|_| format!("{}/{}.{}", random.pick(&folders), random.pick(&identifiers), random.pick(&endings)))
            .collect();
        Self { words, identifiers, paths }
    }

    pub(super) fn identifier(&self, random: &mut Random) -> &str {
        random.pick_skewed::<String>(&self.identifiers)
    }

    /// A file of the project, relative to its folder.
    pub(super) fn path(&self, random: &mut Random) -> &str {
        random.pick_skewed::<String>(&self.paths)
    }

    /// Sentences of together about `bytes` bytes.
    pub(super) fn prose(&self, random: &mut Random, bytes: u64, out: &mut Json) {
        let end = out.0.len() + usize::try_from(bytes).unwrap_or(usize::MAX);
        while out.0.len() < end {
            let words = random.between(5, 19);
            for i in 0..words {
                if i > 0 {
                    out.put(" ");
                }
                match random.below(24) {
                    0 => out.put("`").put(self.identifier(random)).put("`"),
                    1 => out.number(random.below(4000)),
                    2 => out.put("\\\"").put(random.pick_skewed::<&str>(&self.words)).put("\\\""),
                    _ => out.put(random.pick_skewed::<&str>(&self.words)),
                };
            }
            out.put(random.pick::<&str>(&[". ", ". ", ".\\n\\n", ":\\n- ", "; ", ".\\n"]));
        }
    }

    /// What a person types, about `bytes` bytes more than one sentence.
    pub(super) fn prompt(&self, random: &mut Random, bytes: u64, out: &mut Json) {
        let mut pieces = random.pick(&PROMPTS).split('%');
        out.put(pieces.next().unwrap_or_default());
        for piece in pieces {
            out.put(self.identifier(random)).put(piece);
        }
        if bytes > 0 {
            out.put("\\n\\n");
            self.prose(random, bytes, out);
        }
    }

    /// One line of code without its end.
    fn code_line(&self, random: &mut Random, out: &mut Json) {
        out.put(random.pick::<&str>(&["", "    ", "    ", "        ", "            "]));
        for (i, piece) in random.pick_skewed(&CODE).iter().enumerate() {
            if i > 0 {
                out.put(self.identifier(random));
            }
            out.put(piece);
        }
    }

    /// Lines of code of together about `bytes` bytes; returns how many. Each ends in an escaped `\n`.
    pub(super) fn code(&self, random: &mut Random, bytes: u64, out: &mut Json) -> u64 {
        let end = out.0.len() + usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut lines = 0;
        while out.0.len() < end {
            self.code_line(random, out);
            out.put("\\n");
            lines += 1;
        }
        lines
    }

    /// What a command prints: a test run, a search, a log, a listing.
    pub(super) fn output(&self, random: &mut Random, bytes: u64, out: &mut Json) {
        let end = out.0.len() + usize::try_from(bytes).unwrap_or(usize::MAX);
        let kind = random.below(4);
        while out.0.len() < end {
            match kind {
                0 => {
                    out.put("test ").put(self.identifier(random)).put("::").put(self.identifier(random));
                    out.put(if random.chance(97) { " ... ok\\n" } else { " ... FAILED\\n" });
                }
                1 => {
                    out.put(self.path(random)).put(":").number(random.below(900)).put(":");
                    self.code_line(random, out);
                    out.put("\\n");
                }
                2 => {
                    out.put("2026-0").number(random.between(1, 10)).put("-1").number(random.below(10));
                    out.put(random.pick::<&str>(&[" INFO ", " INFO ", " WARN ", " DEBUG "]))
                        .put(self.identifier(random));
                    out.put("=").number(random.below(100_000)).put(" ");
                    self.prose(random, 20, out);
                    out.put("\\n");
                }
                _ => {
                    out.put("-rw-r--r-- 1 dev dev ").number(random.below(200_000)).put(" Sep ");
                    out.number(random.between(10, 30)).put(" ").put(self.path(random)).put("\\n");
                }
            }
        }
    }
}

/// `lines` (each ending in an escaped `\n`) with numbers before them, as Claude Code shows a file.
pub(super) fn numbered(lines: &[u8], out: &mut Json) {
    for (i, line) in split_lines(lines).enumerate() {
        let number = i as u64 + 1;
        let padding = 5usize.saturating_sub(number.ilog10() as usize);
        out.put("      ".get(..padding).unwrap_or_default()).number(number).put("→").bytes(line).put("\\n");
    }
}

/// Cuts text at escaped newlines. A backslash that is itself escaped (`\\n` in the text) does not count.
pub(super) fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut at = 0;
        while at + 1 < rest.len() {
            if rest[at] == b'\\' {
                if rest[at + 1] == b'n' {
                    let line = &rest[..at];
                    rest = &rest[at + 2..];
                    return Some(line);
                }
                at += 1;
            }
            at += 1;
        }
        None
    })
}
