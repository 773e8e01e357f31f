//! One model call: the lines of one `message.id`, merged.
//!
//! - of each chain (main, side chain, each sub-agent seen through its progress records) at most one
//!   call is open
//! - a call that was settled by silence is held: when more of its lines come, the whole row is handed
//!   out again, more complete; after a restart it is read again
//! - buffers of closed calls are used again

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::record::{Level, Record, filled, object};
use super::state::Source;
use super::usage::{Iteration, Usage, usage_source};
use crate::schema::{EventId, EventRow, EventType, Rows, hash64};

/// A call closes when so many lines have passed since its last one.
const IDLE_LINES: u64 = 256;

/// Largest number of held calls.
const MAX_HELD: usize = 4;

/// A call and all that its row says.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    id: CallId,
    chain: u64,
    /// Worth of the place its first line stands in.
    worth: i64,
    /// Offset of the first line.
    first: u64,
    /// Number of the last line.
    seen: u64,
    turn: i32,
    ts_us: i64,
    inferred: bool,
    /// Completeness of the row that was handed out last.
    sent: Option<i64>,
    /// Something came since then.
    dirty: bool,
    version: String,
    cwd: String,
    branch: String,
    session: String,
    parent_session: String,
    parent: String,
    request: String,
    subagent: bool,
    agent_type: String,
    pub(super) model: String,
    pub(super) stop: String,
    pub(super) tier: String,
    pub(super) text: String,
    pub(super) usage: Usage,
    /// Runs that the usage does not contain, and how much of runs the line told that they are of.
    pub(super) iterations: Vec<Iteration>,
    pub(super) runs: (usize, i64),
    pub(super) cost_nano: Option<i64>,
    pub(super) duration_ms: Option<i64>,
    /// Inner text of the row's `extra` object, from the first line.
    pub(super) extra: String,
    /// Blocks that are neither text, thought nor tool call: JSON values, separated by commas.
    pub(super) blocks: String,
    /// Hashed uuids of the lines: a line that comes twice is merged once.
    lines: Vec<u64>,
}

/// Identity of a call within a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallId {
    /// `message.id`, or the line's uuid.
    key: String,
    level: u8,
}

/// What a checkpoint says of an open call; the rest is read again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OpenCall {
    id: CallId,
    chain: u64,
    first: u64,
    seen: u64,
    turn: i32,
    ts_us: i64,
    inferred: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<i64>,
}

fn set(slot: &mut String, text: Option<&str>) {
    if let Some(text) = text {
        slot.clear();
        slot.push_str(text);
    }
}

impl Call {
    /// How complete this record of the call is; the same formula for every copy.
    ///
    /// Bit 61: usage is known. Bit 60: no copy in a progress record, which is taken only where there is nothing
    /// else. Bits 25 to 59: tokens, of which only the output differs between lines. Bit 24: the stop reason is known. Bits 22 and 23: where the record stands. Bits 2 to 21: bytes of text. Bit 0:
    /// other blocks.
    pub(super) fn completeness(&self) -> i64 {
        let capped = |n: i64, bits: u32| n.clamp(0, (1 << bits) - 1);
        let text = i64::try_from(self.text.len()).unwrap_or(i64::MAX);
        (i64::from(self.usage.is_known()) << 61)
            | (i64::from(self.worth > 0) << 60)
            | (capped(self.usage.total(), 35) << 25)
            | (i64::from(!self.stop.is_empty()) << 24)
            | (self.worth << 22)
            | (capped(text, 20) << 2)
            | i64::from(!self.blocks.is_empty())
    }

    /// Starts over for the call of `rec`, keeping buffers.
    fn begin(&mut self, key: &str, chain: u64, rec: &Record<'_, '_>, at: Place) {
        for text in [
            &mut self.id.key,
            &mut self.version,
            &mut self.cwd,
            &mut self.branch,
            &mut self.session,
            &mut self.parent_session,
            &mut self.parent,
            &mut self.request,
            &mut self.agent_type,
            &mut self.model,
            &mut self.stop,
            &mut self.tier,
            &mut self.text,
            &mut self.extra,
            &mut self.blocks,
        ] {
            text.clear();
        }
        self.id.key.push_str(key);
        self.id.level = rec.level as u8;
        self.chain = chain;
        (self.first, self.turn, self.ts_us, self.inferred) = (at.offset, at.turn, rec.ts_us, rec.own_us.is_none());
        (self.sent, self.dirty) = (None, false);
        self.usage = Usage::default();
        self.iterations.clear();
        self.runs = (0, 0);
        self.lines.clear();
        (self.cost_nano, self.duration_ms) = (None, None);
    }

