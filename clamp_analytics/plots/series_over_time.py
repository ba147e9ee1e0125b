"""The chart of one series over time: its points or bins, change points, levels and outliers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl

from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.metrics import Scale
from clamp_analytics.analysis.verdicts import Shape
from clamp_analytics.plots.chart_parts import (
    Rows,
    chart_rows,
    drawable,
    import_altair,
    json_number,
    milliseconds,
    time_axis,
)
from clamp_analytics.plots.labels import label, shorten_path
from clamp_analytics.plots.panels import Panel
from clamp_analytics.plots.theme import Theme

PANEL_HEIGHT = 130

MOST_LABELS = 4
"""Maximal number of labels of a session in a tooltip."""

LONGEST_NAME = 24
"""Maximal length of the names of the first and the last session of a bin, in characters."""

PAUSE = 2.5
"""A gap between bins that is this many times longer than usual interrupts the line."""

ZOOM = "zoom"
"""Name of the selection of the visible time span, which the page connects with other charts."""


def series_chart(
    panel: Panel,
    theme: Theme,
    width: int | str = "container",
    *,
    interactive: bool = False,
    brush: Any = None,
) -> Any:
    """One metric of one group over time.

    A point is a session or, with a band from the 5th to the 95th percentile, a bin of sessions. A dashed line with a
    number is a change point, dotted lines are the levels between change points, and a diamond with a letter is an
    outlier.

    Args:
        panel: the series.
        theme: the colours.
        width: width in pixels, or ``container``.
        interactive: whether the time axis can be moved by dragging, and zoomed with Ctrl and the mouse wheel.
        brush: an interval selection of another chart, which selects the time span that is shown.
    """
    alt = import_altair()
    # Marks are clipped only where they can be moved: the renderer numbers clip paths across pictures, so that the
    # bytes of a second picture would differ.
    rows = _points(panel)
    low, high = _domain(panel)
    span = (panel.points["at"].item(0), panel.points["at"].item(-1))
    shown = {} if brush is None else {"domain": brush}
    x = alt.X("t:T", scale=alt.Scale(type="utc", **shown), axis=time_axis(alt, *span))
    y = alt.Y(
        "v:Q",
        title=panel.metric.unit,
        scale=alt.Scale(domain=[low, high], nice=False),
        axis=alt.Axis(tickCount=4, minExtent=42),
    )
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    clip = interactive or brush is not None
    layers = []
    if panel.is_binned:
        layers.append(
            base.mark_area(color=theme.data, opacity=0.2, clip=clip).encode(y=alt.Y("lo:Q"), y2=alt.Y2("hi:Q"))
        )
    if panel.metric.scale is not Scale.IDENTITY:
        layers.append(base.mark_line(color=theme.data, strokeWidth=1, opacity=0.7, clip=clip).encode(y=y))
    cursor = {"cursor": "pointer"} if interactive else {}
    points = base.mark_point(color=theme.data, filled=True, size=18, opacity=1, clip=clip, **cursor)
    points = points.encode(y=y, tooltip=_series_tooltip(alt, panel))
    if interactive:
        zoom = "wheel![event.ctrlKey]"
        points = points.add_params(
            alt.selection_interval(name=ZOOM, bind="scales", encodings=["x"], zoom=zoom, clear="dblclick")
        )
    layers.append(points)
    layers += _change_layers(alt, panel, theme, interactive=clip)
    layers += _outlier_layers(alt, panel, theme, interactive=clip)
    return alt.layer(*layers).properties(width=width, height=PANEL_HEIGHT)


def _points(panel: Panel) -> Rows:
    """The points of a panel: a session has its index and labels, a bin the indices of its first and last session."""
    index_of = panel.timeline.index_of
    first, last = ([index_of.get(source) for source in panel.points[name].to_list()] for name in ("first", "last"))
    frame = panel.points.select(t=milliseconds("at"), v="value")
    if panel.is_binned:
        bins = panel.points.select(lo="low", hi="high", n="sessions")
        spans = [_span(panel.timeline, one, other) for one, other in zip(first, last, strict=True)]
        bins = bins.with_columns(
            pl.Series("i", first, pl.Int64), pl.Series("j", last, pl.Int64), pl.Series("s", spans, pl.String)
        )
        return _with_gaps(chart_rows(pl.concat([frame, bins], how="horizontal")))
    labels = [None if index is None else _labels(panel.timeline, index) for index in first]
    sessions = panel.points.select(s=_file("first"))
    sessions = sessions.with_columns(pl.Series("i", first, pl.Int64), pl.Series("l", labels, pl.String))
    return chart_rows(pl.concat([frame, sessions], how="horizontal"))


def _labels(timeline: Timeline, index: int) -> str | None:
    """The labels of a session as one text; None without any."""
    labels = list(timeline.labels[index].items())[:MOST_LABELS]
    return ", ".join(f"{label(name, 20)} {label(value, 40)}" for name, value in labels) or None


def _span(timeline: Timeline, first: int | None, last: int | None) -> str | None:
    """The first and the last session of a bin by their labels or files; None for sessions off the time line."""
    if first is None or last is None:
        return None
    names = dict.fromkeys(_short_name(timeline, index) for index in (first, last))
    return " to ".join(names)


def _short_name(timeline: Timeline, index: int) -> str:
    name = timeline.labels[index].get(timeline.naming_label) if timeline.naming_label else None
    return shorten_path(timeline.sources[index], LONGEST_NAME) if name is None else label(name, LONGEST_NAME)


def _series_tooltip(alt: Any, panel: Panel) -> list[Any]:
    time = alt.Tooltip("t:T", title="UTC", timeUnit="utcyearmonthdatehoursminutes")
    value = alt.Tooltip("v:Q", title=panel.value_name, format=".4~g")
    if not panel.is_binned:
        has_labels = any(panel.timeline.labels)
        labels = [alt.Tooltip("l:N", title="labels")] if has_labels else []
        return [alt.Tooltip("s:N", title="session"), *labels, time, value]
    return [
        alt.Tooltip("s:N", title="from, to"),
        time,
        value,
        alt.Tooltip("lo:Q", title="5th percentile", format=".4~g"),
        alt.Tooltip("hi:Q", title="95th percentile", format=".4~g"),
        alt.Tooltip("n:Q", title="sessions"),
    ]


def _with_gaps(rows: Rows) -> Rows:
    """The rows, with one without a value in each long pause, so that the line is interrupted there."""
    times = [row["t"] for row in rows]
    steps = sorted(after - before for before, after in pairwise(times))
    usual = steps[len(steps) // 2] if steps else 0
    result = rows[:1]
    for row in rows[1:]:
        if row["t"] - result[-1]["t"] > PAUSE * usual:
            result.append({"t": (row["t"] + result[-1]["t"]) // 2})
        result.append(row)
    return result


def _change_layers(alt: Any, panel: Panel, theme: Theme, *, interactive: bool) -> list[Any]:
    changes = panel.changes.select(t=milliseconds("change_at"), before="before", after="after", shape="shape")
    if changes.is_empty() or panel.points.is_empty():
        return []
    times = changes["t"].to_list()
    start, end = (panel.points["at"].dt.epoch("ms").item(row) for row in (0, -1))
    edges = [min(start, times[0]), *times, max(end, times[-1])]
    # An outage is over, so its level does not reach to the next change.
    after = [
        None if shape == Shape.OUTAGE else level
        for level, shape in zip(changes["after"], changes["shape"], strict=True)
    ]
    levels = [changes["before"][0], *after]
    steps = [
        {"t": left, "u": right, "v": json_number(level)}
        for left, right, level in zip(edges[:-1], edges[1:], levels, strict=True)
        if json_number(level) is not None
    ]
    marks = [{"t": at, "k": str(number)} for number, at in enumerate(times, 1)]
    rules = alt.Chart(alt.Data(values=marks)).encode(x=alt.X("t:T"))
    segments = alt.Chart(alt.Data(values=steps))
    return [
        segments.mark_rule(color=theme.ink, strokeDash=[2, 2], strokeWidth=1.5, clip=interactive).encode(
            x="t:T", x2="u:T", y="v:Q"
        ),
        rules.mark_rule(color=theme.change, strokeDash=[6, 3], strokeWidth=2, clip=interactive),
        rules.mark_text(
            color=theme.change,
            fontWeight="bold",
            align="left",
            baseline="top",
            dx=4,
            y=0,
            fontSize=12,
            clip=interactive,
        ).encode(text="k:N"),
    ]


def _outlier_layers(alt: Any, panel: Panel, theme: Theme, *, interactive: bool) -> list[Any]:
    if panel.outliers.is_empty():
        return []
    frame = panel.outliers.select(t=milliseconds("at"), v=pl.col("value").clip(*_domain(panel)), s=_file("source"))
    indices = [panel.timeline.index_of.get(source) for source in panel.outliers["source"].to_list()]
    frame = frame.with_columns(pl.Series("i", indices, pl.Int64))
    rows = [{**row, "k": letter} for row, letter in zip(chart_rows(frame), "abcdefgh", strict=False)]
    base = alt.Chart(alt.Data(values=rows)).encode(x=alt.X("t:T"), y=alt.Y("v:Q"))
    tooltip = [
        alt.Tooltip("s:N", title="outlier"),
        alt.Tooltip("t:T", title="UTC", timeUnit="utcyearmonthdatehoursminutes"),
        alt.Tooltip("v:Q", title="value", format=".4~g"),
    ]
    diamond = base.mark_point(
        color=theme.outlier, shape="diamond", filled=False, size=60, strokeWidth=1.5, clip=interactive
    )
    text = base.mark_text(color=theme.outlier, fontWeight="bold", dx=9, fontSize=11, clip=interactive)
    return [diamond.encode(tooltip=tooltip), text.encode(text="k:N")]


def _domain(panel: Panel) -> tuple[float, float]:
    """The range of the value axis: that of the points, levels and outliers with a margin, within the metric's range."""
    columns = [panel.points[name] for name in ("value", "low", "high")]
    columns += [panel.changes["before"], panel.changes["after"], panel.outliers["value"]]
    values = pl.concat(columns).drop_nulls().drop_nans()
    if values.is_empty():
        return 0.0, 1.0
    low, high = (drawable(float(end)) for end in (values.min(), values.max()))  # type: ignore[arg-type]
    space = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    if panel.metric.scale is Scale.IDENTITY:
        return min(0.0, low), max(high + space, 1.0)
    if panel.metric.scale is Scale.ARCSINE:
        space = max(space, 0.005)
        return max(low - space, 0.0), min(high + space, 1.0)
    return (0.0 if low >= 0 and low < high / 2 else max(low - space, min(low, 0.0))), high + space


def _file(column: str) -> pl.Expr:
    return pl.col(column).map_elements(shorten_path, return_dtype=pl.String)
