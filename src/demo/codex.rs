//! Codex's rollouts: `.codex/sessions/YYYY/MM/DD/rollout-<time>-<thread>.jsonl`, archived and
//! compressed ones.
//!
//! - counters are cumulative; one in eight `token_count` lines repeats the one before
//! - a fork is a file of its own that replays its parent's lines, stamped with the fork's time, and
//!   goes on from the parent's counters
//! - a compaction rewrites the history and emits a `token_count` that is an estimate

mod rows;

use std::io;
use std::path::PathBuf;

use super::claude::PROJECTS;
use super::json::{Json, time, uuid_v7};
use super::random::Random;
use super::sink::Sink;
use super::text::Texts;
use super::{Family, Left, Options, Stored, Usage};

const MODELS: [&str; 3] = ["gpt-5.5", "gpt-5.2-codex", "gpt-5.4"];
const VERSIONS: [&str; 3] = ["0.142.3", "0.118.0", "0.98.0"];

/// Tokens of context at which the thread is compacted.
const COMPACT_AT: u64 = 200_000;

/// Codex's cumulative counters: input includes what came from the cache, output includes reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    input: u64,
    cached: u64,
    output: u64,
    reasoning: u64,
}

impl Counters {
    fn add(&mut self, other: Self) {
        self.input += other.input;
        self.cached += other.cached;
        self.output += other.output;
        self.reasoning += other.reasoning;
    }

    const fn usage(self) -> Usage {
        Usage {
            calls: 1,
            input_tokens: self.input - self.cached,
            cache_read_tokens: self.cached,
            cache_write_5m_tokens: 0,
            cache_write_1h_tokens: 0,
            output_tokens: self.output,
            reasoning_tokens: self.reasoning,
        }
    }
}

/// Why a thread exists.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    User,
    Fork { parent: String },
    Review,
}

/// All lines so far, and the ends of turns among them.
#[derive(Default)]
struct Kept {
    lines: Vec<Vec<u8>>,
    turns: Vec<TurnEnd>,
}

/// Lines up to the end of a turn, and the counters there.
#[derive(Clone, Copy)]
struct TurnEnd {
    lines: usize,
    total: Counters,
    last: Counters,
}

/// One file being written.
struct Thread<'a> {
    texts: &'a Texts,
    random: Random,
    sink: Sink,
    left: Left,
    line: Json,
    scratch: Json,
    id: String,
    source: Source,
    cwd: &'static str,
    branch: &'static str,
    version: &'static str,
    model: &'static str,
    turn_id: String,
    now_us: i64,
    step_us: i64,
    total: Counters,
    last: Counters,
    context: u64,
    new_context: u64,
    long: bool,
    /// What a fork of this thread may copy.
    kept: Option<Kept>,
}

/// Writes one family.
pub(super) fn write(options: &Options, family: &Family, left: &mut Left) -> io::Result<()> {
    let mut random = Random::new(family.seed);
    let small = options.bytes.is_none();
    let (cwd, branch) = PROJECTS[if small { family.index % 3 } else { family.index % PROJECTS.len() }];
    let texts = Texts::new(&mut Random::new(options.seed ^ cwd.len() as u64));
    let id = uuid_v7(&mut random, family.start_us);
    let long = family.bytes > 400_000;
    let lines = (family.bytes / if long { 4_500 } else { 1_500 }).max(1);
    let mut thread = Thread {
        texts: &texts,
        sink: sink(options, family.start_us, &id, family.stored)?,
        random: Random::new(random.next()),
        left: Left::default(),
        line: Json::default(),
        scratch: Json::default(),
        id,
        source: Source::User,
        cwd,
        branch,
        version: random.pick::<&str>(&VERSIONS),
        model: random.pick::<&str>(&MODELS),
        turn_id: String::new(),
        now_us: family.start_us,
        step_us: (super::SESSION_US / lines.cast_signed() / 2).clamp(1000, 6_000_000),
        total: Counters::default(),
        last: Counters::default(),
        context: 11_000,
        new_context: 0,
        long,
        kept: (family.forked && family.stored != Stored::Compressed).then(Kept::default),
    };
    thread.session_meta()?;
    thread.run(family.bytes)?;
    if let Some(kept) = thread.kept.take() {
        thread.fork(options, &kept, family.bytes)?;
    }
    if family.index % 7 == 3 {
        thread.review(options)?;
    }
    let Thread { sink, left: mut own, id, now_us, .. } = thread;
    own.truth.threads += 1;
    sink.finish(&mut own.truth)?;
    let mut name = Json::default();
    name.put("{\"id\":\"").put(&id).put("\",\"thread_name\":\"Work on ").put(cwd.rsplit('/').next().unwrap_or(cwd));
    name.put("\",\"updated_at\":\"").time(now_us).put("\"}");
    own.codex_index.push((now_us, name.0));
    merge(left, own);
    Ok(())
}

fn merge(left: &mut Left, mut own: Left) {
    left.truth.merge(&own.truth);
    left.codex_history.append(&mut own.codex_history);
    left.codex_index.append(&mut own.codex_index);
}

/// The file of a thread. The folder and the name carry the date of its creation.
fn sink(options: &Options, start_us: i64, id: &str, stored: Stored) -> io::Result<Sink> {
    let stamp = time(start_us);
    let text = String::from_utf8_lossy(&stamp);
    let (date, clock) = text.split_at(10);
    let name = format!("rollout-{date}T{}-{id}.jsonl", clock.get(1..9).unwrap_or_default().replace(':', "-"));
    let codex = options.home.join(".codex");
    let day: PathBuf = codex.join("sessions").join(date.replace('-', "/"));
    match stored {
        Stored::Live => Sink::create(day.join(name)),
        Stored::Archived => Sink::create(codex.join("archived_sessions").join(name)),
        Stored::Compressed => Sink::create_compressed(day.join(format!("{name}.zst"))),
    }
}

