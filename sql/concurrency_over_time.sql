-- One row per time bucket: how many anchors were held at once.
--
-- kind: query
-- columns:
--   bucket_start: Start of the bucket (UTC).
--   begun_count: Anchors that began in the bucket.
--   ended_count: Anchors that ended in the bucket.
--   max_held: The most anchors, of all sessions and threads, that were held at one instant of the bucket.
--   whole_second_count: Anchors that began in the bucket and whose acquisition time is a whole second.
-- params:
--   bucket (interval, default 1 second): Width of a bucket.
-- notes:
--   A bucket in which nothing began or ended has no row: the level of the previous row still applies to it.
--   An anchor is held during [acquired_at, acquired_at + duration_ms), half-open, as in overlap. Timestamps of whole
--   seconds make the anchors of one second begin together: where whole_second_count is near begun_count, max_held
--   is an upper bound.
--   Anchors in flight are left out because their end is unknown. A duration counts up to 10^12 ms.

WITH held AS (
    SELECT
        epoch_us(acquired_at) AS begin_us,
        begin_us + CAST(round(least(duration_ms, 1e12) * 1000) AS BIGINT) AS end_us
    FROM records
    WHERE released_at IS NOT NULL AND acquired_at IS NOT NULL AND duration_ms >= 0.001
),
events AS (
    SELECT begin_us AS at_us, 1 AS begun, 0 AS ended FROM held
    UNION ALL
    SELECT end_us AS at_us, 0 AS begun, 1 AS ended FROM held
),
instants AS (
    SELECT at_us, sum(begun) AS begun, sum(ended) AS ended FROM events GROUP BY at_us
),
levels AS (
    SELECT *, sum(begun - ended) OVER (ORDER BY at_us ROWS UNBOUNDED PRECEDING) AS level FROM instants
)
SELECT
    time_bucket($bucket, make_timestamptz(at_us)) AS bucket_start,
    CAST(sum(begun) AS BIGINT) AS begun_count,
    CAST(sum(ended) AS BIGINT) AS ended_count,
    -- What was held up to an instant was held in the bucket, too, unless the bucket begins with that instant.
    CAST(max(CASE
        WHEN make_timestamptz(at_us) > time_bucket($bucket, make_timestamptz(at_us))
            THEN greatest(level, level - begun + ended)
        ELSE level
    END) AS BIGINT) AS max_held,
    CAST(coalesce(sum(begun) FILTER (WHERE at_us % 1000000 = 0), 0) AS BIGINT) AS whole_second_count
FROM levels
GROUP BY bucket_start
ORDER BY bucket_start
