-- One row per day: stability and lock durations, and their change from the previous day.
--
-- kind: view
-- columns:
--   day: Day of the acquisition (UTC).
--   session_count: Sessions that have a record of the day.
--   record_count: Records of the day.
--   mean_stability: Mean of the usable scores.
--   sample_variance: Sample variance (n-1) of the usable scores; null for fewer than two.
--   duration_p50_ms: Median duration of the released anchors in milliseconds.
--   duration_p95_ms: Their 95th percentile in milliseconds.
--   duration_p99_ms: Their 99th percentile in milliseconds.
--   mean_stability_change: Mean of the day minus that of the previous day.
--   sample_variance_change: Sample variance of the day minus that of the previous day.
--   duration_p50_change_ms: Median of the day minus that of the previous day.
--   duration_p95_change_ms: 95th percentile of the day minus that of the previous day.
--   duration_p99_change_ms: 99th percentile of the day minus that of the previous day.
-- notes:
--   The previous day is the latest earlier day that has records; the first day has no change. Records without a
--   usable acquisition belong to no day and are left out.
--   Records of one session are not independent: a change is a description and not a test.

WITH days AS (
    SELECT
        CAST(acquired_at AT TIME ZONE 'UTC' AS DATE) AS day,
        count(DISTINCT source) AS session_count,
        count(*) AS record_count,
        favg(stability_score ORDER BY stability_score) AS mean_stability,
        var_samp(stability_score ORDER BY stability_score) AS sample_variance,
        quantile_cont(duration_ms, [0.5, 0.95, 0.99])
            FILTER (WHERE released_at IS NOT NULL AND duration_ms IS NOT NULL) AS percentiles
    FROM records
    WHERE acquired_at IS NOT NULL
    GROUP BY day
),
figures AS (
    SELECT
        day,
        session_count,
        record_count,
        mean_stability,
        sample_variance,
        percentiles[1] AS duration_p50_ms,
        percentiles[2] AS duration_p95_ms,
        percentiles[3] AS duration_p99_ms
    FROM days
)
SELECT
    *,
    mean_stability - lag(mean_stability) OVER by_day AS mean_stability_change,
    sample_variance - lag(sample_variance) OVER by_day AS sample_variance_change,
    duration_p50_ms - lag(duration_p50_ms) OVER by_day AS duration_p50_change_ms,
    duration_p95_ms - lag(duration_p95_ms) OVER by_day AS duration_p95_change_ms,
    duration_p99_ms - lag(duration_p99_ms) OVER by_day AS duration_p99_change_ms
FROM figures
WINDOW by_day AS (ORDER BY day)
ORDER BY day
