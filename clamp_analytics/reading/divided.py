"""Fold over folders of object storage that workers list: this process sees ranges of keys and folds, and no file.

First a few requests divide each folder into ranges of keys. Tasks list these and cut them into ranges of some thousand
objects. For each of them, another task lists the objects once more, reads and reduces them, and merges the results.
The merged results arrive in any order and are merged here.
"""

from __future__ import annotations

import gc
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import polars as pl

from clamp_analytics import __version__
from clamp_analytics.batch import Batch
from clamp_analytics.errors import SourceError, WorkerError
from clamp_analytics.reading.content_hashes import DIGEST_BYTES
from clamp_analytics.reading.distributed import (
    MOST_CHECKED,
    capacity_for,
    check_readable,
    result_of,
)
from clamp_analytics.reading.executors import WAIT_SECONDS
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.shards import ReadShard, ShardFiles, check_version, open_storage
from clamp_analytics.reading.task import ReadRequest
from clamp_analytics.reading.workers import Workers
from clamp_analytics.sources import ContainerLimits
from clamp_analytics.sources.object_ranges import KeyRange, ObjectFolder, Pages, divide, find_pages, list_range
from clamp_analytics.sources.object_storage import Object, ObjectStorage

Result = TypeVar("Result")

COLLECTED_AFTER = 64
"""Results after which garbage is collected: the futures of Dask are in reference cycles, and keep their results."""


@dataclass(frozen=True, slots=True)
class ListRange:
    """List a range of keys, and cut it into ranges for one task each."""

    folder: ObjectFolder
    keys: KeyRange
    most_objects: int
    most_bytes: int
    most_listed: int
    storage_options: Mapping[str, str]
    version: str = __version__

    @property
    def paths(self) -> tuple[str, ...]:
        """What it lists."""
        return (self.folder.named,)

    def __call__(self) -> Pages:
        """List the range."""
        check_version(self.version)
        return find_pages(
            self.folder.url,
            self.keys,
            open_storage(self.storage_options),
            most_objects=self.most_objects,
            most_bytes=self.most_bytes,
            most_listed=self.most_listed,
        )


@dataclass(frozen=True, slots=True)
class FoldedRange(Generic[Result]):
    """What is left of the objects in a range.

    Attributes:
        result: the merged results of all batches.
        loaded: the number of sessions.
        rejected: the number of files that could not be read as sessions.
        skipped: the number of entries that were skipped, by reason.
        digests: the beginnings of the SHA-256 of the sessions that have records, by their first byte.
        unreadable: the first objects that could not be read.
    """

    result: Result
    loaded: int
    rejected: int
    skipped: Counter[str]
    digests: Mapping[int, bytes]
    unreadable: Mapping[str, Object]


@dataclass(frozen=True, slots=True)
class FoldRange(Generic[Result]):
    """Read and reduce the objects in a range, and merge the results.

    Attributes:
        folder: where the objects are.
        keys: the range.
        request: what to read of each.
        reduce: the function that reduces a batch.
        merge: the function that merges the results of some batches.
        limits: how much one container may hold.
        salvage: whether intact members of a damaged container are read.
        options: sizes of batches.
        storage_options: configuration of the object storage.
    """

    folder: ObjectFolder
    keys: KeyRange
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    merge: Callable[[Iterable[Result]], Result]
    limits: ContainerLimits
    salvage: bool
    options: ReadingOptions
    storage_options: Mapping[str, str]
    version: str = __version__

    @property
    def paths(self) -> tuple[str, ...]:
        """What it reads."""
        return (f"{self.folder.named} up to {self.keys.through}",)

    def shard(self, objects: Mapping[str, Object]) -> ReadShard[Result]:
        """What reads some of the objects."""
        files = ShardFiles(
            tuple(sorted(objects)), "", self.limits, self.salvage, self.options, objects, self.storage_options
        )
        return ReadShard(files, self.request, self.reduce, version=self.version)

    def __call__(self) -> FoldedRange[Result]:
        """List and read the range."""
        check_version(self.version)
        listing = list_range(self.folder, self.keys, open_storage(self.storage_options))
        shard = self.shard(listing.objects)()
        ledgers = [found.ledger for _, found in shard.batches]
        loaded = sum(int(ledger["loaded"].sum()) for ledger in ledgers)
        return FoldedRange(
            self.merge(found.result for _, found in shard.batches),
            loaded,
            sum(ledger.height for ledger in ledgers) - loaded,
            listing.skipped + shard.containers.skipped,
            digests_by_first_byte(ledgers),
            {path: listing.objects[path] for path in shard.unreadable[:MOST_CHECKED]},
        )


