"""Timings inside a process: the cost of reading when modules are imported and workers are running.

``python -m benchmarks.in_process WHAT FOLDER …`` takes one measurement and prints it as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from time import perf_counter, process_time
from typing import Any


def _summary(source: str, jobs: int | None, executor: Executor | None = None) -> dict[str, Any]:
    """Time one pass over a source; the figures have the names that ``corpus.Truth`` uses."""
    from clamp_analytics.analysis.summary import SummaryFold, summarize
    from clamp_analytics.reading import Reader

    begin = perf_counter()
    fold = SummaryFold()
    summary = summarize(Reader(source, columns=fold.columns, jobs=jobs, executor=executor))
    seconds = perf_counter() - begin
    total = summary.total
    answer = {
        "records": total.records,
        "scored": total.scores.count,
        "in_flight": total.in_flight,
        "mean": total.scores.mean,
        "variance": total.scores.sample_variance,
        "drift_ms": total.drift_index_ms,
        "rejected": summary.counts.rejected,
    }
    return {"seconds": seconds, "answer": answer}


def workers(folder: str, count: str) -> dict[str, Any]:
    """Summarize with a pool of ``count`` workers that has read the folder once before."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(int(count), mp_context=get_context("spawn")) as pool:
        _summary(folder, int(count), pool)
        return _summary(folder, int(count), pool)


def alone(folder: str) -> dict[str, Any]:
    """Summarize in this process, which has read the folder once before."""
    _summary(folder, 1)
    return _summary(folder, 1)


def core_seconds(folder: str) -> dict[str, Any]:
    """Time of a core for a summary in this process, which has read the folder once before; given as ``seconds``."""
    _summary(folder, 1)
    begin = process_time()
    found = _summary(folder, 1)
    return found | {"seconds": process_time() - begin}


def listing(folder: str) -> dict[str, Any]:
    """Time of listing divided by the time of reading with the default number of workers, given as ``seconds``."""
    from clamp_analytics.sources import list_sources

    begin = perf_counter()
    list_sources(folder)
    listed = perf_counter() - begin
    read = _summary(folder, None)
    return {"seconds": listed / read["seconds"], "answer": read["answer"]}


def export(folder: str) -> dict[str, Any]:
    """Summarize a Parquet export."""
    return _summary(folder, None)


def aggregate(folder: str) -> dict[str, Any]:
    """Aggregate the files of a Parquet export with DuckDB alone."""
    import duckdb

    from clamp_analytics.wording import sql_string

    begin = perf_counter()
    row = (
        duckdb.connect()
        .execute(f"""
        SELECT count(*), count(stability_score), count(*) - count(released_at), avg(stability_score),
               var_samp(stability_score), date_diff('us', min(acquired_at), max(acquired_at)) / 1000
        FROM read_parquet({sql_string(folder + "/records/**/*.parquet")})""")
        .fetchone()
    )
    seconds = perf_counter() - begin
    assert row is not None
    names = ("records", "scored", "in_flight", "mean", "variance", "drift_ms")
    return {"seconds": seconds, "answer": dict(zip(names, row, strict=True))}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    measure.__name__: measure for measure in (workers, alone, core_seconds, listing, export, aggregate)
}
"""The measurements by name."""


def main(what: str, *arguments: str) -> None:
    """Take one measurement and print it."""
    from importlib import import_module

    for module in ("duckdb",) if what == "aggregate" else ("clamp_analytics.analysis.summary", "pyarrow.parquet"):
        import_module(module)
    print(json.dumps(MEASURES[what](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
