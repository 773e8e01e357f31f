use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, Looks, Row, database, decode_database};
use crate::adapters::{SourceInfo, database_decoder};
use crate::schema::{Format, Tables};

const SCHEMA: &str = "
 CREATE TABLE agent_conversations (id INTEGER PRIMARY KEY NOT NULL, conversation_id TEXT NOT NULL, conversation_data TEXT NOT NULL, last_modified_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP);
 CREATE TABLE ai_queries (id INTEGER PRIMARY KEY NOT NULL, exchange_id TEXT NOT NULL, conversation_id TEXT NOT NULL, start_ts DATETIME NOT NULL, input TEXT NOT NULL, working_directory TEXT, output_status TEXT NOT NULL, model_id TEXT NOT NULL DEFAULT '', planning_model_id TEXT NOT NULL DEFAULT '', coding_model_id TEXT NOT NULL DEFAULT '');
 CREATE TABLE blocks (id INTEGER PRIMARY KEY, block_id TEXT, stylized_command BLOB, stylized_output BLOB, pwd TEXT, git_branch TEXT, exit_code INTEGER, start_ts DATETIME, completed_ts DATETIME, ai_metadata TEXT, shell TEXT);";

fn decoded(sql: &str) -> (Decoded, Vec<Row>) {
    let (_folder, path) = database(&format!("{SCHEMA}{sql}"));
    decode_database(Format::WarpStore, &path, "/h/.local/state/warp-terminal/warp.sqlite")
}

const EXCHANGES: &str = r#"
 INSERT INTO ai_queries VALUES (1,'x1','c1','2026-04-07 08:55:40.500000','[{"Query":{"text":"fix it","context":[{"Directory":{"pwd":"/w"}}]}}]','/w/shop','"Completed"','auto','plan','code');
 INSERT INTO ai_queries VALUES (2,'x2','c1','2026-04-07 08:55:50','[{"ActionResult":{"id":"a1","result":{"RequestCommandOutput":"done"}}}]','/w/shop','{"Failed":{"why":"x"}}','claude-x','','');
 INSERT INTO ai_queries VALUES (3,'x3','c1','2026-04-07 08:56:00','[]',NULL,'"InProgress"','','','');"#;

#[test]
fn an_exchange_is_a_prompt_and_a_call() {
    let (decoded, open) = decoded(EXCHANGES);
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["cwd"], &prompt["session_id"]),
        (&json!("fix it"), &json!("/w/shop"), &json!("c1"))
    );
    assert_eq!((&prompt["ts"], &prompt["ts_source"]), (&json!(1_775_552_140_500_000i64), &json!("log")));
    assert_eq!(prompt["extra"]["context"][0]["Directory"]["pwd"], "/w");
    let calls = decoded.of("llm_response");
    assert_eq!(
        (&calls[0]["model"], &calls[0]["status"], &calls[0]["extra"]["coding_model_id"]),
        (&json!("auto"), &json!("completed"), &json!("code"))
    );
    assert_eq!((&calls[1]["status"], &calls[1]["is_error"]), (&json!("failed"), &json!(true)));
    let back = decoded.only("llm_request");
    assert_eq!(
        (&back["extra"]["record"], &back["tool_output"]),
        (&json!("ActionResult"), &json!("{\"RequestCommandOutput\":\"done\"}"))
    );
    assert_eq!(open.len(), 1, "an exchange that runs is shown provisionally");
    assert!(!decoded.rows.iter().any(|r| r.contains_key("usage_source")));
}

const CONVERSATION: &str = r#"
 INSERT INTO agent_conversations VALUES (1,'c1','{"run_id":"r","conversation_usage_metadata":{"credits_spent":12.5,"total_provider_cost_in_cents":250.0,"token_usage":[{"model_id":"claude-x","warp_tokens":1000,"byok_tokens":0,"warp_token_usage_by_category":{"primary_agent":900}},{"model_id":"gpt-x","byok_tokens":50}],"tool_usage_metadata":{"grep_stats":{"count":2}}}}','2026-04-07 09:00:00');
 INSERT INTO agent_conversations VALUES (2,'c2','{}','2026-04-07 09:00:01');"#;

#[test]
fn the_totals_of_a_conversation_are_derived_usage_by_model() {
    let (first, _) = decoded(&format!("{EXCHANGES}{CONVERSATION}"));
    let totals: Vec<_> = first.rows.iter().filter(|r| r.contains_key("total_tokens")).collect();
    let shown: Vec<_> =
        totals.iter().map(|r| (r["model"].clone(), r["total_tokens"].clone(), r["usage_source"].clone())).collect();
    assert_eq!(
        shown,
        [(json!("claude-x"), json!(1000), json!("derived")), (json!("gpt-x"), json!(50), json!("derived"))]
    );
    assert!(
        totals.iter().all(|r| !r.contains_key("input_tokens") && !r.contains_key("output_tokens")),
        "only sums are known"
    );
    let bill = first.rows.iter().find(|r| r.contains_key("credits")).unwrap();
    assert_eq!((&bill["credits"], &bill["cost_usd_reported"]), (&json!("12.500000000"), &json!("2.500000000")));
    assert_eq!(bill["ts"], 1_775_552_140_500_000i64, "the conversation's first moment, which does not move");
    assert_eq!(bill["extra"]["tool_usage_metadata"]["grep_stats"]["count"], 2);
    assert_eq!(first.counts.ignored, 1, "a conversation without totals");
    let (grown, _) = decoded(&format!("{EXCHANGES}{}", CONVERSATION.replace(":1000,", ":2000,").replace("12.5", "20")));
    for row in grown.rows.iter().filter(|r| r["event_type"] == "system") {
        let before = first.rows.iter().find(|r| r["event_id"] == row["event_id"]).unwrap();
        let same = before.get("model") == Some(&json!("gpt-x"));
        assert_eq!(row["completeness"].as_i64() > before["completeness"].as_i64(), !same);
        assert_eq!(row["ts"], before["ts"]);
    }
}

