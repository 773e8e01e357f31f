//! Synthetic logs with known totals, for trying devlog out and for benchmarks.
//!
//! - the same [`Options`] give the same bytes, on any machine and any number of threads
//! - directory layouts and record shapes are those of Claude Code and Codex, with the traps that a
//!   reader must not fall into: streaming repeats of a call, copies in forks, sub-agents, re-emitted
//!   and inherited counters, compactions, synthetic errors
//! - [`Truth`] is counted while writing, from what the agent "did", never from the lines
//!
//! Sessions come in families (a session, its sub-agents, its fork). A family depends on its own seed
//! only, so families are written in parallel.

mod claude;
mod codex;
mod json;
mod random;
mod sink;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use random::Random;
use sink::Sink;

/// Days that the sessions are spread over.
const SPAN_DAYS: i64 = 60;

/// Longest time a session takes.
const SESSION_US: i64 = 6 * 3_600_000_000;

/// Families of sessions in the small home: with forks a few more sessions than that.
const SMALL_FAMILIES: usize = 40;

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Home directory to make: `.claude` and `.codex` come to stand in it.
    pub home: PathBuf,
    /// Rough total size; `None` for the small home.
    pub bytes: Option<u64>,
    /// Another seed gives other logs.
    pub seed: u64,
    /// End of the last session, microseconds since 1970; the first begins 60 days earlier.
    pub end_us: i64,
}

/// What a right reader of the logs finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// Files written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Lines in them.
    pub lines: u64,
    /// Conversations: main sessions, forks and sub-agents.
    pub threads: u64,
    /// Prompts that a person typed, each once however many copies stand in the logs.
    pub prompts: u64,
    /// Tool calls, each once.
    pub tool_calls: u64,
    /// Model calls and their tokens, by `agent/model`.
    pub models: BTreeMap<String, Usage>,
}

/// Calls of one model and their tokens, in the disjoint parts of the table `events`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Model calls.
    pub calls: u64,
    /// Fresh input.
    pub input_tokens: u64,
    /// Input read from the cache.
    pub cache_read_tokens: u64,
    /// Input written to the five-minute cache.
    pub cache_write_5m_tokens: u64,
    /// Input written to the one-hour cache.
    pub cache_write_1h_tokens: u64,
    /// Output, reasoning included.
    pub output_tokens: u64,
    /// The part of the output that is known to be reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Input parts and output together.
    #[must_use]
    pub const fn total_tokens(&self) -> u64 {
        self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
            + self.output_tokens
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.input_tokens += other.input_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cache_write_5m_tokens += other.cache_write_5m_tokens;
        self.cache_write_1h_tokens += other.cache_write_1h_tokens;
        self.output_tokens += other.output_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
    }
}

impl Truth {
    /// All models together.
    #[must_use]
    pub fn total(&self) -> Usage {
        let mut total = Usage::default();
        self.models.values().for_each(|usage| total.add(usage));
        total
    }

    fn call(&mut self, agent: &str, model: &str, usage: &Usage) {
        // Looked up before it is inserted: a call must not cost a key.
        let key = |buffer: &mut String| {
            buffer.push_str(agent);
            buffer.push('/');
            buffer.push_str(model);
        };
        let mut name = String::with_capacity(agent.len() + model.len() + 1);
        key(&mut name);
        self.models.entry(name).or_default().add(usage);
    }

    fn merge(&mut self, other: &Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.lines += other.lines;
        self.threads += other.threads;
        self.prompts += other.prompts;
        self.tool_calls += other.tool_calls;
        for (model, usage) in &other.models {
            self.models.entry(model.clone()).or_default().add(usage);
        }
    }
}

