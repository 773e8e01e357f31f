-- Files that agents read and changed.
--
-- One row per project and path. reads, writes, edits: calls of tools that read, wrote or changed it.
-- errors: of these, how many failed.
SELECT
  project,
  file_path,
  count(*) FILTER (WHERE kind = 'file_read') AS reads,
  count(*) FILTER (WHERE kind = 'file_write') AS writes,
  count(*) FILTER (WHERE kind = 'file_modify') AS edits,
  count(*) FILTER (WHERE is_error) AS errors,
  coalesce(sum(lines_added), 0) AS lines_added,
  coalesce(sum(lines_removed), 0) AS lines_removed,
  count(DISTINCT session_id) AS sessions,
  string_agg(DISTINCT agent, ', ' ORDER BY agent) AS agents,
  min(ts) AS first_at,
  max(ts) AS last_at
FROM tool_calls
WHERE file_path IS NOT NULL AND kind IN ('file_read', 'file_write', 'file_modify')
GROUP BY 1, 2
ORDER BY writes + edits DESC, reads DESC, 1, 2
