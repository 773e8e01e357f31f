-- What became of every line that was read, one row per log: lines = row_lines + merged + ignored + rejects.
--
-- row_lines: lines at which rows of this log begin. merged: lines whose content stands in a row that begins
-- at another line (the next part of an answer, the second record of a prompt), or that is another log's, as
-- the copies in forks and resumed sessions are; negative would mean that rows have no lines. ignored: lines
-- that say nothing, by rule. rejects: lines that could not be decoded. Lines of a database are its records.
WITH beginnings AS (
  SELECT source_path, source_generation, source_offset
  FROM events
  WHERE NOT provisional
  GROUP BY 1, 2, 3
), owned AS (
  SELECT source_path, count(*) AS row_lines
  FROM beginnings
  GROUP BY 1
)
SELECT
  s.agent,
  s.path,
  s.lines,
  coalesce(o.row_lines, 0) AS row_lines,
  s.lines - s.ignored - s.rejects - coalesce(o.row_lines, 0) AS merged,
  s.ignored,
  s.rejects
FROM sources s
LEFT JOIN owned o ON o.source_path = s.path
ORDER BY s.path
