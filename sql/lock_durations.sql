-- One row per context: percentiles of its lock durations, the slowest context first.
--
-- kind: view
-- columns:
--   context: Logical name of the anchor; null where it was missing or invalid.
--   lock_count: Released anchors with a usable duration; all columns are computed over these.
--   min_ms: Shortest duration in milliseconds; it can be negative where the clock was set back.
--   p50_ms: Median duration in milliseconds, linear between neighbours.
--   p95_ms: 95th percentile in milliseconds.
--   p99_ms: 99th percentile in milliseconds.
--   max_ms: Longest duration in milliseconds.
-- notes:
--   Anchors in flight are left out: the zero that a producer writes for them is not a duration.

WITH durations AS (
    SELECT
        context,
        count(*) AS lock_count,
        min(duration_ms) AS min_ms,
        quantile_cont(duration_ms, [0.5, 0.95, 0.99]) AS percentiles,
        max(duration_ms) AS max_ms
    FROM records
    WHERE released_at IS NOT NULL AND duration_ms IS NOT NULL
    GROUP BY context
)
SELECT
    context,
    lock_count,
    min_ms,
    percentiles[1] AS p50_ms,
    percentiles[2] AS p95_ms,
    percentiles[3] AS p99_ms,
    max_ms
FROM durations
ORDER BY p95_ms DESC, context NULLS LAST
