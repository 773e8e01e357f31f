-- Report: usage per week, named by its Monday.
--
-- The views it selects from are put before it with the filters inside. The row with is_total is the
-- total over all others; its sessions are counted, not added up.
-- Sessions of which only a title or a setting is known are left out.
SELECT
  week,
  count(DISTINCT session_id) AS sessions,
  sum(prompts) AS prompts,
  sum(calls) AS calls,
  sum(tool_calls) AS tool_calls,
  sum(errors) AS errors,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  coalesce(sum(cache_write_5m_tokens), sum(cache_write_1h_tokens) * 0)
    + coalesce(sum(cache_write_1h_tokens), 0) AS cache_write_tokens,
  sum(output_tokens) AS output_tokens,
  sum(total_tokens) AS total_tokens,
  text_list(model) AS models,
  sum(partial_calls) AS partial_calls,
  sum(partial_output_tokens) AS partial_output_tokens,
  sum(estimated_calls) AS estimated_calls,
  grouping(week) = 1 AS is_total
FROM (SELECT *, CAST(CAST(day AS INT) - (CAST(day AS INT) + 7000003) % 7 AS DATE) AS week FROM activity)
WHERE prompts + calls + tool_calls + errors + estimated_calls > 0
GROUP BY GROUPING SETS ((week), ())
ORDER BY is_total, week
