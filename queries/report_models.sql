-- Report: usage per model.
--
-- The views it selects from are put before it with the filters inside. The row with is_total is the
-- total over all others; its sessions are counted, not added up.
SELECT
  model,
  provider,
  agent,
  count(DISTINCT session_id) AS sessions,
  sum(calls) AS calls,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  coalesce(sum(cache_write_5m_tokens), sum(cache_write_1h_tokens) * 0)
    + coalesce(sum(cache_write_1h_tokens), 0) AS cache_write_tokens,
  sum(output_tokens) AS output_tokens,
  sum(total_tokens) AS total_tokens,
  sum(partial_calls) AS partial_calls,
  sum(partial_output_tokens) AS partial_output_tokens,
  sum(estimated_calls) AS estimated_calls,
  grouping(model) = 1 AS is_total
FROM activity
WHERE calls > 0 OR estimated_calls > 0 OR total_tokens IS NOT NULL
GROUP BY GROUPING SETS ((model, provider, agent), ())
ORDER BY is_total, total_tokens DESC NULLS LAST, model, provider, agent