def digests_by_first_byte(ledgers: Iterable[pl.DataFrame]) -> dict[int, bytes]:
    """The beginnings of the SHA-256 of the sessions that have records, by their first byte."""
    parts: dict[int, list[bytes]] = {}
    for ledger in ledgers:
        for digest in ledger.filter("loaded", pl.col("record_count") > 0)["digest"]:
            parts.setdefault(digest[0], []).append(digest[:DIGEST_BYTES])
    return {first: b"".join(digests) for first, digests in parts.items()}


@dataclass(frozen=True, slots=True)
class DividedReader(Generic[Result]):
    """Reads folders that workers list.

    Attributes:
        folders: the folders.
        storage: where they are.
        workers: where they are listed and read.
        request: what to read of each object.
        reduce: the function that reduces a batch.
        merge: the function that merges the results of some batches.
        limits: how much one container may hold.
        salvage: whether intact members of a damaged container are read.
        options: sizes of tasks and batches.
    """

    folders: Sequence[ObjectFolder]
    storage: ObjectStorage
    workers: Workers
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    merge: Callable[[Iterable[Result]], Result]
    limits: ContainerLimits
    salvage: bool
    options: ReadingOptions = DEFAULT_OPTIONS

    def read(self) -> Iterator[FoldedRange[Result]]:
        """Read all folders, and yield what is left of each range, in any order.

        Raises:
            SourceError: a folder cannot be listed.
            UnsortedError: a service does not list objects in the order of their keys.
            WorkerError: a worker failed, or cannot read objects that can be read here.
        """
        plan = _Plan(deque((folder, keys) for folder in self.folders for keys in divide(folder.url, self.storage)))
        pending: dict[Future[Any], ListRange | FoldRange[Result]] = {}
        results = 0
        try:
            while pending or plan.to_list or plan.to_read:
                self._submit_more(plan, pending)
                done, _ = wait(pending, timeout=WAIT_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    task = pending.pop(future)
                    try:
                        found = result_of(task, future, self.workers)
                    except SourceError as error:
                        raise _not_listed(error) from error
                    if isinstance(task, ListRange):
                        plan.add(task.folder, found)
                    else:
                        check_readable(task.shard(found.unreadable), list(found.unreadable))
                        yield found
                        results += 1
                        if results % COLLECTED_AFTER == 0:
                            gc.collect()
        except BaseException:
            self.workers.cancel(list(pending))
            raise

    def _submit_more(self, plan: _Plan, pending: dict[Future[Any], ListRange | FoldRange[Result]]) -> None:
        """Keep as many tasks in flight as the workers take; listing goes first."""
        room = capacity_for(self.workers, pending.values()) - len(pending)
        while room > 0 and (plan.to_list or plan.to_read):
            task: ListRange | FoldRange[Result]
            task = self._list(plan) if plan.to_list else self._fold(*plan.to_read.popleft())
            future: Future[Any] = self.workers.submit(task)
            pending[future] = task
            room -= 1

    def _list(self, plan: _Plan) -> ListRange:
        folder, keys = plan.to_list.popleft()
        is_small = plan.ranges < self.options.small_shards
        return ListRange(
            folder,
            keys,
            self.options.shard_files if is_small else self.options.large_shard_files,
            self.options.shard_bytes if is_small else self.options.large_shard_bytes,
            self.options.listed_at_once,
            self.storage.options,
        )

    def _fold(self, folder: ObjectFolder, keys: KeyRange) -> FoldRange[Result]:
        return FoldRange(
            folder,
            keys,
            self.request,
            self.reduce,
            self.merge,
            self.limits,
            self.salvage,
            self.options,
            self.storage.options,
        )


def _not_listed(error: SourceError) -> WorkerError:
    """The error to raise where a worker cannot list a folder, which was listed here a moment ago."""
    return WorkerError(
        f"a worker cannot list what can be listed here: {error.what}",
        where=error.where,
        hint="every worker needs the credentials of object storage",
    )


@dataclass(slots=True)
class _Plan:
    """What is still to be listed and read.

    Attributes:
        to_list: ranges to list.
        to_read: ranges to read.
        ranges: the number of ranges to read so far.
    """

    to_list: deque[tuple[ObjectFolder, KeyRange]]
    to_read: deque[tuple[ObjectFolder, KeyRange]] = field(default_factory=deque)
    ranges: int = 0

    def add(self, folder: ObjectFolder, pages: Pages) -> None:
        """Add what listing has found."""
        self.to_read += ((folder, keys) for keys in pages.ranges)
        self.ranges += len(pages.ranges)
        if pages.rest is not None:
            self.to_list.append((folder, pages.rest))
