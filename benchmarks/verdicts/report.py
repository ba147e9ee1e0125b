"""Measured cells as JSON and as a Markdown table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.verdicts.cells import Cell


@dataclass(frozen=True, slots=True)
class Measured:
    """A cell and what was measured.

    Attributes:
        cell: the cell.
        hits: how many were counted.
        trials: of how many series or runs.
        seconds: CPU time.
    """

    cell: Cell
    hits: int
    trials: int
    seconds: float

    @property
    def share(self) -> float:
        """The share that was counted."""
        return self.hits / self.trials

    @property
    def met(self) -> bool:
        """Whether the share reaches the target."""
        return self.share <= self.cell.target if self.cell.at_most else self.share >= self.cell.target


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927,
    doi:10.1080/01621459.1927.10502953.
    """
    z = 1.959964
    share, spread = hits / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def as_record(measured: Measured) -> dict[str, object]:
    """Return a measured cell for JSON."""
    low, high = wilson(measured.hits, measured.trials)
    return {
        "row": measured.cell.row,
        "name": measured.cell.name,
        "hits": measured.hits,
        "trials": measured.trials,
        "share": round(measured.share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "target": measured.cell.target,
        "at_most": measured.cell.at_most,
        "met": measured.met,
        "cpu_seconds": round(measured.seconds, 2),
    }


def as_markdown(records: list[dict[str, object]]) -> str:
    """Return records as a Markdown table."""
    lines = ["| what | series | share | 95 % interval | n | target | met |", "|---|---|---|---|---|---|---|"]
    for one in records:
        sign = "≤" if one["at_most"] else "≥"
        lines.append(
            f"| {one['row']} | {one['name']} | {one['share']:.3f} | {one['low']:.3f} to {one['high']:.3f} "
            f"| {one['trials']} | {sign} {one['target']:.2f} | {'yes' if one['met'] else 'no'} |"
        )
    return "\n".join(lines) + "\n"
