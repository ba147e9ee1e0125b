"""``Workers``: where files are read, and the choice between this machine, an executor and a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.reading.executors import IN_FLIGHT_PER_WORKER, OwnedExecutor, TaskLike, run
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.tasks import Containers, FileReader

if TYPE_CHECKING:
    from distributed import Client

    from clamp_analytics.reading.distributed import DistributedReader
    from clamp_analytics.reading.repeated_sessions import SeenContents

Result = TypeVar("Result")

Cluster: TypeAlias = "str | Client"
"""The address of a scheduler, such as ``tcp://scheduler:8786``, or a client that is connected to one."""


class Workers(ABC):
    """Where shards are read."""

    @abstractmethod
    def submit(self, task: TaskLike[Result]) -> Future[Result | RaisedError]:
        """Run a task with ``run_shard``."""

    @abstractmethod
    def capacity(self) -> int:
        """How many tasks may be in flight.

        Raises:
            WorkerError: all workers have ended.
        """

    @abstractmethod
    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Cancel tasks."""

    @abstractmethod
    def failure(self, error: Exception) -> WorkerError:
        """The error to raise where a task ended with ``error`` before it could return what it raised itself."""


@dataclass(frozen=True, slots=True)
class RaisedError:
    """An exception that a task raised, as opposed to one that ended its worker."""

    error: Exception


def run_shard(task: TaskLike[Result]) -> Result | RaisedError:
    """Run a task on a worker."""
    try:
        return run(task)
    except MemoryError:
        # It says more about the worker than about the files: the task may be tried again elsewhere.
        raise
    except Exception as error:
        return RaisedError(error)


@dataclass(frozen=True, slots=True)
class ExecutorWorkers(Workers):
    """Workers of an executor that the caller has given.

    Attributes:
        executor: the executor.
        jobs: how many workers it has.
    """

    executor: Executor
    jobs: int

    def submit(self, task: TaskLike[Result]) -> Future[Result | RaisedError]:
        """Run a task with ``run_shard``."""
        return self.executor.submit(run_shard, task)

    def capacity(self) -> int:
        """How many tasks may be in flight."""
        return self.jobs * IN_FLIGHT_PER_WORKER

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Cancel tasks."""
        for future in futures:
            future.cancel()

    def failure(self, error: Exception) -> WorkerError:
        """The error to raise where a task ended with ``error`` before it could return what it raised itself."""
        if isinstance(error, BrokenExecutor):
            return WorkerError.killed()
        return WorkerError(f"a worker failed: {type(error).__name__}: {error}")


@contextmanager
def chosen_workers(executor: Executor | Workers | None, cluster: Cluster | None) -> Iterator[Executor | Workers | None]:
    """What the caller has chosen to read with, within a ``with`` block; None for the workers of this machine.

    Raises:
        UsageError: both are given.
        WorkerError: the cluster cannot be used.
    """
    if cluster is None:
        yield executor
        return
    if executor is not None:
        raise UsageError("executor and cluster exclude each other", hint="give one of them")
    from clamp_analytics.reading.cluster import connect_cluster

    with connect_cluster(cluster) as workers:
        yield workers


def file_reader(
    executor: Executor | Workers | None,
    jobs: int,
    containers: Containers,
    options: ReadingOptions = DEFAULT_OPTIONS,
    seen: SeenContents | None = None,
    remote: RemoteFiles | None = None,
) -> FileReader | DistributedReader:
    """A reader of files on this machine, or on the workers that the caller has given.

    Args:
        executor: where files are read; None for this machine.
        jobs: how many tasks run at once on this machine, or on an executor.
        containers: how containers are read.
        options: sizes of tasks and batches.
        seen: the contents that were read already, where each content is to be read once; else None.
        remote: the files that are in object storage.
    """
    remote = remote or RemoteFiles()
    if executor is None or isinstance(executor, OwnedExecutor):
        # Bytes that are fetched here would have to be sent to other processes, and a process must not fork once the
        # threads of obstore run.
        return FileReader(1 if remote.objects else jobs, executor, containers, options, seen, remote)
    # Most commands read on this machine, and importing takes longer than reading a small folder.
    from clamp_analytics.reading.distributed import DistributedReader

    return DistributedReader(workers_of(executor, jobs), containers, options, seen, remote)


def is_distributed(executor: Executor | Workers | None) -> bool:
    """Whether files are read by workers that may be on other machines."""
    return executor is not None and not isinstance(executor, OwnedExecutor)


def workers_of(executor: Executor | Workers, jobs: int) -> Workers:
    """The workers that the caller has given."""
    return executor if isinstance(executor, Workers) else ExecutorWorkers(executor, jobs)
