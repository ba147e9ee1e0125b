-- One row per rule: its violations, the most severe rule first.
--
-- kind: view
-- columns:
--   rule: Id of the rule that was broken.
--   severity: error, warning or info.
--   occurrence_count: Occurrences in all files.
--   file_count: Files that have any.
--   first_source: The first of those files by name.

SELECT
    rule,
    severity,
    CAST(sum("count") AS BIGINT) AS occurrence_count,
    count(DISTINCT source) AS file_count,
    min(source) AS first_source
FROM violations
GROUP BY rule, severity
ORDER BY
    CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END,
    occurrence_count DESC,
    rule
