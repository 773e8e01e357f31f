-- What was done per day, session and model: the sums that the other views add up.
--
-- One row per day (in the configured time zone), agent, project, session, main thread or sub-agent,
-- and model. Everything but times and turns may be added up over any rows. first_logged_at,
-- last_logged_at: of the rows whose log tells their time. lines_added, lines_removed: null where no log
-- counts them.
--
-- prompts: what a person asked. calls: model calls, that is rows with usage, but not those that add up a
-- whole session (system, session_end): these count in the token columns only. tool_calls: calls of
-- tools, commands and file tools. errors: rows that report failure. Token columns: sums over calls
-- whose usage the log reports or that follows from its counters; estimates are left out of all sums
-- and counted in estimated_calls. partial_calls, partial_output_tokens: the part of calls and
-- output_tokens that comes from records known to say too little.
SELECT
  local_date(ts) AS day,
  agent,
  project,
  session_id,
  is_subagent IS TRUE AS is_subagent,
  CASE WHEN total_tokens IS NOT NULL THEN provider END AS provider,
  CASE WHEN total_tokens IS NOT NULL THEN model END AS model,
  min(ts) AS first_at,
  max(ts) AS last_at,
  min(ts) FILTER (WHERE ts_source = 'log') AS first_logged_at,
  max(ts) FILTER (WHERE ts_source = 'log') AS last_logged_at,
  max(turn) FILTER (WHERE is_subagent IS NOT TRUE) AS turns,
  count(*) AS events,
  count(*) FILTER (WHERE event_type = 'user_interaction' AND is_subagent IS NOT TRUE) AS prompts,
  count(*) FILTER (WHERE event_type = 'prompt_history') AS history_prompts,
  count(*) FILTER (
    WHERE event_type IN ('tool_use', 'file_read', 'file_write', 'file_modify', 'command_execution')) AS tool_calls,
  count(*) FILTER (WHERE is_error OR event_type = 'error_encountered') AS errors,
  sum(lines_added) AS lines_added,
  sum(lines_removed) AS lines_removed,
  count(total_tokens) FILTER (
    WHERE usage_source IS DISTINCT FROM 'estimated' AND event_type NOT IN ('system', 'session_end')) AS calls,
  sum(input_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS input_tokens,
  sum(cache_read_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS cache_read_tokens,
  sum(cache_write_5m_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS cache_write_5m_tokens,
  sum(cache_write_1h_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS cache_write_1h_tokens,
  sum(output_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS output_tokens,
  sum(reasoning_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS reasoning_tokens,
  sum(total_tokens) FILTER (WHERE usage_source IS DISTINCT FROM 'estimated') AS total_tokens,
  count(total_tokens) FILTER (WHERE usage_source = 'partial') AS partial_calls,
  coalesce(sum(output_tokens) FILTER (WHERE usage_source = 'partial'), 0) AS partial_output_tokens,
  count(total_tokens) FILTER (WHERE usage_source = 'estimated') AS estimated_calls
FROM events
WHERE true
  AND ts >= $since        -- if since
  AND ts < $until         -- if until
  AND agent = $agent      -- if agent
  AND (project = $project OR ends_with(project, concat('/', $project)))  -- if project
GROUP BY 1, 2, 3, 4, 5, 6, 7
