"""Measurements as text tables and as JSON."""

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
"""Packages whose versions are part of the output."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes:
        name: the thing that was measured.
        seconds: the time that it took.
        ratio: the figure that the target refers to; a ratio of times unless the table says otherwise.
        memory: peak resident memory in megabytes.
        target: the value to reach, as text.
        met: whether it was reached; None without a target or a measurement.
        note: the reason for a missing figure, or a remark.
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
    """Rows under a title, with a sentence that defines the ratio."""

    title: str
    meaning: str
    rows: list[Row] = field(default_factory=list)

    def text(self) -> str:
        """The table as aligned text without its empty columns."""
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
    """The machine and the versions, without names of hosts or folders."""
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
    """All tables as a document for ``json.dump``."""
    return {"machine": machine(), **about, "tables": [asdict(table) for table in tables]}
