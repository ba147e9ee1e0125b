"""Reading, against other tools and against itself; the targets are those that ``docs/performance.md`` speaks of."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks.corpus import SHAPES, Corpus, Truth
from benchmarks.measure import Contender, FailedError, Run, Spread, checked, ratios, run, shortened, turns
from benchmarks.tables import Row, Table
from benchmarks.ways import Bench, check_exactly, clamp, contenders, inside, loading, missing, summarizing

SMALL, MEDIUM, LARGE = SHAPES
FAULTY = tuple(replace(shape, name=f"faulty-{shape.name}", faulty=True) for shape in (SMALL, MEDIUM))
UNKNOWN = replace(MEDIUM, name="unknown-field", unknown=True)
PLAIN = replace(MEDIUM, name="microseconds", plain=True)
FEW_FILES, MANY_FILES = Corpus("small-1000", 1_000, 20), Corpus("small-200000", 200_000, 20)
HUGE = Corpus("medium-20000", 20_000, 500)

DUCKDB_TIMES: dict[str, dict[str, float]] = {
    "load": {"small": 5, "medium": 2, "large": 1.3},
    "summarize": {"small": 8, "medium": 3, "large": 2},
}
"""How many times as long as ours DuckDB takes at least, by task and shape; every other contender takes longer."""

FAULTY_TIMES, UNKNOWN_TIMES, GROWTH_TIMES, SECOND_WORKER, EXPORT_TIMES = 1.3, 2.0, 1.25, 1.7, 1.5
LISTING_SHARE = 0.05
MEMORY_BASE, MEMORY_WORKER = 300, 150
SAME_MEMORY = 1.1
FAR = 5
"""A contender that takes so many times as long as ours in its first run need not run again."""


def against(task: str, bench: Bench) -> Iterator[Table]:
    """Ours against every other tool, shape by shape."""
    for shape in (*SHAPES, PLAIN) if bench.full else SHAPES:
        folder, truth = bench.corpus(shape)
        if task == "summarize":
            check_exactly(folder, truth)
        place = "time inside the process" if task == "load" else "whole process"
        title = f"{task}: {shape.name} ({truth.records:,} records, {truth.size / 1e6:,.0f} MB), {place}"
        table = Table(title, "ratio: theirs / ours, turn by turn; peak: all processes together")
        first: dict[str, Run] = {}
        able: list[Contender] = []
        for contender in contenders(task, folder):
            why = missing(contender.name, task)
            try:
                if why is None:
                    first[contender.name] = checked(contender, asdict(truth), watch=True)
                    able.append(contender)
                    continue
            except FailedError as error:
                if contender.name == "clamp_analytics":
                    raise
                why = shortened(str(error), folder, bench.home)
            table.rows.append(Row(contender.name, note=f"not timed: {why}"))
        table.rows[:0] = _timed(able, first, truth, task, shape, bench.runs)
        yield table


def _timed(
    able: list[Contender], first: Mapping[str, Run], truth: Truth, task: str, shape: Corpus, runs: int
) -> Iterator[Row]:
    """Rows of the contenders that are right; one that is far behind, and without a figure to reach, runs once."""
    ours, *others = able
    far = {
        contender.name
        for contender in others
        if contender.name != "duckdb"
        and contender.seconds(first[contender.name]) > FAR * ours.seconds(first[ours.name])
    }
    near = [contender for contender in able if contender.name not in far]
    times = dict(
        zip((contender.name for contender in near), turns(near, [asdict(truth)] * len(near), runs), strict=True)
    )
    mine = times[ours.name]
    for contender in able:
        row = Row(contender.name, memory=first[contender.name].tree)
        if contender.name in far:
            once = [contender.seconds(first[contender.name])]
            ratio = Spread.of([once[0] / Spread.of(mine).median])
            row = replace(row, seconds=Spread.of(once), note=f"one run, which took over {FAR} times as long")
            yield _judged(row, ratio, task, shape)
        else:
            row = replace(row, seconds=Spread.of(times[contender.name]))
            is_ours = contender is ours
            yield row if is_ours else _judged(row, ratios(times[contender.name], mine), task, shape)


def _judged(row: Row, ratio: Spread, task: str, shape: Corpus) -> Row:
    least = DUCKDB_TIMES[task].get(shape.name) if row.name == "duckdb" else None
    if least is None:
        return replace(row, ratio=ratio, target="above 1", met=ratio.median > 1)
    return replace(row, ratio=ratio, target=f"at least {least:g}", met=ratio.median >= least)


def _pair(bench: Bench, name: str, above: tuple[Contender, Truth], below: tuple[Contender, Truth]) -> Row:
    """The time of one divided by that of the other, turn by turn; the seconds are those of the first."""
    able, truths = [above[0], below[0]], [asdict(above[1]), asdict(below[1])]
    # Once before, so that what follows finds its files in the system's cache.
    for contender, truth in zip(able, truths, strict=True):
        checked(contender, truth)
    first, second = turns(able, truths, bench.runs)
    return Row(name, Spread.of(first), ratios(first, second))


def _at_most(row: Row, bound: float) -> Row:
    assert row.ratio is not None
    return replace(row, target=f"at most {bound:g}", met=row.ratio.median <= bound)


def _at_least(row: Row, bound: float) -> Row:
    assert row.ratio is not None
    return replace(row, target=f"at least {bound:g}", met=row.ratio.median >= bound)


def heaps(bench: Bench) -> Iterator[Table]:
    """Faulty files, unknown fields and microseconds, each against the same heap without them."""
    table = Table("faulty files, unknown fields, microseconds", "ratio: that heap / the clean one; seconds: that heap")
    bounds = [(FAULTY[0], SMALL, FAULTY_TIMES), (FAULTY[1], MEDIUM, FAULTY_TIMES), (UNKNOWN, MEDIUM, UNKNOWN_TIMES)]
    for shape, clean, bound in [*bounds, (PLAIN, MEDIUM, None)]:
        folder, truth = bench.corpus(shape)
        base, base_truth = bench.corpus(clean)
        check_exactly(folder, truth)
        for task, contender in (("load", partial(loading, "clamp_analytics")), ("summarize", summarizing)):
            row = _pair(bench, f"{task}, {shape.name}", (contender(folder), truth), (contender(base), base_truth))
            table.rows.append(row if bound is None else _at_most(row, bound))
    yield table
    yield _others_on_faults(bench)


def _others_on_faults(bench: Bench) -> Table:
    folder, truth = bench.corpus(FAULTY[1])
    table = Table(
        "what each makes of the faulty heap", "one run, not timed: the figures of all records that can be read"
    )
    for contender in contenders("summarize", folder):
        note = missing(contender.name, "summarize") or "right"
        if note == "right":
            try:
                checked(contender, asdict(truth))
            except FailedError as error:
                note = shortened(str(error), folder, bench.home)
        table.rows.append(Row(contender.name, note=note))
    return table


def second_worker(bench: Bench) -> Iterator[Table]:
    """One worker against two."""
    table = Table("a second worker", "ratio: one worker / two; seconds: one worker")
    for shape in SHAPES:
        folder, truth = bench.corpus(shape)
        for name, one, two in (
            ("workers that are running", inside("workers", folder, 1), inside("workers", folder, 2)),
            ("summarize --jobs", summarizing(folder, "--jobs", "1"), summarizing(folder, "--jobs", "2")),
        ):
            row = _pair(bench, f"{shape.name}, {name}", (one, truth), (two, truth))
            table.rows.append(_at_least(row, SECOND_WORKER))
    yield table


def growth(bench: Bench) -> Iterator[Table]:
    """Time per record from few files to many, and the share of listing them."""
    table = Table("growth", "ratio: time per record / that of the smallest heap, one worker; of listing, its share")
    sizes = [FEW_FILES, SMALL] + ([MANY_FILES] if bench.full else [])
    made = [bench.corpus(shape) for shape in sizes]
    truths = [asdict(truth) for _, truth in made]
    able = [inside("alone", folder) for folder, _ in made]
    times = turns(able, truths, bench.runs)
    each = [[second / truth.records for second in seconds] for seconds, (_, truth) in zip(times, made, strict=True)]
    for (folder, truth), seconds, one in zip(made, times, each, strict=True):
        row = Row(f"{len(os.listdir(folder)):,} files, {truth.records:,} records", Spread.of(seconds))
        if one is not each[0]:
            row = _at_most(replace(row, ratio=ratios(one, each[0])), GROWTH_TIMES)
        table.rows.append(row)
    folder, truth = made[-1]
    shares = Spread.of(turns([inside("listing", folder)], truths[-1:], bench.runs)[0])
    met = shares.median < LISTING_SHARE
    table.rows.append(Row("listing / reading", None, shares, target=f"below {LISTING_SHARE:g}", met=met))
    yield table


def memory(bench: Bench) -> Iterator[Table]:
    """Peak memory of reading a quarter of a gigabyte, and ten times as much."""
    jobs = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bound = MEMORY_BASE + MEMORY_WORKER * jobs
    table = Table(
        "memory", f"peak MB of all processes together, {jobs} workers (shared pages count in each); ratio: of peaks"
    )
    peaks: dict[str, list[float]] = {"summarize": [], "export": []}
    for shape in (MEDIUM, LARGE, *([HUGE] if bench.full else [])):
        folder, truth = bench.corpus(shape)
        for task in peaks:
            with tempfile.TemporaryDirectory(dir=bench.home) as place:
                export = clamp("export", str(folder), "-o", str(Path(place, "export")))
                done = run(summarizing(folder).command if task == "summarize" else export, watch=True)
            peak = done.largest if done.tree is None else done.tree
            name = f"{task}, {shape.name}, {truth.size / 1e9:.2f} GB"
            table.rows.append(Row(name, None, None, peak, f"below {bound} MB", peak < bound))
            if shape is not LARGE:
                peaks[task].append(peak)
    for task, (first, *more) in peaks.items():
        for other in more:
            row = Row(f"{task}, ten times the input", ratio=Spread.of([other / first]), memory=other)
            table.rows.append(_at_most(row, SAME_MEMORY))
    yield table


def parquet(bench: Bench) -> Iterator[Table]:
    """Summarizing an export against DuckDB's bare aggregate over the same files."""
    folder, truth = bench.corpus(MEDIUM)
    table = Table("from Parquet of our own", "ratio: summarize / DuckDB's bare aggregate over the same files")
    with tempfile.TemporaryDirectory(dir=bench.home) as place:
        export = Path(place, "export")
        run(clamp("export", str(folder), "-o", str(export)))
        ours, theirs = inside("export", export), inside("aggregate", export)
        row = _pair(bench, "inside the process", (ours, truth), (theirs, truth))
        table.rows.append(_at_most(row, EXPORT_TIMES))
        bare = replace(theirs, seconds=lambda done: done.seconds)
        row = _pair(bench, "whole process", (summarizing(export), truth), (bare, truth))
        table.rows.append(replace(row, note="with the start of both"))
    yield table


def tables(bench: Bench) -> Iterator[Table]:
    """Everything about reading."""
    yield from against("load", bench)
    yield from against("summarize", bench)
    for part in (heaps, second_worker, growth, memory, parquet):
        yield from part(bench)
