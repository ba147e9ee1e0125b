"""Runs several ingests into one Delta archive at once and kills some; a program, started by ``test_writers.py``.

Everything is imported once and every ingest is a fork. An ingest that is to be killed counts the calls of the
archive's code. When it has made as many as it was given, it reports that and goes on, and is killed meanwhile.
"""

import json
import os
import select
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random

import deltalake  # noqa: F401  # every ingest would load it
import duckdb
import polars as pl  # noqa: F401

from clamp_analytics.archive.delta.tables import open_delta_archive
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.reading import ReadingOptions
from tests.archive.delta.conftest import tables
from tests.archive.killed_processes import counted_calls, in_child, start

WRITERS = 4
NEVER = -1
"""The moment of an ingest whose calls need not be counted, which takes time."""

OPTIONS = IngestOptions(jobs=1, commit_files=8, reading=ReadingOptions(batch_files=4))


def inputs(heap: Path) -> list[list[str]]:
    """The files of each writer: half of all, so that every file has two writers; and the container for all."""
    files = sorted(str(path) for path in heap.glob("*.json"))
    share = len(files) // WRITERS
    ring = files + files
    return [[*ring[share * at : share * (at + 2)], str(heap / "packed.zip")] for at in range(WRITERS)]


def write(sources: list[str], archive: str, moment: int | None, report: int) -> None:
    """Ingest; ``report`` gets a byte at the moment, and the counts at the end."""
    with nullcontext(lambda: 0) if moment == NEVER else counted_calls(moment, report) as calls:
        done = ingest(sources, archive, OPTIONS)
    os.write(report, json.dumps({"calls": calls(), "new": done.new, "known": done.known}).encode())


def start_ingest(sources: list[str], archive: str, moment: int | None = None) -> tuple[int, int]:
    """Start an ingest: its process, and where it reports."""
    return start(lambda report: write(sources, archive, moment, report))


def results(started: dict[int, int]) -> list[dict[str, int] | None]:
    """The counts of ingests; None for one that was killed. Each is killed as soon as it reports its moment."""
    found: dict[int, dict[str, int] | None] = {}
    waiting = {end: child for child, end in started.items()}
    while waiting:
        for end in select.select(list(waiting), [], [])[0]:
            said = os.read(end, 1000)
            child = waiting.pop(end)
            if said.startswith(b"."):
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            os.close(end)
            assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, f"the ingest failed: {status}"
            found[child] = json.loads(said) if said.startswith(b"{") else None
    return [found[child] for child in started]


def contents(archive: str, kind: str) -> str:
    """The tables of an archive as JSON."""

    def read() -> object:
        if kind == "delta":
            connection, _ = open_delta_archive(archive)
        else:
            connection = duckdb.connect(archive, read_only=True)
            connection.execute("SET TimeZone = 'UTC'")
        return tables(connection)

    return in_child(read)


def main(heap: Path, work: Path, rounds: int, seed: int) -> None:
    """Print the results of undisturbed writers, and how often they were killed with another result than theirs."""
    shares = inputs(heap)
    [clean] = results(dict([start_ingest([str(heap)], str(work / "clean.duckdb"), NEVER)]))
    right = contents(str(work / "clean.duckdb"), "duckdb")
    counts = results(dict(start_ingest(share, f"{work}/lake/") for share in shares))
    wrong = [] if contents(f"{work}/lake/", "delta") == right else ["undisturbed"]
    killed = 0
    random = Random(seed)
    for number in range(rounds):
        archive = f"{work}/killed-{number}/"
        moments = [random.randrange(max(count["calls"] for count in counts)) for _ in shares]
        started = dict(start_ingest(share, archive, moment) for share, moment in zip(shares, moments, strict=True))
        killed += results(started).count(None)
        results(dict([start_ingest([str(heap)], archive, NEVER)]))
        if contents(archive, "delta") != right:
            wrong.append(str(moments))
    print(json.dumps({"clean": clean, "counts": counts, "wrong": wrong, "killed": killed}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
