-- What was done per day, session and model: the sums that the other views add up.
--
-- One row per day (in the configured time zone), agent, project, session, main thread or sub-agent,
-- and model. Everything but first_at, last_at and turns may be added up over any rows.
--
-- prompts: what a person asked. calls: model calls, that is rows with usage. tool_calls: calls of
-- tools, commands and file tools. errors: rows that report failure. Token columns: sums over calls
-- whose usage the log reports or that follows from its counters; estimates are left out of all sums
-- and counted in estimated_calls. partial_calls, partial_output_tokens: the part of calls and
-- output_tokens that comes from records known to say too little.
WITH parts AS (
  SELECT
    local_date(ts) AS day,
    agent,
    project,
    session_id,
    is_subagent IS TRUE AS is_subagent,
    CASE WHEN total_tokens IS NOT NULL THEN provider END AS provider,
    CASE WHEN total_tokens IS NOT NULL THEN model END AS model,
    usage_source,
    event_type,
    min(ts) AS first_at,
    max(ts) AS last_at,
    max(turn) AS turn,
    count(*) AS events,
    count(*) FILTER (WHERE is_error) AS failed,
    sum(lines_added) AS lines_added,
    sum(lines_removed) AS lines_removed,
    count(total_tokens) AS calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
    sum(cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(total_tokens) AS total_tokens
  FROM events
  WHERE true
    AND ts >= $since        -- if since
    AND ts < $until         -- if until
    AND agent = $agent      -- if agent
    AND project = $project  -- if project
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
)
SELECT
  day,
  agent,
  project,
  session_id,
  is_subagent,
  provider,
  model,
  min(first_at) AS first_at,
  max(last_at) AS last_at,
  CASE WHEN is_subagent THEN NULL ELSE max(turn) END AS turns,
  sum(events) AS events,
  coalesce(sum(events) FILTER (WHERE event_type = 'user_interaction' AND NOT is_subagent), 0) AS prompts,
  coalesce(sum(events) FILTER (WHERE event_type = 'prompt_history'), 0) AS history_prompts,
  coalesce(sum(events) FILTER (
    WHERE event_type IN ('tool_use', 'file_read', 'file_write', 'file_modify', 'command_execution')), 0) AS tool_calls,
  coalesce(sum(CASE WHEN event_type = 'error_encountered' THEN events ELSE failed END), 0) AS errors,
  coalesce(sum(lines_added), 0) AS lines_added,
  coalesce(sum(lines_removed), 0) AS lines_removed,
  coalesce(sum(calls) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated'), 0) AS calls,
  sum(input_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS input_tokens,
  sum(cache_read_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS cache_read_tokens,
  sum(cache_write_5m_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS cache_write_5m_tokens,
  sum(cache_write_1h_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS cache_write_1h_tokens,
  sum(output_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS output_tokens,
  sum(reasoning_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS reasoning_tokens,
  sum(total_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS total_tokens,
  coalesce(sum(calls) FILTER (WHERE usage_source = 'partial'), 0) AS partial_calls,
  coalesce(sum(output_tokens) FILTER (WHERE usage_source = 'partial'), 0) AS partial_output_tokens,
  coalesce(sum(calls) FILTER (WHERE usage_source = 'estimated'), 0) AS estimated_calls
FROM parts
GROUP BY 1, 2, 3, 4, 5, 6, 7
