//! The lines of a transcript.

use std::io;

use super::super::Usage;
use super::super::json::{noise, uuid};
use super::tools::{Pending, Tool};
use super::{STREAMING_VERSION, Session, VERSIONS};

/// What one line of a call shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Block {
    Thinking,
    Text,
    Tool(Tool),
}

/// One model call, as its lines repeat it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) message: &'a str,
    pub(super) request: &'a str,
    pub(super) usage: &'a Usage,
    pub(super) fallback: Option<&'a (&'static str, Usage)>,
    pub(super) stop: &'static str,
    pub(super) last: bool,
}

impl Session<'_> {
    /// Starts a line that has a uuid: `{"parentUuid":…,"isSidechain":…,`.
    pub(super) fn open(&mut self) {
        self.line.0.clear();
        self.line.put("{\"parentUuid\":");
        match &self.parent {
            Some(parent) => self.line.put("\"").put(parent).put("\""),
            None => self.line.put("null"),
        };
        match &self.id.agent {
            Some(agent) => self.line.put(",\"isSidechain\":true,\"agentId\":\"").put(agent).put("\","),
            None => self.line.put(",\"isSidechain\":false,"),
        };
    }

    /// Ends it with uuid, time and the surroundings, and writes it.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let id = uuid(&mut self.random);
        let now = self.tick();
        let line = &mut self.line;
        line.put("\"uuid\":\"").put(&id).put("\",\"timestamp\":\"").time(now);
        line.put("\",\"userType\":\"external\",\"entrypoint\":\"cli\",\"cwd\":\"").put(self.id.cwd);
        line.put("\",\"sessionId\":\"").put(&self.id.session).put("\",\"version\":\"").put(self.id.version);
        line.put("\",\"gitBranch\":\"").put(self.id.branch).put("\"}");
        self.parent = Some(id);
        if let Some((lines, _)) = &mut self.kept {
            lines.push(self.line.0.clone());
        }
        self.sink.line(&self.line.0)
    }

    /// Writes a line without uuid, made by `fill`: state that is appended again and again.
    fn state(&mut self, kind: &str, key: &str, value: &str) -> io::Result<()> {
        self.line.0.clear();
        self.line.put("{\"type\":\"").put(kind).put("\",\"").put(key).put("\":\"").put(value);
        self.line.put("\",\"sessionId\":\"").put(&self.id.session).put("\"}");
        self.sink.line(&self.line.0)
    }

    /// The records that Claude Code repeats so that a look at the end of the file finds them.
    pub(super) fn state_lines(&mut self) -> io::Result<()> {
        if self.id.agent.is_some() {
            return Ok(());
        }
        let prompt = std::mem::take(&mut self.prompt);
        self.state("last-prompt", "lastPrompt", &prompt)?;
        self.state("ai-title", "aiTitle", prompt.split("\\n").next().unwrap_or_default())?;
        self.state("permission-mode", "permissionMode", "acceptEdits")?;
        self.prompt = prompt;
        Ok(())
    }

    /// What the person typed; in a sub-agent's file, what the parent asked for.
    pub(super) fn user_prompt(&mut self) -> io::Result<()> {
        self.scratch.0.clear();
        let extra = if self.random.chance(40) { self.content_bytes(60, 500) } else { 0 };
        self.texts.prompt(&mut self.random, extra, &mut self.scratch);
        self.open();
        self.line.put("\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":\"").bytes(&self.scratch.0);
        self.line.put("\"},");
        if self.id.agent.is_none() {
            self.line.put("\"permissionMode\":\"acceptEdits\",\"todos\":[],");
            self.prompt = String::from_utf8_lossy(&self.scratch.0).into_owned();
            self.left.truth.prompts += 1;
        }
        self.close()?;
        self.history()
    }

    /// The prompt as `history.jsonl` keeps it.
    fn history(&mut self) -> io::Result<()> {
        if self.id.agent.is_none() {
            self.line.0.clear();
            self.line.put("{\"display\":\"").put(&self.prompt).put("\",\"pastedContents\":{},\"timestamp\":");
            self.line.number((self.now_us / 1000).cast_unsigned()).put(",\"project\":\"").put(self.id.cwd);
            self.line.put("\",\"sessionId\":\"").put(&self.id.session).put("\"}");
            self.left.claude_history.push((self.now_us, self.line.0.clone()));
        }
        Ok(())
    }

    /// One line of a call. Returns the tool call that waits for its result.
    pub(super) fn assistant_line(&mut self, call: &Call<'_>, block: Block) -> io::Result<Option<Pending>> {
        self.scratch.0.clear();
        let pending = match block {
            Block::Thinking => {
                let bytes = self.content_bytes(80, 1200);
                self.scratch.put("{\"type\":\"thinking\",\"thinking\":\"");
                self.texts.prose(&mut self.random, bytes, &mut self.scratch);
                self.scratch.put("\",\"signature\":\"");
                noise(&mut self.random, 236, &mut self.scratch.0);
                self.scratch.put("\"}");
                None
            }
            Block::Text => {
                let bytes = self.content_bytes(60, 900);
                self.scratch.put("{\"type\":\"text\",\"text\":\"");
                self.texts.prose(&mut self.random, bytes, &mut self.scratch);
                self.scratch.put("\"}");
                None
            }
            Block::Tool(tool) => Some(self.tool_use(tool)),
        };
        self.new_context += self.scratch.0.len() as u64 / 4;
        self.open();
        self.line.put("\"message\":{\"model\":\"").put(self.id.model).put("\",\"id\":\"").put(call.message);
        self.line.put("\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[").bytes(&self.scratch.0);
        self.line.put("],\"stop_reason\":");
        // Older versions know the end of the call on its last line only.
        let whole = call.last || self.id.version != STREAMING_VERSION;
        if whole {
            self.line.put("\"").put(call.stop).put("\"");
        } else {
            self.line.put("null");
        }
        self.line.put(",\"stop_sequence\":null,\"usage\":");
        let shown =
            if whole { call.usage.output_tokens } else { self.random.between(1, 9).min(call.usage.output_tokens) };
        self.usage_object(call, shown);
        self.line.put("},\"requestId\":\"").put(call.request).put("\",\"type\":\"assistant\",");
        self.close()?;
        Ok(pending)
    }

    fn usage_object(&mut self, call: &Call<'_>, output: u64) {
        let usage = call.usage;
        self.line.put("{");
        self.usage_parts(usage, output);
        self.line.put(",\"server_tool_use\":{\"web_search_requests\":0,\"web_fetch_requests\":0}");
        self.line.put(",\"service_tier\":\"standard\",\"inference_geo\":\"not_available\",\"iterations\":[");
        if let Some((model, first)) = call.fallback {
            self.line.put("{\"type\":\"message\",\"model\":\"").put(model).put("\",");
            self.usage_parts(first, first.output_tokens);
            self.line.put("},");
        }
        self.line.put("{\"type\":\"message\",");
        if call.fallback.is_some() {
            self.line.put("\"model\":\"").put(self.id.model).put("\",");
        }
        self.usage_parts(usage, output);
        self.line.put("}],\"speed\":\"standard\"");
        if self.id.version == VERSIONS[0] {
            self.line.put(",\"output_tokens_details\":{\"thinking_tokens\":").number(usage.reasoning_tokens).put("}");
        }
        self.line.put("}");
    }

    fn usage_parts(&mut self, usage: &Usage, output: u64) {
        let written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
        self.line.put("\"input_tokens\":").number(usage.input_tokens);
        self.line.put(",\"cache_creation_input_tokens\":").number(written);
        self.line.put(",\"cache_read_input_tokens\":").number(usage.cache_read_tokens);
        self.line.put(",\"output_tokens\":").number(output);
        self.line.put(",\"cache_creation\":{\"ephemeral_5m_input_tokens\":").number(usage.cache_write_5m_tokens);
        self.line.put(",\"ephemeral_1h_input_tokens\":").number(usage.cache_write_1h_tokens).put("}");
    }

    /// A prompt typed while the model was busy: a real one, in an attachment.
    pub(super) fn queued_prompt(&mut self) -> io::Result<()> {
        if self.id.agent.is_some() {
            return Ok(());
        }
        self.scratch.0.clear();
        self.texts.prompt(&mut self.random, 0, &mut self.scratch);
        self.open();
        self.line.put("\"type\":\"attachment\",\"attachment\":{\"type\":\"queued_command\",\"prompt\":\"");
        self.line.bytes(&self.scratch.0).put("\",\"commandMode\":\"prompt\",\"origin\":{\"kind\":\"human\"}},");
        self.left.truth.prompts += 1;
        self.prompt = String::from_utf8_lossy(&self.scratch.0).into_owned();
        self.close()?;
        self.history()
    }

    /// The output of a hook at the start of the session.
    pub(super) fn hook_attachment(&mut self) -> io::Result<()> {
        self.scratch.0.clear();
        self.texts.prose(&mut self.random, 300, &mut self.scratch);
        self.open();
        self.line.put("\"type\":\"attachment\",\"attachment\":{\"type\":\"hook_success\",\"hookName\":");
        self.line.put("\"SessionStart:startup\",\"hookEvent\":\"SessionStart\",\"content\":\"").bytes(&self.scratch.0);
        self.line.put("\",\"stdout\":\"").bytes(&self.scratch.0).put("\",\"stderr\":\"\",\"exitCode\":0,");
        self.line.put("\"command\":\"just context\",\"durationMs\":").number(self.random.between(20, 900)).put("},");
        self.close()
    }

    /// How long the turn took.
    pub(super) fn turn_duration(&mut self) -> io::Result<()> {
        if self.id.agent.is_some() {
            return Ok(());
        }
        self.open();
        self.line.put("\"type\":\"system\",\"subtype\":\"turn_duration\",\"durationMs\":");
        self.line.number(self.random.between(4_000, 400_000)).put(",\"isMeta\":false,");
        self.close()
    }

    /// The API is overloaded: a try that is counted, then the client's own message. No model call.
    pub(super) fn api_error(&mut self) -> io::Result<()> {
        self.open();
        self.line.put("\"type\":\"system\",\"subtype\":\"api_error\",\"level\":\"error\",\"error\":{\"status\":529},");
        self.line.put("\"retryInMs\":602.9423501106984,\"retryAttempt\":1,\"maxRetries\":10,");
        self.close()?;
        let message = uuid(&mut self.random);
        self.open();
        self.line
            .put("\"message\":{\"id\":\"")
            .put(&message)
            .put("\",\"model\":\"<synthetic>\",\"role\":\"assistant\",");
        self.line.put("\"type\":\"message\",\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"\",\"usage\":{");
        self.usage_parts(&Usage::default(), 0);
        self.line.put("},\"content\":[{\"type\":\"text\",\"text\":\"API Error: 529 Overloaded\"}]},");
        self.line.put("\"isApiErrorMessage\":true,\"error\":\"server_error\",\"type\":\"assistant\",");
        self.close()
    }

    /// The context is summed up and started over.
    pub(super) fn compact(&mut self) -> io::Result<()> {
        let before = std::mem::replace(&mut self.context, 12_000);
        let logical = self.parent.take().unwrap_or_default();
        self.open();
        self.line.put("\"logicalParentUuid\":\"").put(&logical).put("\",\"type\":\"system\",\"subtype\":");
        self.line
            .put("\"compact_boundary\",\"content\":\"Conversation compacted\",\"isMeta\":false,\"level\":\"info\",");
        self.line.put("\"compactMetadata\":{\"trigger\":\"auto\",\"preTokens\":").number(before).put("},");
        self.close()?;
        self.scratch.0.clear();
        self.texts.prose(&mut self.random, 3_000, &mut self.scratch);
        self.open();
        self.line.put("\"type\":\"user\",\"isCompactSummary\":true,\"isVisibleInTranscriptOnly\":true,\"message\":");
        self.line
            .put("{\"role\":\"user\",\"content\":\"This session is being continued from a previous conversation. ");
        self.line.bytes(&self.scratch.0).put("\"},");
        self.close()
    }
}
