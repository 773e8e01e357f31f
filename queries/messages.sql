-- The conversation: what people asked and what models answered, as text.
--
-- One row per prompt or text answer. role: user or assistant. source: log, or history for prompts of
-- sessions whose logs are gone and that only the agent's prompt history remembers. Thoughts, tool
-- calls and results are not here; see events and tool_calls.
SELECT
  ts,
  agent,
  project,
  session_id,
  turn,
  CASE WHEN event_type = 'llm_response' THEN 'assistant' ELSE 'user' END AS role,
  is_subagent IS TRUE AS is_subagent,
  model,
  text,
  'log' AS source,
  message_id,
  event_id
FROM events
WHERE event_type IN ('user_interaction', 'llm_response') AND text IS NOT NULL
UNION ALL
SELECT
  h.ts,
  h.agent,
  h.project,
  h.session_id,
  h.turn,
  'user' AS role,
  h.is_subagent IS TRUE AS is_subagent,
  h.model,
  h.text,
  'history' AS source,
  h.message_id,
  h.event_id
FROM events h
WHERE h.event_type = 'prompt_history'
  AND h.text IS NOT NULL
  AND NOT EXISTS (
    SELECT 1
    FROM events l
    WHERE l.event_type <> 'prompt_history' AND l.agent = h.agent AND l.session_id = h.session_id
  )
  -- Of a history that names no session, what a log has in the same words is the same prompt.
  AND NOT EXISTS (
    SELECT 1
    FROM events l
    WHERE l.event_type = 'user_interaction' AND l.agent = h.agent AND l.text = h.text AND h.session_id IS NULL
  )
  -- What was typed while a log of the same folder was kept is in that log.
  AND NOT EXISTS (
    SELECT 1
    FROM events s
    WHERE s.event_type = 'session_start' AND s.agent = h.agent AND s.cwd = h.cwd AND s.ts <= h.ts AND h.session_id IS NULL
  )