    /// Takes in what the line says of its surroundings; false for a line merged already.
    pub(super) fn add_line(&mut self, rec: &Record<'_, '_>, source: &Source) -> bool {
        let row = rec.row(source, 0, 0);
        if self.lines.is_empty() {
            set(&mut self.version, row.agent_version);
            set(&mut self.cwd, row.cwd);
            set(&mut self.branch, row.git_branch);
            set(&mut self.session, row.session_id);
            set(&mut self.parent, row.parent_event_id);
            set(&mut self.agent_type, row.subagent_type);
            set(&mut self.parent_session, row.parent_session_id);
            self.subagent = row.is_subagent == Some(true);
            self.worth = rec.worth();
        }
        set(&mut self.request, rec.request);
        self.dirty = true;
        let hash = rec.uuid.map_or(0, |uuid| hash64(uuid.as_bytes()));
        let is_new = hash == 0 || !self.lines.contains(&hash);
        if is_new {
            self.lines.push(hash);
        }
        is_new
    }

    /// Appends a text block.
    pub(super) fn add_text(&mut self, text: &str) {
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
    }

    fn is_finished(&self) -> bool {
        !self.stop.is_empty()
    }

    /// Hands out the row of the call, and one for each run beside it.
    fn emit(&self, provisional: bool, extra: &mut String, rows: &mut Rows) {
        object(extra, |object| {
            object.inner(&self.extra);
            if !self.blocks.is_empty() {
                object.with("blocks", |out| {
                    out.push('[');
                    out.push_str(&self.blocks);
                    out.push(']');
                });
            }
        });
        let id = EventId::of(AGENT, "call", &[self.id.key.as_bytes()]);
        let row = EventRow { provisional, ..self.row(id, &self.usage, &self.model) };
        rows.event(&EventRow {
            text: filled(&self.text),
            stop_reason: filled(&self.stop),
            cost_nano_usd: self.cost_nano,
            duration_ms: self.duration_ms,
            extra: filled(extra),
            ..row
        });
        for run in &self.iterations {
            object(extra, |object| {
                object.number("iteration", i64::try_from(run.index).unwrap_or(i64::MAX));
                if !run.kind.is_empty() {
                    object.text("iterationType", &run.kind);
                }
            });
            let index = u64::try_from(run.index).unwrap_or(u64::MAX).to_le_bytes();
            let id = EventId::of(AGENT, "iteration", &[self.id.key.as_bytes(), &index]);
            let model = if run.model.is_empty() { &self.model } else { &run.model };
            rows.event(&EventRow { provisional, extra: filled(extra), ..self.row(id, &run.usage, model) });
        }
    }

    fn row<'a>(&'a self, id: EventId, usage: &Usage, model: &'a str) -> EventRow<'a> {
        let known = usage.is_known();
        EventRow {
            id: Some(id),
            ts_us: self.ts_us,
            ts_inferred: self.inferred,
            event_type: EventType::LlmResponse,
            agent_version: filled(&self.version),
            provider: provider(model),
            model: filled(model),
            cwd: filled(&self.cwd),
            git_branch: filled(&self.branch),
            session_id: filled(&self.session),
            parent_session_id: filled(&self.parent_session),
            is_subagent: Some(self.subagent),
            subagent_type: filled(&self.agent_type),
            turn: Some(self.turn),
            parent_event_id: filled(&self.parent),
            message_id: filled(&self.id.key),
            request_id: filled(&self.request),
            role: Some("assistant"),
            input_tokens: usage.input,
            cache_read_tokens: usage.read,
            cache_write_5m_tokens: usage.write_5m,
            cache_write_1h_tokens: usage.write_1h,
            output_tokens: usage.output,
            reasoning_tokens: usage.reasoning,
            usage_source: known.then(|| usage_source(&self.version, self.is_finished(), self.usage.output)),
            service_tier: filled(&self.tier),
            source_offset: self.first,
            completeness: self.completeness(),
            ..EventRow::default()
        }
    }
}

/// Provider of a model whose name tells it.
pub(super) fn provider(model: &str) -> Option<&'static str> {
    model.starts_with("claude").then_some("anthropic")
}

/// Where a call's first line stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) turn: i32,
    pub(super) line: u64,
}

/// The calls that may still grow.
#[derive(Debug, Default)]
pub(super) struct Calls {
    live: Vec<Call>,
    spare: Vec<Call>,
    extra: String,
}

