-- One row per anchor without a usable release, the longest open first.
--
-- kind: view
-- columns:
--   source: Path of the session file.
--   record_index: Index in the file's records.
--   context: Logical name of the anchor.
--   thread_id: Thread that acquired it.
--   seed: Entropy seed captured at lock acquisition.
--   acquired_at: Lock acquisition (UTC).
--   open_ms: Milliseconds from its acquisition to the last one of its session, the shortest time for which it was held.

SELECT
    source,
    record_index,
    context,
    thread_id,
    seed,
    acquired_at,
    (max(epoch_us(acquired_at)) OVER (PARTITION BY source) - epoch_us(acquired_at)) / 1000 AS open_ms
FROM records
QUALIFY released_at IS NULL
ORDER BY open_ms DESC NULLS LAST, source, record_index
