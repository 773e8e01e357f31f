-- Tools: how often they are called, how often they fail, how long they take.
--
-- One row per agent and tool. error_percent: failed calls of those that have a result. Durations in ms.
SELECT
  agent,
  tool_name,
  count(*) AS calls,
  count(*) FILTER (WHERE is_error) AS errors,
  round(100.0 * count(*) FILTER (WHERE is_error) / nullif(count(is_error), 0), 1) AS error_percent,
  count(*) FILTER (WHERE is_error IS NULL) AS without_result,
  count(DISTINCT session_id) AS sessions,
  CAST(median(duration_ms) AS BIGINT) AS median_ms,
  max(duration_ms) AS longest_ms,
  min(ts) AS first_at,
  max(ts) AS last_at
FROM tool_calls
GROUP BY 1, 2
ORDER BY calls DESC, 1, 2
