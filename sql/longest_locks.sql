-- One row per lock, the longest held first.
--
-- kind: query
-- columns:
--   source: Path of the session file.
--   record_index: Index in the file's records.
--   context: Logical name of the anchor.
--   thread_id: Thread that held it.
--   acquired_at: Lock acquisition (UTC).
--   duration_ms: Measured lock duration in milliseconds.
--   stability_score: Stability of the anchor cycle.
-- params:
--   limit (integer, default 20): How many locks to list.

SELECT source, record_index, context, thread_id, acquired_at, duration_ms, stability_score
FROM records
WHERE released_at IS NOT NULL AND duration_ms IS NOT NULL
ORDER BY duration_ms DESC, source, record_index
LIMIT $limit
