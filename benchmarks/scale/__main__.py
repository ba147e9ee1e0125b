"""``python -m benchmarks.scale simulate SESSIONS`` or ``real OBJECTS``: summarize on two workers of this machine.

``plan SESSIONS`` runs the simulated tasks in this process, without hashes: quickly, to count them. Each prints the
seconds, the peak of the client's memory, the number of tasks, and whether the result is right.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.scale.counted_workers import CountedWorkers
from benchmarks.scale.local_cluster import local_cluster
from benchmarks.scale.simulation import RECORDS, InThisProcess, Substitute, listing
from clamp_analytics.analysis.summary import SummaryFold, summarize
from clamp_analytics.reading import Reader
from clamp_analytics.reading.cluster import connect_cluster
from clamp_analytics.reading.workers import Workers
from clamp_analytics.sources import Listing, list_sources

WORKERS, PUTTING_THREADS, CONTENTS = 2, 32, 1_000
"""Workers of the cluster, threads that write objects, and objects after which their contents are the same again."""


def run(sources: Listing, workers: Workers, substitute: Substitute | None = None) -> dict[str, Any]:
    """Summarize on workers."""
    counted = CountedWorkers(workers, substitute)
    begin = perf_counter()
    summary = summarize(Reader(sources, columns=SummaryFold().columns, executor=counted))
    return {
        "seconds": round(perf_counter() - begin, 1),
        "client_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
        "tasks": dict(counted.tasks),
        "loaded": summary.counts.loaded,
        "records": summary.total.records,
        "repeated": summary.severities["warning"],
        "mean": summary.total.scores.mean,
    }


def plan(sessions: int) -> dict[str, Any]:
    """Summarize simulated sessions in this process, without their hashes."""
    found = run(listing(sessions), InThisProcess(), Substitute(sessions, with_hashes=False))
    return found | {"right": (found["loaded"], found["records"]) == (sessions, RECORDS * sessions)}


def simulate(sessions: int) -> dict[str, Any]:
    """Summarize simulated sessions."""
    with local_cluster(WORKERS) as address, connect_cluster(address) as workers:
        found = run(listing(sessions), workers, Substitute(sessions))
    # The first session of every range has the same content.
    repeated = found["tasks"]["FoldRange"] - 1
    return found | {
        "right": (found["loaded"], found["records"], found["repeated"]) == (sessions, RECORDS * sessions, repeated)
    }


def real(objects: int) -> dict[str, Any]:
    """Write objects to an S3 server, and summarize them."""
    import obstore

    from tests.object_storage import open_bucket, s3_server, storage_options

    with tempfile.TemporaryDirectory() as folder, s3_server(Path(folder, "data")) as url:
        bucket = open_bucket(url)

        def put(number: int) -> None:
            name = f"runs/{number // 10_000:03}/clamp_run_{number:09}.json"
            obstore.put(bucket, name, _content(number % CONTENTS), use_multipart=False)

        begin = perf_counter()
        with ThreadPoolExecutor(PUTTING_THREADS) as threads:
            numbers = iter(range(objects))
            while some := list(islice(numbers, 10_000)):
                list(threads.map(put, some))
        put_seconds = round(perf_counter() - begin, 1)
        sources = list_sources("s3://telemetry/runs/", storage_options=storage_options(url), leave_unlisted=True)
        with local_cluster(WORKERS) as address, connect_cluster(address) as workers:
            found = run(sources, workers)
    right = (found["loaded"], found["records"], found["repeated"]) == (objects, 2 * objects, max(objects - CONTENTS, 0))
    return found | {"put_seconds": put_seconds, "right": right}


def _content(number: int) -> bytes:
    """A session of two records."""
    record = {
        "context": "warmup",
        "seed": number + 1,
        "thread_id": "7",
        "acquired_at": "2026-10-01T06:00:00Z",
        "released_at": "2026-10-01T06:00:01Z",
        "duration_ms": 1000.0,
        "stability_score": 1.0,
    }
    session = {
        "backend": "CPU",
        "device_name": "node-a",
        "stability_score": 1.0,
        "records": [record, {**record, "context": "main", "seed": number + CONTENTS + 1}],
    }
    return json.dumps(session).encode()


def main() -> int:
    """Run one of them; returns 1 if the answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("what", choices=("simulate", "plan", "real"))
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()
    found = {"simulate": simulate, "plan": plan, "real": real}[arguments.what](arguments.count)
    print(json.dumps(found, indent=2))
    return 0 if found["right"] else 1


if __name__ == "__main__":
    sys.exit(main())
