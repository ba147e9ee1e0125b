"""Runs ingests in processes of their own and kills them; a program, started by ``test_killed.py``.

Everything is imported once and every run is a fork, so that many of them take seconds. A run counts what the
archive's code calls, which gives moments all over its way: at the one that is asked for it says so and goes on,
and is killed while it does.
"""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from random import Random

import duckdb
import polars as pl  # noqa: F401  # every run would load it

from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.reading import ReadingOptions
from tests.archive.killed_processes import counted_calls, in_child, start

TABLES = {
    "sessions": "*",
    "records": "*",
    "violations": "*",
    "files": "* EXCLUDE (ingest)",
    "containers": "* EXCLUDE (ingest)",
}


def run(sources: Path, archive: Path, moment: int | None, report: int) -> None:
    """Ingest, counting; ``report`` gets a byte at the moment, and the number of all calls at the end."""
    with counted_calls(moment, report) as calls:
        ingest(sources, archive, IngestOptions(jobs=1, commit_files=8, reading=ReadingOptions(batch_files=4)))
    os.write(report, str(calls()).encode())


def forked(sources: Path, archive: Path, moment: int | None = None) -> bytes:
    """What a run reports; one that comes to its moment is killed then."""
    child, end = start(lambda report: run(sources, archive, moment, report))
    said = os.read(end, 100)
    if said.startswith(b"."):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(end)
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, f"the run failed: {status}"
    return said


def tables(archive: Path) -> dict[str, list[list[str]]]:
    """All rows of an archive as text, in order; numbers and times of ingests aside."""
    with duckdb.connect(str(archive), read_only=True) as connection:
        return {
            table: [
                list(row) for row in connection.execute(f"SELECT COLUMNS({columns})::VARCHAR FROM {table}").fetchall()
            ]
            for table, columns in TABLES.items()
        }


def main(sources: Path, work: Path, seed: int, times: int) -> None:
    """Print, as one JSON object, how often a run was killed and which moments left something else than a clean run."""
    calls = int(forked(sources, work / "clean.duckdb"))
    right = in_child(lambda: tables(work / "clean.duckdb"))
    killed, wrong, left = 0, [], []
    for moment in Random(seed).sample(range(calls), times):
        archive = work / f"{moment}.duckdb"
        killed += forked(sources, archive, moment).startswith(b".")
        forked(sources, archive)
        if in_child(partial(tables, archive)) != right:
            wrong.append(moment)
        left += [path.name for path in work.iterdir() if path.name.endswith((".lock", ".wal", ".tmp"))]
    print(json.dumps({"calls": calls, "killed": killed, "wrong": wrong, "left": left}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
