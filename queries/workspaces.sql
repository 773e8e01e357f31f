-- The workspaces that agents worked in, the one used last first.
--
-- One row per workspace_id (an editor's id of a folder); work without one counts by its folder, and
-- workspace_id is null then. cwd, project: the last ones. An editor that made a folder's workspace anew
-- has one row for each id; `projects` has them together.
SELECT
  workspace_id,
  last_value(cwd ORDER BY ts, event_id) FILTER (WHERE cwd IS NOT NULL) AS cwd,
  last_value(project ORDER BY ts, event_id) FILTER (WHERE project IS NOT NULL) AS project,
  text_list(agent) AS agents,
  count(DISTINCT session_id) AS sessions,
  min(ts) AS first_at,
  max(ts) AS last_at,
  count(*) AS events
FROM events
WHERE workspace_id IS NOT NULL OR cwd IS NOT NULL
GROUP BY workspace_id, CASE WHEN workspace_id IS NULL THEN cwd END
ORDER BY last_at DESC, workspace_id, cwd
