//! Commands that the agent ran in the terminal.

use super::{AGENT, utc_us};
use crate::adapters::Taken;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::schema::{EventId, EventRow, EventType, Query, Record, Rows, Tables};

pub(super) const QUERY: &str = "blocks";

pub(super) fn query(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null("blocks", "b", name);
    Query {
        name: QUERY,
        sql: format!(
            "SELECT b.rowid, 0, {}, {}, {}, {}, {}, {}, {}, {}, {}, {} FROM blocks b \
             WHERE b.rowid > :rowid AND b.ai_metadata IS NOT NULL AND b.ai_metadata <> '' ORDER BY b.rowid",
            column("block_id"),
            column("stylized_command"),
            column("stylized_output"),
            column("pwd"),
            column("git_branch"),
            column("exit_code"),
            column("start_ts"),
            column("completed_ts"),
            column("ai_metadata"),
            column("shell"),
        ),
        anchor: Some(format!(
            "SELECT coalesce({}, '') || '/' || coalesce({}, '') FROM blocks b WHERE b.rowid = :rowid",
            column("block_id"),
            column("start_ts"),
        )),
    }
}

pub(super) fn is_settled(record: &Record<'_>) -> bool {
    record.text(7).is_some() || record.integer(5).is_some_and(|code| code != 0)
}

pub(super) fn rows(parser: &mut Parser, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
    let (mut call_id, mut conversation, mut fields) = (None, None, Extra::default());
    let metadata = record.value(8).bytes().unwrap_or_default();
    fields.begin();
    let seen = parser.each(metadata, |json| {
        let text = |keys: &[&str]| keys.iter().find_map(|key| json.str_at(key)).map(str::to_owned);
        call_id = text(&["requested_command_action_id", "action_id"]);
        conversation = text(&["conversation_id"]);
        fields.rest(json, &["requested_command_action_id", "action_id", "conversation_id"]);
    });
    if seen.is_err() {
        fields.text("ai_metadata", &String::from_utf8_lossy(metadata));
    }
    if let Some(shell) = record.text(9) {
        fields.text("shell", &shell);
    }
    fields.end();
    let block = record.text(0);
    let place = record.rowid.to_le_bytes();
    let key: &[u8] = block.as_deref().map_or(&place, str::as_bytes);
    let call_id = call_id.or_else(|| block.as_deref().map(str::to_owned)).unwrap_or_else(|| record.rowid.to_string());
    let command = record.value(1).text().map(|t| plain(&t));
    let output = record.value(2).text().map(|t| plain(&t));
    let (started, ended) = (record.text(6).and_then(|t| utc_us(&t)), record.text(7).and_then(|t| utc_us(&t)));
    let (cwd, branch) = (record.text(3), record.text(4));
    let exit_code = record.integer(5).and_then(|c| i32::try_from(c).ok());
    let time = started.or(ended);
    let base = EventRow {
        ts_us: time.unwrap_or_default(),
        ts_inferred: time.is_none(),
        provisional,
        event_type: EventType::CommandExecution,
        session_id: conversation.as_deref(),
        cwd: cwd.as_deref(),
        git_branch: branch.as_deref(),
        tool_call_id: Some(&call_id),
        tool_name: Some("run_command"),
        command: command.as_deref(),
        source_offset: record.offset(),
        completeness: 1,
        ..EventRow::default()
    };
    let call = EventRow { role: Some("assistant"), extra: fields.get(), ..base };
    rows.event(&EventRow { id: Some(EventId::of(AGENT, "block", &[key])), ..call });
    if is_settled(record) || !provisional {
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "block_result", &[key])),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            ts_us: ended.or(time).unwrap_or_default(),
            ts_inferred: ended.is_none(),
            tool_output: output.as_deref(),
            exit_code,
            is_error: exit_code.map(|code| code != 0),
            duration_ms: started.zip(ended).map(|(start, end)| (end - start) / 1000),
            completeness: if is_settled(record) { 2 } else { 1 },
            ..base
        });
    }
    Taken::Rows
}

/// A text without ANSI escape sequences and carriage returns.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // Control sequence: parameters, then a letter.
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // Operating system command, to BEL or ESC \.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\r' if chars.peek() == Some(&'\n') => {}
            c => out.push(c),
        }
    }
    out.trim_end_matches(['\n', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn escapes_are_no_text() {
        assert_eq!(plain("\u{1b}[1;32mls\u{1b}[0m -a\r\n\u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y  \n"), "ls -a\nxy");
        assert_eq!(plain("cut \u{1b}["), "cut");
    }
}
