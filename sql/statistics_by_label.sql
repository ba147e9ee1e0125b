-- One row per text of a label of sessions, such as commit or build: stability and lock durations.
--
-- kind: query
-- columns:
--   value: Text of the label; null for sessions without it.
--   session_count: Sessions with the label that have a record.
--   record_count: Records of these sessions.
--   in_flight_count: Anchors without a usable release.
--   scored_count: Records with a usable score.
--   mean_stability: Mean of the usable scores.
--   sample_variance: Sample variance (n-1) of the usable scores; null for fewer than two.
--   duration_p50_ms: Median duration of the released anchors in milliseconds.
--   duration_p95_ms: Their 95th percentile in milliseconds.
--   duration_p99_ms: Their 99th percentile in milliseconds.
-- params:
--   label (text, default commit): Name of the label.
-- notes:
--   The same figures as summarize --by label:NAME. Percentiles are linear between neighbours.

WITH labelled AS (
    SELECT records.*, map_extract_value(CAST(CAST(sessions.labels AS JSON) AS MAP(VARCHAR, VARCHAR)), $label) AS value
    FROM records
    LEFT JOIN sessions USING (source)
),
statistics AS (
    SELECT
        value,
        count(DISTINCT source) AS session_count,
        count(*) AS record_count,
        count(*) FILTER (WHERE released_at IS NULL) AS in_flight_count,
        count(stability_score) AS scored_count,
        favg(stability_score ORDER BY stability_score) AS mean_stability,
        var_samp(stability_score ORDER BY stability_score) AS sample_variance,
        quantile_cont(duration_ms, [0.5, 0.95, 0.99])
            FILTER (WHERE released_at IS NOT NULL AND duration_ms IS NOT NULL) AS percentiles
    FROM labelled
    GROUP BY value
)
SELECT
    value,
    session_count,
    record_count,
    in_flight_count,
    scored_count,
    mean_stability,
    sample_variance,
    percentiles[1] AS duration_p50_ms,
    percentiles[2] AS duration_p95_ms,
    percentiles[3] AS duration_p99_ms
FROM statistics
ORDER BY value NULLS LAST