#[test]
fn only_commands_of_the_agent_are_read_from_the_terminal() {
    let sql = r#"
     INSERT INTO blocks VALUES (1,'b1',CAST(char(27)||'[32mls'||char(27)||'[0m -a' AS BLOB),CAST('a'||char(13)||char(10) AS BLOB),'/w/shop','main',2,'2026-04-07 08:55:41','2026-04-07 08:55:43','{"requested_command_action_id":"a1","conversation_id":"c1","phase":"x"}','zsh');
     INSERT INTO blocks VALUES (2,'b2',CAST('secret' AS BLOB),CAST('own' AS BLOB),'/w',NULL,0,'2026-04-07 08:55:41','2026-04-07 08:55:43',NULL,'zsh');
     INSERT INTO blocks VALUES (3,'b3',CAST('sleep' AS BLOB),NULL,'/w',NULL,0,'2026-04-07 08:55:44',NULL,'{}',NULL);"#;
    let (decoded, open) = decoded(sql);
    let calls = decoded.of("command_execution");
    assert_eq!(
        (&calls[0]["command"], &calls[0]["tool_call_id"], &calls[0]["session_id"]),
        (&json!("ls -a"), &json!("a1"), &json!("c1"))
    );
    assert_eq!(
        (&calls[0]["git_branch"], &calls[0]["cwd"], &calls[0]["extra"]["shell"]),
        (&json!("main"), &json!("/w/shop"), &json!("zsh"))
    );
    let result = decoded.of("tool_result")[0];
    assert_eq!(
        (&result["tool_output"], &result["exit_code"], &result["duration_ms"], &result["is_error"]),
        (&json!("a"), &json!(2), &json!(2000), &json!(true))
    );
    assert!(!format!("{:?}", decoded.rows).contains("secret"));
    assert!(open.iter().all(|r| r["event_type"] == "command_execution") && open.len() == 1);
}

#[test]
fn schemas_with_fewer_columns_and_foreign_ones() {
    let (_folder, path) = database(
        "CREATE TABLE ai_queries (id INTEGER PRIMARY KEY, exchange_id TEXT, input TEXT, start_ts TEXT, conversation_id TEXT);
         CREATE TABLE agent_conversations (conversation_id TEXT PRIMARY KEY, conversation_data TEXT);
         INSERT INTO ai_queries VALUES (1,'x','[{\"Query\":{\"text\":\"hi\"}}]','2026-04-07T08:55:40Z','c');
         INSERT INTO agent_conversations VALUES ('c','{\"conversation_usage_metadata\":{\"credits_spent\":1}}');",
    );
    let (decoded, _) = decode_database(Format::WarpStore, &path, "/x");
    assert_eq!(decoded.only("user_interaction")["text"], "hi");
    assert_eq!(decoded.only("system")["credits"], "1.000000000");
    let mut decoder = database_decoder(Format::WarpStore, SourceInfo::default()).unwrap();
    assert!(decoder.queries(&Tables::default()).unwrap_err().to_string().contains("warp.sqlite"));
}

#[test]
fn odd_values_are_rejects_and_nothing_panics() {
    let (decoded, _) = decoded(
        "INSERT INTO ai_queries VALUES (1,'','','never','[{',NULL,'','','','');
         INSERT INTO ai_queries VALUES (2,'x','c','','[7,null,{\"Query\":7},{\"Query\":{\"text\":[]}}]',NULL,'7','','','');
         INSERT INTO agent_conversations VALUES (1,'','{','never');
         INSERT INTO agent_conversations VALUES (2,'c','{\"conversation_usage_metadata\":{\"token_usage\":[7,{\"warp_tokens\":\"x\"},{\"warp_tokens\":-1}],\"credits_spent\":-1}}','');
         INSERT INTO blocks VALUES (1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'not json',NULL);",
    );
    assert_eq!(decoded.rejects.len(), 2);
    assert_eq!(decoded.sum("total_tokens"), 0);
    let block = decoded.only("command_execution");
    assert_eq!(block["extra"]["ai_metadata"], Value::from("not json"));
}

#[test]
fn another_database_copied_over_this_one_is_read_from_its_beginning() {
    let (_folder, path) = database(&format!("{SCHEMA}{EXCHANGES}"));
    let (_other, copy) = database(&format!(
        "{SCHEMA}INSERT INTO ai_queries VALUES (1,'y1','c9','2026-04-07 08:55:40','[]',NULL,'\"Completed\"','','','');"
    ));
    let mut looks = Looks::new(Format::WarpStore, &path, "/h/warp.sqlite");
    looks.look(true);
    std::fs::write(&path, std::fs::read(copy).unwrap()).unwrap();
    looks.look(true);
    assert_eq!(looks.all.rows.last().unwrap()["session_id"], "c9");
}
