"""Benchmark of object storage: reading many small objects, against the bare requests of obstore.

``python -m benchmarks.objects WHAT PORT`` takes one measurement inside the process and prints it as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.commands import Settings, module_command
from benchmarks.corpus import SHAPES, Corpus, quick
from benchmarks.measure import ROOT, FailedError, Spread, check, ratios, run
from benchmarks.tables import Row, Table

LATENCY = 0.03
"""Seconds from a request to its answer; about that of a bucket in the same region."""

CONCURRENCY = 64
RATE_SHARE, REQUESTS_PER_OBJECT, CPU_MS = 0.9, 1.01, 0.35


def _options(port: str) -> dict[str, str]:
    return {
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
        "aws_region": "us-east-1",
        "aws_endpoint_url": f"http://127.0.0.1:{port}",
        "aws_allow_http": "true",
    }


def bare(port: str) -> dict[str, Any]:
    """List the objects and get each of them with obstore, on as many threads; nothing is decoded."""
    import obstore
    from obstore.store import S3Store

    store = S3Store("b", config=_options(port), client_options={"allow_http": True})  # type: ignore[arg-type]

    def fetch(key: str) -> int:
        return len(bytes(obstore.get(store, key).bytes()))

    begin, cpu = perf_counter(), process_time()
    keys = [found["path"] for chunk in obstore.list(store, "files/") for found in chunk]
    with ThreadPoolExecutor(CONCURRENCY) as threads:
        size = sum(threads.map(fetch, keys))
    return {"seconds": perf_counter() - begin, "cpu": process_time() - cpu, "answer": {"size": size}}


def summarize(port: str) -> dict[str, Any]:
    """Summarize the objects."""
    from clamp_analytics import summarize as summarize_sources
    from clamp_analytics.decode.kernel import load_kernel

    load_kernel()
    begin, cpu = perf_counter(), process_time()
    summary = summarize_sources("s3://b/files/", storage_options=_options(port))
    seconds, cpu = perf_counter() - begin, process_time() - cpu
    total = summary.total
    answer = {"records": total.records, "mean": total.scores.mean, "variance": total.scores.sample_variance}
    return {"seconds": seconds, "cpu": cpu, "answer": answer}


MEASURES: dict[str, Callable[[str], dict[str, Any]]] = {"bare": bare, "summarize": summarize}


@dataclass(slots=True)
class _Server:
    """The server of a measurement; the number of its requests is known once it has ended."""

    port: str
    served: dict[str, int]


@contextmanager
def _server(folder: Path) -> Iterator[_Server]:
    command = module_command("object_server", folder, LATENCY)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server = _Server(process.stdout.readline().strip(), {})
        if not server.port:
            raise FailedError("the server did not start")
        yield server
        process.stdin.close()
        server.served = json.loads(process.stdout.read())


def tables(settings: Settings, shape: Corpus = SHAPES[0]) -> Iterator[Table]:
    """The table on object storage."""
    folder, truth = settings.corpus(shape)
    files = (quick(shape) if settings.quick else shape).files
    meaning = f"{files:,} objects, {LATENCY * 1000:.0f} ms from request to answer; ratio: as stated in each row"
    table = Table("object storage", meaning)
    times: dict[str, list[float]] = {what: [] for what in MEASURES}
    cpu: dict[str, list[float]] = {what: [] for what in MEASURES}
    requests: list[float] = []
    for _ in range(settings.runs):
        for what in MEASURES:
            with _server(folder) as server:
                done = run(module_command("objects", what, server.port)).line(-1)
            check(done["answer"], asdict(truth))
            times[what].append(done["seconds"])
            cpu[what].append(done["cpu"] * 1000 / files)
            if what == "summarize":
                requests.append(server.served["get"] / files)
                listing = server.served["list"]
    rate = ratios(times["bare"], times["summarize"])
    table.rows.append(Row("obstore alone", Spread.of(times["bare"]), note=_rate(files, times["bare"])))
    table.rows.append(
        Row(
            "summarize: rate / that of obstore alone",
            Spread.of(times["summarize"]),
            rate,
            target=f"at least {RATE_SHARE:g}",
            met=rate.median >= RATE_SHARE,
            note=_rate(files, times["summarize"]),
        )
    )
    table.rows.append(_row("requests per object", Spread.of(requests), REQUESTS_PER_OBJECT, f"and {listing} to list"))
    table.rows.append(Row("CPU per object in ms, obstore alone", ratio=Spread.of(cpu["bare"])))
    table.rows.append(_row("CPU per object in ms, summarize", Spread.of(cpu["summarize"]), CPU_MS))
    yield table


def _row(name: str, ratio: Spread, bound: float, note: str = "") -> Row:
    return Row(name, ratio=ratio, target=f"at most {bound:g}", met=ratio.median <= bound, note=note)


def _rate(files: int, seconds: list[float]) -> str:
    return f"{files / Spread.of(seconds).median:,.0f} objects per second"


def main(what: str, port: str) -> None:
    """Take one measurement and print it."""
    if what == "summarize":
        # Imported before the clock starts, as for every other tool.
        import polars as pl  # noqa: F401

        import clamp_analytics.reading.task  # noqa: F401
    print(json.dumps(MEASURES[what](port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
