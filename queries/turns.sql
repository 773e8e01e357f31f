-- Turns: one prompt and all that the agent did until the next.
--
-- One row per agent, session and turn of the main thread; turn 0 is what came before the first prompt.
-- Sub-agents number their own turns, so their work is not in these sums but in the view sessions.
-- prompt: what was asked. duration_ms: from the prompt to the last event of the turn. Estimates are in
-- no token sum.
WITH prompts AS (
  SELECT agent, session_id, turn, first_value(text ORDER BY ts, event_id) AS prompt
  FROM events
  WHERE event_type = 'user_interaction' AND is_subagent IS NOT TRUE AND turn IS NOT NULL AND text IS NOT NULL
  GROUP BY 1, 2, 3
), sums AS (
  SELECT
    agent,
    session_id,
    turn,
    min(project) AS project,
    min(ts) AS started_at,
    max(ts) AS ended_at,
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
    count(total_tokens) FILTER (WHERE usage_source = 'estimated') AS estimated_calls,
    text_list(model) FILTER (WHERE total_tokens IS NOT NULL) AS models
  FROM events
  WHERE session_id IS NOT NULL AND turn IS NOT NULL AND is_subagent IS NOT TRUE
  GROUP BY 1, 2, 3
)
SELECT
  s.session_id,
  s.turn,
  s.agent,
  s.project,
  s.started_at,
  s.ended_at,
  (CAST(s.ended_at AS BIGINT) - CAST(s.started_at AS BIGINT)) / 1000 AS duration_ms,
  p.prompt,
  s.calls,
  s.tool_calls,
  s.errors,
  s.lines_added,
  s.lines_removed,
  s.models,
  s.input_tokens,
  s.cache_read_tokens,
  s.cache_write_5m_tokens,
  s.cache_write_1h_tokens,
  s.output_tokens,
  s.reasoning_tokens,
  s.total_tokens,
  s.partial_calls,
  s.partial_output_tokens,
  s.estimated_calls
FROM sums s
LEFT JOIN prompts p ON p.agent = s.agent AND p.session_id = s.session_id AND p.turn = s.turn
ORDER BY s.started_at, s.session_id, s.turn