impl Thread<'_> {
    /// Turns until the file has `bytes`.
    fn run(&mut self, bytes: u64) -> io::Result<()> {
        while self.sink.len() < bytes {
            self.turn(bytes)?;
        }
        Ok(())
    }

    /// One prompt and the work it starts.
    fn turn(&mut self, bytes: u64) -> io::Result<()> {
        self.turn_id = uuid_v7(&mut self.random, self.now_us);
        let first = self.total == Counters::default();
        self.task_started()?;
        if first {
            self.surroundings()?;
        }
        self.turn_context()?;
        self.user_message()?;
        if first {
            self.rate_limits_only()?;
        }
        let calls = self.random.between(2, 10);
        for left in (0..calls).rev() {
            let done = left == 0 || self.sink.len() > bytes + bytes / 4;
            self.call(!done)?;
            if done {
                break;
            }
        }
        if self.random.chance(4) {
            self.turn_aborted()?
        } else {
            self.task_complete()?
        }
        if let Some(kept) = &mut self.kept {
            kept.turns.push(TurnEnd { lines: kept.lines.len(), total: self.total, last: self.last });
        }
        if self.context > COMPACT_AT {
            self.compact()?;
        }
        Ok(())
    }

    /// One model call: reasoning, perhaps a message, tools with their outputs, counters.
    fn call(&mut self, with_tools: bool) -> io::Result<()> {
        self.reasoning()?;
        if !with_tools || self.random.chance(35) {
            self.message(!with_tools)?;
        }
        let tools =
            if with_tools { 1 + u64::from(self.random.chance(30)) + u64::from(self.random.chance(15)) } else { 0 };
        let mut calls = Vec::new();
        for _ in 0..tools {
            calls.push(self.tool_call()?);
        }
        for call in calls {
            self.tool_output(&call)?;
        }
        let output = self.random.between(40, 900) * if self.random.chance(10) { 5 } else { 1 };
        let fresh = std::mem::take(&mut self.new_context) + self.random.between(30, 500);
        self.last = Counters {
            input: self.context + fresh,
            cached: self.context / 128 * 128,
            output,
            reasoning: output * self.random.below(60) / 100,
        };
        self.context += fresh + output;
        self.total.add(self.last);
        self.left.truth.call("codex", self.model, &self.last.usage());
        self.token_count(self.last.input + self.last.output)?;
        // The rate limits were updated: the same counters again, no call.
        if self.random.chance(14) {
            self.token_count(self.last.input + self.last.output)?;
        }
        Ok(())
    }

    /// A new file that replays this one's beginning and goes on from its counters.
    fn fork(&mut self, options: &Options, kept: &Kept, bytes: u64) -> io::Result<()> {
        let Some(&TurnEnd { lines: cut, total, last }) = kept.turns.get(kept.turns.len() / 2) else { return Ok(()) };
        self.now_us += 90_000_000;
        let parent = self.id.clone();
        let mut fork = self.beside(options, Source::Fork { parent })?;
        fork.session_meta()?;
        let stamp = time(fork.now_us);
        for line in &kept.lines[..cut] {
            fork.line.0.clear();
            fork.line.bytes(line);
            // Every line starts `{"timestamp":"`; the replay happens within the second of the fork.
            fork.line.0[14..38].copy_from_slice(&stamp);
            fork.sink.line(&fork.line.0)?;
        }
        (fork.total, fork.last, fork.context) = (total, last, self.context.min(60_000));
        fork.now_us += 1_500_000;
        fork.token_count(last.input + last.output)?;
        let copied = fork.sink.len();
        fork.run(copied + bytes / 3)?;
        self.adopt(fork)
    }

    /// A review by a sub-agent: a thread of its own that replays nothing.
    fn review(&mut self, options: &Options) -> io::Result<()> {
        self.now_us += 30_000_000;
        let mut review = self.beside(options, Source::Review)?;
        review.session_meta()?;
        review.turn(if self.long { 60_000 } else { 6_000 })?;
        self.adopt(review)
    }

    fn beside(&mut self, options: &Options, source: Source) -> io::Result<Self> {
        let id = uuid_v7(&mut self.random, self.now_us);
        Ok(Self {
            texts: self.texts,
            sink: sink(options, self.now_us, &id, Stored::Live)?,
            random: Random::new(self.random.next()),
            left: Left::default(),
            line: Json::default(),
            scratch: Json::default(),
            id,
            source,
            cwd: self.cwd,
            branch: self.branch,
            version: self.version,
            model: self.model,
            turn_id: String::new(),
            now_us: self.now_us,
            step_us: self.step_us,
            total: Counters::default(),
            last: Counters::default(),
            context: 11_000,
            new_context: 0,
            long: self.long,
            kept: None,
        })
    }

    fn adopt(&mut self, other: Self) -> io::Result<()> {
        let Self { sink, left: mut own, .. } = other;
        own.truth.threads += 1;
        sink.finish(&mut own.truth)?;
        merge(&mut self.left, own);
        Ok(())
    }

    fn tick(&mut self) -> i64 {
        let step = self.step_us.cast_unsigned();
        self.now_us += (self.random.between(step / 4, step + step / 4) / 1000 * 1000).cast_signed().max(1000);
        self.now_us
    }

    fn content_bytes(&mut self, low: u64, high: u64) -> u64 {
        let bytes = self.random.between(low, high) * if self.random.chance(8) { 4 } else { 1 };
        if self.long { bytes * 3 } else { bytes }
    }
}
