-- Every command that agents ran, with its outcome.
--
-- One row per execution. program: the command's first word. The other columns as in tool_calls.
SELECT
  ts,
  agent,
  project,
  session_id,
  turn,
  is_subagent,
  split_part(trim(command), ' ', 1) AS program,
  command,
  exit_code,
  is_error,
  status,
  duration_ms,
  cwd,
  tool_output AS output,
  tool_call_id
FROM tool_calls
WHERE kind = 'command_execution'
