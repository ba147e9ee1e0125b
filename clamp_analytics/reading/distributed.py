"""Read files on workers that may be on other machines: any ``concurrent.futures.Executor``, or a cluster.

Files are divided into shards, each of which a worker reads on its own. The batches within a shard are those that this
machine would read, and they are returned in order, so the results are the same to the last byte.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeVar

from clamp_analytics.batch import Batch
from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.reading.division import PathGroups, PathKind
from clamp_analytics.reading.executors import (
    WAIT_SECONDS,
    TaskLike,
    file_names,
    finished,
)
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.repeated_sessions import SeenContents
from clamp_analytics.reading.shards import HashContents, HashFiles, ReadShard, ShardFiles
from clamp_analytics.reading.task import ReadRequest, TaskResult
from clamp_analytics.reading.tasks import Containers
from clamp_analytics.reading.workers import RaisedError, Workers, run_shard
from clamp_analytics.sources import STDIN

Result = TypeVar("Result")

PENDING_PER_FLIGHT = 2
"""Shards that are in flight or finished and not yet collected, per shard that may be in flight."""

HASHED_AT_ONCE = 1_000
"""Files that one task hashes."""

MOST_CHECKED = 100
"""Files of a shard that are read here where a worker could not read them."""


@dataclass(frozen=True, slots=True)
class DistributedReader:
    """Reads files into reduced batches, as ``FileReader`` does, on other workers.

    Attributes:
        workers: where they are read.
        containers: how containers are read, and what was counted while reading them.
        options: sizes of tasks and batches.
        seen: the contents that were read already, where each content is to be read once; else None.
        remote: the files that are in object storage.
    """

    workers: Workers
    containers: Containers = field(default_factory=Containers)
    options: ReadingOptions = DEFAULT_OPTIONS
    seen: SeenContents | None = None
    remote: RemoteFiles = field(default_factory=RemoteFiles)

    def read(
        self, paths: Iterable[str], request: ReadRequest, reduce: Callable[[Batch], Result]
    ) -> Iterator[tuple[tuple[str, ...], TaskResult[Result]]]:
        """Read files and yield their reduced batches, in the order of the files.

        Yields:
            The path of each row of the ledger, and the result.

        Raises:
            WorkerError: a worker failed, or cannot read files that can be read here.
            UsageError: standard input is to be compared with files.
        """
        tasks: Iterable[ReadShard[Result]] = (ReadShard(files, request, reduce) for files in self._shards(paths))
        if self.seen is not None:
            tasks = list(self._without_repeated(list(tasks), self.seen))
        for task, found in self._run(tasks):
            assert isinstance(task, ReadShard)
            check_readable(task, found.unreadable)
            self.containers.add(found.containers)
            yield from found.batches

    def hash_files(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        """The SHA-256 of each file; None where it cannot be read."""
        folder = os.getcwd()
        slices = (tuple(paths[start : start + HASHED_AT_ONCE]) for start in range(0, len(paths), HASHED_AT_ONCE))
        for _, digests in self._run(HashFiles(some, folder) for some in slices):
            yield from digests

    def _shards(self, paths: Iterable[str]) -> Iterator[ShardFiles]:
        """Divide paths between groups, so that the batches within a shard are those of ``FileReader``."""
        groups = PathGroups(self.options)
        shard: list[str] = []
        total = number = 0
        kind: PathKind | None = None
        for path in paths:
            size = self.remote.expected_size(path)
            is_next = groups.add(path, size) != number
            is_full = total >= self.options.shard_bytes or len(shard) >= self.options.shard_files
            if shard and is_next and (is_full or groups.kind is not kind):
                yield self._shard(shard, kind)
                shard, total = [], 0
            number, kind = groups.number, groups.kind
            shard.append(path)
            total += size
        if shard:
            yield self._shard(shard, kind)

    def _shard(self, paths: Sequence[str], kind: PathKind | None) -> ShardFiles:
        objects = self.remote.objects
        return ShardFiles(
            tuple(paths),
            os.getcwd() if kind is PathKind.RELATIVE else "",
            self.containers.limits,
            self.containers.salvage,
            self.options,
            {path: objects[path] for path in paths if path in objects},
            self.remote.storage.options,
        )

    def _without_repeated(self, tasks: Sequence[ReadShard[Result]], seen: SeenContents) -> Iterator[ReadShard[Result]]:
        """The tasks, each with the contents that an earlier one reads."""
        if any(_is_stdin(task) for task in tasks):
            raise UsageError(
                "standard input can be read only once, and reading each session once needs its hash first",
                where=STDIN,
                hint="write the session to a file",
            )
        hashed = self._run(HashContents(task.files) for task in tasks)
        for task, (_, digests) in zip(tasks, hashed, strict=True):
            repeated = [digest for digest in dict.fromkeys(digests) if not seen.add_digest(digest)]
            yield replace(task, seen=frozenset(repeated))

    def _run(self, tasks: Iterable[TaskLike[Result]]) -> Iterator[tuple[TaskLike[Result], Result]]:
        """Run tasks, and yield each with its result, in order."""
        tasks = iter(tasks)
        pending: deque[tuple[TaskLike[Result], Future[Result | RaisedError]]] = deque()
        try:
            while True:
                self._submit_more(tasks, pending)
                if not pending:
                    return
                task, future = pending[0]
                if not future.done():
                    unfinished = [future for _, future in pending if not future.done()]
                    wait(unfinished, timeout=WAIT_SECONDS, return_when=FIRST_COMPLETED)
                    continue
                result = result_of(task, future, self.workers)
                pending.popleft()
                yield task, result
        except BaseException:
            self.workers.cancel([future for _, future in pending])
            raise

    def _submit_more(
        self,
        tasks: Iterator[TaskLike[Result]],
        pending: deque[tuple[TaskLike[Result], Future[Result | RaisedError]]],
    ) -> None:
        """Keep as many tasks in flight as the workers take."""
        capacity = capacity_for(self.workers, (task for task, _ in pending))
        in_flight = sum(not future.done() for _, future in pending)
        room = min(capacity - in_flight, capacity * PENDING_PER_FLIGHT - len(pending))
        for task in islice(tasks, max(room, 0)):
            # Standard input is that of this process.
            pending.append((task, finished(run_shard(task)) if _is_stdin(task) else self.workers.submit(task)))


def result_of(task: TaskLike[Result], future: Future[Result | RaisedError], workers: Workers) -> Result:
    """The result of a task that has ended.

    Raises:
        WorkerError: its worker failed.
    """
    try:
        result = future.result()
    except Exception as error:
        failure = workers.failure(error)
        raise WorkerError(failure.what, where=file_names(task.paths), hint=failure.hint) from error
    if isinstance(result, RaisedError):
        raise result.error
    return result


def capacity_for(workers: Workers, pending: Iterable[TaskLike[Any]]) -> int:
    """How many tasks may be in flight.

    Raises:
        WorkerError: no workers are left for the pending tasks.
    """
    try:
        return workers.capacity()
    except WorkerError as error:
        lost = [path for task in pending for path in task.paths]
        raise WorkerError(error.what, where=file_names(lost), hint=error.hint) from error


def _is_stdin(task: TaskLike[Any]) -> bool:
    return task.paths == (STDIN,)


def check_readable(task: ReadShard[Any], unreadable: Sequence[str]) -> None:
    """Check that what a worker cannot read cannot be read here either.

    Raises:
        WorkerError: it can be read here.
    """
    readable = [path for path in unreadable[:MOST_CHECKED] if _is_readable_here(task, path)]
    if readable:
        raise WorkerError(
            "a worker cannot read what can be read here",
            where=file_names(readable),
            hint="every worker needs the same files under the same paths, and the credentials of object storage",
        )


def _is_readable_here(task: ReadShard[Any], path: str) -> bool:
    alone = replace(task, files=replace(task.files, paths=(path,)), reduce=_drop, seen=None)
    return not alone().unreadable


def _drop(batch: Batch) -> None:
    """Reduce a batch to nothing."""
    del batch
