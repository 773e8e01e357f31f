-- Every session, the latest first: when, where, what it was about, what it used.
--
-- One row per agent and session. project: where it began. started_at, ended_at: of its events whose
-- time the log tells, if there are any. duration_ms: between them, pauses included. prompts: what a
-- person asked; of sessions whose logs are gone, what the prompt history remembers. turns: highest
-- prompt number of the main thread. is_subagent: the whole session is a sub-agent's;
-- parent_session_id names the one that started it. subagent_calls, subagent_total_tokens: the part of
-- calls and total_tokens that sub-agents used. title: the last title the agent gave it. Token columns
-- as in the view activity.
WITH titles AS (
  SELECT agent, session_id, last_value(text ORDER BY ts, completeness, event_id) AS title
  FROM events
  WHERE event_type = 'title' AND text IS NOT NULL AND session_id IS NOT NULL
  GROUP BY 1, 2
), parents AS (
  SELECT agent, session_id, min(parent_session_id) AS parent_session_id
  FROM events
  WHERE parent_session_id IS NOT NULL AND session_id IS NOT NULL
  GROUP BY 1, 2
), sums AS (
  SELECT
    agent,
    session_id,
    first_value(project ORDER BY first_at) FILTER (WHERE project IS NOT NULL) AS project,
    coalesce(min(first_logged_at), min(first_at)) AS started_at,
    coalesce(max(last_logged_at), max(last_at)) AS ended_at,
    bool_and(is_subagent) AS is_subagent,
    CASE WHEN sum(events) > sum(history_prompts) THEN sum(prompts) ELSE sum(history_prompts) END AS prompts,
    max(turns) AS turns,
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
    sum(CASE WHEN is_subagent THEN calls ELSE 0 END) AS subagent_calls,
    sum(CASE WHEN is_subagent THEN total_tokens ELSE 0 END) AS subagent_total_tokens,
    text_list(model) AS models
  FROM activity
  WHERE session_id IS NOT NULL
  GROUP BY 1, 2
)
SELECT
  s.session_id,
  s.agent,
  s.project,
  t.title,
  s.started_at,
  s.ended_at,
  (CAST(s.ended_at AS BIGINT) - CAST(s.started_at AS BIGINT)) / 1000 AS duration_ms,
  s.is_subagent,
  p.parent_session_id,
  s.prompts,
  s.turns,
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
  s.subagent_calls,
  s.subagent_total_tokens,
  s.partial_calls,
  s.partial_output_tokens,
  s.estimated_calls
FROM sums s
LEFT JOIN titles t ON t.agent = s.agent AND t.session_id = s.session_id
LEFT JOIN parents p ON p.agent = s.agent AND p.session_id = s.session_id
ORDER BY s.ended_at DESC, s.session_id
