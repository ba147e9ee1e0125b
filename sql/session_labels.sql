-- One row per session and label, such as commit or build: the text of the label.
--
-- kind: view
-- columns:
--   source: Path of the session file as it was found.
--   first_acquired_at: Earliest usable acquisition of the session (UTC).
--   name: Name of the label.
--   value: Its text.

SELECT
    source,
    first_acquired_at,
    label.key AS name,
    label.value AS value
FROM (
    SELECT source, first_acquired_at, unnest(map_entries(CAST(CAST(labels AS JSON) AS MAP(VARCHAR, VARCHAR)))) AS label
    FROM sessions
    WHERE labels IS NOT NULL
)
ORDER BY source, name