/// One session to be, with what belongs to it.
#[derive(Debug, Clone, Copy)]
struct Family {
    index: usize,
    agent: Agent,
    seed: u64,
    start_us: i64,
    bytes: u64,
    forked: bool,
    /// Stored away (Codex: archived); compressed too when the home is small.
    stored: Stored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agent {
    Claude,
    Codex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Live,
    Archived,
    Compressed,
}

/// A line of a history file: time and text.
type HistoryLine = (i64, Vec<u8>);

/// What one family leaves beside its files.
#[derive(Debug, Default)]
struct Left {
    truth: Truth,
    claude_history: Vec<HistoryLine>,
    codex_history: Vec<HistoryLine>,
    codex_index: Vec<HistoryLine>,
}

/// Writes the logs and returns what a right reader must find in them.
///
/// # Errors
///
/// When a directory or file cannot be written. What was written stays.
pub fn generate(options: &Options) -> io::Result<Truth> {
    let plan = plan(options);
    let next = AtomicUsize::new(0);
    let left = Mutex::new(Left::default());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
    std::thread::scope(|scope| {
        let work = || work(options, &plan, &next, &left);
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let workers: Vec<_> = (0..threads).map_while(start).collect();
        // Without any thread this one does the work.
        let own = workers.is_empty().then(work);
        let mut ended = workers.into_iter().map(|worker| worker.join());
        ended.try_for_each(|end| end.unwrap_or_else(|_| Err(io::Error::other("a writer died"))))?;
        own.unwrap_or(Ok(()))
    })?;
    let left = left.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut truth = left.truth;
    let codex = options.home.join(".codex");
    for (path, lines) in [
        (options.home.join(".claude").join("history.jsonl"), left.claude_history),
        (codex.join("history.jsonl"), left.codex_history),
        (codex.join("session_index.jsonl"), left.codex_index),
    ] {
        write_history(path, lines, &mut truth)?;
    }
    Ok(truth)
}

/// Takes families until none is left.
fn work(options: &Options, plan: &[Family], next: &AtomicUsize, left: &Mutex<Left>) -> io::Result<()> {
    let mut own = Left::default();
    while let Some(family) = plan.get(next.fetch_add(1, Ordering::Relaxed)) {
        match family.agent {
            Agent::Claude => claude::write(options, family, &mut own)?,
            Agent::Codex => codex::write(options, family, &mut own)?,
        }
    }
    let mut all = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    all.truth.merge(&own.truth);
    all.claude_history.append(&mut own.claude_history);
    all.codex_history.append(&mut own.codex_history);
    all.codex_index.append(&mut own.codex_index);
    Ok(())
}

/// Decides all sessions before the first byte is written, so that threads change nothing.
fn plan(options: &Options) -> Vec<Family> {
    let mut random = Random::new(options.seed);
    let mut families = Vec::new();
    let mut bytes = 0;
    let small = options.bytes.is_none();
    loop {
        let index = families.len();
        if options.bytes.map_or(index >= SMALL_FAMILIES, |wanted| bytes >= wanted) {
            break;
        }
        let size = if small { random.between(20_000, 160_000) } else { session_bytes(&mut random) };
        let size = options.bytes.map_or(size, |wanted| size.min((wanted - bytes).max(20_000)));
        let agent = if random.chance(70) { Agent::Claude } else { Agent::Codex };
        let span_us = SPAN_DAYS * 86_400_000_000 - SESSION_US - 3_600_000_000;
        // The small home is spread evenly, so that every report has something to show.
        let place =
            if small { (index as u64 * 1000 + random.below(1000)) / SMALL_FAMILIES as u64 } else { random.below(1000) };
        let age_us = span_us - span_us / 1000 * place.min(999).cast_signed();
        let old = age_us > 8 * 86_400_000_000;
        let forked = size < 2_000_000 && (index % 9 == 4 || (small && index == 11));
        let stored = match (agent, random.below(6)) {
            (Agent::Codex, 0) => Stored::Archived,
            (Agent::Codex, 1) if small && old => Stored::Compressed,
            _ => Stored::Live,
        };
        let start_us = options.end_us - SESSION_US - 3_600_000_000 - age_us + random.below(3_000_000_000).cast_signed();
        let start_us = start_us / 1000 * 1000;
        bytes += size;
        families.push(Family { index, agent, seed: random.next(), start_us, bytes: size, forked, stored });
    }
    families
}

/// Sizes as real homes have them: many small sessions, few huge ones.
fn session_bytes(random: &mut Random) -> u64 {
    match random.below(100) {
        0..60 => random.between(100_000, 1_000_000),
        60..90 => random.between(1_000_000, 4_000_000),
        90..99 => random.between(4_000_000, 20_000_000),
        _ => random.between(20_000_000, 60_000_000),
    }
}

fn write_history(path: PathBuf, mut lines: Vec<HistoryLine>, truth: &mut Truth) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    lines.sort();
    let mut sink = Sink::create(path)?;
    for (_, line) in &lines {
        sink.line(line)?;
    }
    sink.finish(truth)
}
