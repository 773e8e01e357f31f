//! The lines of a rollout.

use std::io;

use super::super::json::{noise, token};
use super::super::text::split_lines;
use super::{Counters, Source, Thread};

const COMMANDS: [&str; 8] = [
    "git status --short",
    "cargo test --lib",
    "sed -n '1,220p' src/lib.rs",
    "rg -n parse src",
    "pnpm test",
    "git diff HEAD",
    "ls -la",
    "go test ./...",
];

/// A tool call whose output is still to come.
pub(super) struct Waiting {
    id: String,
    patch: Option<Patch>,
}

struct Patch {
    path: String,
    text: Vec<u8>,
}

impl Thread<'_> {
    /// Starts `{"timestamp":…,"type":kind,"payload":{`.
    fn open(&mut self, kind: &str) {
        let now = self.tick();
        self.line.0.clear();
        self.line.put("{\"timestamp\":\"").time(now).put("\",\"type\":\"").put(kind).put("\",\"payload\":{");
    }

    /// Ends both objects and writes the line.
    fn close(&mut self) -> io::Result<()> {
        self.line.put("}}");
        if let Some(kept) = &mut self.kept {
            kept.lines.push(self.line.0.clone());
        }
        self.sink.line(&self.line.0)
    }

    pub(super) fn session_meta(&mut self) -> io::Result<()> {
        self.open("session_meta");
        let now = self.now_us;
        self.line.put("\"id\":\"").put(&self.id).put("\",");
        if let Source::Fork { parent } = &self.source {
            self.line.put("\"forked_from_id\":\"").put(parent).put("\",");
        }
        self.line.put("\"timestamp\":\"").time(now).put("\",\"cwd\":\"").put(self.cwd);
        self.line.put("\",\"originator\":\"codex-tui\",\"cli_version\":\"").put(self.version).put("\",\"source\":");
        self.line.put(if self.source == Source::Review { "{\"subagent\":\"review\"}" } else { "\"cli\"" });
        self.line
            .put(",\"model_provider\":\"openai\",\"base_instructions\":{\"text\":\"You are Codex, a coding agent. ");
        self.scratch.0.clear();
        self.texts.prose(&mut self.random, if self.long { 16_000 } else { 1_200 }, &mut self.scratch);
        self.line.bytes(&self.scratch.0).put("\"},\"git\":{\"commit_hash\":\"");
        self.line.put("4f0c1b7de2a94d0c8a6be7b6d8a1c27f35d9e101\",\"branch\":\"").put(self.branch);
        self.line.put("\",\"repository_url\":\"https://github.com/dev-example/");
        self.line.put(self.cwd.rsplit('/').next().unwrap_or_default()).put(".git\"}");
        self.close()
    }

    pub(super) fn task_started(&mut self) -> io::Result<()> {
        self.open("event_msg");
        let seconds = (self.now_us / 1_000_000).cast_unsigned();
        self.line.put("\"type\":\"task_started\",\"turn_id\":\"").put(&self.turn_id).put("\",\"started_at\":");
        self.line.number(seconds).put(",\"model_context_window\":258400,\"collaboration_mode_kind\":\"default\"");
        self.close()
    }

    /// What Codex tells the model before the first prompt: no prompt of a person.
    pub(super) fn surroundings(&mut self) -> io::Result<()> {
        self.scratch.0.clear();
        let bytes = self.content_bytes(300, 1_500);
        self.texts.prose(&mut self.random, bytes, &mut self.scratch);
        self.open("response_item");
        self.line.put("\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":");
        self.line.put("\"# AGENTS.md instructions for ").put(self.cwd).put("\\n\\n<INSTRUCTIONS>\\n");
        self.line.bytes(&self.scratch.0).put("\\n</INSTRUCTIONS>\"},{\"type\":\"input_text\",\"text\":");
        self.line.put("\"<environment_context>\\n  <cwd>").put(self.cwd).put("</cwd>\\n</environment_context>\"}]");
        self.close()
    }

    pub(super) fn turn_context(&mut self) -> io::Result<()> {
        self.open("turn_context");
        self.line.put("\"turn_id\":\"").put(&self.turn_id).put("\",\"cwd\":\"").put(self.cwd);
        self.line.put("\",\"approval_policy\":\"never\",\"sandbox_policy\":{\"type\":\"danger-full-access\"},");
        self.line.put("\"model\":\"").put(self.model).put("\",\"effort\":\"medium\",\"summary\":\"auto\"");
        self.close()
    }

    /// What the person typed, in both of its records.
    pub(super) fn user_message(&mut self) -> io::Result<()> {
        self.scratch.0.clear();
        let extra = if self.random.chance(35) { self.content_bytes(60, 400) } else { 0 };
        self.texts.prompt(&mut self.random, extra, &mut self.scratch);
        self.open("response_item");
        self.line.put("\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"");
        self.line.bytes(&self.scratch.0).put("\"}]");
        self.close()?;
        self.open("event_msg");
        self.line.put("\"type\":\"user_message\",\"message\":\"").bytes(&self.scratch.0).put("\",\"images\":[]");
        self.close()?;
        if self.source == Source::Review {
            return Ok(());
        }
        self.left.truth.prompts += 1;
        let mut entry = super::Json::default();
        entry.put("{\"session_id\":\"").put(&self.id).put("\",\"ts\":");
        entry.number((self.now_us / 1_000_000).cast_unsigned()).put(",\"text\":\"").bytes(&self.scratch.0).put("\"}");
        self.left.codex_history.push((self.now_us, entry.0));
        Ok(())
    }

    pub(super) fn reasoning(&mut self) -> io::Result<()> {
        self.scratch.0.clear();
        let bytes = self.content_bytes(60, 400);
        self.texts.prose(&mut self.random, bytes, &mut self.scratch);
        self.open("response_item");
        self.line.put("\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"**Looking**\\n\\n");
        self.line.bytes(&self.scratch.0).put("\"}],\"content\":null,\"encrypted_content\":\"gAAAAA");
        let length = if self.random.chance(30) { 760 } else { 300 };
        noise(&mut self.random, length, &mut self.line.0);
        self.line.put("\"");
        self.close()
    }

    /// What the model says, in both of its records.
    pub(super) fn message(&mut self, is_final: bool) -> io::Result<()> {
        self.scratch.0.clear();
        let bytes = self.content_bytes(80, if is_final { 1_600 } else { 300 });
        self.texts.prose(&mut self.random, bytes, &mut self.scratch);
        self.new_context += self.scratch.0.len() as u64 / 4;
        self.open("event_msg");
        self.line.put("\"type\":\"agent_message\",\"message\":\"").bytes(&self.scratch.0).put("\"");
        self.close()?;
        self.open("response_item");
        self.line.put("\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"");
        self.line.bytes(&self.scratch.0).put("\"}]");
        self.close()
    }

    pub(super) fn tool_call(&mut self) -> io::Result<Waiting> {
        self.left.truth.tool_calls += 1;
        let id = token(&mut self.random, "call_", 24);
        self.open("response_item");
        if self.random.chance(22) {
            let path = self.texts.path(&mut self.random).to_owned();
            let mut text = super::Json::default();
            let bytes = self.content_bytes(150, 1_600);
            self.texts.code(&mut self.random, bytes, &mut text);
            self.line.put("\"type\":\"custom_tool_call\",\"status\":\"completed\",\"call_id\":\"").put(&id);
            self.line.put("\",\"name\":\"apply_patch\",\"input\":\"*** Begin Patch\\n*** Update File: ").put(&path);
            self.line.put("\\n@@\\n");
            for line in split_lines(&text.0) {
                self.line.put("+").bytes(line).put("\\n");
            }
            self.line.put("*** End Patch\\n\"");
            self.close()?;
            return Ok(Waiting { id, patch: Some(Patch { path, text: text.0 }) });
        }
        let command = *self.random.pick_skewed(&COMMANDS);
        self.line.put("\"type\":\"function_call\",\"name\":\"exec_command\",\"arguments\":\"{\\\"cmd\\\":\\\"");
        self.line.put(command).put("\\\",\\\"workdir\\\":\\\"").put(self.cwd);
        self.line.put("\\\",\\\"yield_time_ms\\\":10000}\",\"call_id\":\"").put(&id).put("\"");
        self.close()?;
        Ok(Waiting { id, patch: None })
    }

    pub(super) fn tool_output(&mut self, call: &Waiting) -> io::Result<()> {
        if let Some(patch) = &call.patch {
            return self.patch_output(&call.id, patch);
        }
        self.scratch.0.clear();
        let bytes = self.content_bytes(40, 5_000);
        self.texts.output(&mut self.random, bytes, &mut self.scratch);
        self.new_context += self.scratch.0.len() as u64 / 4;
        let code = if self.random.chance(6) { 101 } else { 0 };
        let (chunk, wall) = (self.random.below(1 << 24), self.random.below(9_000));
        self.open("response_item");
        self.line
            .put("\"type\":\"function_call_output\",\"call_id\":\"")
            .put(&call.id)
            .put("\",\"output\":\"Chunk ID: ");
        self.line.put(&format!("{chunk:06x}\\nWall time: {}.{:03} seconds", wall / 1000, wall % 1000));
        self.line.put("\\nProcess exited with code ").number(code).put("\\nOriginal token count: ");
        self.line.number(self.scratch.0.len() as u64 / 4).put("\\nOutput:\\n").bytes(&self.scratch.0).put("\"");
        self.close()
    }

    fn patch_output(&mut self, id: &str, patch: &Patch) -> io::Result<()> {
        self.open("event_msg");
        let added = split_lines(&patch.text).count() as u64;
        self.line
            .put("\"type\":\"patch_apply_end\",\"call_id\":\"")
            .put(id)
            .put("\",\"turn_id\":\"")
            .put(&self.turn_id);
        self.line.put("\",\"stdout\":\"Success. Updated the following files:\\nM ").put(&patch.path);
        self.line.put("\\n\",\"stderr\":\"\",\"success\":true,\"changes\":{\"").put(self.cwd).put("/").put(&patch.path);
        self.line.put("\":{\"type\":\"update\",\"unified_diff\":\"@@ -10,0 +10,").number(added).put(" @@\\n");
        for line in split_lines(&patch.text) {
            self.line.put("+").bytes(line).put("\\n");
        }
        self.line.put("\",\"move_path\":null}},\"status\":\"completed\"");
        self.close()?;
        self.open("response_item");
        self.line
            .put("\"type\":\"custom_tool_call_output\",\"call_id\":\"")
            .put(id)
            .put("\",\"output\":\"Exit code: 0\\n");
        self.line.put("Wall time: 0.1 seconds\\nOutput:\\nSuccess. Updated the following files:\\nM ").put(&patch.path);
        self.line.put("\\n\"");
        self.close()
    }

    /// The counters after a call; `context` stands in `last_token_usage.total_tokens`.
    pub(super) fn token_count(&mut self, context: u64) -> io::Result<()> {
        let (total, last) = (self.total, self.last);
        self.open("event_msg");
        self.line.put("\"type\":\"token_count\",\"info\":{\"total_token_usage\":");
        self.counters(total, total.input + total.output);
        self.line.put(",\"last_token_usage\":");
        self.counters(last, context);
        self.line.put(",\"model_context_window\":258400},");
        self.rate_limits();
        self.close()
    }

    /// A `token_count` before the first call: limits only.
    pub(super) fn rate_limits_only(&mut self) -> io::Result<()> {
        self.open("event_msg");
        self.line.put("\"type\":\"token_count\",\"info\":null,");
        self.rate_limits();
        self.close()
    }

    fn counters(&mut self, counters: Counters, total: u64) {
        self.line.put("{\"input_tokens\":").number(counters.input);
        self.line.put(",\"cached_input_tokens\":").number(counters.cached);
        self.line.put(",\"output_tokens\":").number(counters.output);
        self.line.put(",\"reasoning_output_tokens\":").number(counters.reasoning);
        self.line.put(",\"total_tokens\":").number(total).put("}");
    }

    fn rate_limits(&mut self) {
        let seconds = (self.now_us / 1_000_000).cast_unsigned();
        self.line.put("\"rate_limits\":{\"limit_id\":\"codex\",\"primary\":{\"used_percent\":");
        self.line.number(self.random.below(90)).put(".0,\"window_minutes\":300,\"resets_at\":").number(seconds + 9_000);
        self.line.put("},\"secondary\":{\"used_percent\":").number(self.random.below(60));
        self.line.put(".0,\"window_minutes\":10080,\"resets_at\":").number(seconds + 400_000);
        self.line.put("},\"credits\":null,\"plan_type\":\"pro\"}");
    }

    pub(super) fn task_complete(&mut self) -> io::Result<()> {
        self.open("event_msg");
        let seconds = (self.now_us / 1_000_000).cast_unsigned();
        self.line.put("\"type\":\"task_complete\",\"turn_id\":\"").put(&self.turn_id);
        self.line.put("\",\"last_agent_message\":\"Done.\",\"completed_at\":").number(seconds);
        self.line.put(",\"duration_ms\":").number(self.random.between(2_000, 300_000));
        self.close()
    }

    pub(super) fn turn_aborted(&mut self) -> io::Result<()> {
        self.open("event_msg");
        self.line
            .put("\"type\":\"turn_aborted\",\"turn_id\":\"")
            .put(&self.turn_id)
            .put("\",\"reason\":\"interrupted\"");
        self.close()
    }

    /// The history is summed up; the counters that follow are an estimate of the context, no call.
    pub(super) fn compact(&mut self) -> io::Result<()> {
        self.context = 14_000;
        self.scratch.0.clear();
        self.texts.prose(&mut self.random, 2_000, &mut self.scratch);
        self.open("compacted");
        self.line
            .put("\"message\":\"")
            .bytes(&self.scratch.0)
            .put("\",\"replacement_history\":[{\"type\":\"message\",");
        self.line.put("\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"").bytes(&self.scratch.0);
        self.line.put("\"}]}]");
        self.close()?;
        self.open("event_msg");
        self.line.put("\"type\":\"context_compacted\"");
        self.close()?;
        self.last = Counters::default();
        self.token_count(self.context)
    }
}
