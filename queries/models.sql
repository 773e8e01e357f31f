-- Usage per model.
--
-- One row per agent, provider and model as the log names them; a null model is usage whose log does
-- not say which. Only calls count here: prompts and tools belong to no model.
-- sessions: sessions with a call of it. Counts and token columns as in
-- the view activity; estimates are in no token sum.
SELECT
  agent,
  provider,
  model,
  min(first_at) AS first_at,
  max(last_at) AS last_at,
  count(DISTINCT session_id) AS sessions,
  count(DISTINCT day) AS days,
  sum(calls) AS calls,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
  sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
  sum(output_tokens) AS output_tokens,
  sum(reasoning_tokens) AS reasoning_tokens,
  sum(total_tokens) AS total_tokens,
  sum(partial_calls) AS partial_calls,
  sum(partial_output_tokens) AS partial_output_tokens,
  sum(estimated_calls) AS estimated_calls
FROM activity
WHERE calls > 0 OR estimated_calls > 0 OR total_tokens IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY total_tokens DESC NULLS LAST, 1, 2, 3
