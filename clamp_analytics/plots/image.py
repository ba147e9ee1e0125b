"""Charts as picture files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from clamp_analytics.analysis.verdicts import RANK
from clamp_analytics.errors import UsageError
from clamp_analytics.plots.charts import library, metric_title, over_time
from clamp_analytics.plots.panels import Panel, Shelf
from clamp_analytics.plots.theme import PAGE, PICTURE, Look, config

KINDS = ("png", "svg")
"""The kinds of pictures, which are also their endings."""

PANEL_WIDTH = 520

FEW = 3
"""Up to this many charts stand below each other, more of them in two columns."""

SCALE = 2
"""Pixels of a PNG for each one of the chart, so that it is sharp on any screen."""


def specification(chart: Any, look: Look = PAGE) -> dict[str, Any]:
    """A chart's Vega-Lite specification.

    It is without the address of its schema, because nothing is to be fetched, and holds the data that its layers
    share once.

    Args:
        chart: the chart.
        look: its colours.
    """
    datasets: dict[str, list[dict[str, Any]]] = {}
    made: dict[str, Any] = _with_shared_data(chart.to_dict(), {}, datasets)
    made.pop("$schema", None)
    made["datasets"] = datasets
    made["config"] = config(look)
    made["autosize"] = {"type": "fit-x", "contains": "padding"}
    return made


def _with_shared_data(part: Any, names: dict[str, str], datasets: dict[str, list[dict[str, Any]]]) -> Any:
    """A part of a specification whose data are references to named ones, which are added to ``datasets``."""
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


def overview(shelves: Sequence[Shelf]) -> Any:
    """The series of several metrics side by side and below each other, those that changed first."""
    alt = library()
    noted = sorted(_noted(shelves), key=lambda one: RANK[one[0].verdict])
    return alt.concat(*(_titled(panel, note) for panel, note in noted), columns=1 if len(noted) <= FEW else 2)


def _noted(shelves: Sequence[Shelf]) -> list[tuple[Panel, str]]:
    """Panels, the last of each shelf with a note on how many series are not drawn."""
    noted = []
    for shelf in shelves:
        for panel in shelf.panels:
            is_last = panel is shelf.panels[-1] and shelf.left_out
            noted.append((panel, f"… and {shelf.left_out:,} more series of {shelf.metric.name}" if is_last else ""))
    return noted


def _titled(panel: Panel, note: str) -> Any:
    about = [f"{panel.verdict}: {panel.reason}", *([note] if note else [])]
    title = {"text": f"{panel.group}: {metric_title(panel.metric)}", "subtitle": about, "offset": 16}
    return over_time(panel, PICTURE, PANEL_WIDTH).properties(title=title)


def require_charts() -> None:
    """Check that what charts are made and drawn with is installed.

    Raises:
        UsageError: it is not.
    """
    for name in ("altair", "vl_convert"):
        if find_spec(name) is None:
            raise UsageError(
                f"charts need {name}, which is not installed", hint="pip install 'clamp-analytics[charts]'"
            )


def picture(chart: Any, kind: str) -> bytes:
    """A chart as a file of one of ``KINDS``; the same chart gives the same bytes.

    Raises:
        UsageError: the renderer is not installed.
    """
    require_charts()
    import vl_convert

    made = specification(chart, PICTURE)
    # A picture is as large as what is in it.
    made["autosize"] = {"type": "pad"}
    text = json.dumps(made)
    if kind == "svg":
        drawn: str = vl_convert.vegalite_to_svg(text, allowed_base_urls=[])
        return drawn.encode()
    raw: bytes = vl_convert.vegalite_to_png(text, scale=SCALE, allowed_base_urls=[])
    return raw
