"""Benchmarks of archives: the first and a repeated ingest, summaries from an archive, and its size.

``python -m benchmarks.archive WHAT …`` takes one measurement inside the process and prints it as JSON.
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

from benchmarks.commands import Settings, clamp_command, module_command, summarize_command
from benchmarks.corpus import SHAPES, Corpus, Truth
from benchmarks.measure import Contender, Spread, check, ratios, run, run_checked, run_turns
from benchmarks.tables import Row, Table

SMALL, MEDIUM, _ = SHAPES
MANY = Corpus("small-200000", 200_000, 20)
NEW_SHARE = 100
"""Every 100th file is new in the third ingest."""

INGEST_TIMES, KNOWN_TIMES, NEW_COST, SUMMARY_TIMES, SIZE_SHARE = 1.5, 2.0, 0.1, 1.5, 0.15


def insert(folder: str) -> dict[str, Any]:
    """Insert the tables of the files into an empty DuckDB database beside the folder, and nothing else."""
    import duckdb

    from clamp_analytics.reading import load

    telemetry = load(folder, session_ids=True)
    frames = {"sessions": telemetry.sessions, "records": telemetry.records, "violations": telemetry.violations}
    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as directory:
        connection = duckdb.connect(str(Path(directory, "bare.duckdb")))
        for name, frame in frames.items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame LIMIT 0")
            connection.unregister("frame")
        begin = perf_counter()
        connection.begin()
        for name, frame in frames.items():
            connection.register("frame", frame)
            connection.execute(f"INSERT INTO {name} SELECT * FROM frame")
        connection.commit()
        connection.close()
        seconds = perf_counter() - begin
    return {"seconds": seconds, "answer": {"records": telemetry.records.height}}


def stat(folder: str) -> dict[str, Any]:
    """List a folder with ``os.scandir``, and ask for the status of each file."""
    begin = perf_counter()
    with os.scandir(folder) as entries:
        sizes = [os.stat(entry.path).st_size for entry in entries]
    seconds = perf_counter() - begin
    return {"seconds": seconds, "answer": {"files": len(sizes)}}


def ingest(folder: str) -> dict[str, Any]:
    """Ingest the files into a temporary archive beside the folder."""
    import duckdb

    from clamp_analytics.archive.ingest.run import ingest as add

    with tempfile.TemporaryDirectory(dir=Path(folder).parent) as directory:
        archive = str(Path(directory, "t.duckdb"))
        begin = perf_counter()
        add(folder, archive)
        seconds = perf_counter() - begin
        with duckdb.connect(archive, read_only=True) as connection:
            records = connection.execute("SELECT count(*) FROM records").fetchall()[0][0]
    return {"seconds": seconds, "answer": {"records": records}}


def add(folder: str, archive: str) -> dict[str, Any]:
    """Ingest a folder into an archive that is kept."""
    from clamp_analytics.archive.ingest.run import ingest as add_to

    begin = perf_counter()
    done = add_to(folder, archive)
    return {"seconds": perf_counter() - begin, "answer": {"new": done.new, "known": done.known}}


def aggregate(archive: str) -> dict[str, Any]:
    """Aggregate the records of an archive with DuckDB alone."""
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
    "insert": insert,
    "stat": stat,
    "ingest": ingest,
    "add": add,
    "aggregate": aggregate,
}


def _in_process(what: str, source: Path) -> Contender:
    return Contender(what, module_command("archive", what, source), seconds=lambda done: done.line(-1)["seconds"])


def _row_with_target(name: str, seconds: Spread | None, ratio: Spread, bound: float, note: str = "") -> Row:
    return Row(name, seconds, ratio, target=f"at most {bound:g}", met=ratio.median <= bound, note=note)


def _ingest_against_insert(settings: Settings) -> Iterator[Row]:
    for shape in (SMALL, MEDIUM):
        folder, truth = settings.corpus(shape)
        able, truths = [_in_process("ingest", folder), _in_process("insert", folder)], [asdict(truth)] * 2
        for contender in able:
            run_checked(contender, asdict(truth))
        ours, theirs = run_turns(able, truths, settings.runs)
        name = f"ingest / bare INSERT, {shape.name}, {truth.records:,} records"
        yield _row_with_target(name, Spread.of(ours), ratios(ours, theirs), INGEST_TIMES)


def _again(settings: Settings, home: Path) -> Iterator[Row]:
    """A second ingest of the same files, and one with 1 % new files."""
    folder, _ = settings.corpus(MANY if settings.full else SMALL)
    names = sorted(os.listdir(folder))
    first, second, third, bare = [], [], [], []
    for turn in range(settings.runs):
        corpus, archive = home / f"corpus-{turn}", home / f"again-{turn}.duckdb"
        corpus.mkdir()
        kept = [name for number, name in enumerate(names) if number % NEW_SHARE]
        for name in kept:
            os.link(folder / name, corpus / name)
        new = len(names) - len(kept)
        first.append(_time_ingest(corpus, archive, new=len(kept), known=0))
        second.append(_time_ingest(corpus, archive, new=0, known=len(kept)))
        bare.append(float(run_checked(_in_process("stat", corpus), {"files": len(kept)}).line(-1)["seconds"]))
        for name in names[::NEW_SHARE]:
            os.link(folder / name, corpus / name)
        third.append(_time_ingest(corpus, archive, new=new, known=len(kept)))
    known = f"{len(names):,} files"
    name = f"a second ingest / listing and status, {known}"
    yield _row_with_target(name, Spread.of(second), ratios(second, bare), KNOWN_TIMES)
    yield Row(f"a second ingest / the first, {known}", Spread.of(second), ratios(second, first))
    yield _row_with_target(f"1 % new / the first, {known}", Spread.of(third), ratios(third, first), NEW_COST)


def _time_ingest(corpus: Path, archive: Path, **truth: int) -> float:
    done = run(module_command("archive", "add", corpus, archive)).line(-1)
    check(done["answer"], truth)
    return float(done["seconds"])


def _summary(settings: Settings, home: Path) -> Iterator[Row]:
    """``summarize`` on an archive, compared with a bare DuckDB aggregate plus the start-up of the command."""
    folder, truth = settings.corpus(MEDIUM)
    archive, tiny = home / "medium.duckdb", home / "tiny.duckdb"
    run(clamp_command("ingest", str(folder), "--archive", str(archive)))
    one = next(iter(sorted(folder.iterdir())))
    run(clamp_command("ingest", str(one), "--archive", str(tiny)))
    ours, bare = summarize_command(archive), _in_process("aggregate", archive)
    start = Contender("start", clamp_command("summarize", str(tiny), "-o", "-"), answer=lambda _: {})
    able: list[Contender] = [ours, bare, start]
    for contender in able:
        run_checked(contender, asdict(truth))
    times = run_turns(able, [asdict(truth)] * 3, settings.runs)
    below = [one + other for one, other in zip(times[1], times[2], strict=True)]
    name = f"summarize / bare aggregate + start, {truth.records:,} records"
    note = f"start: {Spread.of(times[2]).median:.2f} s, aggregate: {Spread.of(times[1]).median:.3f} s"
    yield _row_with_target(name, Spread.of(times[0]), ratios(times[0], below), SUMMARY_TIMES, note)


def _sizes(settings: Settings, home: Path) -> Iterator[Row]:
    for shape in (SMALL, MEDIUM):
        folder, truth = settings.corpus(shape)
        archive = home / f"size-{shape.name}.duckdb"
        run(clamp_command("ingest", str(folder), "--archive", str(archive)))
        fresh = archive.stat().st_size / truth.size
        run(clamp_command("archive", "compact", str(archive)))
        _check_compacted(archive, truth)
        share = Spread.of([archive.stat().st_size / truth.size])
        note = f"{fresh:.1%} before it is compacted"
        yield _row_with_target(f"size / that of the JSON, {shape.name}", None, share, SIZE_SHARE, note)


def _check_compacted(archive: Path, truth: Truth) -> None:
    check(run(_in_process("aggregate", archive).command).line(-1)["answer"], asdict(truth))


def tables(settings: Settings) -> Iterator[Table]:
    """The tables on archives."""
    table = Table(
        "archive", "ratio: as stated in each row; summarize is timed as a whole process, all else inside of one"
    )
    with tempfile.TemporaryDirectory(dir=settings.home) as directory:
        home = Path(directory)
        table.rows += _ingest_against_insert(settings)
        table.rows += _again(settings, home)
        table.rows += _summary(settings, home)
        table.rows += _sizes(settings, home)
    yield table


def main(what: str, *arguments: str) -> None:
    """Take one measurement and print it."""
    # Imported before the clock starts, as for every other tool.
    import duckdb  # noqa: F401

    if what != "aggregate":
        import pyarrow as pa  # noqa: F401

        import clamp_analytics.archive
        import clamp_analytics.reading.task  # noqa: F401
    print(json.dumps(MEASURES[what](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
