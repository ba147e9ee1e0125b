"""Altair charts. Frames have field names of our own, so a name from telemetry is data and never an expression.

Names are also the explicit domain of their axis. Without it, Vega would aggregate them in an object whose keys are the
names, and a context such as ``constructor`` or ``__proto__`` would break the chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from clamp_analytics.plots.chart_parts import chart_rows, drawable, import_altair, time_axis
from clamp_analytics.plots.labels import make_unique
from clamp_analytics.plots.theme import Theme

STRIP_HEIGHT = 36
BAR_STEP = 22
LANE_STEP = 18

LABEL_PIXELS = 150
"""Maximal width of the label of a bar; the table of the chart has the longer text."""

LOG_DECADES = 2.0
"""Durations that span at least this many powers of ten get a logarithmic axis."""

DURATIONS = ("p5", "p25", "p50", "p75", "p95")
"""Percentiles that a bar of durations shows, in milliseconds."""

BRUSH = "brush"
"""Name of the brush of the strip, which the page connects with the charts of series."""


def sessions_chart(
    times: Sequence[datetime], theme: Theme, bins: int, width: int | str = "container", *, brush: Any = None
) -> Any:
    """Number of sessions over time, with a brush that selects a time span.

    Args:
        times: the starts of the sessions in ascending order, at least one.
        theme: the colours.
        bins: number of bars.
        width: width in pixels, or ``container``.
        brush: the interval selection; by default one of the name ``BRUSH``.
    """
    alt = import_altair()
    stamps = pl.Series(times, dtype=pl.Datetime("us", "UTC")).dt.epoch("ms")
    first, last = stamps.item(0), stamps.item(-1)
    step = max((last - first) / bins, 1.0)
    index = ((stamps - first) / step).floor().clip(0, bins - 1).cast(pl.Int64)
    counts = index.value_counts(name="n").sort(index.name)
    rows = [{"t": round(first + bar * step), "u": round(first + (bar + 1) * step), "n": n} for bar, n in counts.rows()]
    if brush is None:
        brush = alt.selection_interval(name=BRUSH, encodings=["x"], clear="dblclick")
    x = alt.X("t:T", scale=alt.Scale(type="utc"), axis=time_axis(alt, times[0], times[-1]))
    y = alt.Y("n:Q", title=None, axis=None, scale=alt.Scale(domain=[0, max(row["n"] for row in rows)]))
    chart = alt.Chart(alt.Data(values=rows)).mark_rect(color=theme.data, opacity=0.55)
    return (
        chart.encode(x=x, x2="u:T", y=y, y2=alt.Y2Datum(0))
        .add_params(brush)
        .properties(width=width, height=STRIP_HEIGHT)
    )


def durations_chart(boxes: pl.DataFrame, theme: Theme, width: int | str = "container") -> Any:
    """Durations by context: a bar from the 25th to the 75th percentile, a line from the 5th to the 95th, the median.

    Args:
        boxes: ``name``, the columns ``DURATIONS``, ``anchors``; in the order in which they are drawn.
        theme: the colours.
        width: width in pixels, or ``container``.
    """
    alt = import_altair()
    names = make_unique(boxes["name"].to_list())
    rows = chart_rows(boxes.select(pl.Series("c", names), *DURATIONS, n="anchors"))
    least, most = boxes["p5"].to_list(), boxes["p95"].to_list()
    is_wide = min(least) > 0 and max(most) / min(least) >= 10**LOG_DECADES
    edges = [min(least) / 1.2, max(most) * 1.2] if is_wide else [min(0.0, *least), max(most)]
    edges = list(map(drawable, edges))
    scale = alt.Scale(type="log" if is_wide else "linear", domain=edges, nice=not is_wide)
    x = alt.X(
        "p5:Q",
        title="milliseconds" + (", logarithmic" if is_wide else ""),
        scale=scale,
        axis=alt.Axis(format=",~r", tickCount=6),
    )
    base = alt.Chart(alt.Data(values=rows)).encode(y=_name_axis(alt, "c", names))
    tooltip = [
        alt.Tooltip("c:N", title="context"),
        *(alt.Tooltip(f"{name}:Q", title=f"{name[1:]}th percentile, ms", format=".4~g") for name in DURATIONS),
        alt.Tooltip("n:Q", title="released anchors"),
    ]
    return alt.layer(
        base.mark_rule(color=theme.data, strokeWidth=1.5).encode(x=x, x2="p95:Q", tooltip=tooltip),
        base.mark_bar(color=theme.data, height=9, opacity=0.55).encode(x="p25:Q", x2="p75:Q", tooltip=tooltip),
        base.mark_tick(color=theme.ink, thickness=3, height=15).encode(x="p50:Q", tooltip=tooltip),
    ).properties(width=width, height=BAR_STEP * len(names))


def timeline_chart(bars: pl.DataFrame, theme: Theme, unit: str, width: int | str = "container") -> Any:
    """The anchors of one session by thread and context.

    Args:
        bars: ``lane``, ``start`` and ``end`` in the unit since the first acquisition, ``in_flight``, ``anchor``;
            lanes in the order in which they are drawn. An anchor in flight is a hollow arrow at its start.
        theme: the colours.
        unit: the unit of time.
        width: width in pixels, or ``container``.
    """
    alt = import_altair()
    lanes = bars["lane"].unique(maintain_order=True).to_list()
    frame = bars.select(l="lane", s="start", e="end", a="anchor", f="in_flight")
    released, held = frame.filter(~pl.col("f")).drop("f"), frame.filter("f").drop("f", "e")
    x = alt.X("s:Q", title=f"{unit} since the first acquisition", axis=alt.Axis(format=",~r", tickCount=6))
    y = _name_axis(alt, "l", lanes)
    layers = []
    if not released.is_empty():
        tooltip = [
            alt.Tooltip("l:N", title="lane"),
            alt.Tooltip("a:N", title="anchor"),
            alt.Tooltip("s:Q", title=f"acquired, {unit}"),
            alt.Tooltip("e:Q", title=f"released, {unit}"),
        ]
        bar = alt.Chart(alt.Data(values=chart_rows(released))).mark_bar(
            color=theme.data, stroke=theme.data, strokeWidth=1, height=9, fillOpacity=0.45
        )
        layers.append(bar.encode(x=x, x2="e:Q", y=y, tooltip=tooltip))
    if not held.is_empty():
        tooltip = [
            alt.Tooltip("l:N", title="lane"),
            alt.Tooltip("a:N", title="anchor in flight"),
            alt.Tooltip("s:Q", title=f"acquired, {unit}"),
        ]
        arrow = alt.Chart(alt.Data(values=chart_rows(held))).mark_point(
            color=theme.change, shape="triangle-right", size=90, filled=False, strokeWidth=2
        )
        layers.append(arrow.encode(x=x, y=y, tooltip=tooltip))
    return alt.layer(*layers).properties(width=width, height=LANE_STEP * len(lanes))


def _name_axis(alt: Any, field: str, names: Sequence[str]) -> Any:
    axis = alt.Axis(labelLimit=LABEL_PIXELS, domain=False, ticks=False, labelPadding=6, grid=False, labelOverlap=False)
    return alt.Y(f"{field}:N", title=None, sort=None, scale=alt.Scale(domain=list(names)), axis=axis)
