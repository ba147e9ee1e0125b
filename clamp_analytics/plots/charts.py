"""Altair charts. Frames have field names of our own, so a name from telemetry is data and never an expression.

Names are also the explicit domain of their axis. Without it, Vega would aggregate them in an object whose keys are the
names, and a context such as ``constructor`` or ``__proto__`` would break the chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from clamp_analytics.analysis.incidents.timeline import Timeline
from clamp_analytics.analysis.metrics import Metric, Scale
from clamp_analytics.analysis.verdicts import Shape
from clamp_analytics.plots.labels import label, make_unique, shorten_path
from clamp_analytics.plots.panels import Panel
from clamp_analytics.plots.theme import Theme

DIGITS = 6
"""Significant digits of a number in a chart, which is more than a screen can show."""

PANEL_HEIGHT = 130
STRIP_HEIGHT = 36
BAR_STEP = 22
LANE_STEP = 18

MOST_LABELS = 4
"""Maximal number of labels of a session in a tooltip."""

LABEL_PIXELS = 150
"""Maximal width of the label of a bar; the table of the chart has the longer text."""

LOG_DECADES = 2.0
"""Durations that span at least this many powers of ten get a logarithmic axis."""

LARGEST = 1e307
"""Largest absolute value of an axis, so that the margin beyond it is still a finite number."""

PAUSE = 2.5
"""A gap between bins that is this many times longer than usual interrupts the line."""

TIME_FORMATS = ((300, "%b %Y"), (2.5, "%b %d"), (0.15, "%b %d %H:%M"), (0.005, "%H:%M"), (0, "%H:%M:%S"))
"""Time formats of an axis, by the least number of days that it spans."""

DURATIONS = ("p5", "p25", "p50", "p75", "p95")
"""Percentiles that a bar of durations shows, in milliseconds."""

ZOOM, BRUSH = "zoom", "brush"
"""Names of the selections that the page connects: the visible time span of a series, and the brush of the strip."""

Rows = list[dict[str, Any]]


def import_altair() -> Any:
    """Altair, which takes a second to import."""
    import altair as alt

    return alt


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
    shares = {"format": "~%"} if panel.metric.unit == "share" else {}
    span = (panel.points["at"].item(0), panel.points["at"].item(-1))
    shown = {} if brush is None else {"domain": brush}
    x = alt.X("t:T", scale=alt.Scale(type="utc", **shown), axis=_time_axis(alt, *span))
    y = alt.Y(
        "v:Q",
        title=panel.metric.unit,
        scale=alt.Scale(domain=[low, high], nice=False),
        axis=alt.Axis(tickCount=4, minExtent=42, **shares),
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
    frame = panel.points.select(t=_milliseconds("at"), v="value")
    if panel.is_binned:
        bins = panel.points.select(lo="low", hi="high", n="sessions")
        bins = bins.with_columns(pl.Series("i", first, pl.Int64), pl.Series("j", last, pl.Int64))
        return _with_gaps(_rows(pl.concat([frame, bins], how="horizontal")))
    labels = [None if index is None else _labels(panel.timeline, index) for index in first]
    sessions = panel.points.select(s=_file("first"))
    sessions = sessions.with_columns(pl.Series("i", first, pl.Int64), pl.Series("l", labels, pl.String))
    return _rows(pl.concat([frame, sessions], how="horizontal"))


def _labels(timeline: Timeline, index: int) -> str | None:
    """The labels of a session as one text; None without any."""
    labels = list(timeline.labels[index].items())[:MOST_LABELS]
    return ", ".join(f"{label(name, 20)} {label(value, 40)}" for name, value in labels) or None


def _series_tooltip(alt: Any, panel: Panel) -> list[Any]:
    time = alt.Tooltip("t:T", title="UTC", timeUnit="utcyearmonthdatehoursminutes")
    value = alt.Tooltip("v:Q", title=panel.value_name, format=".4~g")
    if not panel.is_binned:
        has_labels = any(panel.timeline.labels)
        labels = [alt.Tooltip("l:N", title="labels")] if has_labels else []
        return [alt.Tooltip("s:N", title="session"), *labels, time, value]
    return [
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


def _time_axis(alt: Any, first: datetime, last: datetime) -> Any:
    """An axis with one time format that suits the span; its title has what the labels leave out."""
    span = last - first
    pattern = next(pattern for days, pattern in TIME_FORMATS if span >= timedelta(days=days))
    title = "UTC" if "%Y" in pattern else f"{first:%Y}, UTC" if "%b" in pattern else f"{first:%Y-%m-%d}, UTC"
    return alt.Axis(format=pattern, title=title, tickCount=5, grid=False, labelFlush=True)


def _change_layers(alt: Any, panel: Panel, theme: Theme, *, interactive: bool) -> list[Any]:
    changes = panel.changes.select(t=_milliseconds("change_at"), before="before", after="after", shape="shape")
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
        {"t": left, "u": right, "v": _json_number(level)}
        for left, right, level in zip(edges[:-1], edges[1:], levels, strict=True)
        if _json_number(level) is not None
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
    frame = panel.outliers.select(t=_milliseconds("at"), v=pl.col("value").clip(*_domain(panel)), s=_file("source"))
    indices = [panel.timeline.index_of.get(source) for source in panel.outliers["source"].to_list()]
    frame = frame.with_columns(pl.Series("i", indices, pl.Int64))
    rows = [{**row, "k": letter} for row, letter in zip(_rows(frame), "abcdefgh", strict=False)]
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
    low, high = (_drawable(float(end)) for end in (values.min(), values.max()))  # type: ignore[arg-type]
    space = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    if panel.metric.scale is Scale.IDENTITY:
        return min(0.0, low), max(high + space, 1.0)
    if panel.metric.scale is Scale.ARCSINE:
        space = max(space, 0.005)
        return max(low - space, 0.0), min(high + space, 1.0)
    return (0.0 if low >= 0 and low < high / 2 else max(low - space, min(low, 0.0))), high + space


def _drawable(value: float) -> float:
    return max(-LARGEST, min(value, LARGEST))


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
    x = alt.X("t:T", scale=alt.Scale(type="utc"), axis=_time_axis(alt, times[0], times[-1]))
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
    rows = _rows(boxes.select(pl.Series("c", names), *DURATIONS, n="anchors"))
    least, most = boxes["p5"].to_list(), boxes["p95"].to_list()
    is_wide = min(least) > 0 and max(most) / min(least) >= 10**LOG_DECADES
    edges = [min(least) / 1.2, max(most) * 1.2] if is_wide else [min(0.0, *least), max(most)]
    edges = list(map(_drawable, edges))
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
        bar = alt.Chart(alt.Data(values=_rows(released))).mark_bar(
            color=theme.data, stroke=theme.data, strokeWidth=1, height=9, fillOpacity=0.45
        )
        layers.append(bar.encode(x=x, x2="e:Q", y=y, tooltip=tooltip))
    if not held.is_empty():
        tooltip = [
            alt.Tooltip("l:N", title="lane"),
            alt.Tooltip("a:N", title="anchor in flight"),
            alt.Tooltip("s:Q", title=f"acquired, {unit}"),
        ]
        arrow = alt.Chart(alt.Data(values=_rows(held))).mark_point(
            color=theme.change, shape="triangle-right", size=90, filled=False, strokeWidth=2
        )
        layers.append(arrow.encode(x=x, y=y, tooltip=tooltip))
    return alt.layer(*layers).properties(width=width, height=LANE_STEP * len(lanes))


def _name_axis(alt: Any, field: str, names: Sequence[str]) -> Any:
    axis = alt.Axis(labelLimit=LABEL_PIXELS, domain=False, ticks=False, labelPadding=6, grid=False, labelOverlap=False)
    return alt.Y(f"{field}:N", title=None, sort=None, scale=alt.Scale(domain=list(names)), axis=axis)


def _milliseconds(column: str) -> pl.Expr:
    return pl.col(column).dt.epoch("ms")


def _file(column: str) -> pl.Expr:
    return pl.col(column).map_elements(shorten_path, return_dtype=pl.String)


def _rows(frame: pl.DataFrame) -> Rows:
    """The rows as JSON values: without nulls, and floats with few digits."""
    return [
        {name: number for name, value in row.items() if (number := _json_number(value)) is not None}
        for row in frame.iter_rows(named=True)
    ]


def _json_number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    # JSON has neither NaN nor infinity.
    return float(f"{value:.{DIGITS}g}") if -1e308 < value < 1e308 else None


def metric_title(metric: Metric) -> str:
    """A metric as a heading: the first clause of its sentence."""
    return metric.sentence.removesuffix(".").split(",")[0]
