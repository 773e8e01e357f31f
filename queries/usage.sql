-- Every model call with its token usage.
--
-- One row per call, and one for what only a session's own counters tell (event_type system or
-- session_end): each call has its usage on exactly one event, so any sum over these rows is right.
-- The four input columns are disjoint; total_tokens is their sum plus output_tokens; reasoning_tokens
-- is a part of output_tokens. A null says that the log does not tell, it is not zero. is_partial: the
-- record is known to say too little. is_estimated: the agent guessed; leave these out of sums.
SELECT
  ts,
  local_date(ts) AS day,
  agent,
  provider,
  model,
  project,
  session_id,
  is_subagent IS TRUE AS is_subagent,
  subagent_type,
  turn,
  input_tokens,
  cache_read_tokens,
  cache_write_5m_tokens,
  cache_write_1h_tokens,
  output_tokens,
  reasoning_tokens,
  total_tokens,
  usage_source,
  usage_source IS NOT DISTINCT FROM 'partial' AS is_partial,
  usage_source IS NOT DISTINCT FROM 'estimated' AS is_estimated,
  service_tier,
  stop_reason,
  duration_ms,
  cost_usd_reported,
  credits,
  message_id,
  request_id,
  event_id
FROM events
WHERE total_tokens IS NOT NULL
