-- One row per seed that occurs in more than one record of any session, the most frequent first.
--
-- kind: view
-- columns:
--   seed: The seed; zero marks a failed acquisition and is left out.
--   record_count: Records that have the seed.
--   session_count: Sessions that contain those records.
--   context_count: Usable contexts that those records have.
--   first_acquired_at: Earliest usable acquisition with the seed (UTC).
--   last_acquired_at: Latest usable acquisition with the seed (UTC).
--   first_source: The session file with the first name.
-- notes:
--   A session that was read twice collides with itself; the rule session-repeated names those.

SELECT
    seed,
    count(*) AS record_count,
    count(DISTINCT source) AS session_count,
    count(DISTINCT context) AS context_count,
    min(acquired_at) AS first_acquired_at,
    max(acquired_at) AS last_acquired_at,
    min(source) AS first_source
FROM records
WHERE seed <> 0
GROUP BY seed
HAVING count(*) > 1
ORDER BY record_count DESC, seed
