-- One row per thread of a session: its anchors and the time that it held locks, the busiest thread first.
--
-- kind: view
-- columns:
--   source: Path of the session file; a thread is known within its session only.
--   thread_id: Host thread; null where it was missing or invalid.
--   record_count: Anchors that the thread acquired.
--   in_flight_count: Of those, anchors without a usable release.
--   context_count: Usable contexts among them.
--   held_ms: Sum of the released anchors' durations in milliseconds; negative durations count as 0.
--   first_acquired_at: Earliest usable acquisition (UTC).
--   last_acquired_at: Latest usable acquisition (UTC).

SELECT
    source,
    thread_id,
    count(*) AS record_count,
    count(*) FILTER (WHERE released_at IS NULL) AS in_flight_count,
    count(DISTINCT context) AS context_count,
    fsum(greatest(duration_ms, 0) ORDER BY duration_ms)
        FILTER (WHERE released_at IS NOT NULL AND duration_ms IS NOT NULL) AS held_ms,
    min(acquired_at) AS first_acquired_at,
    max(acquired_at) AS last_acquired_at
FROM records
GROUP BY source, thread_id
ORDER BY held_ms DESC NULLS LAST, source, thread_id NULLS LAST
