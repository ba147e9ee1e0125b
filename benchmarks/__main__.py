"""Command line of the benchmarks: ``python -m benchmarks`` measures, prints tables and writes JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter

from benchmarks import archive, objects, reading, report, startup
from benchmarks.commands import Settings
from benchmarks.measure import ROOT, FailedError, Spread
from benchmarks.tables import Row, Table, as_json, machine

RESULTS = ROOT / "benchmarks" / "results" / "latest.json"
LEAST_RUNS, QUICK_RUNS = 5, 3


def _recorder() -> Iterator[Table]:
    table = Table("recording", "ratio: as stated in each row, with its quartiles")
    try:
        from benchmarks import recorder

        rows = recorder.rows()
    except ImportError as error:
        table.rows.append(Row("recorder", note=f"not measured: {error}"))
    else:
        for row in rows:
            low, _, high = row.spread.partition(" to ")
            spread = Spread(row.ratio, float(low), float(high or low))
            table.rows.append(Row(row.name, ratio=spread, target=row.target, met=row.met))
    yield table


TABLES: Mapping[str, Callable[[Settings], Iterator[Table]]] = {
    **reading.TABLES,
    "archive": archive.tables,
    "objects": objects.tables,
    "report": report.tables,
    "startup": startup.tables,
    # Last, because it fills the memory of this process.
    "recorder": lambda _: _recorder(),
}
"""The tables by name."""

GROUPS: Mapping[str, Iterable[str]] = {"all": TABLES, "reading": reading.TABLES}
"""Names for several of them."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure clamp_analytics against other tools, as ratios."
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=(*GROUPS, *TABLES),
        default="all",
        help="which tables (default all); reading is those from load to export",
    )
    parser.add_argument("--quick", action="store_true", help=f"a tenth of the files and {QUICK_RUNS} turns")
    parser.add_argument("--full", action="store_true", help="200,000 files and 2.5 GB as well")
    parser.add_argument("--runs", type=int, metavar="N", help=f"turns of each comparison (default {LEAST_RUNS})")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="folder that keeps the generated corpora")
    parser.add_argument("--json", type=Path, metavar="PATH", default=RESULTS, help="file for the figures")
    arguments = parser.parse_args()
    if arguments.runs is None:
        arguments.runs = QUICK_RUNS if arguments.quick else LEAST_RUNS
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    return arguments


def _tables(wanted: argparse.Namespace) -> Iterator[Table]:
    home = wanted.corpus or Path(tempfile.gettempdir(), "clamp-benchmark")
    settings = Settings(home.absolute(), wanted.runs, wanted.quick, wanted.full)
    for name in GROUPS.get(wanted.what, (wanted.what,)):
        yield from TABLES[name](settings)


def main() -> int:
    """Run the requested benchmarks; returns 1 if one of our own answers was wrong."""
    wanted = _arguments()
    about = machine()
    print(f"{about['cores']} cores, {about['processor']}, {about['system']}, Python {about['python']}")
    print(", ".join(f"{name} {version}" for name, version in about["versions"].items() if version))
    print(f"{wanted.runs} turn{'s' * (wanted.runs != 1)}{', full' if wanted.full else ''}\n", flush=True)
    if wanted.quick:
        print("quick: the targets are meant for ten times as many files, where start-up matters less\n", flush=True)
    begin = perf_counter()
    done: list[Table] = []
    failed = None
    try:
        for table in _tables(wanted):
            print(table.text(), flush=True)
            done.append(table)
    except (FailedError, FileExistsError) as error:
        failed = str(error)
        print(f"error: {failed}", file=sys.stderr)
    rows = [row for table in done for row in table.rows]
    missed = [row for row in rows if row.met is False]
    print(f"{sum(row.met is True for row in rows)} targets met, {len(missed)} not met; {perf_counter() - begin:.0f} s")
    options = {"runs": wanted.runs, "quick": wanted.quick, "full": wanted.full}
    wanted.json.parent.mkdir(parents=True, exist_ok=True)
    wanted.json.write_text(json.dumps(as_json({"options": options}, done), indent=2) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
