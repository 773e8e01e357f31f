-- Report: tools, how often they are called and how often they fail.
--
-- The views it selects from are put before it with the filters inside. The row with is_total is the
-- total over all others; its sessions are counted, not added up.
SELECT
  tool_name,
  agent,
  count(*) AS calls,
  count(*) FILTER (WHERE is_error) AS errors,
  round(100.0 * count(*) FILTER (WHERE is_error) / nullif(count(is_error), 0), 1) AS error_percent,
  count(DISTINCT session_id) AS sessions,
  CAST(median(duration_ms) AS BIGINT) AS median_ms,
  max(duration_ms) AS longest_ms,
  max(ts) AS last_at,
  grouping(tool_name) = 1 AS is_total
FROM tool_calls
GROUP BY GROUPING SETS ((tool_name, agent), ())
ORDER BY is_total, calls DESC, tool_name, agent
