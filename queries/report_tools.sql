-- Report: tools, how often they are called and how often they fail.
--
-- Results whose call is in no log are left out, and durations of 0: they stand for an unknown one.
-- The row with is_total is the total over all others; its sessions are counted, not added up.
SELECT
  tool_name,
  agent,
  count(*) FILTER (WHERE event_type NOT IN ('tool_result', 'progress')) AS calls,
  count(*) FILTER (WHERE event_type IN ('tool_result', 'progress') AND is_error) AS errors,
  round(
    100.0 * count(*) FILTER (WHERE event_type IN ('tool_result', 'progress') AND is_error)
      / nullif(count(*) FILTER (WHERE event_type = 'tool_result'), 0), 1) AS error_percent,
  count(DISTINCT session_id) AS sessions,
  CAST(median(nullif(duration_ms, 0)) AS BIGINT) AS median_ms,
  max(nullif(duration_ms, 0)) AS longest_ms,
  max(ts) AS last_at,
  grouping(tool_name) = 1 AS is_total
FROM events
WHERE (event_type IN ('tool_use', 'file_read', 'file_write', 'file_modify', 'command_execution', 'tool_result')
  -- A command that ran on after its result.
  OR (event_type = 'progress' AND is_error AND tool_call_id IS NOT NULL))
  -- A result whose call is in no log says nothing of any tool.
  AND (tool_name IS NOT NULL OR event_type NOT IN ('tool_result', 'progress'))
  AND ts >= $since        -- if since
  AND ts < $until         -- if until
  AND agent = $agent      -- if agent
  AND (project = $project OR ends_with(project, concat('/', $project)))  -- if project
GROUP BY GROUPING SETS ((tool_name, agent), ())
ORDER BY is_total, calls DESC, tool_name, agent
