-- One row per day: its sessions, in order of time.
--
-- kind: view
-- columns:
--   day: Day (UTC) of the session's earliest usable acquisition; null for sessions without one.
--   session_count: Sessions that could be loaded.
--   record_count: Their records.
--   in_flight_count: Their anchors without a usable release.
--   mean_stability: Mean of the sessions' mean stability; each session counts once, whatever its size.

SELECT
    CAST(first_acquired_at AT TIME ZONE 'UTC' AS DATE) AS day,
    count(*) AS session_count,
    CAST(sum(record_count) AS BIGINT) AS record_count,
    CAST(sum(in_flight_count) AS BIGINT) AS in_flight_count,
    favg(mean_stability ORDER BY mean_stability) AS mean_stability
FROM sessions
WHERE status = 'loaded'
GROUP BY day
ORDER BY day NULLS LAST
