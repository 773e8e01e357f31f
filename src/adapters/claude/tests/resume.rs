//! A decoder that goes on from a checkpoint hands out what one that ran through does.

use proptest::prelude::*;

use super::corpus::transcripts;
use super::*;
use crate::adapters::Line;
use crate::schema::Checkpoint;
use crate::schema::Counts;

/// A session with calls of several lines, tools, side chains, progress copies and values.
fn session() -> Vec<u8> {
    let mut records = vec![json!({"type": "mode", "mode": "normal", "sessionId": "s"}), prompt("p1", json!("x"))];
    for i in 0..6 {
        let (message, tool) = (format!("msg_{i}"), format!("toolu_{i}"));
        let uuid = |n: usize| format!("{i}-{n}");
        let mut begun = answer(&uuid(0), &message, text("begins"), 2);
        begun["message"]["stop_reason"] = Value::Null;
        records.push(begun);
        records.push(answer(&uuid(1), &message, tool_use(&tool, "Bash", json!({"command": "c"})), 2));
        let side =
            with(answer(&uuid(2), &format!("side_{}", i / 2), text("aside"), i + 1), json!({"isSidechain": true}));
        records.push(side);
        let inner = json!({"type": "assistant", "uuid": uuid(3), "timestamp": "2026-05-01T10:00:09.000Z",
            "message": answer("", &format!("agent_{}", i / 3), text("progress"), 4)["message"]});
        records.push(record(
            "progress",
            &uuid(4),
            json!({"data": {"type": "agent_progress", "agentId": "a", "message": inner}}),
        ));
        records.push(tool_result(&uuid(5), &tool, json!("out"), json!({"stdout": "out"})));
        records.push(answer(&uuid(6), &message, text("ends"), 50));
        records.push(json!({"type": "mode", "mode": if i % 2 == 0 { "plan" } else { "normal" }, "sessionId": "s"}));
        records.push(prompt(&uuid(7), json!("next")));
    }
    records.iter().map(|r| format!("{r}\n")).collect::<String>().into_bytes()
}

/// Decodes with a new decoder after each of `cuts`, a number of lines; `settle` says where silence was.
fn piecewise(bytes: &[u8], cuts: &[usize], provisional: bool, settle: bool) -> (Vec<Row>, Counts) {
    let mut rows = context(MAIN);
    let all = lines(bytes);
    let mut checkpoint = Checkpoint::default();
    let mut done = 0;
    let mut cuts: Vec<usize> = cuts.iter().map(|c| c % (all.len() + 1)).collect();
    cuts.push(all.len());
    cuts.sort_unstable();
    for cut in cuts {
        let resumed = (done > 0).then_some(&checkpoint);
        let mut decoder = SessionDecoder::new(info(MAIN), resumed);
        let told = Checkpoint { open: checkpoint.open && checkpoint.high_water > 0, ..checkpoint_or_start(resumed) };
        assert_eq!(decoder.checkpoint(), told, "a restored decoder says what it was told");
        for line in all.iter().filter(|l| l.offset >= checkpoint.resume_at).take_while(|l| l.offset < at(&all, cut)) {
            decoder.line(*line, &mut rows);
            if provisional {
                let mut shown = context(MAIN);
                decoder.provisional(&mut shown);
                assert_eq!(decoder.is_open(), !shown.is_empty());
                assert_eq!(shown.take_counts().lines, 0);
            }
        }
        if settle || cut == all.len() {
            decoder.settle(&mut rows);
        }
        checkpoint = decoder.checkpoint();
        // Lines before the first time are read again with it.
        let waits = checkpoint.open && checkpoint.high_water == 0;
        assert!(waits || checkpoint.high_water == if cut == 0 { 0 } else { all[cut - 1].end });
        assert!(checkpoint.resume_at <= checkpoint.high_water);
        done = cut;
    }
    let out = finish(&mut rows);
    (out.rows, out.counts)
}

fn checkpoint_or_start(resumed: Option<&Checkpoint>) -> Checkpoint {
    resumed.cloned().unwrap_or_else(|| SessionDecoder::new(info(MAIN), None).checkpoint())
}

