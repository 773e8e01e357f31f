//! The `events` table under construction.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, RecordBatch, TimestampMicrosecondBuilder,
};

use super::column::TextColumn;
use super::rows::RowContext;
use super::table::events_schema;
use super::{EVENTS_VERSION, EventId};

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
    pub event_type: &'a str,
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
    pub status: Option<&'a str>,
    pub stop_reason: Option<&'a str>,
    pub input_tokens: Option<i64>,
    pub cache_read_tokens: Option<i64>,
    pub cache_write_5m_tokens: Option<i64>,
    pub cache_write_1h_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
    /// Filled in from the parts when it is `None` and any part is known.
    pub total_tokens: Option<i64>,
    pub usage_source: Option<&'a str>,
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

macro_rules! event_columns {
    ($($kind:ident { $($field:ident),+ $(,)? })+) => {
        /// Columns of `events` while rows are appended.
        #[derive(Debug, Default)]
        pub struct EventColumns { $($( $field: $kind, )+)+ }
    };
}

event_columns! {
    TextColumn {
        event_id, ts_source, event_type, agent, agent_version, provider, model, user_name, machine_id, project,
        repo_url, workspace_id, cwd, git_branch, git_commit, session_id, parent_session_id, subagent_type,
        parent_event_id, message_id, request_id, tool_call_id, role, text, tool_name, tool_input, tool_output,
        file_path, command, status, stop_reason, usage_source, service_tier, source_path, extra,
    }
    BooleanBuilder { provisional, is_subagent, is_error }
    Int32Builder { turn, exit_code, lines_added, lines_removed, source_generation, schema_version }
    Int64Builder {
        input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
        reasoning_tokens, total_tokens, duration_ms, source_offset, completeness,
    }
    Decimal128Builder { cost_usd_reported, credits }
    TimestampMicrosecondBuilder { ts, ingested_at }
}

impl EventColumns {
    /// Appends one row; `id` is its identity.
    pub fn push(&mut self, context: &RowContext, id: EventId, row: &EventRow<'_>) {
        self.push_identity(context, id, row);
        self.push_thread(row);
        self.push_content(row);
        self.push_usage(row);
        self.source_path.push_text(&context.source_path);
        self.source_generation.append_value(context.generation.cast_signed());
        self.source_offset.append_value(row.source_offset.cast_signed());
        self.completeness.append_value(row.completeness);
        self.ingested_at.append_value(context.now_us);
        self.schema_version.append_value(EVENTS_VERSION);
        self.extra.push(row.extra);
    }

    fn push_identity(&mut self, context: &RowContext, id: EventId, row: &EventRow<'_>) {
        let hex = id.hex();
        self.event_id.push_text(std::str::from_utf8(&hex).unwrap_or_default());
        self.ts.append_value(row.ts_us);
        self.ts_source.push_text(if row.ts_inferred { "inferred" } else { "log" });
        self.event_type.push_text(row.event_type);
        self.provisional.append_value(row.provisional);
        self.agent.push_text(&context.agent);
        self.agent_version.push(row.agent_version);
        self.provider.push(row.provider);
        self.model.push(row.model);
        self.user_name.push(context.user_name.as_deref());
        self.machine_id.push(context.machine_id.as_deref());
        self.project.push(row.project);
        self.repo_url.push(row.repo_url);
        self.workspace_id.push(row.workspace_id);
        self.cwd.push(row.cwd);
        self.git_branch.push(row.git_branch);
        self.git_commit.push(row.git_commit);
    }

    fn push_thread(&mut self, row: &EventRow<'_>) {
        self.session_id.push(row.session_id);
        self.parent_session_id.push(row.parent_session_id);
        self.is_subagent.append_option(row.is_subagent);
        self.subagent_type.push(row.subagent_type);
        self.turn.append_option(row.turn);
        self.parent_event_id.push(row.parent_event_id);
        self.message_id.push(row.message_id);
        self.request_id.push(row.request_id);
        self.tool_call_id.push(row.tool_call_id);
        self.role.push(row.role);
    }

    fn push_content(&mut self, row: &EventRow<'_>) {
        self.text.push(row.text);
        self.tool_name.push(row.tool_name);
        self.tool_input.push(row.tool_input);
        self.tool_output.push(row.tool_output);
        self.file_path.push(row.file_path);
        self.command.push(row.command);
        self.exit_code.append_option(row.exit_code);
        self.lines_added.append_option(row.lines_added);
        self.lines_removed.append_option(row.lines_removed);
        self.is_error.append_option(row.is_error);
        self.status.push(row.status);
        self.stop_reason.push(row.stop_reason);
    }

