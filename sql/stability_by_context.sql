-- One row per context: its stability, the least stable context first.
--
-- kind: view
-- columns:
--   context: Logical name of the anchor; null where it was missing or invalid.
--   session_count: Sessions that have a record of the context.
--   record_count: Records of the context.
--   scored_count: Records with a usable score; the statistics are over these.
--   in_flight_count: Anchors without a usable release.
--   mean_stability: Mean of the usable scores.
--   sample_variance: Sample variance (n-1) of the usable scores; null for fewer than two.
--   min_stability: Smallest usable score.
--   max_stability: Largest usable score.
-- notes:
--   Sums of floats depend on the order of their terms, so every such aggregate fixes its order.

SELECT
    context,
    count(DISTINCT source) AS session_count,
    count(*) AS record_count,
    count(stability_score) AS scored_count,
    count(*) FILTER (WHERE released_at IS NULL) AS in_flight_count,
    favg(stability_score ORDER BY stability_score) AS mean_stability,
    var_samp(stability_score ORDER BY stability_score) AS sample_variance,
    min(stability_score) AS min_stability,
    max(stability_score) AS max_stability
FROM records
GROUP BY context
ORDER BY mean_stability NULLS LAST, context NULLS LAST
