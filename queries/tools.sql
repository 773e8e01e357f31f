-- Tools: how often they are called, how often they fail, how long they take.
--
-- One row per agent and tool. results: calls that have ended. error_percent: failed results of all
-- results. Results whose call is in no log are left out. Durations in ms, of those results whose log tells
-- one above 0; the view tool_calls measures the others.
SELECT
  agent,
  tool_name,
  count(*) FILTER (WHERE event_type NOT IN ('tool_result', 'progress')) AS calls,
  count(*) FILTER (WHERE event_type = 'tool_result') AS results,
  count(*) FILTER (WHERE event_type IN ('tool_result', 'progress') AND is_error) AS errors,
  round(
    100.0 * count(*) FILTER (WHERE event_type IN ('tool_result', 'progress') AND is_error)
      / nullif(count(*) FILTER (WHERE event_type = 'tool_result'), 0), 1) AS error_percent,
  count(DISTINCT session_id) AS sessions,
  CAST(median(nullif(duration_ms, 0)) AS BIGINT) AS median_ms,
  max(nullif(duration_ms, 0)) AS longest_ms,
  min(ts) AS first_at,
  max(ts) AS last_at
FROM events
WHERE (event_type IN ('tool_use', 'file_read', 'file_write', 'file_modify', 'command_execution', 'tool_result')
  -- A command that ran on after its result.
  OR (event_type = 'progress' AND is_error AND tool_call_id IS NOT NULL))
  -- A result whose call is in no log says nothing of any tool.
  AND (tool_name IS NOT NULL OR event_type NOT IN ('tool_result', 'progress'))
GROUP BY 1, 2
ORDER BY calls DESC, 1, 2