impl Calls {
    /// The call that the line of `rec` belongs to; other calls of its chain are closed.
    pub(super) fn of_line(&mut self, key: &str, rec: &Record<'_, '_>, at: Place, rows: &mut Rows) -> &mut Call {
        let chain = chain(rec);
        self.close(rows, |call| call.chain == chain && !call.id.is(key, rec.level));
        let at_index = self.live.iter().position(|c| c.id.is(key, rec.level)).unwrap_or_else(|| {
            let mut call = self.spare.pop().unwrap_or_default();
            call.begin(key, chain, rec, at);
            self.live.push(call);
            self.live.len() - 1
        });
        let call = &mut self.live[at_index];
        call.seen = at.line;
        call
    }

    /// The call to rebuild that the line of `rec` at `offset` belongs to.
    pub(super) fn of_old_line(&mut self, key: &str, rec: &Record<'_, '_>, offset: u64) -> Option<&mut Call> {
        self.live.iter_mut().find(|c| c.id.is(key, rec.level) && c.first <= offset && c.dirty)
    }

    /// Closes the call of the chain of `rec`: something came that ends it.
    pub(super) fn close_chain(&mut self, rec: &Record<'_, '_>, rows: &mut Rows) {
        let chain = chain(rec);
        self.close(rows, |call| call.chain == chain);
    }

    /// Closes calls that have not grown for many lines.
    pub(super) fn close_idle(&mut self, line: u64, rows: &mut Rows) {
        self.close(rows, |call| call.seen + IDLE_LINES < line);
    }

    fn close(&mut self, rows: &mut Rows, is_over: impl Fn(&Call) -> bool) {
        let mut at = 0;
        while at < self.live.len() {
            if is_over(&self.live[at]) {
                let mut call = self.live.remove(at);
                call.send(&mut self.extra, rows);
                self.spare.push(call);
            } else {
                at += 1;
            }
        }
    }

    /// Hands out every open call; the newest are held, since they may go on after a silence.
    pub(super) fn settle(&mut self, rows: &mut Rows) {
        for call in &mut self.live {
            call.send(&mut self.extra, rows);
        }
        let old = self.live.len().saturating_sub(MAX_HELD);
        self.spare.extend(self.live.drain(..old));
    }

    /// Hands out the open calls whose stop reason is known: the agent's own sign that they are over.
    pub(super) fn settle_finished(&mut self, rows: &mut Rows) {
        for call in self.live.iter_mut().filter(|c| c.is_finished()) {
            call.send(&mut self.extra, rows);
        }
    }

    /// Appends the rows of the open calls as provisional.
    pub(super) fn provisional(&self, rows: &mut Rows) {
        let mut extra = String::new();
        for call in self.live.iter().filter(|c| c.is_pending()) {
            call.emit(true, &mut extra, rows);
        }
    }

    /// True while a call has something that was not handed out.
    pub(super) fn is_open(&self) -> bool {
        self.live.iter().any(Call::is_pending)
    }

    /// Offset of the first line of the oldest call that may still grow.
    pub(super) fn first_open(&self) -> Option<u64> {
        self.live.iter().map(|c| c.first).min()
    }

    /// The calls that may still grow, as a checkpoint names them.
    pub(super) fn open(&self) -> Vec<OpenCall> {
        let live = self.live.iter();
        live.map(|c| OpenCall {
            id: c.id.clone(),
            chain: c.chain,
            first: c.first,
            seen: c.seen,
            turn: c.turn,
            ts_us: c.ts_us,
            inferred: c.inferred,
            sent: c.sent,
        })
        .collect()
    }

    /// The calls of a checkpoint.
    pub(super) fn restore(open: Vec<OpenCall>) -> Self {
        let live = open.into_iter().map(|o| Call {
            id: o.id,
            chain: o.chain,
            first: o.first,
            seen: o.seen,
            turn: o.turn,
            ts_us: o.ts_us,
            inferred: o.inferred,
            sent: o.sent,
            dirty: true,
            ..Call::default()
        });
        Self { live: live.collect(), ..Self::default() }
    }
}

impl Call {
    /// True when its row would say more than the one that was handed out.
    fn is_pending(&self) -> bool {
        self.dirty && self.sent.is_none_or(|sent| sent < self.completeness())
    }

    /// Hands out the row if it says more than the one before.
    fn send(&mut self, extra: &mut String, rows: &mut Rows) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        let completeness = self.completeness();
        if self.sent.is_none_or(|sent| sent < completeness) {
            self.emit(false, extra, rows);
            self.sent = Some(completeness);
        }
    }
}

impl CallId {
    fn is(&self, key: &str, level: Level) -> bool {
        self.level == level as u8 && self.key == key
    }
}

/// Hash of the chain a record stands in.
fn chain(rec: &Record<'_, '_>) -> u64 {
    match rec.level {
        Level::Main => 0,
        level => hash64(rec.agent_id.unwrap_or_default().as_bytes()) ^ (level as u64),
    }
}
