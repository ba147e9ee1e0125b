"""Archives: what ingesting costs beside loading, what a second ingest costs, and how fast and small an archive is.

``python -m benchmarks.archive WHAT …`` measures one thing inside of a process and prints it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.corpus import SHAPES, Corpus, Truth
from benchmarks.measure import Contender, Spread, check, checked, ratios, run, turns
from benchmarks.tables import Row, Table
from benchmarks.ways import Bench, clamp, module, summarizing

SMALL, MEDIUM, _ = SHAPES
MANY = Corpus("small-200000", 200_000, 20)
NEW_SHARE = 100
"""One file of so many is new in the third ingest."""

INGEST_TIMES, SECOND_SHARE, NEW_COST, SUMMARY_TIMES, SIZE_SHARE = 1.6, 0.05, 0.1, 1.5, 0.15


def load(folder: str) -> dict[str, Any]:
    """Loading the files, with their hashes."""
    from clamp_analytics.reading import load as read

    begin = perf_counter()
    telemetry = read(folder, session_ids=True)
    seconds = perf_counter() - begin
    return {"seconds": seconds, "answer": {"records": telemetry.records.height}}


def ingest(folder: str) -> dict[str, Any]:
    """Ingesting the files into a new archive beside the folder, which is gone afterwards."""
    import duckdb

    from clamp_analytics.archive.ingest.run import ingest as add

    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as place:
        archive = str(Path(place, "t.duckdb"))
        begin = perf_counter()
        add(folder, archive)
        seconds = perf_counter() - begin
        with duckdb.connect(archive, read_only=True) as connection:
            records = connection.execute("SELECT count(*) FROM records").fetchall()[0][0]
    return {"seconds": seconds, "answer": {"records": records}}


def add(folder: str, archive: str) -> dict[str, Any]:
    """Ingesting a folder into an archive that stays."""
    from clamp_analytics.archive.ingest.run import ingest as add_to

    begin = perf_counter()
    done = add_to(folder, archive)
    return {"seconds": perf_counter() - begin, "answer": {"new": done.new, "known": done.known}}


def aggregate(archive: str) -> dict[str, Any]:
    """DuckDB's bare aggregate over the records of an archive."""
    import duckdb

    begin = perf_counter()
    with duckdb.connect(archive, read_only=True) as connection:
        row = connection.execute("""
            SELECT count(*), count(stability_score), count(*) - count(released_at), avg(stability_score),
                   var_samp(stability_score), date_diff('us', min(acquired_at), max(acquired_at)) / 1000
            FROM records""").fetchall()[0]
    seconds = perf_counter() - begin
    names = ("records", "scored", "in_flight", "mean", "variance", "drift_ms")
    return {"seconds": seconds, "answer": dict(zip(names, row, strict=True))}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "load": load,
    "ingest": ingest,
    "add": add,
    "aggregate": aggregate,
}


def _inside(what: str, source: Path) -> Contender:
    return Contender(what, module("archive", what, source), seconds=lambda done: done.line(-1)["seconds"])


def _judged(name: str, seconds: Spread | None, ratio: Spread, bound: float, note: str = "") -> Row:
    return Row(name, seconds, ratio, target=f"at most {bound:g}", met=ratio.median <= bound, note=note)


def _ingest_against_load(bench: Bench) -> Iterator[Row]:
    for shape in (SMALL, MEDIUM):
        folder, truth = bench.corpus(shape)
        able, truths = [_inside("ingest", folder), _inside("load", folder)], [asdict(truth)] * 2
        for contender in able:
            checked(contender, asdict(truth))
        ours, theirs = turns(able, truths, bench.runs)
        name = f"ingest / load, {shape.name}, {truth.records:,} records"
        yield _judged(name, Spread.of(ours), ratios(ours, theirs), INGEST_TIMES)


