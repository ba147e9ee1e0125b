"""The charts. Frames go in with fields of our own names, so that no name of telemetry is ever read as an expression."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import polars as pl

from clamp_analytics.analysis.series import Metric, Scale
from clamp_analytics.plots.names import distinct, shown
from clamp_analytics.plots.panels import Panel
from clamp_analytics.plots.theme import Look
from clamp_analytics.rules import Severity

DIGITS = 6
"""Significant digits of a number in a chart: more than a screen has pixels."""

PANEL_HEIGHT = 130
BAR_STEP = 22
LANE_STEP = 18
NAME_PIXELS = 150
"""Pixels that names beside bars may take; longer ones are cut there, and stand whole in the table."""

RULE_PIXELS = 190
"""The same for names of rules, which are ours."""

DECADES = 2.0
"""Durations that span at least so many powers of ten are drawn on a logarithmic axis."""

LONGEST_AXIS = 1e307
"""An axis ends here at most; hostile durations reach to the largest number, and an axis beyond it is none."""

PAUSE = 2.5
"""A pause between bins that is so many times as long as usual interrupts the line."""

TIME_FORMATS = ((300, "%b %Y"), (2.5, "%b %d"), (0.15, "%b %d %H:%M"), (0.005, "%H:%M"), (0, "%H:%M:%S"))
"""How times are written on an axis that spans at least so many days."""

Data = list[dict[str, Any]]


def library() -> Any:
    """Altair, which takes a second to import and whose types say little of what it is given."""
    import altair as alt

    return alt


def over_time(panel: Panel, look: Look, width: int | str = "container") -> Any:
    """One metric of one group over time.

    A point is a session or, with a band from the 5th to the 95th percentile, the median of several. A change point is
    a dashed line with its number above; dotted lines are the levels before and after it.
    """
    alt = library()
    rows = _rows(panel.points.select(t=pl.col("at").dt.epoch("ms"), v="value", lo="low", hi="high", n="sessions"))
    if panel.is_binned:
        rows = _with_gaps(rows)
    unit = panel.metric.unit
    low, high = _domain(panel)
    shares = {"format": "~%"} if unit == "share" else {}
    x = alt.X("t:T", scale=alt.Scale(type="utc"), axis=_time_axis(alt, panel))
    y = alt.Y(
        "v:Q",
        title=unit,
        scale=alt.Scale(domain=[low, high], nice=False),
        axis=alt.Axis(tickCount=4, minExtent=42, **shares),
    )
    said = [
        alt.Tooltip("t:T", title="UTC", timeUnit="utcyearmonthdatehoursminutes"),
        alt.Tooltip("v:Q", title=panel.value_name, format=".4~g"),
    ]
    if panel.is_binned:
        said += [
            alt.Tooltip("lo:Q", title="5th percentile", format=".4~g"),
            alt.Tooltip("hi:Q", title="95th percentile", format=".4~g"),
            alt.Tooltip("n:Q", title="sessions"),
        ]
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    layers = []
    if panel.is_binned:
        layers.append(base.mark_area(color=look.data, opacity=0.2).encode(y=alt.Y("lo:Q"), y2=alt.Y2("hi:Q")))
    if panel.metric.scale is not Scale.IDENTITY:
        layers.append(base.mark_line(color=look.data, strokeWidth=1, opacity=0.7).encode(y=y))
    layers.append(base.mark_point(color=look.data, filled=True, size=14, opacity=1).encode(y=y, tooltip=said))
    layers += _change_layers(alt, panel, look)
    return alt.layer(*layers).properties(width=width, height=PANEL_HEIGHT)


def _with_gaps(rows: Data) -> Data:
    """Rows with one without a value in each long pause, so that nothing is drawn across it."""
    times = [row["t"] for row in rows]
    steps = sorted(after - before for before, after in pairwise(times))
    usual = steps[len(steps) // 2] if steps else 0
    made = rows[:1]
    for row in rows[1:]:
        if row["t"] - made[-1]["t"] > PAUSE * usual:
            made.append({"t": (row["t"] + made[-1]["t"]) // 2})
        made.append(row)
    return made


def _time_axis(alt: Any, panel: Panel) -> Any:
    """Times in one format, as fine as the span asks for; the title says what the labels leave out."""
    first, last = (panel.points["at"].item(at) for at in (0, -1))
    span = last - first
    pattern = next(pattern for days, pattern in TIME_FORMATS if span >= timedelta(days=days))
    title = "UTC" if "%Y" in pattern else f"{first:%Y}, UTC" if "%b" in pattern else f"{first:%Y-%m-%d}, UTC"
    return alt.Axis(format=pattern, title=title, tickCount=5, grid=False, labelFlush=True)


def _change_layers(alt: Any, panel: Panel, look: Look) -> list[Any]:
    changes = panel.changes.select(t=pl.col("change_at").dt.epoch("ms"), before="before", after="after")
    if changes.is_empty() or panel.points.is_empty():
        return []
    times = changes["t"].to_list()
    start, end = (panel.points["at"].dt.epoch("ms").item(at) for at in (0, -1))
    edges = [min(start, times[0]), *times, max(end, times[-1])]
    levels = [changes["before"][0], *changes["after"]]
    steps = [
        {"t": left, "u": right, "v": _number(level)}
        for left, right, level in zip(edges[:-1], edges[1:], levels, strict=True)
        if _number(level) is not None
    ]
    marks = [{"t": at, "k": str(number)} for number, at in enumerate(times, 1)]
    rules = alt.Chart(alt.Data(values=marks)).encode(x=alt.X("t:T"))
    segments = alt.Chart(alt.Data(values=steps))
    return [
        segments.mark_rule(color=look.ink, strokeDash=[2, 2], strokeWidth=1.5).encode(x="t:T", x2="u:T", y="v:Q"),
        rules.mark_rule(color=look.change, strokeDash=[6, 3], strokeWidth=2),
        rules.mark_text(color=look.change, fontWeight="bold", baseline="bottom", y=-3, fontSize=12).encode(text="k:N"),
    ]


def _domain(panel: Panel) -> tuple[float, float]:
    """The values that the axis shows: a little more than there are, and nothing that the metric cannot be."""
    columns = [panel.points[name] for name in ("value", "low", "high")]
    values = pl.concat([*columns, panel.changes["before"], panel.changes["after"]]).drop_nulls().drop_nans()
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
    """A value as the end of an axis, so far from the largest number that the space beside it is a number, too."""
    return max(-LONGEST_AXIS, min(value, LONGEST_AXIS))


DURATIONS = ("p5", "p25", "p50", "p75", "p95")
"""The percentiles that a bar of durations is made of, in milliseconds."""


def durations(boxes: pl.DataFrame, look: Look, width: int | str = "container") -> Any:
    """Durations by context: a bar from the 25th to the 75th percentile, a line from the 5th to the 95th, the median.

    Args:
        boxes: ``name``, the columns ``DURATIONS``, ``anchors``; in the order in which they are drawn.
        look: the colours.
        width: in pixels.
    """
    alt = library()
    names = distinct(boxes["name"].to_list())
    rows = _rows(boxes.select(pl.Series("c", names), *DURATIONS, n="anchors"))
    least, most = boxes["p5"].to_list(), boxes["p95"].to_list()
    is_wide = min(least) > 0 and max(most) / min(least) >= 10**DECADES
    edges = [min(least) / 1.2, max(most) * 1.2] if is_wide else [min(0.0, *least), max(most)]
    edges = list(map(_drawable, edges))
    scale = alt.Scale(type="log" if is_wide else "linear", domain=edges, nice=not is_wide)
    x = alt.X(
        "p5:Q",
        title="milliseconds" + (", logarithmic" if is_wide else ""),
        scale=scale,
        axis=alt.Axis(format=",~r", tickCount=6),
    )
    base = alt.Chart(alt.Data(values=rows)).encode(y=_names(alt, "c", names))
    said = [
        *(alt.Tooltip(f"{name}:Q", title=f"{name[1:]}th percentile, ms", format=".4~g") for name in DURATIONS),
        alt.Tooltip("n:Q", title="released anchors"),
    ]
    return alt.layer(
        base.mark_rule(color=look.data, strokeWidth=1.5).encode(x=x, x2="p95:Q", tooltip=said),
        base.mark_bar(color=look.data, height=9, opacity=0.55).encode(x="p25:Q", x2="p75:Q", tooltip=said),
        base.mark_tick(color=look.ink, thickness=3, height=15).encode(x="p50:Q", tooltip=said),
    ).properties(width=width, height=BAR_STEP * len(names))


def timeline(bars: pl.DataFrame, look: Look, unit: str, width: int | str = "container") -> Any:
    """The anchors of one session by thread and context.

    Args:
        bars: ``lane``, ``start`` and ``end`` in the unit since the first acquisition, ``in_flight``, ``anchor``;
            lanes in the order in which they are drawn. An anchor in flight is a hollow arrow at its start.
        look: the colours.
        unit: the unit of time.
        width: in pixels.
    """
    alt = library()
    lanes = bars["lane"].unique(maintain_order=True).to_list()
    frame = bars.select(l="lane", s="start", e="end", a="anchor", f="in_flight")
    released, held = frame.filter(~pl.col("f")).drop("f"), frame.filter("f").drop("f", "e")
    x = alt.X("s:Q", title=f"{unit} since the first acquisition", axis=alt.Axis(format=",~r", tickCount=6))
    y = _names(alt, "l", lanes)
    layers = []
    if not released.is_empty():
        said = [
            alt.Tooltip("a:N", title="anchor"),
            alt.Tooltip("s:Q", title=f"acquired, {unit}"),
            alt.Tooltip("e:Q", title=f"released, {unit}"),
        ]
        bar = alt.Chart(alt.Data(values=_rows(released))).mark_bar(
            color=look.data, stroke=look.data, strokeWidth=1, height=9, fillOpacity=0.45
        )
        layers.append(bar.encode(x=x, x2="e:Q", y=y, tooltip=said))
    if not held.is_empty():
        said = [alt.Tooltip("a:N", title="in flight"), alt.Tooltip("s:Q", title=f"acquired, {unit}")]
        arrow = alt.Chart(alt.Data(values=_rows(held))).mark_point(
            color=look.change, shape="triangle-right", size=90, filled=False, strokeWidth=2
        )
        layers.append(arrow.encode(x=x, y=y, tooltip=said))
    return alt.layer(*layers).properties(width=width, height=LANE_STEP * len(lanes))


def violations(counts: pl.DataFrame, look: Look, width: int | str = "container") -> Any:
    """Violations by rule, each with its severity in words and its number.

    Args:
        counts: ``rule``, ``severity`` and ``count``, in the order in which they are drawn.
        look: the colours.
        width: in pixels.
    """
    alt = library()
    names = distinct([shown(rule) for rule in counts["rule"]])
    said = [f"{count:,} {severity}" for count, severity in counts.select("count", "severity").iter_rows()]
    rows = _rows(counts.select(pl.Series("r", names), s="severity", n="count", k=pl.Series(said)))
    most = max(counts["count"].to_list(), default=1)
    x = alt.X(
        "n:Q",
        title="violations",
        axis=alt.Axis(format=",d", tickMinStep=1, tickCount=5),
        scale=alt.Scale(domain=[0, most * 1.25], nice=False),
    )
    hue = alt.Color(
        "s:N",
        legend=None,
        scale=alt.Scale(domain=[kind.value for kind in Severity], range=[look.error, look.warning, look.info]),
    )
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, y=_names(alt, "r", names, RULE_PIXELS))
    return alt.layer(
        base.mark_bar(height=12).encode(color=hue),
        base.mark_text(color=look.ink, align="left", dx=4, fontSize=11).encode(text="k:N"),
    ).properties(width=width, height=BAR_STEP * len(names))


def _names(alt: Any, field: str, names: Sequence[str], pixels: int = NAME_PIXELS) -> Any:
    axis = alt.Axis(labelLimit=pixels, domain=False, ticks=False, labelPadding=6, grid=False, labelOverlap=False)
    return alt.Y(f"{field}:N", title=None, sort=list(names), axis=axis)


def _rows(frame: pl.DataFrame) -> Data:
    """Rows as JSON can hold them, without what is null, floats with no more digits than can be seen."""
    return [
        {name: kept for name, value in row.items() if (kept := _number(value)) is not None}
        for row in frame.iter_rows(named=True)
    ]


def _number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    # JSON knows neither NaN nor the infinities.
    return float(f"{value:.{DIGITS}g}") if -1e308 < value < 1e308 else None


def metric_title(metric: Metric) -> str:
    """A metric as a heading: the first clause of its sentence."""
    return metric.sentence.removesuffix(".").split(",")[0]
