-- Everything that failed: errors of the agent and of the provider, and tool results that report failure.
--
-- One row per failure. message: what the log says about it, at most 2,000 characters.
SELECT
  ts,
  agent,
  project,
  session_id,
  turn,
  is_subagent IS TRUE AS is_subagent,
  event_type AS kind,
  tool_name,
  file_path,
  command,
  exit_code,
  status,
  model,
  left(coalesce(text, tool_output), 2000) AS message,
  tool_call_id,
  event_id
FROM events
WHERE is_error OR event_type = 'error_encountered'
