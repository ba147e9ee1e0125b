"""What was measured, as tables for people and JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.measure import Spread

PACKAGES = (
    "clamp-analytics", "polars", "pyarrow", "duckdb", "msgspec", "chdb", "opentelemetry-sdk", "prometheus-client",
)  # fmt: skip
"""Packages whose versions are named."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        name: what was measured.
        seconds: what it took.
        ratio: the figure that the target speaks of; a ratio of times unless the table says otherwise.
        memory: peak resident memory in megabytes.
        target: what is to be reached, in words.
        met: whether it was; None where there is no target, or nothing was measured.
        note: why there is no figure, or what else is to be known.
    """

    name: str
    seconds: Spread | None = None
    ratio: Spread | None = None
    memory: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""

    def cells(self) -> list[str]:
        """The row as text."""
        met = {None: "", True: "met", False: "NOT MET"}[self.met]
        memory = "" if self.memory is None else f"{self.memory:,.0f}"
        return [self.name, _spread(self.seconds, "s"), _spread(self.ratio, ""), memory, self.target, met, self.note]


HEADINGS = ["", "seconds (min to max)", "ratio (min to max)", "peak MB", "target", "", ""]


@dataclass(slots=True)
class Table:
    """Rows under a title, and one sentence on what is divided by what."""

    title: str
    meaning: str
    rows: list[Row] = field(default_factory=list)

    def text(self) -> str:
        """The table for a screen; columns that hold nothing are left out."""
        cells = [HEADINGS, *(row.cells() for row in self.rows)]
        used = [number for number in range(len(HEADINGS)) if any(line[number] for line in cells[1:])]
        widths = {number: max(len(line[number]) for line in cells) for number in used}
        lines = ["  ".join(line[number].ljust(widths[number]) for number in used).rstrip() for line in cells]
        return "\n".join([f"== {self.title}", f"   {self.meaning}", *lines, ""])


def _spread(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return ""
    digits = 2 if spread.median >= 0.1 else 4
    text = f"{spread.median:.{digits}f}{unit and f' {unit}'}"
    return text if spread.low == spread.high else f"{text} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def machine() -> dict[str, Any]:
    """What was measured on, without any name of a machine or a folder."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": versions,
    }


def as_json(about: dict[str, Any], tables: Iterable[Table]) -> dict[str, Any]:
    """Everything, for ``json.dump``."""
    return {"machine": machine(), **about, "tables": [asdict(table) for table in tables]}
