"""``python -m benchmarks.verdicts``: simulate, print a table, and write JSON and a page of the documentation."""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.measure import ROOT
from benchmarks.verdicts.cells import Cell, cells
from benchmarks.verdicts.report import Measured, as_markdown, as_page, as_record

RESULTS = ROOT / "benchmarks" / "results" / "verdicts.json"
PAGE = ROOT / "docs" / "explanations" / "error-rates.md"
MOST_JUDGED_AT_ONCE = 250
"""Series that are drawn at once; it bounds the memory."""


def measure(cell: Cell, trials: int, seed: int) -> Measured:
    """Count the hits of one cell; the same seed gives the same series, whatever other cells are measured."""
    generator = np.random.default_rng((seed, zlib.crc32(f"{cell.row}|{cell.name}".encode())))
    start, hits = process_time(), 0
    for first in range(0, trials, MOST_JUDGED_AT_ONCE):
        hits += cell.count(generator, min(MOST_JUDGED_AT_ONCE, trials - first))
    return Measured(cell, hits, trials, process_time() - start)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts", description="Error rates of verdicts.")
    parser.add_argument("--series", type=int, default=1000, help="series for each false alarm rate (default 1000)")
    parser.add_argument("--power-series", type=int, default=400, help="series for each power (default 400)")
    parser.add_argument("--runs", type=int, default=300, help="runs of many series each (default 300)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cells whose row or name contains it")
    parser.add_argument("--seed", type=int, default=20261, help="other than the seeds of the calibration")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where results go; other cells in it are kept")
    parser.add_argument(
        "--page", type=Path, help=f"write a page of the documentation, such as {PAGE.relative_to(ROOT)}"
    )
    arguments = parser.parse_args()
    if min(arguments.series, arguments.power_series, arguments.runs) < 1:
        parser.error("numbers of series and runs must be at least 1")
    return arguments


def main() -> int:
    """Measure the wanted cells."""
    wanted = _arguments()
    path: Path = wanted.json
    before = json.loads(path.read_text())["cells"] if path.exists() else []
    records = {(one["row"], one["name"]): one for one in before}
    order = []
    for cell in cells():
        key = (cell.row, cell.name)
        order.append(key)
        if wanted.only not in cell.row and wanted.only not in cell.name:
            continue
        trials = wanted.series if cell.at_most else wanted.power_series
        record = as_record(measure(cell, wanted.runs if cell.cost > 90 else trials, wanted.seed))
        records[key] = record
        sys.stdout.write(as_markdown([record]).splitlines()[-1] + "\n")
        sys.stdout.flush()
        table = [records[known] for known in order if known in records]
        rest = [one for known, one in records.items() if known not in order]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seed": wanted.seed, "cells": table + rest}, indent=1) + "\n")
    if wanted.page:
        wanted.page.write_text(as_page(json.loads(path.read_text())["cells"], wanted.seed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
