"""Charts as picture files, and as Vega-Lite specifications for the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clamp_analytics.analysis.verdicts import RANK
from clamp_analytics.extras import require_extras
from clamp_analytics.plots.chart_parts import import_altair, metric_title
from clamp_analytics.plots.panels import MetricPanels, Panel
from clamp_analytics.plots.series_over_time import series_chart
from clamp_analytics.plots.theme import PAGE, PICTURE, Theme, vega_config
from clamp_analytics.wording import plural

IMAGE_FORMATS = ("png", "svg", "pdf")
"""The picture formats, which are also the file name endings."""

LARGEST_PICTURE = (1600, 1200)
"""Width and height in points that a picture does not exceed by default."""

PANEL_WIDTHS = {1: 760, 2: 640, 3: 430}
"""Width of a panel in points, by the number of columns."""

ROWS = 4
"""Number of rows that fit into ``LARGEST_PICTURE``."""

MOST_IN_PICTURE = ROWS * max(PANEL_WIDTHS)
"""Number of panels that fit into ``LARGEST_PICTURE``."""

SCALE = 2
"""Pixels per point of a PNG, so that it is sharp on any screen."""


def vega_lite_spec(chart: Any, theme: Theme = PAGE) -> dict[str, Any]:
    """The Vega-Lite specification of a chart.

    It has no schema address, because nothing must be requested, and contains each data set once.

    Args:
        chart: the chart.
        theme: its colours.
    """
    datasets: dict[str, list[dict[str, Any]]] = {}
    # Validation takes longer than all the rest, and Altair has validated each part of the chart already.
    spec: dict[str, Any] = _with_shared_data(chart.to_dict(validate=False), {}, datasets)
    spec.pop("$schema", None)
    spec["datasets"] = datasets
    spec["config"] = vega_config(theme)
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def _with_shared_data(part: Any, names: dict[str, str], datasets: dict[str, list[dict[str, Any]]]) -> Any:
    """A part of a specification, with its data replaced by references to data sets, which are added to ``datasets``."""
    if isinstance(part, list):
        return [_with_shared_data(one, names, datasets) for one in part]
    if not isinstance(part, dict):
        return part
    if isinstance(part.get("values"), list) and len(part) == 1:
        rows = part["values"]
        name = names.setdefault(json.dumps(rows), f"data-{len(names) + 1}")
        datasets[name] = rows
        return {"name": name}
    return {key: _with_shared_data(value, names, datasets) for key, value in part.items()}


@dataclass(frozen=True, slots=True)
class Grid:
    """A picture of several panels.

    Attributes:
        chart: the chart.
        drawn: number of panels.
        left_out: number of series without a panel.
    """

    chart: Any
    drawn: int
    left_out: int


def panel_grid(metrics: Sequence[MetricPanels], *, at_most: int | None = MOST_IN_PICTURE) -> Grid:
    """A grid of panels, changed series first.

    Args:
        metrics: the panels by metric.
        at_most: maximal number of panels; None draws all of them, in a picture of any size.
    """
    alt = import_altair()
    panels = sorted((panel for one in metrics for panel in one.panels), key=lambda panel: RANK[panel.verdict])
    shown = panels[:at_most]
    left_out = len(panels) - len(shown) + sum(one.left_out for one in metrics)
    columns = 1 if len(shown) <= 1 else 2 if len(shown) <= 2 * ROWS else 3
    chart = alt.concat(*(_titled(panel, PANEL_WIDTHS[columns]) for panel in shown), columns=columns)
    if left_out:
        text = f"{plural(left_out, 'more series', 'more series')} not shown"
        chart = chart.properties(title={"text": text, "orient": "bottom", "fontWeight": "normal"})
    return Grid(chart, len(shown), left_out)


def _titled(panel: Panel, width: int) -> Any:
    title = {
        "text": f"{panel.group}: {metric_title(panel.metric)}",
        "subtitle": f"{panel.verdict}: {panel.reason}",
        "limit": width,
        "offset": 16,
    }
    return series_chart(panel, PICTURE, width).properties(title=title)


def render_image(chart: Any, kind: str) -> bytes:
    """A chart as a picture file.

    The same chart always gives the same bytes, except as PDF: its writer orders the objects of the file at random.

    Args:
        chart: the chart.
        kind: one of ``IMAGE_FORMATS``.

    Raises:
        UsageError: a package is missing.
    """
    require_extras("charts")
    import vl_convert

    spec = vega_lite_spec(chart, PICTURE)
    # The picture grows with its content.
    spec["autosize"] = {"type": "pad"}
    text = json.dumps(spec)
    if kind == "svg":
        drawn: str = vl_convert.vegalite_to_svg(text, allowed_base_urls=[])
        return drawn.encode()
    if kind == "pdf":
        document: bytes = vl_convert.vegalite_to_pdf(text, allowed_base_urls=[])
        return document
    raw: bytes = vl_convert.vegalite_to_png(text, scale=SCALE, allowed_base_urls=[])
    return raw
