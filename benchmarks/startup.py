"""Start-up time of the command line, and the packages that it must not import."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from benchmarks.commands import Settings, clamp_command
from benchmarks.corpus import Corpus
from benchmarks.measure import ROOT, Contender, Spread, ratios, run
from benchmarks.tables import Row, Table

TIMES = 5.0
"""The longest that ``--version`` may take, as a multiple of an empty Python process."""

FIRST_READ_SECONDS = 0.12
"""The longest from the start of a summary to its first read of a file."""

LEAST_RUNS = 20
UNTIL_FIRST_READ = """
import os, time
import clamp_analytics_kernel as kernel

def stop(*_):
    os.write(1, str(time.monotonic()).encode())
    os._exit(0)

kernel.decode_ahead = stop
from clamp_analytics.__main__ import main
main()
"""
"""Python code that ends when the native decoder begins to read, and prints the time."""

ENGINES = ("polars", "duckdb", "pyarrow")


def imported(*arguments: str) -> list[str]:
    """The engines that a Python process imports, in the order of ``ENGINES``."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, cwd=ROOT, check=True
    )
    modules = {name.split(".")[0] for name in re.findall(r"^import time:.*\|\s*(\S+)$", done.stderr, re.MULTILINE)}
    return [name for name in ENGINES if name in modules]


def first_read(folder: Path) -> float:
    """The seconds from the start of a summary of a folder to its first read of a file."""
    begin = monotonic()
    done = run([sys.executable, "-c", UNTIL_FIRST_READ, "summarize", str(folder), "--no-artifact"])
    return float(done.output) - begin


def tables(settings: Settings) -> Iterator[Table]:
    """The tables on start-up."""
    runs = max(settings.runs, LEAST_RUNS)
    table = Table("start-up", "ratio: `clamp-analytics --version` / `python -c pass`, whole process")
    ours, bare = Contender("version", clamp_command("--version")), Contender("pass", [sys.executable, "-c", "pass"])
    times: tuple[list[float], list[float]] = ([], [])
    for contender in (ours, bare):
        run(contender.command)
    for _ in range(runs):
        for contender, seconds in zip((ours, bare), times, strict=True):
            seconds.append(run(contender.command).seconds)
    ratio = ratios(*times)
    table.rows.append(Row("--version", Spread.of(times[0]), ratio, target="at most 5", met=ratio.median <= TIMES))
    table.rows.append(_first_read_row(settings, runs))
    for name, arguments in [
        ("--help", ("-m", "clamp_analytics", "--help")),
        ("summarize --help", ("-m", "clamp_analytics", "summarize", "--help")),
        ("import clamp_analytics.recorder", ("-c", "import clamp_analytics.recorder")),
    ]:
        engines = imported(*arguments)
        note = f"imports {', '.join(engines) or 'none'}"
        table.rows.append(Row(name, target="imports no engine", met=not engines, note=note))
    yield table


def _first_read_row(settings: Settings, runs: int) -> Row:
    name = "summarize, to its first read"
    if find_spec("clamp_analytics_kernel") is None:
        return Row(name, note="not measured: the native decoder is not installed")
    folder, _ = settings.corpus(Corpus("small-1000", 1_000, 20))
    first_read(folder)
    seconds = Spread.of([first_read(folder) for _ in range(runs)])
    return Row(name, seconds, target=f"at most {FIRST_READ_SECONDS:g} s", met=seconds.median <= FIRST_READ_SECONDS)
