-- Report: usage per session, the latest last.
--
-- The views it selects from are put before it with the filters inside. The row with is_total is the
-- total over all others. Sessions of which only a title or a setting is known are left out.
SELECT
  started_at,
  agent,
  project,
  title,
  session_id,
  sum(prompts) AS prompts,
  sum(calls) AS calls,
  sum(tool_calls) AS tool_calls,
  sum(errors) AS errors,
  sum(output_tokens) AS output_tokens,
  sum(total_tokens) AS total_tokens,
  sum(subagent_total_tokens) AS subagent_total_tokens,
  models,
  sum(partial_calls) AS partial_calls,
  sum(partial_output_tokens) AS partial_output_tokens,
  sum(estimated_calls) AS estimated_calls,
  grouping(started_at) = 1 AS is_total
FROM sessions
WHERE prompts + calls + tool_calls + errors + estimated_calls > 0
GROUP BY GROUPING SETS ((started_at, agent, project, title, session_id, models), ())
ORDER BY is_total, started_at, session_id
