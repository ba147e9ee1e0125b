"""The charts of a page: each one with a caption, a description, and a table of what it shows."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from clamp_analytics import plots
from clamp_analytics.html_report.evidence import Anchors, Evidence
from clamp_analytics.html_report.markup import (
    Column,
    changed_by,
    details,
    measured,
    moment,
    number,
    paragraph,
    table,
    verdict,
)
from clamp_analytics.plots import Panel, Shelf

MOST_CONTEXTS = 30
"""Contexts whose durations are drawn."""

MOST_LANES = 24
"""Lanes of the timeline."""

_UNITS = (("milliseconds", 1e3), ("seconds", 1e6), ("minutes", 6e7), ("hours", 3.6e9))


@dataclass(slots=True)
class Figures:
    """The figures of one page.

    Attributes:
        specifications: the charts' Vega-Lite specifications by the id of the element that they are drawn in.
    """

    specifications: dict[str, dict[str, Any]] = field(default_factory=dict)

    def figure(self, chart: Any, title: str, description: str, data: str, *, heading: str = "", note: str = "") -> str:
        """A chart with its caption.

        Args:
            chart: the chart.
            title: what it shows, as text.
            description: the same in a sentence or two, for whoever does not see it.
            data: the table of its data, as markup.
            heading: what stands for the title in the caption, as markup.
            note: what stands below the chart, as markup.
        """
        identifier = f"chart-{len(self.specifications) + 1}"
        self.specifications[identifier] = plots.specification(chart)
        return (
            f"<figure><figcaption>{heading or html.escape(title)}</figcaption>"
            # The description stands around the place that is drawn in, because drawing gives that one its own.
            f'<div role="img" aria-label="{html.escape(description)}"><div class="chart" id="{identifier}"></div></div>'
            f"{note}{details('Data of this chart', data)}</figure>"
        )

    def over_time(self, shelf: Shelf) -> str:
        """The series of one metric."""
        metric = shelf.metric
        better = {True: "Higher is better.", False: "Lower is better.", None: ""}[metric.higher_is_better]
        drawn = "".join(self._panel(panel) for panel in shelf.panels)
        rest = f"… and {shelf.left_out:,} more series, which are in the table of verdicts" if shelf.left_out else ""
        more = f'<p class="more">{rest}</p>' if rest else ""
        title = html.escape(plots.metric_title(metric))
        about = paragraph(f"{metric.name}, {_unit(metric.unit)}. {better}")
        return f'<h3>{title}</h3>{about}<div class="panels">{drawn}</div>{more}'

    def _panel(self, panel: Panel) -> str:
        metric, points = panel.metric, panel.points
        sessions = int(points["sessions"].sum())
        span = f"{moment(points['at'].item(0))} to {moment(points['at'].item(-1))} UTC"
        said = f"{metric.name} of {panel.group} over {sessions:,} sessions, {span}: {panel.verdict}. {panel.reason}."
        columns = [Column("time (UTC)"), Column(panel.value_name, is_number=True)]
        if panel.is_binned:
            columns += [Column(name, is_number=True) for name in ("5th percentile", "95th percentile", "sessions")]
        rows = [
            [
                moment(at),
                *(measured(metric.name, value) for value in values[: 3 if panel.is_binned else 1]),
                *([count] if panel.is_binned else []),
            ]
            for at, *values, count in points.select("at", "value", "low", "high", "sessions").iter_rows()
        ]
        heading = f"<strong>{html.escape(panel.group)}</strong> {verdict(panel.verdict)}"
        chart = plots.over_time(panel, plots.PAGE)
        data = table(f"{metric.name} of {panel.group}", columns, rows)
        return self.figure(chart, panel.group, said, data, heading=heading, note=_changes(panel))

    def durations(self, evidence: Evidence) -> str:
        """Durations by context."""
        boxes = evidence.boxes
        if boxes.is_empty():
            return paragraph("No anchor was released, so there is no duration.")
        drawn = boxes.head(MOST_CONTEXTS)
        names = [plots.shown(name) for name in drawn["key"]]
        chart = plots.durations(drawn.select(pl.Series("name", names), pl.all().exclude("key")), plots.PAGE)
        columns = [Column("context"), Column("released anchors", is_number=True)]
        columns += [Column(f"{name[1:]}th percentile, ms", is_number=True) for name in plots.DURATIONS]
        rows = [
            [name, *values]
            for name, values in zip(names, drawn.select("anchors", *plots.DURATIONS).iter_rows(), strict=True)
        ]
        left_out = boxes.height - drawn.height
        data = table("Durations of released anchors by context", columns, rows, left_out)
        longest = f"{names[0]} with {number(drawn['p50'][0])} ms"
        said = f"Durations of released anchors by context, longest median first: {longest}."
        note = f'<p class="more">… and {left_out:,} contexts with shorter medians</p>' if left_out else ""
        return self.figure(
            chart,
            "A bar reaches from the 25th to the 75th percentile, a line from the 5th to the 95th; "
            "the upright stroke is the median.",
            said,
            data,
            note=note,
        )

    def timeline(self, evidence: Evidence) -> str:
        """The anchors of the latest session, by thread."""
        if not evidence.anchors:
            return paragraph("No anchor has a usable time of acquisition.")
        (anchors,) = evidence.anchors
        bars, unit, threads = _bars(anchors)
        lanes = bars["lane"].unique(maintain_order=True)
        kept = bars.filter(pl.col("lane").is_in(lanes.head(MOST_LANES).to_list()))
        chart = plots.timeline(kept, plots.PAGE, unit)
        columns = [
            Column("anchor"),
            Column("thread"),
            Column("context"),
            Column(f"acquired, {unit}", is_number=True),
            Column(f"held, {unit}", is_number=True),
        ]
        rows = [
            [str(place), thread, context, number(start, 7), "in flight" if held else number(end - start, 7)]
            for place, thread, context, start, end, held in kept.select(
                "anchor", "thread", "context", "start", "end", "in_flight"
            ).iter_rows()
        ]
        left_out = anchors.count - kept.height
        flying = int(kept["in_flight"].sum())
        source = plots.end_of(anchors.source, 120)
        said = f"{kept.height:,} anchors of session {source} on {len(threads):,} threads, {flying:,} of them in flight."
        legend = ", ".join(
            f"T{place} is thread {plots.shown(name, 40)}" for place, name in enumerate(threads[:MOST_LANES], 1)
        )
        note = paragraph(legend + "." + (" A hollow arrow is an anchor that was still in flight." if flying else ""))
        if left_out:
            note += f'<p class="more">… and {left_out:,} more anchors of this session</p>'
        if _is_coarse(anchors):
            note += paragraph(
                "The timestamps of this session are whole seconds: bars that share one stand on top of each other, "
                "and the order within it is unknown."
            )
        title = f"Session {source}, from {moment(bars['acquired_at'].item(0))} UTC"
        return self.figure(chart, title, said, table(f"Anchors of {source}", columns, rows, left_out), note=note)

    def violations(self, evidence: Evidence) -> str:
        """Violations by rule."""
        rules = evidence.rules.select("rule", "severity", count="rows")
        said = (
            "Violations by rule: "
            + ", ".join(f"{rule} ({severity}) {count:,}" for rule, severity, count in rules.iter_rows())
            + "."
        )
        columns = [
            Column("rule"),
            Column("severity"),
            Column("violations", is_number=True),
            Column("occurrences", is_number=True),
        ]
        data = table(
            "Violations by rule", columns, evidence.rules.select("rule", "severity", "rows", "occurrences").rows()
        )
        return self.figure(
            plots.violations(rules, plots.PAGE), "Violations by rule, the worst severity first", said, data
        )


def _unit(unit: str) -> str:
    return {
        "share": "in percent of the scores",
        "ms": "in milliseconds",
        "count": "a number",
        "0 to 1": "from 0 to 1",
    }.get(unit, unit)


def _changes(panel: Panel) -> str:
    """The change points of a panel, by their numbers in the chart."""
    items = []
    for at, source, before, after in panel.changes.select("change_at", "change_source", "before", "after").iter_rows():
        name = panel.metric.name
        values = f"{measured(name, before)} to {measured(name, after)} ({changed_by(panel.metric, before, after)})"
        items.append(f"<li>{html.escape(f'{values}, from {moment(at)} UTC')}, {html.escape(plots.end_of(source))}</li>")
    return f"<ol class=changes>{''.join(items)}</ol>" if items else ""


def _is_coarse(anchors: Anchors) -> bool:
    stamps = anchors.shown["acquired_at"].dt.epoch("us")
    return stamps.len() > stamps.n_unique() and bool((stamps % 1_000_000 == 0).all())


def _bars(anchors: Anchors) -> tuple[pl.DataFrame, str, Sequence[str | None]]:
    """What the timeline draws: its bars, the unit of time, and the threads in the order of their numbers."""
    at, released = pl.col("acquired_at").dt.epoch("us"), pl.col("released_at").dt.epoch("us")
    # A measured duration is finer than the difference of two timestamps, which may have no more than seconds.
    length = (pl.col("duration_ms") * 1000).fill_null(released - at).clip(0)
    frame = anchors.shown.with_columns(
        start=(at - anchors.first).cast(pl.Float64),
        length=length.cast(pl.Float64),
        in_flight=pl.col("released_at").is_null(),
    )
    longest = max(frame.select((pl.col("start") + pl.col("length")).max()).item() or 0.0, 0.0)
    unit, size = next(((name, size) for name, size in reversed(_UNITS) if longest >= 2 * size), _UNITS[0])
    threads = frame["thread_id"].unique(maintain_order=True).to_list()
    contexts = frame["context"].unique(maintain_order=True).to_list()
    # One lane for each thread and context, or where these are too many, one for each thread.
    is_fine = frame.select(pl.struct("thread_id", "context").n_unique()).item() <= MOST_LANES
    short = dict(zip(contexts, plots.distinct([plots.shown(name, 40) for name in contexts]), strict=True))
    places = {name: place for place, name in enumerate(threads, 1)}
    rows = [
        {
            "lane": f"T{places[thread]} {short[context]}" if is_fine else f"T{places[thread]}",
            "thread_place": places[thread],
            "thread": plots.shown(thread),
            "context": plots.shown(context),
            "start": start / size,
            "end": (start + length) / size,
            "in_flight": held,
            "acquired_at": when,
        }
        for thread, context, start, length, held, when in frame.select(
            "thread_id", "context", "start", "length", "in_flight", "acquired_at"
        ).iter_rows()
    ]
    made = pl.DataFrame(rows, infer_schema_length=None).with_row_index("anchor", 1)
    return (
        made.with_columns(pl.col("anchor").cast(pl.String)).sort("thread_place", "start", maintain_order=True),
        unit,
        threads,
    )
