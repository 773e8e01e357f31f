//! Rows as real sessions have them, from a counter: the same ones in every run.
//!
//! A session has 400 events; a turn is a prompt and three rounds of thought, answer, call, result.

use devlog::schema::{EventId, EventRow, EventType, RowBatch, RowContext, Rows, Status, UsageSource};

/// 2026-01-01T00:00:00Z.
const START_US: i64 = 1_767_225_600_000_000;
/// Events are spread over this time.
const SPAN_US: i64 = 60 * 86_400_000_000;
const SESSION_EVENTS: u64 = 400;
const TURN_EVENTS: u64 = 13;
const WORDS: [&str; 32] = [
    "the", "let", "return", "error", "file", "self", "match", "test", "value", "of", "to", "is", "config", "fn",
    "path", "line", "index", "if", "else", "result", "pub", "struct", "build", "cargo", "src", "main", "and", "in",
    "0x3f", "for", "string", "none",
];

/// splitmix64: every number of its sequence by its place in it.
const fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn words(seed: u64, count: u64, out: &mut String) {
    out.clear();
    for i in 0..count {
        let n = mix(seed.wrapping_mul(31).wrapping_add(i));
        out.push_str(WORDS[(n % 32) as usize]);
        out.push(if n % 97 < 9 { '\n' } else { ' ' });
        if n.is_multiple_of(23) {
            out.push_str(&(n >> 40).to_string());
        }
    }
}

/// `count` rows from the one with the number `first`, in one batch.
pub(crate) fn batch(first: u64, count: u64, total: u64) -> RowBatch {
    let mut rows = Rows::new(RowContext::new("claude", "/home/me/.claude/projects/-work-app/log.jsonl"));
    let mut text = String::new();
    for n in first..first + count {
        row(n, total, &mut text, &mut rows);
    }
    rows.finish()
}

fn row(n: u64, total: u64, text: &mut String, rows: &mut Rows) {
    let (session, place) = (n / SESSION_EVENTS, n % SESSION_EVENTS);
    let (turn, step) = (place / TURN_EVENTS, place % TURN_EVENTS);
    let session_id = format!("{:016x}-session", mix(session));
    let (cwd, project) = (format!("/work/app{}", session % 9), format!("me/app{}", session % 9));
    let call = n - (step + 2) % 4;
    let (call_id, message_id) = (format!("toolu_{:020x}", mix(call)), format!("msg_{:020x}", mix(!call)));
    let command = format!("cargo test -p app{} -- {:x}", n % 17, mix(call) >> 44);
    let input = format!(r#"{{"command":"{command}","timeout":{}}}"#, n % 5 * 1000);
    let signed = n.cast_signed();
    let base = EventRow {
        id: Some(EventId::of("claude", "bench", &[&n.to_le_bytes()])),
        ts_us: START_US + SPAN_US / total.max(1).cast_signed() * signed,
        agent_version: Some("2.1.100"),
        provider: Some("anthropic"),
        cwd: Some(&cwd),
        project: Some(&project),
        session_id: Some(&session_id),
        is_subagent: Some(false),
        turn: i32::try_from(turn + 1).ok(),
        message_id: Some(&message_id),
        source_offset: n * 1000,
        completeness: 2,
        ..EventRow::default()
    };
    match step {
        0 => {
            words(n, 20, text);
            let base = EventRow { event_type: EventType::UserInteraction, ..base };
            rows.event(&EventRow { role: Some("user"), text: Some(text), ..base });
        }
        1 | 5 | 9 => {
            words(n, 60, text);
            let base = EventRow { event_type: EventType::Thinking, ..base };
            rows.event(&EventRow { role: Some("assistant"), text: Some(text), ..base });
        }
        2 | 6 | 10 => {
            words(n, 40, text);
            rows.event(&EventRow {
                event_type: EventType::LlmResponse,
                role: Some("assistant"),
                text: Some(text),
                model: Some(if session.is_multiple_of(3) { "claude-opus-4-5" } else { "claude-sonnet-4-5" }),
                input_tokens: Some(signed % 50),
                cache_read_tokens: Some(20_000 + signed % 9000),
                cache_write_5m_tokens: Some(signed % 900),
                output_tokens: Some(signed % 700),
                usage_source: Some(UsageSource::Reported),
                ..base
            });
        }
        3 | 7 | 11 => rows.event(&EventRow {
            event_type: EventType::CommandExecution,
            tool_name: Some("Bash"),
            tool_call_id: Some(&call_id),
            tool_input: Some(&input),
            command: Some(&command),
            ..base
        }),
        _ => {
            words(n, 50 + mix(n) % 300, text);
            rows.event(&EventRow {
                event_type: EventType::ToolResult,
                tool_name: Some("Bash"),
                tool_call_id: Some(&call_id),
                command: Some(&command),
                tool_output: Some(text),
                is_error: Some(n.is_multiple_of(20)),
                exit_code: Some(i32::from(n.is_multiple_of(20))),
                status: Some(Status::Completed),
                duration_ms: Some(signed % 4000),
                ..base
            });
        }
    }
}