fn at(all: &[Line<'_>], cut: usize) -> u64 {
    all.get(cut).map_or(u64::MAX, |l| l.offset)
}

/// The newest, most complete row of each event, in the order of ids.
fn kept(rows: Vec<Row>) -> std::collections::BTreeMap<String, Row> {
    let mut out = std::collections::BTreeMap::<String, Row>::new();
    for row in rows {
        let id = row["event_id"].to_string();
        let newer = out.get(&id).is_none_or(|r| r["completeness"].as_i64() < row["completeness"].as_i64());
        if newer {
            out.insert(id, row);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_cut_gives_the_same_rows(cuts in prop::collection::vec(any::<usize>(), 0..6), provisional: bool) {
        let bytes = session();
        let (whole, counts) = piecewise(&bytes, &[], false, false);
        let (parts, parts_counts) = piecewise(&bytes, &cuts, provisional, false);
        prop_assert_eq!(whole, parts);
        prop_assert_eq!(counts, parts_counts);
    }

    #[test]
    fn silence_at_any_place_loses_nothing(cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        let bytes = session();
        let (whole, counts) = piecewise(&bytes, &[], false, false);
        let (parts, parts_counts) = piecewise(&bytes, &cuts, true, true);
        // A row settled too early comes again, more complete.
        let tokens = |rows: &std::collections::BTreeMap<String, Row>| rows.values().filter_map(|r| r.get("total_tokens")?.as_i64()).sum::<i64>();
        let (whole, parts) = (kept(whole), kept(parts));
        prop_assert_eq!(tokens(&whole), tokens(&parts));
        prop_assert_eq!(whole.len(), parts.len());
        prop_assert_eq!(counts.line_rows, parts_counts.line_rows);
    }
}

#[test]
fn lines_before_the_first_time_take_it_and_are_shown_while_they_wait() {
    let mode = json!({"type": "permission-mode", "permissionMode": "plan", "sessionId": "s"});
    let bytes = format!("{mode}\n{}\n", prompt("p1", json!("x"))).into_bytes();
    let all = lines(&bytes);
    let mut rows = context(MAIN);
    let mut decoder = SessionDecoder::new(info(MAIN), None);
    decoder.line(all[0], &mut rows);
    assert!(rows.is_empty() && decoder.is_open(), "its time is not known");
    let mut shown = context(MAIN).of_tail();
    decoder.provisional(&mut shown);
    let shown = finish(&mut shown);
    assert_eq!((shown.rows.len(), &shown.rows[0]["provisional"]), (1, &json!(true)));
    decoder.line(all[1], &mut rows);
    let done = finish(&mut rows);
    assert_eq!(done.rows[0]["ts"], done.rows[1]["ts"]);
    assert_eq!((&done.rows[0]["ts_source"], &done.rows[1]["ts_source"]), (&json!("inferred"), &json!("log")));
    assert_eq!(done.rows[0]["event_id"], shown.rows[0]["event_id"]);
}

#[test]
fn a_response_that_goes_on_after_a_silence_is_handed_out_again_whole() {
    let mut begun = answer("u1", "m", text("begins"), 2);
    begun["message"]["stop_reason"] = Value::Null;
    let bytes = format!("{begun}\n{}\n", answer("u2", "m", text("ends"), 50)).into_bytes();
    let (rows, _) = piecewise(&bytes, &[1], false, true);
    assert_eq!((rows.len(), &rows[0]["text"], &rows[1]["text"]), (2, &json!("begins"), &json!("begins\n\nends")));
    assert!(rows[1]["completeness"].as_i64() > rows[0]["completeness"].as_i64());
    assert_eq!(rows[0]["event_id"], rows[1]["event_id"]);
}

#[test]
fn an_open_call_is_shown_as_provisional_and_holds_the_checkpoint() {
    let mut rows = context(MAIN);
    let mut decoder = SessionDecoder::new(info(MAIN), None);
    let bytes = format!("{}\n{}\n", prompt("p1", json!("x")), answer("u1", "m", text("hm"), 5)).into_bytes();
    let all = lines(&bytes);
    all.iter().for_each(|l| decoder.line(*l, &mut rows));
    assert_eq!(finish(&mut rows).rows.len(), 1, "only the prompt is settled");
    decoder.provisional(&mut rows);
    let shown = finish(&mut rows);
    assert_eq!((&shown.rows[0]["provisional"], &shown.rows[0]["text"]), (&json!(true), &json!("hm")));
    let checkpoint = decoder.checkpoint();
    assert_eq!((checkpoint.resume_at, checkpoint.high_water, checkpoint.open), (all[1].offset, all[1].end, true));
    assert!(!checkpoint.state.contains("hm"), "no conversation text in a checkpoint");
    decoder.settle(&mut rows);
    let settled = finish(&mut rows);
    assert_eq!((&settled.rows[0]["provisional"], settled.rows.len()), (&json!(false), 1));
    let after = decoder.checkpoint();
    assert_eq!((after.resume_at, after.open), (all[1].offset, false), "held, should more of it come");
    decoder.settle(&mut rows);
    assert!(rows.is_empty(), "settling twice hands out nothing twice");
}

#[test]
fn a_state_that_cannot_be_read_starts_the_source_over() {
    for state in ["", "{}", "nonsense"] {
        let checkpoint = Checkpoint { resume_at: 10, high_water: 20, open: false, state: state.to_owned() };
        let decoder = SessionDecoder::new(info(MAIN), Some(&checkpoint));
        assert_eq!((decoder.checkpoint().resume_at, decoder.checkpoint().high_water), (0, 0));
    }
}

#[test]
fn real_logs_cut_anywhere_give_the_same_rows() {
    for (i, path) in transcripts().iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        if bytes.len() > 400_000 {
            continue;
        }
        let (whole, counts) = piecewise(&bytes, &[], false, false);
        let (parts, parts_counts) = piecewise(&bytes, &[i * 7 + 1, i * 31 + 5, i * 101 + 17], i % 5 == 0, false);
        assert!(whole == parts && counts == parts_counts, "{} differs when cut", path.display());
    }
}
