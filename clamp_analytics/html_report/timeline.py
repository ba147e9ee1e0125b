"""The timeline: the anchors of one session by thread and context."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from clamp_analytics import plots
from clamp_analytics.html_report.markup import Column, format_number, format_time, paragraph, table
from clamp_analytics.html_report.session_records import SessionRecords
from clamp_analytics.wording import plural


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
        bars, unit, threads = plots.anchor_bars(anchors)
        lanes = bars["lane"].unique(maintain_order=True)
        shown = bars.filter(pl.col("lane").is_in(lanes.head(plots.MOST_LANES).to_list()))
        source = plots.shorten_path(session, 120)
        in_flight = int(shown["in_flight"].sum())
        left_out = int(sessions.totals.filter(source=session)["count"].item()) - shown.height
        self.chart = plots.timeline_chart(shown, plots.PAGE, unit)
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
        f"T{number} is thread {plots.label(name, 40)}" for number, name in enumerate(threads[: plots.MOST_LANES], 1)
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
