"""How charts look: colours by what they are for, one set for pictures and one that a page's style sheet decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Look:
    """The colours and the letters of a chart.

    Attributes:
        ink: titles and marks that must stand out.
        muted: the text of axes.
        line: grid and axis lines.
        data: what was measured.
        change: change points, and what came before and after.
        error: violations that are errors.
        warning: violations that are warnings.
        info: violations that are neither.
        background: what the chart stands on.
        font: the family of its letters.
    """

    ink: str
    muted: str
    line: str
    data: str
    change: str
    error: str
    warning: str
    info: str
    background: str
    font: str


PICTURE = Look(
    ink="#1b1f24",
    muted="#57606a",
    line="#d8dee4",
    data="#0a5fb4",
    change="#b3261e",
    error="#b3261e",
    warning="#8a5a00",
    info="#57606a",
    background="#ffffff",
    font="Liberation Sans",
)
"""For pictures, which are read on white. The renderer brings these letters with it, so the system's do not matter."""

PAGE = Look(
    ink="var(--ink)",
    muted="var(--muted)",
    line="var(--line)",
    data="var(--data)",
    change="var(--change)",
    error="var(--error)",
    warning="var(--warning)",
    info="var(--muted)",
    background="transparent",
    font="system-ui, sans-serif",
)
"""For a page that defines these colours; it can change them, for the dark or for paper, without drawing anew."""


def config(look: Look) -> dict[str, Any]:
    """The Vega-Lite configuration that gives charts a look."""
    letters = {"labelFont": look.font, "titleFont": look.font}
    return {
        "background": look.background,
        "font": look.font,
        # A chart is described as one picture with a table; its marks one by one would only be noise to a listener.
        "aria": False,
        "view": {"stroke": None},
        "axis": {
            **letters,
            "labelColor": look.muted,
            "titleColor": look.muted,
            "titleFontWeight": "normal",
            "gridColor": look.line,
            "domainColor": look.line,
            "tickColor": look.line,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "labelOverlap": "greedy",
            "labelSeparation": 8,
        },
        "title": {"font": look.font, "color": look.ink, "anchor": "start", "fontSize": 13, "subtitleColor": look.muted},
        "concat": {"spacing": 24},
    }
