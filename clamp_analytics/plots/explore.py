"""Charts of results for notebooks. They are Altair charts, so that they can be combined and restyled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.metrics import METRICS, checked_metrics
from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.errors import SourceError
from clamp_analytics.extras import require_extras
from clamp_analytics.plots.anchor_bars import ANCHOR_COLUMNS, MOST_LANES, anchor_bars
from clamp_analytics.plots.chart_parts import import_altair, metric_title
from clamp_analytics.plots.charts import sessions_chart, timeline_chart
from clamp_analytics.plots.labels import group_label, make_unique, metric_label
from clamp_analytics.plots.panels import MOST_PANELS, select_panels
from clamp_analytics.plots.series_over_time import series_chart
from clamp_analytics.plots.theme import PICTURE
from clamp_analytics.reading import Telemetry

MARKS = {
    Verdict.REGRESSED: "✗",
    Verdict.SUSPECT: "!",
    Verdict.IMPROVED: "✓",
    Verdict.RECOVERED: "↺",
    Verdict.NOT_ENOUGH_DATA: "?",
    Verdict.UNCHANGED: "=",
}
"""The mark of each verdict, so that none is shown by its colour alone."""

COLOURS = {
    Verdict.REGRESSED: "#b3261e",
    Verdict.SUSPECT: "#8a5a00",
    Verdict.IMPROVED: "#1a6b35",
    Verdict.RECOVERED: "#0a5fb4",
    Verdict.NOT_ENOUGH_DATA: "#8c959f",
    Verdict.UNCHANGED: "#d8dee4",
}

STRIP_BINS = 60
"""Maximal number of bars in the strip of sessions."""

MOST_ANCHORS = 1_000
"""Maximal number of anchors in a timeline, the first ones by acquisition."""


def series(
    found: Drift,
    metric: str,
    *,
    group: str | Sequence[str | None] | None = None,
    limit: int = MOST_PANELS,
    width: int = 420,
    columns: int = 2,
    brush: Any = None,
) -> Any:
    """Draw a metric over the sessions, with change points and outliers; series that changed come first.

    Args:
        found: the result of ``drift``.
        metric: a name of ``METRICS``.
        group: the group to draw: the value of its column, or one value per column of ``found.by``; by default all
            groups.
        limit: the maximal number of groups.
        width: width of a chart in pixels.
        columns: the number of charts side by side.
        brush: an interval selection of x in another chart; the charts show the time span that it selects. Without one,
            several charts follow a strip of the sessions above them, on which a span can be selected.

    Returns:
        An Altair chart: layers for one group, a concatenation for several.

    Raises:
        UsageError: a package is missing, or there is no such metric.
        SourceError: there is no such group with a value of the metric.
    """
    require_extras("charts", "drift")
    alt = import_altair()
    (name,) = checked_metrics(metric)
    wanted = None if group is None else (group,) if isinstance(group, str) else tuple(group)
    selected = select_panels(found, found.by, [name], at_most=limit if wanted is None else found.verdicts.height)
    panels = [panel for one in selected for panel in one.panels if wanted in (None, panel.key)]
    if not panels:
        raise SourceError(f"no session has a value of {name} in this group", where=str(group))
    strip = None
    if brush is None and wanted is None:
        brush = alt.selection_interval(encodings=["x"])
        times = sorted(found.timeline.started_at)
        strip = sessions_chart(times, PICTURE, min(STRIP_BINS, len(times)), columns * width, brush=brush)
    charts = [
        series_chart(panel, PICTURE, width, brush=brush).properties(
            title={"text": f"{panel.group}: {metric_title(panel.metric)}", "subtitle": panel.verdict}
        )
        for panel in panels
    ]
    if wanted is not None:
        return charts[0]
    grid = alt.concat(*charts, columns=columns)
    return grid if strip is None else alt.vconcat(strip.properties(title="Drag to select a time span"), grid)


def matrix(found: Drift, *, cell: int = 56, selection: Any = None) -> Any:
    """Draw the verdicts as a matrix of groups and metrics, coloured and marked.

    Args:
        found: the result of ``drift``.
        cell: width of a cell in pixels.
        selection: a selection to add, for example ``alt.selection_point(fields=["group", "metric"])``, by which other
            charts are filtered.

    Returns:
        An Altair chart; its fields are ``group``, ``metric``, ``label``, ``verdict`` and ``reason``.

    Raises:
        UsageError: a package is missing.
    """
    require_extras("charts", "drift")
    alt = import_altair()
    keys = list(dict.fromkeys(found.verdicts.select(found.by).iter_rows())) if found.by else [()]
    names = dict(zip(keys, make_unique([group_label(key) for key in keys]), strict=True))
    rows = [
        {
            "group": names[tuple(row[column] for column in found.by)],
            "metric": row["metric"],
            "label": metric_label(row["metric"]),
            "verdict": row["verdict"],
            "mark": MARKS[Verdict(row["verdict"])],
            "reason": row["reason"],
        }
        for row in found.verdicts.iter_rows(named=True)
    ]
    shown = set(found.verdicts["metric"])
    metrics = [metric_label(name) for name in METRICS if name in shown]
    axis = alt.Axis(orient="top", labelAngle=0, title=None, domain=False, ticks=False)
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("label:N", scale=alt.Scale(domain=metrics), axis=axis),
        y=alt.Y("group:N", scale=alt.Scale(domain=list(names.values())), title=None, sort=None),
        tooltip=["group:N", "metric:N", "verdict:N", "reason:N"],
    )
    verdicts = [verdict.value for verdict in COLOURS]
    colour = alt.Color(
        "verdict:N", scale=alt.Scale(domain=verdicts, range=list(COLOURS.values())), legend=alt.Legend(title=None)
    )
    light = alt.FieldOneOfPredicate(field="verdict", oneOf=[Verdict.UNCHANGED.value])
    cells = base.mark_rect(stroke="white", cursor="pointer").encode(color=colour)
    if selection is not None:
        cells = cells.add_params(selection)
    marks = base.mark_text(fontWeight="bold").encode(
        text="mark:N", color=alt.condition(light, alt.value(PICTURE.ink), alt.value("white"))
    )
    return alt.layer(cells, marks).properties(width=cell * len(metrics), height=22 * len(names))


def timeline(telemetry: Telemetry, session: str | None = None, *, width: int = 640) -> Any:
    """Draw the anchors of a session by thread and context.

    Args:
        telemetry: loaded sessions.
        session: the source of the session, or the end of it; by default the latest session.
        width: width in pixels.

    Raises:
        UsageError: a package is missing.
        SourceError: no session has this name, or it has no anchor with a usable acquisition.
    """
    require_extras("charts")
    timed = telemetry.records.drop_nulls("acquired_at")
    if session is None:
        chosen = timed.sort("acquired_at")["source"].tail(1)
    else:
        chosen = timed.filter(pl.col("source").str.ends_with(session))["source"].unique().sort().head(1)
    if chosen.is_empty():
        raise SourceError("no session of this name has an anchor with a usable acquisition", where=session or "")
    anchors = timed.filter(pl.col("source") == chosen.item()).select(ANCHOR_COLUMNS).sort("acquired_at")
    bars, unit, _ = anchor_bars(anchors.head(MOST_ANCHORS))
    lanes = bars["lane"].unique(maintain_order=True).head(MOST_LANES)
    return timeline_chart(bars.filter(pl.col("lane").is_in(lanes.to_list())), PICTURE, unit, width).interactive(
        bind_y=False
    )