    fn push_usage(&mut self, row: &EventRow<'_>) {
        self.input_tokens.append_option(row.input_tokens);
        self.cache_read_tokens.append_option(row.cache_read_tokens);
        self.cache_write_5m_tokens.append_option(row.cache_write_5m_tokens);
        self.cache_write_1h_tokens.append_option(row.cache_write_1h_tokens);
        self.output_tokens.append_option(row.output_tokens);
        self.reasoning_tokens.append_option(row.reasoning_tokens);
        self.total_tokens.append_option(row.total_tokens.or_else(|| row.total()));
        self.usage_source.push(row.usage_source);
        self.service_tier.push(row.service_tier);
        self.cost_usd_reported.append_option(row.cost_nano_usd.map(i128::from));
        self.credits.append_option(row.nano_credits.map(i128::from));
        self.duration_ms.append_option(row.duration_ms);
    }

    /// Number of rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.event_id.len()
    }

    /// True before the first row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the large columns so far; the rest is a few hundred bytes a row.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        let large = [
            &self.text,
            &self.tool_input,
            &self.tool_output,
            &self.extra,
            &self.command,
            &self.file_path,
            &self.event_id,
        ];
        large.iter().map(|c| c.stored_bytes()).sum::<usize>() + self.len() * ROW_OVERHEAD_BYTES
    }

    /// Takes the rows so far as one batch in the order of `schemas/events.toml` and starts over.
    ///
    /// # Panics
    ///
    /// Never: a test holds columns and schema together.
    #[must_use]
    pub fn finish(&mut self) -> RecordBatch {
        let decimal = |b: &mut Decimal128Builder| -> ArrayRef {
            Arc::new(b.finish().with_precision_and_scale(18, 9).expect("18 digits hold any value below 10^9"))
        };
        let time = |b: &mut TimestampMicrosecondBuilder| -> ArrayRef { Arc::new(b.finish().with_timezone("UTC")) };
        let columns: Vec<ArrayRef> = vec![
            self.event_id.finish(),
            time(&mut self.ts),
            self.ts_source.finish(),
            self.event_type.finish(),
            Arc::new(self.provisional.finish()),
            self.agent.finish(),
            self.agent_version.finish(),
            self.provider.finish(),
            self.model.finish(),
            self.user_name.finish(),
            self.machine_id.finish(),
            self.project.finish(),
            self.repo_url.finish(),
            self.workspace_id.finish(),
            self.cwd.finish(),
            self.git_branch.finish(),
            self.git_commit.finish(),
            self.session_id.finish(),
            self.parent_session_id.finish(),
            Arc::new(self.is_subagent.finish()),
            self.subagent_type.finish(),
            Arc::new(self.turn.finish()),
            self.parent_event_id.finish(),
            self.message_id.finish(),
            self.request_id.finish(),
            self.tool_call_id.finish(),
            self.role.finish(),
            self.text.finish(),
            self.tool_name.finish(),
            self.tool_input.finish(),
            self.tool_output.finish(),
            self.file_path.finish(),
            self.command.finish(),
            Arc::new(self.exit_code.finish()),
            Arc::new(self.lines_added.finish()),
            Arc::new(self.lines_removed.finish()),
            Arc::new(self.is_error.finish()),
            self.status.finish(),
            self.stop_reason.finish(),
            Arc::new(self.input_tokens.finish()),
            Arc::new(self.cache_read_tokens.finish()),
            Arc::new(self.cache_write_5m_tokens.finish()),
            Arc::new(self.cache_write_1h_tokens.finish()),
            Arc::new(self.output_tokens.finish()),
            Arc::new(self.reasoning_tokens.finish()),
            Arc::new(self.total_tokens.finish()),
            self.usage_source.finish(),
            self.service_tier.finish(),
            decimal(&mut self.cost_usd_reported),
            decimal(&mut self.credits),
            Arc::new(self.duration_ms.finish()),
            self.source_path.finish(),
            Arc::new(self.source_generation.finish()),
            Arc::new(self.source_offset.finish()),
            Arc::new(self.completeness.finish()),
            time(&mut self.ingested_at),
            Arc::new(self.schema_version.finish()),
            self.extra.finish(),
        ];
        RecordBatch::try_new(events_schema(), columns).expect("columns follow schemas/events.toml")
    }
}

/// What a row takes beside its long texts: views, numbers, null maps.
const ROW_OVERHEAD_BYTES: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_columns_of_the_schema_file() {
        let mut columns = EventColumns::default();
        let row = EventRow {
            event_type: "llm_response",
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
