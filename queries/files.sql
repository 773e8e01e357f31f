-- Files that agents read and changed.
--
-- One row per project and path. reads, writes, edits: calls of tools that read, wrote or changed it.
-- errors: results that report failure.
SELECT
  project,
  file_path,
  count(*) FILTER (WHERE event_type = 'file_read') AS reads,
  count(*) FILTER (WHERE event_type = 'file_write') AS writes,
  count(*) FILTER (WHERE event_type = 'file_modify') AS edits,
  count(*) FILTER (WHERE event_type = 'tool_result' AND is_error) AS errors,
  coalesce(sum(lines_added), 0) AS lines_added,
  coalesce(sum(lines_removed), 0) AS lines_removed,
  count(DISTINCT session_id) AS sessions,
  text_list(agent) AS agents,
  min(ts) AS first_at,
  max(ts) AS last_at
FROM events
WHERE file_path IS NOT NULL AND event_type IN ('file_read', 'file_write', 'file_modify', 'tool_result')
GROUP BY 1, 2
HAVING reads + writes + edits > 0
ORDER BY writes + edits DESC, reads DESC, 1, 2
