//! The `events` table under construction.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, PrimitiveArray, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};

use super::column::{Blank, Flags, Numbers, TextColumn, ids_column};
use super::context::RowContext;
use super::table::events_schema;
use super::{EVENTS_VERSION, EventId, EventType, Status, UsageSource};

/// One event as a decoder hands it over: everything but what is the same for the whole source.
///
/// Borrowed and built on the stack; see `schemas/events.toml` for what each field means.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "schemas/events.toml documents each column")]
pub struct EventRow<'a> {
    pub id: Option<EventId>,
    pub ts_us: i64,
    /// True when `ts_us` was not in the record itself.
    pub ts_inferred: bool,
    pub event_type: EventType,
    pub provisional: bool,
    pub agent_version: Option<&'a str>,
    pub provider: Option<&'a str>,
    pub model: Option<&'a str>,
    pub project: Option<&'a str>,
    pub repo_url: Option<&'a str>,
    pub workspace_id: Option<&'a str>,
    pub cwd: Option<&'a str>,
    pub git_branch: Option<&'a str>,
    pub git_commit: Option<&'a str>,
    pub session_id: Option<&'a str>,
    pub parent_session_id: Option<&'a str>,
    pub is_subagent: Option<bool>,
    pub subagent_type: Option<&'a str>,
    pub turn: Option<i32>,
    pub parent_event_id: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub tool_call_id: Option<&'a str>,
    pub role: Option<&'a str>,
    pub text: Option<&'a str>,
    pub tool_name: Option<&'a str>,
    pub tool_input: Option<&'a str>,
    pub tool_output: Option<&'a str>,
    pub file_path: Option<&'a str>,
    pub command: Option<&'a str>,
    pub exit_code: Option<i32>,
    pub lines_added: Option<i32>,
    pub lines_removed: Option<i32>,
    pub is_error: Option<bool>,
    pub status: Option<Status<'a>>,
    pub stop_reason: Option<&'a str>,
    pub input_tokens: Option<i64>,
    pub cache_read_tokens: Option<i64>,
    pub cache_write_5m_tokens: Option<i64>,
    pub cache_write_1h_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
    /// Filled in from the parts when it is `None` and any part is known.
    pub total_tokens: Option<i64>,
    pub usage_source: Option<UsageSource>,
    pub service_tier: Option<&'a str>,
    /// Billionths of a US dollar.
    pub cost_nano_usd: Option<i64>,
    /// Billionths of a credit.
    pub nano_credits: Option<i64>,
    pub duration_ms: Option<i64>,
    pub source_offset: u64,
    pub completeness: i64,
    pub extra: Option<&'a str>,
}

impl EventRow<'_> {
    /// Sum of the four input parts and the output, or `None` when no part is known.
    #[must_use]
    pub fn total(&self) -> Option<i64> {
        let parts = [
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.output_tokens,
        ];
        parts.iter().any(Option::is_some).then(|| parts.iter().flatten().fold(0, |a: i64, b| a.saturating_add(*b)))
    }
}

/// Rows that follow each other and have the same context.
#[derive(Debug)]
struct Stretch {
    context: RowContext,
    /// One past its last row.
    end: usize,
}

impl Stretch {
    // Equal texts that lie in two places only make one stretch more.
    fn has(&self, context: &RowContext) -> bool {
        let same = |a: &Option<Arc<str>>, b: &Option<Arc<str>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let own = &self.context;
        Arc::ptr_eq(&own.source_path, &context.source_path)
            && own.now_us == context.now_us
            && own.generation == context.generation
            && Arc::ptr_eq(&own.agent, &context.agent)
            && same(&own.machine_id, &context.machine_id)
            && same(&own.user_name, &context.user_name)
    }
}

macro_rules! event_columns {
    ($($kind:ty { $($field:ident),+ $(,)? })+) => {
        /// Columns of `events` while rows are appended.
        ///
        /// A row touches only the columns it has a value for; what is the same for all rows of a
        /// source is written once, by [`EventColumns::finish`].
        #[derive(Debug, Default)]
        pub struct EventColumns {
            ids: Vec<EventId>,
            stretches: Vec<Stretch>,
            ts: Vec<i64>,
            source_offset: Vec<i64>,
            completeness: Vec<i64>,
            inferred: Flags,
            $($( $field: $kind, )+)+
        }
    };
}

event_columns! {
    TextColumn {
        event_type, agent_version, provider, model, project, repo_url, workspace_id, cwd, git_branch, git_commit,
        session_id, parent_session_id, subagent_type, parent_event_id, message_id, request_id, tool_call_id, role,
        text, tool_name, tool_input, tool_output, file_path, command, status, stop_reason, usage_source,
        service_tier, extra,
    }
    Flags { provisional, is_subagent, is_error }
    Numbers<Int32Type> { turn, exit_code, lines_added, lines_removed }
    Numbers<Int64Type> {
        input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
        reasoning_tokens, total_tokens, duration_ms,
    }
    Numbers<Decimal128Type> { cost_usd_reported, credits }
}

