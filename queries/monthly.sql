-- Usage per month and agent, in the configured time zone.
--
-- One row per month (its first day) and agent; rows of agents may be added up.
-- sessions: sessions with any event in it. models: models with usage. Counts and token columns as in
-- the view activity; estimates are in no token sum.
SELECT
  make_date(CAST(date_part('year', day) AS INT), CAST(date_part('month', day) AS INT), 1) AS month,
  agent,
  count(DISTINCT session_id) AS sessions,
  sum(prompts) AS prompts,
  sum(calls) AS calls,
  sum(tool_calls) AS tool_calls,
  sum(errors) AS errors,
  sum(lines_added) AS lines_added,
  sum(lines_removed) AS lines_removed,
  sum(input_tokens) AS input_tokens,
  sum(cache_read_tokens) AS cache_read_tokens,
  sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
  sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
  sum(output_tokens) AS output_tokens,
  sum(reasoning_tokens) AS reasoning_tokens,
  sum(total_tokens) AS total_tokens,
  sum(partial_calls) AS partial_calls,
  sum(partial_output_tokens) AS partial_output_tokens,
  sum(estimated_calls) AS estimated_calls,
  text_list(model) AS models
FROM activity
GROUP BY 1, 2
ORDER BY 1, 2
