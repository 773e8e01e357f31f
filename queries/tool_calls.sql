-- Every call of a tool with its result.
--
-- One row per call. kind: what the call does (tool_use, file_read, file_write, file_modify or
-- command_execution). finished_at: when the result came, or the end of a command that ran on after it;
-- null while there is neither. duration_ms: as the log says, else the time between call and result.
-- is_error: null while there is no result, or when the log does not say. A call's id is one of its
-- session, but where its provider makes ids that are unique: then a result that only a fork of the
-- session has is the call's, too.
-- tool_input is JSON: tool_input->>'name' reads a field.
WITH results AS (
  SELECT
    agent,
    CASE WHEN starts_with(tool_call_id, 'toolu_') THEN '' ELSE coalesce(session_id, '') END AS scope,
    tool_call_id,
    max(ts) AS finished_at,
    coalesce(bool_or(is_error) FILTER (WHERE event_type = 'tool_result'), bool_or(is_error)) AS is_error,
    max(exit_code) AS exit_code,
    coalesce(
      max(status) FILTER (WHERE event_type = 'tool_result' AND status <> 'running'),
      max(status) FILTER (WHERE event_type = 'progress' AND is_error IS NOT NULL),
      max(status) FILTER (WHERE event_type = 'tool_result')) AS status,
    max(duration_ms) AS duration_ms,
    max(lines_added) AS lines_added,
    max(lines_removed) AS lines_removed,
    max(tool_output) AS tool_output
  FROM events
  -- Codex says how a long command ended in a record of its own.
  WHERE tool_call_id IS NOT NULL AND (event_type = 'tool_result' OR (event_type = 'progress' AND exit_code IS NOT NULL))
  GROUP BY 1, 2, 3
)
SELECT
  c.ts,
  c.agent,
  c.project,
  c.session_id,
  c.turn,
  c.is_subagent IS TRUE AS is_subagent,
  c.event_type AS kind,
  c.tool_name,
  c.file_path,
  c.command,
  c.tool_input,
  r.tool_output,
  r.finished_at,
  coalesce(r.duration_ms, c.duration_ms, (CAST(r.finished_at AS BIGINT) - CAST(c.ts AS BIGINT)) / 1000) AS duration_ms,
  coalesce(r.exit_code, c.exit_code) AS exit_code,
  coalesce(r.is_error, c.is_error) AS is_error,
  coalesce(r.status, c.status) AS status,
  coalesce(r.lines_added, c.lines_added) AS lines_added,
  coalesce(r.lines_removed, c.lines_removed) AS lines_removed,
  c.cwd,
  c.tool_call_id,
  c.event_id
FROM events c
LEFT JOIN results r
  ON r.agent = c.agent
    AND r.scope = CASE WHEN starts_with(c.tool_call_id, 'toolu_') THEN '' ELSE coalesce(c.session_id, '') END
    AND r.tool_call_id = c.tool_call_id
WHERE c.event_type IN ('tool_use', 'file_read', 'file_write', 'file_modify', 'command_execution')
