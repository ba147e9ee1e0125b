"""Figures of the page: each chart with a caption, a description, and a table of its data."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.verdicts import RANK
from clamp_analytics.html_report.links import SeriesLinks
from clamp_analytics.html_report.markup import (
    Column,
    Html,
    cell,
    details,
    format_change,
    format_levels,
    format_number,
    format_time,
    format_value,
    group_attribute,
    paragraph,
    table,
    verdict_badge,
)
from clamp_analytics.html_report.report_data import ReportData
from clamp_analytics.html_report.session_names import session_button
from clamp_analytics.html_report.timeline import Timeline
from clamp_analytics.plots import MetricPanels, Panel
from clamp_analytics.reading.reader import Progress
from clamp_analytics.wording import plural

MOST_CONTEXTS = 15
"""Maximal number of contexts in the chart of durations."""

LEGEND = (
    '<p class="legend"><b class="point">●</b> a session, or in a band from the 5th to the 95th percentile the average '
    'of several <b class="change">┆1</b> a change point <b class="level">┄</b> the level before and after it '
    '<b class="outlier">◇a</b> an outlier</p>'
)
"""What the marks of a series are."""

MOST_TABLES = 24
"""Maximal number of changed series whose points are in the file as a table, for readers without JavaScript."""

FEWEST_SESSIONS = 12
"""Number of sessions below which selecting a time span makes no sense."""

STRIP_BINS = 60
"""Maximal number of bars in the strip of sessions; each shows a few sessions at least."""


@dataclass(slots=True)
class Figures:
    """The figures of one page.

    Attributes:
        specifications: the Vega-Lite specifications by the id of the element in which they are drawn.
        tables_of_points: the number of series whose points are in a table in the file.
        progress: called with the number of series that were drawn and of all that will be; None where nobody asks.
        series: the number of series that will be drawn.
        drawn: the number of those that were.
    """

    specifications: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables_of_points: int = 0
    progress: Progress | None = None
    series: int = 0
    drawn: int = 0

    def _chart(self, chart: Any, description: str, kind: str = "") -> str:
        """The element in which a chart is drawn."""
        identifier = f"chart-{len(self.specifications) + 1}"
        specification = plots.vega_lite_spec(chart)
        # It is the same for all charts, and the page adds it.
        del specification["config"]
        self.specifications[identifier] = specification
        attribute = f' data-kind="{kind}"' if kind else ""
        # The description is on an outer element, because Vega gives the element of the chart a description of its own.
        return (
            f'<div role="img" aria-label="{html.escape(description)}">'
            f'<div class="chart" id="{identifier}"{attribute}></div></div>'
        )

    def figure(self, chart: Any, caption: str, description: str, data: str, note: str = "") -> str:
        """A chart with a caption.

        Args:
            chart: the chart.
            caption: the caption, as plain text.
            description: a sentence for readers who do not see the chart.
            data: the table of its data, as markup.
            note: the text below the chart, as markup.
        """
        return (
            f"<figure><figcaption>{html.escape(caption)}</figcaption>{self._chart(chart, description)}"
            f"{note}{details('Data of this chart', data)}</figure>"
        )

    def strip(self, series: pl.DataFrame) -> str:
        """The strip of sessions over time, on which the reader selects the time span of all series."""
        times = series.select("source", "started_at").unique().sort("started_at")["started_at"].to_list()
        if len(times) < FEWEST_SESSIONS or times[0] == times[-1]:
            return ""
        chart = self._chart(
            plots.sessions_chart(times, plots.PAGE, min(STRIP_BINS, len(times) // 4)),
            f"Number of sessions over time, from {format_time(times[0])} to {format_time(times[-1])} UTC.",
            kind="sessions",
        )
        return (
            '<div class="strip needs-script"><p>Sessions over time. Drag across them to zoom all charts. '
            "In a chart, drag to move, zoom with Ctrl and the mouse wheel, double-click to reset, and click a point to "
            "open its session. "
            f'<button type="button" id="reset" disabled>Show all</button></p>{chart}</div>'
        )

    def changed_series(self, metrics: Sequence[MetricPanels], links: SeriesLinks) -> str:
        """The charts of the series that changed, group by group."""
        panels = [panel for one in metrics for panel in one.panels if panel.is_changed]
        groups = dict.fromkeys(panel.key for panel in sorted(panels, key=lambda panel: RANK[panel.verdict]))
        order = {key: number for number, key in enumerate(groups)}
        drawn = (self._panel(panel, links) for panel in sorted(panels, key=lambda panel: order[panel.key]))
        return f'<div class="panels">{"".join(drawn)}</div>' if panels else ""

    def unchanged_series(self, metrics: Sequence[MetricPanels], links: SeriesLinks) -> str:
        """The charts of the series that did not change, metric by metric."""
        parts = []
        for one in metrics:
            panels = [panel for panel in one.panels if not panel.is_changed]
            if not panels:
                continue
            drawn = "".join(self._panel(panel, links) for panel in panels)
            parts.append(f'<h3>{plots.metric_title(one.metric)}</h3><div class="panels">{drawn}</div>')
            if one.left_out:
                more = plural(one.left_out, "more series", "more series")
                parts.append(f'<p class="more">… and {more}, listed under Changes</p>')
        return "".join(parts)

    def _panel(self, panel: Panel, links: SeriesLinks) -> str:
        metric, points = panel.metric, panel.points
        count = plural(int(points["sessions"].sum()), "session")
        span = f"{format_time(points['at'].item(0))} to {format_time(points['at'].item(-1))} UTC"
        description = f"{metric.name} of {panel.group} in {count}, {span}: {panel.verdict}. {panel.reason}."
        chart = self._chart(plots.series_chart(panel, plots.PAGE, interactive=True), description, kind="series")
        self.drawn += 1
        if self.progress is not None:
            self.progress(self.drawn, self.series)
        group = html.escape(panel.group)
        better = {True: ", higher is better", False: ", lower is better", None: ""}[metric.higher_is_better]
        title = f"{plots.metric_title(metric)} <small>{metric.name}, {_unit(metric.unit)}{better}</small>"
        return (
            f'<figure id="{links.chart(metric.name, panel.key)}" data-metric="{metric.name}" data-unit="{metric.unit}"'
            f"{group_attribute(panel.group)}>"
            f"<figcaption><strong><bdi>{group}</bdi></strong> {verdict_badge(panel.verdict)}<br>{title}</figcaption>"
            f"{chart}"
            f"{_changes(panel)}{_outliers(panel)}{self._table_of_points(panel)}</figure>"
        )

    def _table_of_points(self, panel: Panel) -> str:
        """The folded table of a panel's points.

        The first changed series have it in the file. Of all others the page fills it when it is opened, because the
        rows of all series would double the size of the file.
        """
        title = "Data of this chart"
        if not panel.is_changed or self.tables_of_points == MOST_TABLES:
            return details(title, "", kind="points needs-script")
        self.tables_of_points += 1
        return details(title, _points_table(panel), kind="points")

    def durations(self, data: ReportData) -> str:
        """Durations by context."""
        boxes = data.boxes
        if boxes.is_empty():
            return paragraph("No anchor was released, so there is no duration.")
        shown = boxes.head(MOST_CONTEXTS)
        names = [plots.label(name) for name in boxes["key"]]
        chart = plots.durations_chart(
            shown.select(pl.Series("name", names[: shown.height]), pl.all().exclude("key")), plots.PAGE
        )
        columns = [Column("context"), Column("released anchors", is_number=True)]
        columns += [Column(f"{name[1:]}th percentile, ms", is_number=True) for name in plots.DURATIONS]
        rows = [
            [name, *values]
            for name, values in zip(names, boxes.select("anchors", *plots.DURATIONS).iter_rows(), strict=True)
        ]
        left_out = boxes.height - shown.height
        longest = f"{names[0]} with {format_number(shown['p50'][0])} ms"
        return self.figure(
            chart,
            "A bar reaches from the 25th to the 75th percentile, the line from the 5th to the 95th; the vertical "
            "stroke is the median.",
            f"Durations of released anchors by context, longest median first: {longest}.",
            table("Durations of released anchors by context", columns, rows),
            note=f'<p class="more">… and {left_out:,} more contexts, in the table</p>' if left_out else "",
        )

    def timeline(self, data: ReportData) -> str:
        """The anchors of the latest session, by thread."""
        if (latest := data.sessions.latest) is None:
            return paragraph("No anchor has a usable time of acquisition.")
        timeline = Timeline(data.sessions, latest)
        return self.figure(timeline.chart, timeline.title, timeline.description, timeline.data, note=timeline.note)


def _unit(unit: str) -> str:
    texts = {"share": "a share of the scores", "ms": "in milliseconds", "count": "a count", "0 to 1": "from 0 to 1"}
    return texts.get(unit, unit)


def _session(panel: Panel, source: str) -> Html:
    """A button that opens the details of a session; its name, if it is not on the time line."""
    index = panel.timeline.index_of.get(source)
    return Html(cell(plots.shorten_path(source))) if index is None else session_button(panel.timeline, index)


def _points_table(panel: Panel) -> str:
    """The points of a panel as a table: its sessions, or the bins of a long history."""
    name = panel.metric.name
    columns = [Column("time"), Column(panel.value_name, is_number=True)]
    if panel.is_binned:
        columns += [Column("5th to 95th percentile", is_number=True), Column("sessions"), Column("from, to")]
    else:
        columns.append(Column("session"))
    rows: list[list[object]] = []
    for at, value, low, high, sessions, first, last in panel.points.iter_rows():
        row: list[object] = [format_time(at), format_value(name, value)]
        if panel.is_binned:
            row += [
                f"{format_value(name, low)} to {format_value(name, high)}",
                sessions,
                f"{plots.shorten_path(first)} to {plots.shorten_path(last)}",
            ]
        else:
            row.append(_session(panel, first))
        rows.append(row)
    return table(f"{name} of {panel.group}", columns, rows)


def _changes(panel: Panel) -> str:
    """The change points of a panel, numbered as in the chart."""
    items = []
    for at, source, before, after in panel.changes.select("change_at", "change_source", "before", "after").iter_rows():
        name = panel.metric.name
        levels = " to ".join(format_levels(name, before, after))
        size = html.escape(f"{format_change(panel.metric, before, after)} ({levels}) since ")
        items.append(f"<li>{size}{_session(panel, source)}, {format_time(at)} UTC</li>")
    return f"<ol class=changes>{''.join(items)}</ol>" if items else ""


def _outliers(panel: Panel) -> str:
    """The outliers of a panel, with the letters of the chart."""
    items = [
        f"<li>{html.escape(format_value(panel.metric.name, value))} in {_session(panel, source)}</li>"
        for value, source in panel.outliers.select("value", "source").iter_rows()
    ]
    return f'<ol class=outliers aria-label="Outliers">{"".join(items)}</ol>' if items else ""