impl EventColumns {
    /// Appends one row; `id` is its identity.
    pub fn push(&mut self, context: &RowContext, id: EventId, row: &EventRow<'_>) {
        let at = self.ids.len();
        self.ids.push(id);
        match self.stretches.last_mut().filter(|s| s.has(context)) {
            Some(stretch) => stretch.end = at + 1,
            None => self.stretches.push(Stretch { context: context.clone(), end: at + 1 }),
        }
        self.ts.push(row.ts_us);
        self.source_offset.push(row.source_offset.cast_signed());
        self.completeness.push(row.completeness);
        self.inferred.set(at, Some(row.ts_inferred));
        self.event_type.set(at, Some(row.event_type.as_str()));
        self.provisional.set(at, Some(row.provisional));
        self.set_thread(at, row);
        self.set_content(at, row);
        self.set_usage(at, row);
    }

    fn set_thread(&mut self, at: usize, row: &EventRow<'_>) {
        self.agent_version.set(at, row.agent_version);
        self.provider.set(at, row.provider);
        self.model.set(at, row.model);
        self.project.set(at, row.project);
        self.repo_url.set(at, row.repo_url);
        self.workspace_id.set(at, row.workspace_id);
        self.cwd.set(at, row.cwd);
        self.git_branch.set(at, row.git_branch);
        self.git_commit.set(at, row.git_commit);
        self.session_id.set(at, row.session_id);
        self.parent_session_id.set(at, row.parent_session_id);
        self.is_subagent.set(at, row.is_subagent);
        self.subagent_type.set(at, row.subagent_type);
        self.turn.set(at, row.turn);
        self.parent_event_id.set(at, row.parent_event_id);
        self.message_id.set(at, row.message_id);
        self.request_id.set(at, row.request_id);
        self.tool_call_id.set(at, row.tool_call_id);
        self.role.set(at, row.role);
    }

    fn set_content(&mut self, at: usize, row: &EventRow<'_>) {
        self.text.set(at, row.text);
        self.tool_name.set(at, row.tool_name);
        self.tool_input.set(at, row.tool_input);
        self.tool_output.set(at, row.tool_output);
        self.file_path.set(at, row.file_path);
        self.command.set(at, row.command);
        self.exit_code.set(at, row.exit_code);
        self.lines_added.set(at, row.lines_added);
        self.lines_removed.set(at, row.lines_removed);
        self.is_error.set(at, row.is_error);
        self.status.set(at, row.status.map(Status::as_str));
        self.stop_reason.set(at, row.stop_reason);
        self.extra.set(at, row.extra);
    }

    fn set_usage(&mut self, at: usize, row: &EventRow<'_>) {
        self.input_tokens.set(at, row.input_tokens);
        self.cache_read_tokens.set(at, row.cache_read_tokens);
        self.cache_write_5m_tokens.set(at, row.cache_write_5m_tokens);
        self.cache_write_1h_tokens.set(at, row.cache_write_1h_tokens);
        self.output_tokens.set(at, row.output_tokens);
        self.reasoning_tokens.set(at, row.reasoning_tokens);
        self.total_tokens.set(at, row.total_tokens.or_else(|| row.total()));
        self.usage_source.set(at, row.usage_source.map(UsageSource::as_str));
        self.service_tier.set(at, row.service_tier);
        self.cost_usd_reported.set(at, row.cost_nano_usd.map(i128::from));
        self.credits.set(at, row.nano_credits.map(i128::from));
        self.duration_ms.set(at, row.duration_ms);
    }

