"""Start-up time of the command line, and the packages that it must not import."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.commands import clamp_command
from benchmarks.measure import ROOT, Contender, Spread, ratios, run
from benchmarks.tables import Row, Table

TIMES = 5.0
"""The longest that ``--version`` may take, as a multiple of an empty Python process."""

LEAST_RUNS = 20
ENGINES = ("polars", "duckdb", "pyarrow")


def imported(*arguments: str) -> list[str]:
    """The engines that a Python process imports, in the order of ``ENGINES``."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, cwd=ROOT, check=True
    )
    modules = {name.split(".")[0] for name in re.findall(r"^import time:.*\|\s*(\S+)$", done.stderr, re.MULTILINE)}
    return [name for name in ENGINES if name in modules]


def tables(runs: int) -> Iterator[Table]:
    """The tables on start-up."""
    table = Table("start-up", "ratio: `clamp-analytics --version` / `python -c pass`, whole process")
    ours, bare = Contender("version", clamp_command("--version")), Contender("pass", [sys.executable, "-c", "pass"])
    times: tuple[list[float], list[float]] = ([], [])
    for contender in (ours, bare):
        run(contender.command)
    for _ in range(max(runs, LEAST_RUNS)):
        for contender, seconds in zip((ours, bare), times, strict=True):
            seconds.append(run(contender.command).seconds)
    ratio = ratios(*times)
    table.rows.append(Row("--version", Spread.of(times[0]), ratio, target="at most 5", met=ratio.median <= TIMES))
    for name, arguments in [
        ("--help", ("-m", "clamp_analytics", "--help")),
        ("summarize --help", ("-m", "clamp_analytics", "summarize", "--help")),
        ("import clamp_analytics.recorder", ("-c", "import clamp_analytics.recorder")),
    ]:
        engines = imported(*arguments)
        note = f"imports {', '.join(engines) or 'none'}"
        table.rows.append(Row(name, target="imports no engine", met=not engines, note=note))
    yield table
