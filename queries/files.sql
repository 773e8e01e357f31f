-- Files that agents read and changed.
--
-- One row per project and path. reads, writes, edits: calls of tools that read, wrote or changed it; a
-- patch of several files is an edit of each. errors: results that report failure. lines_added, lines_removed:
-- null where no log counts them.
WITH patches AS (
  SELECT
    project,
    file_path,
    event_type,
    is_error,
    lines_added,
    lines_removed,
    session_id,
    agent,
    ts,
    -- Of a patch of several files one line for each: path, lines added, lines removed.
    CASE WHEN extra LIKE '%"edits":"%' THEN extra->>'edits' END AS several
  FROM events
  WHERE file_path IS NOT NULL AND event_type IN ('file_read', 'file_write', 'file_modify', 'tool_result')
), files AS (
  SELECT *, unnest(string_to_array(coalesce(several, '-'), chr(10))) AS edit
  FROM patches
)
SELECT
  project,
  CASE WHEN several IS NULL THEN file_path ELSE split_part(edit, chr(9), 1) END AS file_path,
  count(*) FILTER (WHERE event_type = 'file_read') AS reads,
  count(*) FILTER (WHERE event_type = 'file_write') AS writes,
  count(*) FILTER (WHERE event_type = 'file_modify') AS edits,
  count(*) FILTER (WHERE event_type = 'tool_result' AND is_error) AS errors,
  sum(coalesce(CAST(nullif(split_part(edit, chr(9), 2), '') AS BIGINT), lines_added)) AS lines_added,
  sum(coalesce(CAST(nullif(split_part(edit, chr(9), 3), '') AS BIGINT), lines_removed)) AS lines_removed,
  count(DISTINCT session_id) AS sessions,
  text_list(agent) AS agents,
  min(ts) AS first_at,
  max(ts) AS last_at
FROM files
GROUP BY 1, 2
HAVING reads + writes + edits > 0
ORDER BY writes + edits DESC, reads DESC, 1, 2