    /// Number of rows so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ids.len()
    }

    /// True before the first row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Bytes of the large columns so far; the rest is a few hundred bytes a row.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        let large = [&self.text, &self.tool_input, &self.tool_output, &self.extra, &self.command, &self.file_path];
        large.iter().map(|c| c.stored_bytes()).sum::<usize>() + self.len() * ROW_OVERHEAD_BYTES
    }

    /// Takes the rows so far as one batch in the order of `schemas/events.toml` and starts over.
    ///
    /// # Panics
    ///
    /// Never: a test holds columns and schema together.
    #[must_use]
    pub fn finish(&mut self) -> RecordBatch {
        let rows = self.ids.len();
        let blank = Blank::new(rows);
        let stretches = std::mem::take(&mut self.stretches);
        let decimal = |column: PrimitiveArray<Decimal128Type>| -> ArrayRef {
            Arc::new(column.with_precision_and_scale(18, 9).expect("18 digits hold any value below 10^9"))
        };
        let time = |us: Vec<i64>| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(us).with_timezone("UTC")) };
        let columns: Vec<ArrayRef> = vec![
            ids_column(&std::mem::take(&mut self.ids)),
            time(std::mem::take(&mut self.ts)),
            self.ts_source(rows),
            self.event_type.finish_with(&blank),
            self.provisional.finish(rows),
            spread(&stretches, |c| Some(&c.agent)),
            self.agent_version.finish_with(&blank),
            self.provider.finish_with(&blank),
            self.model.finish_with(&blank),
            spread(&stretches, |c| c.user_name.as_deref()),
            spread(&stretches, |c| c.machine_id.as_deref()),
            self.project.finish_with(&blank),
            self.repo_url.finish_with(&blank),
            self.workspace_id.finish_with(&blank),
            self.cwd.finish_with(&blank),
            self.git_branch.finish_with(&blank),
            self.git_commit.finish_with(&blank),
            self.session_id.finish_with(&blank),
            self.parent_session_id.finish_with(&blank),
            self.is_subagent.finish(rows),
            self.subagent_type.finish_with(&blank),
            Arc::new(self.turn.finish_with(&blank)),
            self.parent_event_id.finish_with(&blank),
            self.message_id.finish_with(&blank),
            self.request_id.finish_with(&blank),
            self.tool_call_id.finish_with(&blank),
            self.role.finish_with(&blank),
            self.text.finish_with(&blank),
            self.tool_name.finish_with(&blank),
            self.tool_input.finish_with(&blank),
            self.tool_output.finish_with(&blank),
            self.file_path.finish_with(&blank),
            self.command.finish_with(&blank),
            Arc::new(self.exit_code.finish_with(&blank)),
            Arc::new(self.lines_added.finish_with(&blank)),
            Arc::new(self.lines_removed.finish_with(&blank)),
            self.is_error.finish(rows),
            self.status.finish_with(&blank),
            self.stop_reason.finish_with(&blank),
            Arc::new(self.input_tokens.finish_with(&blank)),
            Arc::new(self.cache_read_tokens.finish_with(&blank)),
            Arc::new(self.cache_write_5m_tokens.finish_with(&blank)),
            Arc::new(self.cache_write_1h_tokens.finish_with(&blank)),
            Arc::new(self.output_tokens.finish_with(&blank)),
            Arc::new(self.reasoning_tokens.finish_with(&blank)),
            Arc::new(self.total_tokens.finish_with(&blank)),
            self.usage_source.finish_with(&blank),
            self.service_tier.finish_with(&blank),
            decimal(self.cost_usd_reported.finish_with(&blank)),
            decimal(self.credits.finish_with(&blank)),
            Arc::new(self.duration_ms.finish_with(&blank)),
            spread(&stretches, |c| Some(&c.source_path)),
            Arc::new(Int32Array::from(spread_numbers(&stretches, |c| c.generation.cast_signed()))),
            Arc::new(Int64Array::from(std::mem::take(&mut self.source_offset))),
            Arc::new(Int64Array::from(std::mem::take(&mut self.completeness))),
            time(spread_numbers(&stretches, |c| c.now_us)),
            Arc::new(Int32Array::from(vec![EVENTS_VERSION; rows])),
            self.extra.finish_with(&blank),
        ];
        RecordBatch::try_new(events_schema(), columns).expect("columns follow schemas/events.toml")
    }

    fn ts_source(&mut self, rows: usize) -> ArrayRef {
        let inferred = self.inferred.finish(rows);
        let mut column = TextColumn::default();
        for inferred in inferred.as_boolean().values() {
            column.push_text(if inferred { "inferred" } else { "log" });
        }
        column.finish()
    }
}

/// A column of texts that follow from the context.
fn spread(stretches: &[Stretch], value: impl Fn(&RowContext) -> Option<&str>) -> ArrayRef {
    let mut column = TextColumn::default();
    for stretch in stretches {
        column.fill(stretch.end, value(&stretch.context));
    }
    column.finish()
}

/// Numbers that follow from the context.
fn spread_numbers<T: Copy>(stretches: &[Stretch], value: impl Fn(&RowContext) -> T) -> Vec<T> {
    let mut numbers = Vec::with_capacity(stretches.last().map_or(0, |s| s.end));
    for stretch in stretches {
        numbers.resize(stretch.end, value(&stretch.context));
    }
    numbers
}

/// What a row takes beside its long texts: its id, views, numbers, null maps.
const ROW_OVERHEAD_BYTES: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_columns_of_the_schema_file() {
        let mut columns = EventColumns::default();
        let row = EventRow {
            event_type: EventType::LlmResponse,
            input_tokens: Some(1),
            cache_read_tokens: Some(10),
            output_tokens: Some(100),
            ..EventRow::default()
        };
        columns.push(&RowContext::new("claude", "/x.jsonl"), EventId(7), &row);
        let batch = columns.finish();
        assert_eq!(batch.schema(), events_schema());
        assert_eq!(batch.num_rows(), 1);
        let total = batch.column_by_name("total_tokens").unwrap();
        assert_eq!(total.as_any().downcast_ref::<arrow::array::Int64Array>().unwrap().value(0), 111);
        assert!(columns.is_empty());
    }
}
