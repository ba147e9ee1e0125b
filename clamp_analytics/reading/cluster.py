"""Read files on the workers of a Dask cluster.

A scheduler runs whatever its clients send, and a client unpickles what its workers return, so both must trust each
other. TLS is configured in Dask itself.
"""

from __future__ import annotations

import pydoc
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from clamp_analytics import __version__
from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.extras import require_extras
from clamp_analytics.reading.executors import TaskLike
from clamp_analytics.reading.workers import Cluster, RaisedError, Workers, run_shard

Result = TypeVar("Result")

CLOSE_SECONDS = 1
"""The longest that closing a client may take."""

_HINT = "start it with `dask scheduler`, and at least one `dask worker`"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """How long a cluster is waited for.

    Attributes:
        connect_seconds: how long to wait for the scheduler.
        no_workers_seconds: how long to wait for a worker where there is none.
        count_seconds: how often the workers are counted.
        retries: how often a task is tried again after its worker failed.
    """

    connect_seconds: float = 20.0
    no_workers_seconds: float = 20.0
    count_seconds: float = 1.0
    retries: int = 3


DEFAULT_CLUSTER_OPTIONS = ClusterOptions()


class DaskWorkers(Workers):
    """The workers of a Dask cluster.

    Args:
        client: a client that is connected to the scheduler.
        options: how long it is waited for.
    """

    def __init__(self, client: Any, options: ClusterOptions = DEFAULT_CLUSTER_OPTIONS) -> None:
        self._client = client
        self._options = options
        self._executor: Executor | None = None
        self._threads = 0
        self._counted_at: float | None = None
        self._working_at = monotonic()

    def submit(self, task: TaskLike[Result]) -> Future[Result | RaisedError]:
        """Run a task; one that was lost with its worker is run again."""
        if self._executor is None:
            # A pure task would return the rows that its files had when it was run before.
            self._executor = self._client.get_executor(pure=False, retries=self._options.retries)
        return self._executor.submit(run_shard, task)

    def capacity(self) -> int:
        """Slightly more tasks than the cluster has threads, which keeps them busy.

        Raises:
            WorkerError: there are no workers, or the scheduler does not answer.
        """
        now = monotonic()
        if self._counted_at is None or now - self._counted_at >= self._options.count_seconds:
            self._threads = self._count_threads()
            self._counted_at = now
        if self._threads:
            self._working_at = now
        elif now - self._working_at >= self._options.no_workers_seconds:
            raise WorkerError("the cluster has no workers", hint="start workers with `dask worker`, and try again")
        return self._threads + max(2, self._threads // 8)

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Cancel all tasks, with one message to the scheduler."""
        executor, self._executor = self._executor, None
        if executor is not None and futures:
            executor.shutdown(wait=False)

    def failure(self, error: Exception) -> WorkerError:
        """The error to raise where a task ended with ``error`` before it could return what it raised itself."""
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return WorkerError(
                "workers ended before their work was done (killed, or out of memory)",
                hint="the logs of the workers say more; fewer threads per worker need less memory",
            )
        if isinstance(error, CancelledError):
            return _lost()
        return WorkerError(f"a worker failed: {type(error).__name__}: {error}")

    def check_versions(self) -> None:
        """Check that every worker has this version of the package.

        Raises:
            WorkerError: one of them does not.
        """
        # A function of the standard library: one of this package could not be found where the package is missing.
        found = self._client.run(pydoc.locate, "clamp_analytics.__version__", on_error="return")
        for worker, version in found.items():
            if isinstance(version, str):
                if version != __version__:
                    raise WorkerError.other_version(version, __version__, where=worker)
                continue
            reason = "is not installed" if version is None else f"cannot be imported: {version}"
            raise WorkerError(
                f"on a worker, clamp-analytics {reason}",
                where=worker,
                hint=f"install clamp-analytics {__version__} on all workers",
            )

    def _count_threads(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except OSError as error:
            raise _lost() from error


def _lost() -> WorkerError:
    return WorkerError("the connection to the scheduler was lost", hint="the logs of the scheduler say more")


@contextmanager
def connect_cluster(cluster: Cluster, options: ClusterOptions = DEFAULT_CLUSTER_OPTIONS) -> Iterator[DaskWorkers]:
    """The workers of a cluster, within a ``with`` block. A client that the caller gives is left open.

    Args:
        cluster: the address of the scheduler, or a client.
        options: how long it is waited for.

    Raises:
        WorkerError: the scheduler does not answer, or a worker lacks this version of the package.
        UsageError: the address is not valid, or a package is missing.
    """
    require_extras("cluster")
    from distributed import Client

    if isinstance(cluster, Client):
        workers = DaskWorkers(cluster, options)
        workers.check_versions()
        yield workers
        return
    client = _client(cluster, options)
    try:
        workers = DaskWorkers(client, options)
        workers.check_versions()
        yield workers
    finally:
        client.close(timeout=CLOSE_SECONDS)


def _client(address: str, options: ClusterOptions) -> Any:
    from distributed import Client as DaskClient

    # It has no types.
    base: Any = DaskClient

    class OwnClient(base):  # type: ignore[misc]
        """A client that is closed where it cannot connect.

        Otherwise the garbage collector closes it, and the thread in which that happens waits until it gives up.
        """

        def __init__(self) -> None:
            try:
                super().__init__(address, timeout=options.connect_seconds, set_as_default=False)
            except BaseException:
                self.close(timeout=CLOSE_SECONDS)
                raise

    try:
        return OwnClient()
    except OSError as error:
        raise WorkerError("the scheduler cannot be reached", where=address, hint=_HINT) from error
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"the address of the scheduler cannot be used: {reason}", where=address) from error
