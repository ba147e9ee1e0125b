"""A Dask cluster on this machine, in processes of its own; it ends when its standard input is closed.

``python -m benchmarks.scale.local_cluster WORKERS`` prints the address of its scheduler.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import ROOT, FailedError


@contextmanager
def local_cluster(workers: int) -> Iterator[str]:
    """The address of a cluster whose workers have one thread each."""
    command = [sys.executable, "-m", "benchmarks.scale.local_cluster", str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise FailedError("the cluster did not start")
        yield address
        process.stdin.close()


def main(workers: int) -> None:
    """Run a cluster."""
    from distributed import LocalCluster as DaskCluster

    # It has no types.
    start: Any = DaskCluster

    with start(
        host="127.0.0.1", n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
