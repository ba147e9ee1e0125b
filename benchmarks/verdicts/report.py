"""Measured cells as JSON, as a Markdown table and as a page of the documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.verdicts.cells import FALSE_CHANGE, STATED, Cell

Record = dict[str, Any]
"""A measured cell as JSON has it."""

LENGTHS = (30, 50, 100, 300)


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
    def met(self) -> bool | None:
        """Whether the share reaches the target; None without one."""
        if self.cell.target is None:
            return None
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


def as_record(measured: Measured) -> Record:
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


def as_markdown(records: Sequence[Record]) -> str:
    """Return records as a Markdown table."""
    lines = ["| what | series | share | 95 % interval | of | target | met |", "|---|---|---|---|---|---|---|"]
    for one in records:
        target, met = "", ""
        if one["target"] is not None:
            target = f"{'≤' if one['at_most'] else '≥'} {_percent(one['target'])}"
            met = "yes" if one["met"] else "**no**"
        lines.append(
            f"| {one['row']} | {one['name']} | {_percent(one['share'])} | {_percent(one['low'])} to "
            f"{_percent(one['high'])} | {one['trials']:,} | {target} | {met} |"
        )
    return "\n".join(lines) + "\n"


def as_page(records: Sequence[Record], seed: int) -> str:
    """Return a page of the documentation: false changes by noise and length, and everything else as a list."""
    false = {one["name"]: one for one in records if one["row"] == FALSE_CHANGE}
    rest = [one for one in records if one["row"] not in (FALSE_CHANGE, STATED)]
    stated = [one for one in records if one["row"] == STATED]
    missed = [one for one in records if one["met"] is False]
    parts = [
        "# Error rates of verdicts",
        f"`python -m benchmarks.verdicts` wrote this page, with the seed {seed}. It simulates series of known truth, "
        "without floors; n is the number of sessions, and sd the standard deviation of a session. Intervals are those "
        "of Wilson (1927, doi:10.1080/01621459.1927.10502953) and hold with 95 % confidence. What the terms mean, and "
        "what follows from the figures, is in [how verdicts are reached](verdicts.md).",
        f"{len(records) - len(missed):,} of {len(records):,} figures reach their target or have none.",
        "## False changes",
        "The share of series without a change that are called `regressed` or `improved`.",
        _matrix(false),
        "## What `calibrate` states",
        "The share of replays that give a false change, one replay for each history, beside the true share.",
        _stated(stated, false),
        "## Power, suspects, gates and comparisons",
        as_markdown(rest),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _matrix(false: Mapping[str, Record]) -> str:
    """A table of false changes: a row for each kind of noise, and a column for each length."""
    kinds = dict.fromkeys(name.rpartition(", n = ")[0] for name in false)
    lines = ["| noise | " + " | ".join(f"n = {n}" for n in LENGTHS) + " | target |", "|---" * (len(LENGTHS) + 2) + "|"]
    for kind in kinds:
        own = [false.get(f"{kind}, n = {n}") for n in LENGTHS]
        target = next(_percent(one["target"]) for one in own if one is not None)
        lines.append(f"| {kind} | " + " | ".join(map(_share, own)) + f" | ≤ {target} |")
    return "\n".join(lines)


def _stated(stated: Sequence[Record], false: Mapping[str, Record]) -> str:
    lines = ["| noise | stated | true |", "|---|---|---|"]
    lines += [f"| {one['name']} | {_share(one)} | {_share(false.get(one['name']))} |" for one in stated]
    return "\n".join(lines)


def _share(record: Record | None) -> str:
    """A share with its interval, in bold where it misses its target; a dash where there is none."""
    if record is None:
        return "-"
    text = f"{_percent(record['share'])} ({_percent(record['low'])} to {_percent(record['high'])})"
    return f"**{text}**" if record["met"] is False else text


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
