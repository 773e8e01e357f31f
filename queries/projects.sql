-- The projects that were worked on, the one worked on last first.
--
-- One row per project. Worktrees, clones and workspaces that were made anew are one project where they
-- have one git remote; rows whose log and folder named no remote belong to the project that other rows
-- of the same folder belong to. repo_url: the remote named last. folders: every cwd. sessions: sessions
-- with any event in it. Work whose log names no folder belongs to none.
WITH visits AS (
  SELECT
    project,
    repo_url,
    cwd,
    agent,
    machine_id,
    session_id,
    min(ts) AS first_at,
    max(ts) AS last_at,
    count(*) AS events
  FROM events
  WHERE project IS NOT NULL
  GROUP BY 1, 2, 3, 4, 5, 6
), folders AS (
  SELECT cwd, last_value(project ORDER BY last_at, project) AS project
  FROM visits
  WHERE repo_url IS NOT NULL AND cwd IS NOT NULL
  GROUP BY 1
), placed AS (
  SELECT
    CASE WHEN v.repo_url IS NULL THEN coalesce(f.project, v.project) ELSE v.project END AS project,
    v.repo_url,
    v.cwd,
    v.agent,
    v.machine_id,
    v.session_id,
    v.first_at,
    v.last_at,
    v.events
  FROM visits v
  LEFT JOIN folders f ON f.cwd = v.cwd
)
SELECT
  project,
  last_value(repo_url ORDER BY last_at, repo_url) FILTER (WHERE repo_url IS NOT NULL) AS repo_url,
  text_list(cwd) AS folders,
  text_list(agent) AS agents,
  count(DISTINCT machine_id) AS machines,
  count(DISTINCT session_id) AS sessions,
  min(first_at) AS first_at,
  max(last_at) AS last_at,
  sum(events) AS events
FROM placed
GROUP BY 1
ORDER BY last_at DESC, project
