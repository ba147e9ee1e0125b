-- One row per context: anchors that began while another thread of their session held one.
--
-- kind: view
-- columns:
--   context: Context of the anchor that began later; null where it was missing or invalid.
--   anchor_count: Anchors whose thread, acquisition and positive duration are usable; the others are left out.
--   overlapping_count: Of those, anchors that began while another thread held at least one.
--   pair_count: Pairs of anchors, of two threads each, held at the same time; a pair counts where the later one began.
--   max_held_by_others: The most anchors that other threads held when one of the context began.
--   whole_second_count: Anchors whose acquisition time is a whole second.
-- notes:
--   An anchor is held during [acquired_at, acquired_at + duration_ms), half-open: the duration is measured to a
--   microsecond where released_at often has whole seconds. Timestamps of whole seconds do not say when within the
--   second an anchor began, so all anchors of one second count as beginning together: where whole_second_count is near
--   anchor_count, the counts of overlaps are upper bounds.
--   Anchors in flight are left out because their end is unknown. A duration counts up to 10^12 ms.

WITH held AS (
    SELECT
        source,
        record_index,
        context,
        thread_id,
        epoch_us(acquired_at) AS begin_us,
        begin_us + CAST(round(least(duration_ms, 1e12) * 1000) AS BIGINT) AS end_us
    FROM records
    WHERE released_at IS NOT NULL AND acquired_at IS NOT NULL AND thread_id IS NOT NULL AND duration_ms >= 0.001
),
events AS (
    SELECT source, record_index, context, thread_id, begin_us AS at_us, 1 AS step FROM held
    UNION ALL
    SELECT source, record_index, context, thread_id, end_us AS at_us, -1 AS step FROM held
),
levels AS (
    -- At one instant ends come before beginnings, and beginnings by their index in the file, which counts a pair once.
    SELECT
        *,
        sum(step) OVER (PARTITION BY source ORDER BY at_us, step, record_index ROWS UNBOUNDED PRECEDING)
        - sum(step) OVER (PARTITION BY source, thread_id ORDER BY at_us, step, record_index ROWS UNBOUNDED PRECEDING)
            AS held_by_others
    FROM events
)
SELECT
    context,
    count(*) AS anchor_count,
    count(*) FILTER (WHERE held_by_others > 0) AS overlapping_count,
    CAST(sum(held_by_others) AS BIGINT) AS pair_count,
    CAST(max(held_by_others) AS BIGINT) AS max_held_by_others,
    count(*) FILTER (WHERE at_us % 1000000 = 0) AS whole_second_count
FROM levels
WHERE step = 1
GROUP BY context
ORDER BY pair_count DESC, context NULLS LAST