def _again(bench: Bench, home: Path) -> Iterator[Row]:
    """A heap that is known, and one of which one file in a hundred is new, against the first ingest."""
    folder, _ = bench.corpus(MANY if bench.full else SMALL)
    names = sorted(os.listdir(folder))
    first, second, third = [], [], []
    for turn in range(bench.runs):
        heap, archive = home / f"heap-{turn}", home / f"again-{turn}.duckdb"
        heap.mkdir()
        kept = [name for number, name in enumerate(names) if number % NEW_SHARE]
        for name in kept:
            os.link(folder / name, heap / name)
        new = len(names) - len(kept)
        first.append(_added(heap, archive, new=len(kept), known=0))
        second.append(_added(heap, archive, new=0, known=len(kept)))
        for name in names[::NEW_SHARE]:
            os.link(folder / name, heap / name)
        third.append(_added(heap, archive, new=new, known=len(kept)))
    known = f"{len(names):,} files"
    yield _judged(f"a second ingest / the first, {known}", Spread.of(second), ratios(second, first), SECOND_SHARE)
    yield _judged(f"1 % new / the first, {known}", Spread.of(third), ratios(third, first), NEW_COST)


def _added(heap: Path, archive: Path, **truth: int) -> float:
    done = run(module("archive", "add", heap, archive)).line(-1)
    check(done["answer"], truth)
    return float(done["seconds"])


def _summary(bench: Bench, home: Path) -> Iterator[Row]:
    """Summarizing an archive against DuckDB's bare aggregate over it and the start of the command."""
    folder, truth = bench.corpus(MEDIUM)
    archive, tiny = home / "medium.duckdb", home / "tiny.duckdb"
    run(clamp("ingest", str(folder), "--archive", str(archive)))
    one = next(iter(sorted(folder.iterdir())))
    run(clamp("ingest", str(one), "--archive", str(tiny)))
    ours, bare = summarizing(archive), _inside("aggregate", archive)
    start = Contender("start", clamp("summarize", str(tiny), "-o", "-"), answer=lambda _: {})
    able: list[Contender] = [ours, bare, start]
    for contender in able:
        checked(contender, asdict(truth))
    times = turns(able, [asdict(truth)] * 3, bench.runs)
    below = [one + other for one, other in zip(times[1], times[2], strict=True)]
    name = f"summarize / bare aggregate + start, {truth.records:,} records"
    note = f"start: {Spread.of(times[2]).median:.2f} s, aggregate: {Spread.of(times[1]).median:.3f} s"
    yield _judged(name, Spread.of(times[0]), ratios(times[0], below), SUMMARY_TIMES, note)


def _sizes(bench: Bench, home: Path) -> Iterator[Row]:
    for shape in (SMALL, MEDIUM):
        folder, truth = bench.corpus(shape)
        archive = home / f"size-{shape.name}.duckdb"
        run(clamp("ingest", str(folder), "--archive", str(archive)))
        fresh = archive.stat().st_size / truth.size
        run(clamp("archive", "compact", str(archive)))
        _check_compacted(archive, truth)
        share = Spread.of([archive.stat().st_size / truth.size])
        note = f"{fresh:.1%} before it is compacted"
        yield _judged(f"size / that of the JSON, {shape.name}", None, share, SIZE_SHARE, note)


def _check_compacted(archive: Path, truth: Truth) -> None:
    check(run(_inside("aggregate", archive).command).line(-1)["answer"], asdict(truth))


def tables(bench: Bench) -> Iterator[Table]:
    """Everything about archives."""
    table = Table("archive", "ratio: as each row says; ingests and loads inside the process, summarize as a whole one")
    with tempfile.TemporaryDirectory(dir=bench.home) as place:
        home = Path(place)
        table.rows += _ingest_against_load(bench)
        table.rows += _again(bench, home)
        table.rows += _summary(bench, home)
        table.rows += _sizes(bench, home)
    yield table


def main(what: str, *arguments: str) -> None:
    """Measure and print."""
    # Imported before the clock runs, as for every other tool.
    import duckdb  # noqa: F401

    if what != "aggregate":
        import pyarrow as pa  # noqa: F401

        import clamp_analytics.archive
        import clamp_analytics.reading.task  # noqa: F401
    print(json.dumps(MEASURES[what](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
