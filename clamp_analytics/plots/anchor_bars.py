"""The bars of a timeline: the anchors of one session by thread and context."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from clamp_analytics.plots.labels import label, make_unique

MOST_LANES = 24
"""Maximal number of lanes."""

ANCHOR_COLUMNS = ("source", "context", "thread_id", "acquired_at", "released_at", "duration_ms")
"""The columns of ``records`` that a timeline needs."""

_UNITS = (("milliseconds", 1e3), ("seconds", 1e6), ("minutes", 6e7), ("hours", 3.6e9))


def anchor_bars(anchors: pl.DataFrame) -> tuple[pl.DataFrame, str, Sequence[str | None]]:
    """The bars of a timeline, the unit of time, and the threads in the order of their numbers.

    Args:
        anchors: the columns ``ANCHOR_COLUMNS`` of the anchors of one session, without a null in ``acquired_at``, by
            acquisition.

    Returns:
        The bars have the columns ``lane``, ``thread``, ``context``, ``start`` and ``end`` in the unit since the first
        acquisition, ``in_flight``, ``anchor`` and ``acquired_at``.
    """
    at, released = pl.col("acquired_at").dt.epoch("us"), pl.col("released_at").dt.epoch("us")
    # A measured duration is more precise than the difference of timestamps, which may be whole seconds.
    length = (pl.col("duration_ms") * 1000).fill_null(released - at).clip(0)
    frame = anchors.with_columns(
        start=(at - at.min()).cast(pl.Float64),
        length=length.cast(pl.Float64),
        in_flight=pl.col("released_at").is_null(),
    )
    longest = max(frame.select((pl.col("start") + pl.col("length")).max()).item() or 0.0, 0.0)
    unit, size = next(((name, size) for name, size in reversed(_UNITS) if longest >= 2 * size), _UNITS[0])
    threads = frame["thread_id"].unique(maintain_order=True).to_list()
    contexts = frame["context"].unique(maintain_order=True).to_list()
    # One lane per thread and context, or one per thread if there are too many.
    is_fine = frame.select(pl.struct("thread_id", "context").n_unique()).item() <= MOST_LANES
    short = dict(zip(contexts, make_unique([label(name, 40) for name in contexts]), strict=True))
    numbers = {name: number for number, name in enumerate(threads, 1)}
    rows = [
        {
            "lane": f"T{numbers[thread]} {short[context]}" if is_fine else f"T{numbers[thread]}",
            "thread_number": numbers[thread],
            "thread": label(thread),
            "context": label(context),
            "start": start / size,
            "end": (start + length) / size,
            "in_flight": held,
            "acquired_at": when,
        }
        for thread, context, start, length, held, when in frame.select(
            "thread_id", "context", "start", "length", "in_flight", "acquired_at"
        ).iter_rows()
    ]
    bars = pl.DataFrame(rows, infer_schema_length=None).with_row_index("anchor", 1)
    return (
        bars.with_columns(pl.col("anchor").cast(pl.String)).sort("thread_number", "start", maintain_order=True),
        unit,
        threads,
    )
