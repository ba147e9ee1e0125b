"""``python -m benchmarks.verdicts.trade_off``: what the limit of the p-value of each of several changes buys and costs.

It judges the same series at several limits, prints a table, and draws the share of series whose three changes are all
found against the share of series with one change in which a further one is found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from benchmarks.verdicts.cells import UP, UP_DOWN_UP, Changes, are_placed, is_changed, shifted
from benchmarks.verdicts.noise import NOISE
from clamp_analytics.analysis.judgement import JudgeOptions, SeriesJudgement, judge_many

LIMITS = (0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
HEADINGS = (
    "limit",
    "three up by 2 sd are found",
    "up, down, up by 2 sd are found",
    "a further change beside one of 2 sd",
    "a further change beside one of 5 sd in AR .5",
    "false changes, machines in batches",
)


@dataclass(frozen=True, slots=True)
class Row:
    """Shares of series of 100 sessions at one limit.

    Attributes:
        limit: the limit of the p-value.
        up: three changes up by 2 sd are all found, each within 5 sessions.
        up_down: the same for changes up, down and up.
        further: a further change is found beside a single one of 2 sd.
        further_correlated: the same beside one of 5 sd in AR .5.
        batches: machines in batches, without a change, are called regressed or improved.
    """

    limit: float
    up: float
    up_down: float
    further: float
    further_correlated: float
    batches: float


def measure(limit: float, series: int, seed: int) -> Row:
    """Judge series at a limit; the same seed gives the same series."""

    def judge(noise: str, changes: Changes) -> list[SeriesJudgement]:
        generator = np.random.default_rng((seed, len(changes)))
        values = shifted(NOISE[noise][0](generator, series, 100), changes)
        options = JudgeOptions(further_alpha=limit)
        return judge_many(list(values), scale="linear", families=range(series), options=options)

    def share_found(changes: Changes) -> float:
        return float(np.mean([are_placed(found, changes, 5) for found in judge("normal", changes)]))

    def share_further(noise: str, size: float) -> float:
        return float(np.mean([len(found.changes) > 1 for found in judge(noise, ((50, size),))]))

    return Row(
        limit,
        up=share_found(UP),
        up_down=share_found(UP_DOWN_UP),
        further=share_further("normal", 2.0),
        further_correlated=share_further("AR .5", 5.0),
        batches=float(np.mean([is_changed(found) for found in judge("machines in batches", ())])),
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table in Markdown."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    for row in rows:
        limit, *shares = astuple(row)
        lines.append(f"| {limit:g} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |")
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the curve as a picture, in the format of its name."""
    import altair as alt
    import polars as pl

    points = pl.DataFrame(
        [
            {"limit": f"{row.limit:g}", "found": found, "further": row.further_correlated, "changes": changes}
            for row in rows
            for changes, found in (("three up", row.up), ("up, down, up", row.up_down))
        ]
    )
    base = alt.Chart(points, width=420, height=260).encode(
        x=alt.X("further", title="a further change beside one of 5 sd in AR .5", axis=alt.Axis(format="%")),
        y=alt.Y("found", title="three changes of 2 sd are found", axis=alt.Axis(format="%")),
        color=alt.Color("changes", title=None),
    )
    chart = base.mark_line(point=True) + base.mark_text(align="left", dx=6, dy=8).encode(text="limit")
    chart.save(path)


def main() -> int:
    """Measure every limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts.trade_off", description=__doc__)
    parser.add_argument("--series", type=int, default=1000, help="series for each share (default 1000)")
    parser.add_argument("--seed", type=int, default=31, help="default 31")
    parser.add_argument("--picture", type=Path, help="draw the curve, such as docs/images/trade-off.svg")
    arguments = parser.parse_args()
    if arguments.series < 1:
        parser.error("the number of series must be at least 1")
    rows = [measure(limit, arguments.series, arguments.seed) for limit in LIMITS]
    sys.stdout.write(as_markdown(rows))
    if arguments.picture:
        draw(rows, arguments.picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
