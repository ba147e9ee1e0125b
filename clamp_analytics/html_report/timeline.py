"""The timeline: the anchors of one session by thread and context."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from clamp_analytics import plots
from clamp_analytics.html_report.markup import Column, format_number, format_time, paragraph, table
from clamp_analytics.html_report.session_records import SessionRecords
from clamp_analytics.wording import plural

MOST_LANES = 24
"""Maximal number of lanes."""

_UNITS = (("milliseconds", 1e3), ("seconds", 1e6), ("minutes", 6e7), ("hours", 3.6e9))


class Timeline:
    """The chart of one session with its texts.

    Args:
        sessions: what is known of the sessions.
        session: the source of the session.

    Attributes:
        chart: the chart.
        title: the session and its start.
        description: a sentence for readers who do not see the chart.
        data: the table of its anchors, as markup.
        note: the legend and remarks, as markup.
    """

    def __init__(self, sessions: SessionRecords, session: str) -> None:
        anchors = sessions.anchors_of(session)
        bars, unit, threads = _bars(anchors)
        lanes = bars["lane"].unique(maintain_order=True)
        shown = bars.filter(pl.col("lane").is_in(lanes.head(MOST_LANES).to_list()))
        source = plots.shorten_path(session, 120)
        in_flight = int(shown["in_flight"].sum())
        left_out = int(sessions.totals.filter(source=session)["count"].item()) - shown.height
        self.chart = plots.timeline(shown, plots.PAGE, unit)
        self.title = f"Session {source}, from {format_time(bars['acquired_at'].item(0))} UTC"
        self.description = (
            f"{plural(shown.height, 'anchor')} of session {source} on {plural(len(threads), 'thread')}, "
            f"{in_flight:,} of them in flight."
        )
        self.data = _table(shown, unit, f"Anchors of {source}", left_out)
        self.note = _note(threads, is_in_flight=bool(in_flight), is_coarse=_is_coarse(anchors), left_out=left_out)


def _table(bars: pl.DataFrame, unit: str, caption: str, left_out: int) -> str:
    columns = [
        Column("anchor"),
        Column("thread"),
        Column("context"),
        Column(f"acquired, {unit}", is_number=True),
        Column(f"held, {unit}", is_number=True),
    ]
    frame = bars.select("anchor", "thread", "context", "start", "end", "in_flight")
    rows = [
        [anchor, thread, context, format_number(start, 7), "in flight" if held else format_number(end - start, 7)]
        for anchor, thread, context, start, end, held in frame.iter_rows()
    ]
    return table(caption, columns, rows, left_out)


def _note(threads: Sequence[str | None], *, is_in_flight: bool, is_coarse: bool, left_out: int) -> str:
    legend = ", ".join(
        f"T{number} is thread {plots.label(name, 40)}" for number, name in enumerate(threads[:MOST_LANES], 1)
    )
    note = paragraph(legend + "." + (" A hollow arrow is an anchor in flight." if is_in_flight else ""))
    if left_out:
        note += f'<p class="more">… and {left_out:,} more anchors of this session</p>'
    if is_coarse:
        note += paragraph(
            "The timestamps of this session are whole seconds: bars of the same second overlap, and their order "
            "is unknown."
        )
    return note


def _is_coarse(anchors: pl.DataFrame) -> bool:
    stamps = anchors["acquired_at"].dt.epoch("us")
    return stamps.len() > stamps.n_unique() and bool((stamps % 1_000_000 == 0).all())


def _bars(anchors: pl.DataFrame) -> tuple[pl.DataFrame, str, Sequence[str | None]]:
    """The bars of the timeline, the unit of time, and the threads in the order of their numbers."""
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
    short = dict(zip(contexts, plots.make_unique([plots.label(name, 40) for name in contexts]), strict=True))
    numbers = {name: number for number, name in enumerate(threads, 1)}
    rows = [
        {
            "lane": f"T{numbers[thread]} {short[context]}" if is_fine else f"T{numbers[thread]}",
            "thread_number": numbers[thread],
            "thread": plots.label(thread),
            "context": plots.label(context),
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
