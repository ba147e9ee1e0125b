-- One row per context: one percentile of its lock durations, the slowest context first.
--
-- kind: query
-- columns:
--   context: Logical name of the anchor; null where it was missing or invalid.
--   lock_count: Released anchors with a usable duration.
--   duration_ms: The percentile in milliseconds, linear between neighbours.
-- params:
--   percentile (fraction, default 0.95): Share of the locks that are not longer, from 0 to 1.

SELECT
    context,
    count(*) AS lock_count,
    quantile_cont(duration_ms, $percentile) AS duration_ms
FROM records
WHERE released_at IS NOT NULL AND duration_ms IS NOT NULL
GROUP BY context
ORDER BY duration_ms DESC, context NULLS LAST
