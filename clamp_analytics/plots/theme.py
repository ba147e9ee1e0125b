"""Themes: the colours and the font of charts, in pictures and in the HTML report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours and the font of a chart.

    Attributes:
        ink: titles and marks of high contrast.
        muted: the text of axes.
        line: grid and axis lines.
        data: measured values.
        change: change points.
        outlier: outliers.
        background: the background of the chart.
        font: the font family.
    """

    ink: str
    muted: str
    line: str
    data: str
    change: str
    outlier: str
    background: str
    font: str


PICTURE = Theme(
    ink="#1b1f24",
    muted="#57606a",
    line="#d8dee4",
    data="#0a5fb4",
    change="#b3261e",
    outlier="#8a5a00",
    background="#ffffff",
    font="Liberation Sans",
)
"""The theme of picture files. The renderer includes this font, so pictures do not depend on installed fonts."""

PAGE = Theme(
    ink="var(--ink)",
    muted="var(--muted)",
    line="var(--line)",
    data="var(--data)",
    change="var(--change)",
    outlier="var(--warning)",
    background="transparent",
    font="system-ui, sans-serif",
)
"""The theme of the HTML report, whose style sheet defines these colours for light, dark and paper."""


def vega_config(theme: Theme) -> dict[str, Any]:
    """The Vega-Lite configuration for a theme."""
    fonts = {"labelFont": theme.font, "titleFont": theme.font}
    return {
        "background": theme.background,
        "font": theme.font,
        # The page describes each chart as one picture with a table. Roles for single marks would only be noise.
        "aria": False,
        "view": {"stroke": None},
        "axis": {
            **fonts,
            "labelColor": theme.muted,
            "titleColor": theme.muted,
            "titleFontWeight": "normal",
            "gridColor": theme.line,
            "domainColor": theme.line,
            "tickColor": theme.line,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "labelOverlap": "greedy",
            "labelSeparation": 8,
        },
        "title": {
            "font": theme.font,
            "color": theme.ink,
            "anchor": "start",
            "fontSize": 13,
            "subtitleColor": theme.muted,
        },
        "concat": {"spacing": 24},
    }
