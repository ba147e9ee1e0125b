"""Benchmarks of reading, against other tools and itself; ``docs/explanations/performance.md`` explains the targets."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks.commands import (
    Settings,
    check_exactly,
    clamp_command,
    contenders,
    in_process,
    load_command,
    missing_tools,
    summarize_command,
)
from benchmarks.corpus import SHAPES, Corpus, Truth
from benchmarks.measure import Contender, FailedError, Run, Spread, ratios, run, run_checked, run_turns, shorten_reason
from benchmarks.tables import Row, Table

SMALL, MEDIUM, LARGE = SHAPES
FAULTY = tuple(replace(shape, name=f"faulty-{shape.name}", faulty=True) for shape in (SMALL, MEDIUM))
UNKNOWN = replace(MEDIUM, name="unknown-field", unknown=True)
PLAIN = replace(MEDIUM, name="microseconds", plain=True)
FEW_FILES, MANY_FILES = Corpus("small-1000", 1_000, 20), Corpus("small-200000", 200_000, 20)
HUGE = Corpus("medium-20000", 20_000, 500)

TIMES: dict[str, dict[str, tuple[float, float, float]]] = {
    "load": {"duckdb": (5, 2, 1.3), "chdb": (1.2, 1.2, 1.2), "polars": (1.2, 1.2, 1.2), "pyarrow": (1.2, 1.2, 1.2)},
    "summarize": {"duckdb": (10, 10, 12), "chdb": (5, 1.5, 1.1), "polars": (2, 2, 2), "pyarrow": (2, 2, 2)},
}
"""Targets: the time of a rival as a multiple of ours, by task, for each of ``SHAPES``; others must only be slower."""

FAULTY_TIMES, UNKNOWN_TIMES, GROWTH_TIMES, SECOND_WORKER, EXPORT_TIMES = 1.3, 1.3, 1.25, 1.7, 1.5
LISTING_SHARE = 0.05
CPU_MICROSECONDS = 0.6
"""Microseconds of a core for a record of a summary, start-up excluded."""
MEMORY = {"summarize": 300, "export": 500}
"""Megabytes of all processes together."""
SAME_MEMORY = 1.1
FAR = 5
"""A contender that is this many times slower than ours in its first run does not run again."""


def compare_tools(task: str, settings: Settings) -> Iterator[Table]:
    """Our time compared with that of every other tool, for each corpus."""
    for shape in (*SHAPES, PLAIN) if settings.full else SHAPES:
        folder, truth = settings.corpus(shape)
        if task == "summarize":
            check_exactly(folder, truth)
        scope = "time inside the process" if task == "load" else "whole process"
        title = f"{task}: {shape.name} ({truth.records:,} records, {truth.size / 1e6:,.0f} MB), {scope}"
        table = Table(title, "ratio: theirs / ours, turn by turn; peak: all processes together")
        first: dict[str, Run] = {}
        able: list[Contender] = []
        for contender in contenders(task, folder):
            why = missing_tools(contender.name, task)
            try:
                if why is None:
                    first[contender.name] = run_checked(contender, asdict(truth), watch=True)
                    able.append(contender)
                    continue
            except FailedError as error:
                if contender.name == "clamp_analytics":
                    raise
                why = shorten_reason(str(error), folder, settings.home)
            table.rows.append(Row(contender.name, note=f"not timed: {why}"))
        table.rows[:0] = _timed_rows(able, first, truth, task, shape, settings.runs)
        yield table


def _timed_rows(
    able: list[Contender], first: Mapping[str, Run], truth: Truth, task: str, shape: Corpus, runs: int
) -> Iterator[Row]:
    """Rows of the contenders with a correct answer; a much slower one without a target runs only once."""
    ours, *others = able
    far = {
        contender.name
        for contender in others
        if contender.name not in TIMES[task]
        and contender.seconds(first[contender.name]) > FAR * ours.seconds(first[ours.name])
    }
    near = [contender for contender in able if contender.name not in far]
    times = dict(
        zip((contender.name for contender in near), run_turns(near, [asdict(truth)] * len(near), runs), strict=True)
    )
    mine = times[ours.name]
    for contender in able:
        row = Row(contender.name, memory=first[contender.name].tree)
        if contender.name in far:
            once = [contender.seconds(first[contender.name])]
            ratio = Spread.of([once[0] / Spread.of(mine).median])
            row = replace(row, seconds=Spread.of(once), note=f"one run, over {FAR} times slower")
            yield _row_with_target(row, ratio, task, shape)
        else:
            row = replace(row, seconds=Spread.of(times[contender.name]))
            is_ours = contender is ours
            yield row if is_ours else _row_with_target(row, ratios(times[contender.name], mine), task, shape)


def _row_with_target(row: Row, ratio: Spread, task: str, shape: Corpus) -> Row:
    least = dict(zip(SHAPES, TIMES[task].get(row.name, ()), strict=False)).get(shape)
    if least is None:
        return replace(row, ratio=ratio, target="above 1", met=ratio.median > 1)
    return replace(row, ratio=ratio, target=f"at least {least:g}", met=ratio.median >= least)


def _pair(settings: Settings, name: str, above: tuple[Contender, Truth], below: tuple[Contender, Truth]) -> Row:
    """A row with the seconds of the first contender and the ratio of both, turn by turn."""
    able, truths = [above[0], below[0]], [asdict(above[1]), asdict(below[1])]
    # A first run of each, so that all timed runs find the files in the page cache.
    for contender, truth in zip(able, truths, strict=True):
        run_checked(contender, truth)
    first, second = run_turns(able, truths, settings.runs)
    return Row(name, Spread.of(first), ratios(first, second))


def _at_most(row: Row, bound: float) -> Row:
    assert row.ratio is not None
    return replace(row, target=f"at most {bound:g}", met=row.ratio.median <= bound)


def _at_least(row: Row, bound: float) -> Row:
    assert row.ratio is not None
    return replace(row, target=f"at least {bound:g}", met=row.ratio.median >= bound)


def corpus_variants(settings: Settings) -> Iterator[Table]:
    """Corpora with faulty files, unknown fields and microseconds, each compared with the clean corpus."""
    table = Table(
        "faulty files, unknown fields, microseconds", "ratio: that corpus / the clean one; seconds: that corpus"
    )
    bounds = [(FAULTY[0], SMALL, FAULTY_TIMES), (FAULTY[1], MEDIUM, FAULTY_TIMES), (UNKNOWN, MEDIUM, UNKNOWN_TIMES)]
    for shape, clean, bound in [*bounds, (PLAIN, MEDIUM, None)]:
        folder, truth = settings.corpus(shape)
        base, base_truth = settings.corpus(clean)
        check_exactly(folder, truth)
        for task, contender in (("load", partial(load_command, "clamp_analytics")), ("summarize", summarize_command)):
            row = _pair(settings, f"{task}, {shape.name}", (contender(folder), truth), (contender(base), base_truth))
            table.rows.append(row if bound is None else _at_most(row, bound))
    yield table
    yield _answers_on_faults(settings)


def _answers_on_faults(settings: Settings) -> Table:
    folder, truth = settings.corpus(FAULTY[1])
    table = Table(
        "answers of all tools on the faulty corpus",
        "one run, not timed; expected are the figures of all readable records",
    )
    for contender in contenders("summarize", folder):
        note = missing_tools(contender.name, "summarize") or "correct"
        if note == "correct":
            try:
                run_checked(contender, asdict(truth))
            except FailedError as error:
                note = shorten_reason(str(error), folder, settings.home)
        table.rows.append(Row(contender.name, note=note))
    return table


def second_worker(settings: Settings) -> Iterator[Table]:
    """One worker compared with two."""
    table = Table("a second worker", "ratio: one worker / two; seconds: one worker")
    for shape in SHAPES:
        folder, truth = settings.corpus(shape)
        for name, one, two in (
            ("running workers", in_process("workers", folder, 1), in_process("workers", folder, 2)),
            ("summarize --jobs", summarize_command(folder, "--jobs", "1"), summarize_command(folder, "--jobs", "2")),
        ):
            row = _pair(settings, f"{shape.name}, {name}", (one, truth), (two, truth))
            table.rows.append(_at_least(row, SECOND_WORKER))
    yield table


def growth(settings: Settings) -> Iterator[Table]:
    """Time per record as the number of files grows, and the share of listing."""
    table = Table(
        "growth", "ratio: time per record / that of the smallest corpus, one worker; last row: share of listing"
    )
    sizes = [FEW_FILES, SMALL] + ([MANY_FILES] if settings.full else [])
    made = [settings.corpus(shape) for shape in sizes]
    truths = [asdict(truth) for _, truth in made]
    able = [in_process("alone", folder) for folder, _ in made]
    times = run_turns(able, truths, settings.runs)
    each = [[second / truth.records for second in seconds] for seconds, (_, truth) in zip(times, made, strict=True)]
    for (folder, truth), seconds, one in zip(made, times, each, strict=True):
        row = Row(f"{len(os.listdir(folder)):,} files, {truth.records:,} records", Spread.of(seconds))
        if one is not each[0]:
            row = _at_most(replace(row, ratio=ratios(one, each[0])), GROWTH_TIMES)
        table.rows.append(row)
    folder, truth = made[-1]
    shares = Spread.of(run_turns([in_process("listing", folder)], truths[-1:], settings.runs)[0])
    met = shares.median < LISTING_SHARE
    table.rows.append(Row("listing / reading", None, shares, target=f"below {LISTING_SHARE:g}", met=met))
    yield table


def memory(settings: Settings) -> Iterator[Table]:
    """Peak memory of reading 0.25 GB, and of ten times as much."""
    table = Table("memory", "peak MB of all processes together (shared pages count in each); ratio: of peaks")
    peaks: dict[str, list[float]] = {task: [] for task in MEMORY}
    for shape in (MEDIUM, LARGE, *([HUGE] if settings.full else [])):
        folder, truth = settings.corpus(shape)
        for task in peaks:
            with tempfile.TemporaryDirectory(dir=settings.home) as directory:
                export = clamp_command("export", str(folder), "-o", str(Path(directory, "export")))
                done = run(summarize_command(folder).command if task == "summarize" else export, watch=True)
            peak = done.largest if done.tree is None else done.tree
            name = f"{task}, {shape.name}, {truth.size / 1e9:.2f} GB"
            table.rows.append(Row(name, None, None, peak, f"at most {MEMORY[task]} MB", peak <= MEMORY[task]))
            if shape is not LARGE:
                peaks[task].append(peak)
    for task, (first, *more) in peaks.items():
        for other in more:
            row = Row(f"{task}, ten times the input", ratio=Spread.of([other / first]), memory=other)
            table.rows.append(_at_most(row, SAME_MEMORY))
    yield table


def cpu(settings: Settings) -> Iterator[Table]:
    """Time of a core for each record of a summary, with one worker and without start-up."""
    table = Table("CPU time", "ratio: microseconds of a core for a record of a summary; start-up excluded")
    for shape in SHAPES:
        folder, truth = settings.corpus(shape)
        contender = in_process("core_seconds", folder)
        run_checked(contender, asdict(truth))
        (times,) = run_turns([contender], [asdict(truth)], settings.runs)
        each = Spread.of([seconds / truth.records * 1e6 for seconds in times])
        row = Row(shape.name, ratio=each)
        table.rows.append(_at_most(row, CPU_MICROSECONDS) if shape is MEDIUM else row)
    yield table


def parquet(settings: Settings) -> Iterator[Table]:
    """``summarize`` on a Parquet export, compared with a bare DuckDB aggregate over the same files."""
    folder, truth = settings.corpus(MEDIUM)
    table = Table("Parquet export", "ratio: summarize / bare DuckDB aggregate over the same files")
    with tempfile.TemporaryDirectory(dir=settings.home) as directory:
        export = Path(directory, "export")
        run(clamp_command("export", str(folder), "-o", str(export)))
        ours, theirs = in_process("export", export), in_process("aggregate", export)
        row = _pair(settings, "in-process", (ours, truth), (theirs, truth))
        table.rows.append(_at_most(row, EXPORT_TIMES))
        bare = replace(theirs, seconds=lambda done: done.seconds)
        row = _pair(settings, "whole process", (summarize_command(export), truth), (bare, truth))
        table.rows.append(replace(row, note="with the start-up of both"))
    yield table


TABLES: Mapping[str, Callable[[Settings], Iterator[Table]]] = {
    "load": partial(compare_tools, "load"),
    "summarize": partial(compare_tools, "summarize"),
    "faults": corpus_variants,
    "workers": second_worker,
    "growth": growth,
    "memory": memory,
    "cpu": cpu,
    "export": parquet,
}
"""The tables on reading, by name."""
