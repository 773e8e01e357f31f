//! Tool calls and their results.

use std::io;

use super::super::json::token;
use super::super::text::{numbered, split_lines};
use super::{Identity, STREAMING_VERSION, Session};

/// A tool of Claude Code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Bash,
    Read,
    Edit,
    Write,
    Grep,
    Task,
}

/// A tool call whose result is still to come; `path` and `texts` are what the result repeats.
#[derive(Debug)]
pub(super) struct Pending {
    tool: Tool,
    id: String,
    path: String,
    old: Vec<u8>,
    new: Vec<u8>,
}

const COMMANDS: [&str; 8] = [
    "cargo test --workspace",
    "git status --short",
    "git diff --stat HEAD~1",
    "npm run build",
    "ls -la src",
    "grep -rn TODO src | head -50",
    "cargo clippy --all-targets",
    "tail -n 200 logs/server.log",
];

impl Session<'_> {
    /// The next tool; only a main session starts sub-agents.
    pub(super) fn tool(&mut self) -> Tool {
        match self.random.below(100) {
            0..40 => Tool::Bash,
            40..63 => Tool::Read,
            63..80 => Tool::Edit,
            80..86 => Tool::Write,
            86..97 => Tool::Grep,
            _ if self.id.agent.is_none() => Tool::Task,
            _ => Tool::Grep,
        }
    }

    /// Writes the `tool_use` block to the scratch buffer.
    pub(super) fn tool_use(&mut self, tool: Tool) -> Pending {
        self.left.truth.tool_calls += 1;
        let id = token(&mut self.random, "toolu_01", 22);
        let mut pending = Pending {
            tool,
            path: format!("{}/{}", self.id.cwd, self.texts.path(&mut self.random)),
            old: Vec::new(),
            new: Vec::new(),
            id,
        };
        self.scratch.put("{\"type\":\"tool_use\",\"id\":\"").put(&pending.id).put("\",\"name\":\"");
        match tool {
            Tool::Bash => {
                let command = *self.random.pick_skewed(&COMMANDS);
                self.scratch.put("Bash\",\"input\":{\"command\":\"").put(command).put("\",\"description\":\"");
                self.texts.prose(&mut self.random, 12, &mut self.scratch);
                self.scratch.put("\"}}");
            }
            Tool::Read => {
                self.scratch.put("Read\",\"input\":{\"file_path\":\"").put(&pending.path).put("\"}}");
            }
            Tool::Edit => {
                pending.old = self.snippet(80, 500);
                pending.new = self.snippet(100, 800);
                self.scratch.put("Edit\",\"input\":{\"replace_all\":false,\"file_path\":\"").put(&pending.path);
                self.scratch.put("\",\"old_string\":\"").bytes(&pending.old).put("\",\"new_string\":\"");
                self.scratch.bytes(&pending.new).put("\"}}");
            }
            Tool::Write => {
                pending.new = self.snippet(400, 3_000);
                self.scratch.put("Write\",\"input\":{\"file_path\":\"").put(&pending.path).put("\",\"content\":\"");
                self.scratch.bytes(&pending.new).put("\"}}");
            }
            Tool::Grep => {
                self.scratch.put("Grep\",\"input\":{\"pattern\":\"").put(self.texts.identifier(&mut self.random));
                self.scratch.put("\",\"output_mode\":\"content\"}}");
            }
            Tool::Task => {
                pending.new = self.snippet_of_prose(200, 900);
                self.scratch.put("Task\",\"input\":{\"description\":\"Explore the code\",\"prompt\":\"");
                self.scratch.bytes(&pending.new).put("\",\"subagent_type\":\"Explore\"}}");
            }
        }
        pending
    }

    fn snippet(&mut self, low: u64, high: u64) -> Vec<u8> {
        let bytes = self.content_bytes(low, high);
        let mut text = super::Json::default();
        self.texts.code(&mut self.random, bytes, &mut text);
        text.0
    }

    fn snippet_of_prose(&mut self, low: u64, high: u64) -> Vec<u8> {
        let bytes = self.content_bytes(low, high);
        let mut text = super::Json::default();
        self.texts.prose(&mut self.random, bytes, &mut text);
        text.0
    }

    /// Writes the results of the tool calls that wait.
    pub(super) fn tool_results(&mut self, pending: &mut Vec<Pending>) -> io::Result<()> {
        for call in pending.drain(..) {
            if self.id.version == STREAMING_VERSION && call.tool == Tool::Bash && self.random.chance(50) {
                self.bash_progress(&call.id)?;
            }
            let answer = if call.tool == Tool::Task { Some(self.subagent(&call)?) } else { None };
            if call.tool != Tool::Task && self.random.chance(4) {
                self.refused(&call)?;
                continue;
            }
            self.scratch.0.clear();
            match call.tool {
                Tool::Bash => self.bash_result(&call),
                Tool::Read => self.read_result(&call),
                Tool::Edit => self.edit_result(&call),
                Tool::Write => self.write_result(&call),
                Tool::Grep => self.grep_result(&call),
                Tool::Task => self.task_result(&call, answer.as_deref().unwrap_or_default()),
            }
            self.new_context += self.line.0.len() as u64 / 10;
            self.close()?;
        }
        Ok(())
    }

    /// Starts a result line up to its content.
    fn result(&mut self, call: &Pending) {
        self.open();
        self.line
            .put("\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":[{\"tool_use_id\":\"")
            .put(&call.id);
        self.line.put("\",\"type\":\"tool_result\",\"content\":");
    }

    fn bash_result(&mut self, call: &Pending) {
        let bytes = self.content_bytes(40, 2_500);
        self.texts.output(&mut self.random, bytes, &mut self.scratch);
        let failed = self.random.chance(6);
        self.result(call);
        if failed {
            self.line.put("\"Error: Exit code 101\\n").bytes(&self.scratch.0);
            self.line.put("\",\"is_error\":true}]},\"toolUseResult\":\"Error: Exit code 101\\n");
            self.line.bytes(&self.scratch.0).put("\",");
            return;
        }
        self.line.put("\"").bytes(&self.scratch.0).put("\",\"is_error\":false}]},\"toolUseResult\":{\"stdout\":\"");
        self.line.bytes(&self.scratch.0).put("\",\"stderr\":\"\",\"interrupted\":false,\"isImage\":false,");
        self.line.put("\"noOutputExpected\":false},");
    }

    fn read_result(&mut self, call: &Pending) {
        let bytes = self.content_bytes(300, 6_000);
        let lines = self.texts.code(&mut self.random, bytes, &mut self.scratch);
        self.result(call);
        self.line.put("\"");
        numbered(&self.scratch.0, &mut self.line);
        self.line.put("\"}]},\"toolUseResult\":{\"type\":\"text\",\"file\":{\"filePath\":\"").put(&call.path);
        self.line.put("\",\"content\":\"").bytes(&self.scratch.0).put("\",\"numLines\":").number(lines);
        self.line.put(",\"startLine\":1,\"totalLines\":").number(lines).put("}},");
    }

    fn edit_result(&mut self, call: &Pending) {
        let bytes = self.content_bytes(300, 5_000);
        self.texts.code(&mut self.random, bytes, &mut self.scratch);
        self.result(call);
        self.line.put("\"The file ").put(&call.path).put(" has been updated successfully.\"}]},\"toolUseResult\":{");
        self.line.put("\"filePath\":\"").put(&call.path).put("\",\"oldString\":\"").bytes(&call.old);
        self.line.put("\",\"newString\":\"").bytes(&call.new).put("\",\"originalFile\":\"").bytes(&self.scratch.0);
        self.line
            .put("\",\"userModified\":false,\"replaceAll\":false,\"structuredPatch\":[{\"oldStart\":12,\"oldLines\":");
        let (old, new) = (split_lines(&call.old).count() as u64, split_lines(&call.new).count() as u64);
        self.line.number(old).put(",\"newStart\":12,\"newLines\":").number(new).put(",\"lines\":[");
        for (sign, text) in [("-", &call.old), ("+", &call.new)] {
            for line in split_lines(text) {
                self.line.put("\"").put(sign).bytes(line).put("\",");
            }
        }
        self.line.0.pop();
        self.line.put("]}]},");
    }

    fn write_result(&mut self, call: &Pending) {
        self.result(call);
        self.line.put("\"File created successfully at: ").put(&call.path).put("\"}]},\"toolUseResult\":{\"type\":");
        self.line.put("\"create\",\"filePath\":\"").put(&call.path).put("\",\"content\":\"").bytes(&call.new);
        self.line.put("\",\"structuredPatch\":[],\"originalFile\":null,\"userModified\":false},");
    }

    fn grep_result(&mut self, call: &Pending) {
        let bytes = self.content_bytes(60, 900);
        let lines = self.texts.code(&mut self.random, bytes, &mut self.scratch);
        self.result(call);
        self.line.put("\"").bytes(&self.scratch.0).put("\"}]},\"toolUseResult\":{\"mode\":\"content\",\"numFiles\":0,");
        self.line.put("\"filenames\":[],\"content\":\"").bytes(&self.scratch.0).put("\",\"numLines\":").number(lines);
        self.line.put("},");
    }

    fn task_result(&mut self, call: &Pending, agent: &str) {
        self.texts.prose(&mut self.random, 900, &mut self.scratch);
        self.result(call);
        self.line.put("[{\"type\":\"text\",\"text\":\"").bytes(&self.scratch.0).put("\"}]}]},\"toolUseResult\":{");
        self.line.put("\"status\":\"completed\",\"prompt\":\"").bytes(&call.new).put("\",\"agentId\":\"").put(agent);
        self.line.put("\",\"content\":[{\"type\":\"text\",\"text\":\"").bytes(&self.scratch.0);
        // Figures of the sub-agent's last call: they stand in its own file and must not be counted.
        self.line.put("\"}],\"totalDurationMs\":47644,\"totalTokens\":81932,\"totalToolUseCount\":3,\"usage\":{");
        self.line.put("\"input_tokens\":7,\"cache_creation_input_tokens\":900,\"cache_read_input_tokens\":81000,");
        self.line.put("\"output_tokens\":25}},");
    }

    /// The person says no.
    fn refused(&mut self, call: &Pending) -> io::Result<()> {
        self.result(call);
        self.line.put("\"The user doesn't want to proceed with this tool use. The tool use was rejected.\",");
        self.line.put("\"is_error\":true}]},\"toolUseResult\":\"Error: The user doesn't want to proceed with this ");
        self.line.put("tool use. The tool use was rejected.\",");
        self.close()
    }

    fn bash_progress(&mut self, call: &str) -> io::Result<()> {
        self.open();
        self.line
            .put("\"type\":\"progress\",\"data\":{\"type\":\"bash_progress\",\"output\":\"\",\"fullOutput\":\"\",");
        self.line.put("\"elapsedTimeSeconds\":3,\"totalLines\":0,\"timeoutMs\":120000},\"toolUseID\":");
        self.line.put("\"bash-progress-0\",\"parentToolUseID\":\"").put(call).put("\",");
        self.close()
    }

    /// A sub-agent's own file, with a file that says what it is. Returns the agent's id.
    fn subagent(&mut self, call: &Pending) -> io::Result<String> {
        let agent = token(&mut self.random, "a", 16).to_lowercase();
        let id = Identity { agent: Some(agent.clone()), model: super::MODELS[3], ..self.id.clone() };
        let name = format!("{}/subagents/agent-{agent}", self.id.session);
        let mut child = self.beside(id, format!("{name}.jsonl"))?;
        let bytes = if self.id.long { 80_000 } else { 8_000 };
        child.turn(bytes)?;
        let last = std::mem::take(&mut child.line);
        self.now_us = child.now_us;
        self.adopt(child)?;
        let meta = format!(
            "{{\"agentType\":\"Explore\",\"description\":\"Explore the code\",\"toolUseId\":\"{}\",\"spawnDepth\":1}}",
            call.id
        );
        std::fs::write(self.folder.join(format!("{name}.meta.json")), meta)?;
        if self.id.version == STREAMING_VERSION {
            self.agent_progress(call, &agent, &last.0)?;
        }
        Ok(agent)
    }

    /// The parent repeats a sub-agent's message: the same call, in another file.
    fn agent_progress(&mut self, call: &Pending, agent: &str, message: &[u8]) -> io::Result<()> {
        self.open();
        self.line.put("\"type\":\"progress\",\"data\":{\"message\":").bytes(message);
        self.line
            .put(",\"normalizedMessages\":[],\"type\":\"agent_progress\",\"prompt\":\"\",\"agentId\":\"")
            .put(agent);
        self.line.put("\"},\"toolUseID\":\"agent_").put(&call.id).put("\",\"parentToolUseID\":\"").put(&call.id);
        self.line.put("\",");
        self.close()
    }
}
