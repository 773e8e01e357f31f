//! Claude Code's transcripts: `.claude/projects/<slug>/<session>.jsonl` and what stands beside them.
//!
//! - a call writes one line per content block, each repeating id and usage; in older versions only
//!   the last line has the whole output
//! - a fork starts with a copy of its parent's lines under a new session id
//! - sub-agents have files of their own; their usage also shows up in the parent, where it must not
//!   be counted

mod rows;
mod tools;

use std::io;
use std::path::PathBuf;

use super::json::{Json, token, uuid};
use super::random::Random;
use super::sink::Sink;
use super::text::Texts;
use super::{Family, Left, Options, Usage};
use rows::Block;

const MODELS: [&str; 4] = ["claude-opus-4-8", "claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"];

/// Versions whose output figures are complete at least on the last line of a call.
const VERSIONS: [&str; 5] = ["2.1.236", "2.1.219", "2.1.198", "2.1.119", "2.1.76"];

/// The only version here that writes the whole output on the last line of a call alone, and
/// `progress` records.
const STREAMING_VERSION: &str = "2.1.76";

/// Tokens of context at which the session is compacted.
const COMPACT_AT: u64 = 160_000;

/// Project folders and their branches.
pub(super) const PROJECTS: [(&str, &str); 5] = [
    ("/home/dev/work/orchard-api", "main"),
    ("/home/dev/work/tidepool", "feature/offline-sync"),
    ("/home/dev/src/lantern.rs", "main"),
    ("/home/dev/work/ledger_tools", "fix/rounding"),
    ("/home/dev/work/kiosk-web", "develop"),
];

/// What stays the same in one file.
#[derive(Debug, Clone)]
struct Identity {
    session: String,
    cwd: &'static str,
    branch: &'static str,
    version: &'static str,
    model: &'static str,
    /// Set in a sub-agent's file.
    agent: Option<String>,
    /// Cache writes live an hour rather than five minutes.
    hour_cache: bool,
    /// Contents are four times as long.
    long: bool,
}

/// One file being written.
struct Session<'a> {
    texts: &'a Texts,
    id: Identity,
    random: Random,
    sink: Sink,
    left: Left,
    line: Json,
    scratch: Json,
    now_us: i64,
    step_us: i64,
    /// Uuid of the line before.
    parent: Option<String>,
    prompt: String,
    context: u64,
    new_context: u64,
    /// Lines with a uuid so far, kept for the fork; ends of turns among them.
    kept: Option<(Vec<Vec<u8>>, Vec<usize>)>,
    /// Folder of the project's transcripts.
    folder: PathBuf,
}

/// Writes one family.
pub(super) fn write(options: &Options, family: &Family, left: &mut Left) -> io::Result<()> {
    let mut random = Random::new(family.seed);
    let small = options.bytes.is_none();
    let (cwd, branch) = PROJECTS[if small { family.index % 3 } else { family.index % PROJECTS.len() }];
    // The names belong to the project: all its sessions share them.
    let texts = Texts::new(&mut Random::new(options.seed ^ cwd.len() as u64));
    let slug: String = cwd.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    let id = Identity {
        session: uuid(&mut random),
        cwd,
        branch,
        version: random.pick::<&str>(&VERSIONS),
        model: random.pick::<&str>(&MODELS),
        agent: None,
        hour_cache: random.chance(70),
        long: family.bytes > 400_000,
    };
    let folder = options.home.join(".claude").join("projects").join(slug);
    let lines = (family.bytes / if id.long { 6_000 } else { 2_000 }).max(1);
    let mut session = Session {
        sink: Sink::create(folder.join(format!("{}.jsonl", id.session)))?,
        texts: &texts,
        random: Random::new(random.next()),
        left: Left::default(),
        line: Json::default(),
        scratch: Json::default(),
        now_us: family.start_us,
        step_us: (super::SESSION_US / lines.cast_signed() / 2).clamp(1000, 9_000_000),
        parent: None,
        prompt: String::new(),
        context: 14_000,
        new_context: 0,
        kept: family.forked.then(|| (Vec::new(), Vec::new())),
        id,
        folder,
    };
    session.run(family.bytes)?;
    if let Some((lines, turns)) = session.kept.take() {
        session.fork(&lines, &turns, family.bytes)?;
    }
    let Session { sink, left: mut own, .. } = session;
    own.truth.threads += 1;
    sink.finish(&mut own.truth)?;
    left.truth.merge(&own.truth);
    left.claude_history.append(&mut own.claude_history);
    Ok(())
}

