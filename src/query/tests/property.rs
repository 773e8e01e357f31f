//! Any split of rows between memory and parts gives the same answers.

use crate::schema::{EventType, UsageSource};
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Made {
    minute: i64,
    kind: usize,
    agent: usize,
    session: usize,
    model: usize,
    tokens: Option<i64>,
    error: Option<bool>,
    /// 0: memory only; 1: durable; 2: durable and replaced by a row in memory.
    home: usize,
    part: usize,
}

const KINDS: [&str; 5] = ["user_interaction", "llm_response", "command_execution", "tool_result", "error_encountered"];
const AGENTS: [&str; 2] = ["claude", "codex"];
const SESSIONS: [&str; 4] = ["a-session-with-a-long-name-0001-x", "a-session-with-a-long-name-0001-y", "s3", "s4"];
const MODELS: [&str; 3] = ["claude-opus-4-6-20260101", "haiku", "gpt"];

fn made() -> impl Strategy<Value = Made> {
    (
        (0i64..400_000, 0usize..5, 0usize..2, 0usize..4, 0usize..3),
        (prop::option::of(0i64..1_000_000), prop::option::of(any::<bool>()), 0usize..3, 0usize..4),
    )
        .prop_map(|((minute, kind, agent, session, model), (tokens, error, home, part))| Made {
            minute,
            kind,
            agent,
            session,
            model,
            tokens,
            error,
            home,
            part,
        })
}

fn row(i: usize, made: &Made) -> EventRow<'static> {
    EventRow {
        id: Some(EventId::of("test", "row", &[&i.to_le_bytes()])),
        ts_us: at("2026-01-01T00:00:00Z") + made.minute * 60_000_000,
        event_type: EventType::named(KINDS[made.kind]).unwrap(),
        session_id: Some(SESSIONS[made.session]),
        model: Some(MODELS[made.model]),
        output_tokens: made.tokens,
        usage_source: Some(UsageSource::Reported),
        is_error: made.error,
        tool_call_id: Some(SESSIONS[made.session]),
        text: Some("text"),
        ..EventRow::default()
    }
}

fn batches(rows: &[(usize, EventRow<'static>, usize)]) -> Vec<RecordBatch> {
    let of = |agent: usize| {
        let rows: Vec<_> = rows.iter().filter(|(_, _, a)| *a == agent).map(|(_, row, _)| *row).collect();
        (!rows.is_empty()).then(|| events(AGENTS[agent], &rows))
    };
    (0..2).filter_map(of).collect()
}

const QUERIES: [&str; 12] = [
    "SELECT event_id, ts, event_type, agent, session_id, model, output_tokens, is_error FROM events ORDER BY event_id",
    "SELECT count(*), count(output_tokens), min(ts), max(ts), sum(total_tokens), min(model), max(session_id) FROM events",
    "SELECT session_id, count(*) FROM events WHERE ts >= '2026-03-01T00:00:00Z' GROUP BY 1 ORDER BY 1",
    "SELECT event_id FROM events WHERE session_id = 'a-session-with-a-long-name-0001-y' AND agent = 'codex' ORDER BY 1",
    "SELECT event_id FROM events WHERE model <> 'claude-opus-4-6-20260101' AND output_tokens BETWEEN 10 AND 500000 ORDER BY 1",
    "SELECT event_id FROM events WHERE model IN ('gpt', 'haiku') OR is_error ORDER BY 1",
    "SELECT event_id FROM events ORDER BY ts DESC, event_id LIMIT 7",
    "SELECT * FROM daily WHERE day BETWEEN '2026-03-20' AND '2026-06-01' ORDER BY day, agent",
    "SELECT * FROM sessions",
    "SELECT * FROM models",
    "SELECT * FROM tools",
    "SELECT count(*), count(DISTINCT event_id) FROM messages",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn any_split_gives_the_answers_of_all_rows_in_memory(rows in prop::collection::vec(made(), 0..120)) {
        let all: Vec<(usize, EventRow<'static>, usize)> =
            rows.iter().enumerate().map(|(i, m)| (i, row(i, m), m.agent)).collect();
        let whole = Bench::new(batches(&all), &[]);
        let in_memory: Vec<_> = all.iter().filter(|(i, _, _)| rows[*i].home != 1).cloned().collect();
        let mut durable = Vec::new();
        for part in 0..4 {
            let here = all.iter().filter(|(i, _, _)| rows[*i].home != 0 && rows[*i].part == part);
            // What is replaced has another text and another session.
            let old = here.map(|(i, row, agent)| {
                let row = if rows[*i].home == 2 { EventRow { session_id: Some("old"), text: None, ..*row } } else { *row };
                (*i, row, *agent)
            });
            durable.extend(batches(&old.collect::<Vec<_>>()));
        }
        let replaced: HashSet<EventId> =
            all.iter().filter(|(i, _, _)| rows[*i].home == 2).filter_map(|(_, row, _)| row.id).collect();
        let split = Bench::with(batches(&in_memory), &durable, |cut, _| cut.replaced = Arc::new(replaced));
        for sql in QUERIES {
            prop_assert_eq!(split.rows(sql), whole.rows(sql), "{}", sql);
        }
    }
}
