-- Report: usage per month, named by its first day.
--
-- The views it selects from are put before it with the filters inside. The row with is_total is the
-- total over all others; its sessions are counted, not added up.
-- Sessions of which only a title or a setting is known are left out.
SELECT
  month,
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
  grouping(month) = 1 AS is_total
FROM (SELECT *, make_date(CAST(date_part('year', day) AS INT), CAST(date_part('month', day) AS INT), 1) AS month FROM activity)
WHERE prompts + calls + tool_calls + errors + estimated_calls > 0
GROUP BY GROUPING SETS ((month), ())
ORDER BY is_total, month
