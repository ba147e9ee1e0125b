"""A Dask cluster on this machine that ends when its standard input is closed."""

from __future__ import annotations

import sys

import dask
from distributed import LocalCluster

if __name__ == "__main__":
    # The first death of a worker is forgiven, the second one is not.
    dask.config.set({"distributed.scheduler.allowed-failures": 1})
    cluster = LocalCluster(
        host="127.0.0.1",
        n_workers=int(sys.argv[1]),
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        worker_dashboard_address=None,
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    cluster.close()
