-- The machines that logs come from, the one used last first.
--
-- One row per machine_id. hostname and os: as the id has them, in lower case and with every other
-- character as `-`; null when the id is of another form. user_names: accounts that own the logs.
-- sessions: sessions with any event there.
WITH sums AS (
  SELECT
    machine_id,
    text_list(user_name) AS user_names,
    min(ts) AS first_at,
    max(ts) AS last_at,
    text_list(agent) AS agents,
    count(DISTINCT session_id) AS sessions,
    count(*) AS events
  FROM events
  WHERE machine_id IS NOT NULL
  GROUP BY 1
), parts AS (
  SELECT
    *,
    machine_id LIKE '________________-_%-_%' AS is_telling,
    split_part(machine_id, '-', -1) AS system
  FROM sums
)
SELECT
  machine_id,
  CASE WHEN is_telling
    THEN substr(machine_id, 18, character_length(machine_id) - 18 - character_length(system)) END AS hostname,
  CASE WHEN is_telling THEN system END AS os,
  user_names,
  first_at,
  last_at,
  agents,
  sessions,
  events
FROM parts
ORDER BY last_at DESC, machine_id