impl Session<'_> {
    /// Turns until the file has `bytes`.
    fn run(&mut self, bytes: u64) -> io::Result<()> {
        if self.random.chance(40) {
            self.hook_attachment()?;
        }
        while self.sink.len() < bytes {
            self.turn(bytes)?;
        }
        self.state_lines()
    }

    /// One prompt and the work it starts.
    fn turn(&mut self, bytes: u64) -> io::Result<()> {
        self.user_prompt()?;
        if self.random.chance(2) {
            self.api_error()?;
            return Ok(());
        }
        let calls = self.random.between(2, 9);
        for left in (0..calls).rev() {
            let done = left == 0 || self.sink.len() > bytes + bytes / 4;
            self.call(!done)?;
            if done {
                break;
            }
        }
        if self.random.chance(4) {
            self.queued_prompt()?;
            self.call(false)?;
        }
        self.turn_duration()?;
        if let Some((lines, turns)) = &mut self.kept {
            turns.push(lines.len());
        }
        if self.random.chance(30) {
            self.state_lines()?;
        }
        if self.context > COMPACT_AT {
            self.compact()?;
        }
        Ok(())
    }

    /// One model call: its lines, and the results of its tools.
    fn call(&mut self, with_tools: bool) -> io::Result<()> {
        let message = token(&mut self.random, "msg_01", 22);
        let request = token(&mut self.random, "req_011", 21);
        let mut blocks = Vec::with_capacity(4);
        if self.random.chance(45) {
            blocks.push(Block::Thinking);
        }
        if !with_tools || self.random.chance(55) {
            blocks.push(Block::Text);
        }
        if with_tools {
            blocks.push(Block::Tool(self.tool()));
            if self.random.chance(25) {
                blocks.push(Block::Tool(self.tool()));
            }
        }
        let usage = self.usage();
        let interleaved = self.random.chance(25);
        let fallback = self.fallback(&usage);
        let mut results = Vec::new();
        let last = blocks.len() - 1;
        for (i, block) in blocks.into_iter().enumerate() {
            let call = rows::Call {
                message: &message,
                request: &request,
                usage: &usage,
                fallback: fallback.as_ref(),
                stop: if with_tools { "tool_use" } else { "end_turn" },
                last: i == last,
            };
            let tool = self.assistant_line(&call, block)?;
            results.extend(tool);
            // The result of one tool may come before the line of the next: a call's lines need not
            // stand together.
            if interleaved {
                self.tool_results(&mut results)?;
            }
        }
        self.tool_results(&mut results)?;
        self.left.truth.call("claude", self.id.model, &usage);
        if let Some((model, usage)) = &fallback {
            self.left.truth.call("claude", model, usage);
        }
        self.context += self.new_context;
        Ok(())
    }

    /// Usage of the next call: what is new is written to the cache, the rest is read from it.
    fn usage(&mut self) -> Usage {
        let written = std::mem::take(&mut self.new_context) + self.random.between(20, 400);
        let output = self.random.between(30, 900) * if self.random.chance(10) { 6 } else { 1 };
        let read = self.context;
        self.context += written;
        let latest = self.id.version == VERSIONS[0];
        Usage {
            calls: 1,
            input_tokens: self.random.between(1, 12),
            cache_read_tokens: read,
            cache_write_5m_tokens: if self.id.hour_cache { 0 } else { written },
            cache_write_1h_tokens: if self.id.hour_cache { written } else { 0 },
            output_tokens: output,
            // Only the newest version tells.
            reasoning_tokens: if latest { output / 3 } else { 0 },
        }
    }

    /// Rarely a first attempt by another model was refused: billed too, and named only in `iterations`.
    fn fallback(&mut self, usage: &Usage) -> Option<(&'static str, Usage)> {
        (self.id.version >= "2.1.219" && self.id.agent.is_none() && self.random.below(150) == 0).then(|| {
            let first = Usage {
                calls: 1,
                output_tokens: self.random.between(1, 40),
                reasoning_tokens: 0,
                cache_read_tokens: usage.cache_read_tokens / 2,
                ..*usage
            };
            ("claude-fable-5", first)
        })
    }

    /// A new file that begins with this one's lines and goes on by itself.
    fn fork(&mut self, lines: &[Vec<u8>], turns: &[usize], bytes: u64) -> io::Result<()> {
        let Some(&cut) = turns.get(turns.len() / 2) else { return Ok(()) };
        let session = uuid(&mut self.random);
        let mut fork =
            self.beside(Identity { session: session.clone(), ..self.id.clone() }, format!("{session}.jsonl"))?;
        for line in &lines[..cut] {
            let copy = replaced(line, self.id.session.as_bytes(), session.as_bytes());
            fork.sink.line(&copy)?;
        }
        fork.parent = lines[..cut].last().and_then(|line| value_of(line, b"\"uuid\":\""));
        fork.now_us = self.now_us + 60_000_000;
        let copied = fork.sink.len();
        fork.run(copied + bytes / 3)?;
        self.adopt(fork)
    }

    /// Another file of this family, in the project's folder.
    fn beside(&mut self, id: Identity, name: String) -> io::Result<Self> {
        Ok(Self {
            texts: self.texts,
            sink: Sink::create(self.folder.join(name))?,
            random: Random::new(self.random.next()),
            left: Left::default(),
            line: Json::default(),
            scratch: Json::default(),
            now_us: self.now_us,
            step_us: self.step_us,
            parent: None,
            prompt: String::new(),
            context: 9_000,
            new_context: 0,
            kept: None,
            folder: self.folder.clone(),
            id,
        })
    }

    /// Ends `other` and takes over what it counted.
    fn adopt(&mut self, other: Self) -> io::Result<()> {
        let Self { sink, left: mut own, .. } = other;
        own.truth.threads += 1;
        sink.finish(&mut own.truth)?;
        self.left.truth.merge(&own.truth);
        self.left.claude_history.append(&mut own.claude_history);
        Ok(())
    }

    /// A piece of time between two records.
    fn tick(&mut self) -> i64 {
        let step = self.step_us.cast_unsigned();
        self.now_us += (self.random.between(step / 4, step + step / 4) / 1000 * 1000).cast_signed().max(1000);
        self.now_us
    }

    /// Bytes of a content that is usually between `low` and `high`, now and then much more.
    fn content_bytes(&mut self, low: u64, high: u64) -> u64 {
        let bytes = self.random.between(low, high) * if self.random.chance(8) { 4 } else { 1 };
        if self.id.long { bytes * 3 } else { bytes }
    }
}

/// `line` with every `from` replaced by `to`, which is as long.
fn replaced(line: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut copy = line.to_vec();
    let places: Vec<usize> = memchr::memmem::find_iter(line, from).collect();
    for at in places {
        copy[at..at + to.len()].copy_from_slice(to);
    }
    copy
}

/// The text that follows `key` up to the next quote; the last one on the line.
fn value_of(line: &[u8], key: &[u8]) -> Option<String> {
    let at = memchr::memmem::rfind(line, key)? + key.len();
    let end = at + memchr::memchr(b'"', &line[at..])?;
    String::from_utf8(line[at..end].to_vec()).ok()
}
