"""``Shard``: files that one worker reads, which may be on another machine.

A worker gets names and opens the files itself, containers and objects included. Only names and reduced batches travel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Generic, TypeVar

import polars as pl

from clamp_analytics import __version__
from clamp_analytics.batch import Batch
from clamp_analytics.errors import WorkerError
from clamp_analytics.path_names import EscapedName, source_name
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.labels import LabelRule, with_labels
from clamp_analytics.reading.options import ReadingOptions
from clamp_analytics.reading.repeated_sessions import SeenContents, file_digests
from clamp_analytics.reading.task import ReadRequest, TaskResult
from clamp_analytics.reading.tasks import Containers, FileReader
from clamp_analytics.sources import ContainerLimits, UnreadableError
from clamp_analytics.sources.object_storage import Object, ObjectStorage

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """Consecutive files, and how they are opened.

    Attributes:
        paths: paths as they were listed, or URLs.
        folder: the folder that relative paths start from; empty for absolute paths and URLs.
        limits: how much one container may hold.
        salvage: whether intact members of a damaged container are read.
        options: sizes of tasks and batches.
        objects: each object by its URL.
        storage_options: configuration of the object storage.
    """

    paths: tuple[str, ...]
    folder: str
    limits: ContainerLimits
    salvage: bool
    options: ReadingOptions
    objects: Mapping[str, Object] = field(default_factory=dict)
    storage_options: Mapping[str, str] = field(default_factory=dict)

    def located(self) -> list[str]:
        """The paths from which the files are opened."""
        return [os.path.join(self.folder, path) for path in self.paths] if self.folder else list(self.paths)

    def listed(self, path: str) -> str:
        """The path or member as it is named on the machine that listed it."""
        if not self.folder:
            return path
        if isinstance(path, EscapedName):
            return EscapedName(path.removeprefix(_start_of_sources(self.folder)))
        return path.removeprefix(os.path.join(self.folder, ""))

    def reader(self, containers: Containers, seen: SeenContents | None) -> FileReader:
        """A reader of the files, which runs in this thread."""
        storage = open_storage(self.storage_options)
        remote = RemoteFiles(storage, self.objects, self.options.concurrency)
        return FileReader(1, None, containers, self.options, seen, remote)


def _start_of_sources(folder: str) -> str:
    """The beginning of the sources of all files in a folder."""
    return source_name(os.path.join(folder, ""))


def open_storage(options: Mapping[str, str]) -> ObjectStorage:
    """The access to object storage, which tasks share: opening a bucket takes longer than reading from it."""
    return _opened(tuple(sorted(options.items())))


@lru_cache
def _opened(options: tuple[tuple[str, str], ...]) -> ObjectStorage:
    return ObjectStorage(dict(options))


@dataclass(frozen=True, slots=True)
class ShardResult(Generic[Result]):
    """The result of reading a shard.

    Attributes:
        batches: for each batch the path of each row of its ledger, and its result.
        containers: what was counted while reading containers.
        unreadable: the paths that could not be opened.
    """

    batches: list[tuple[tuple[str, ...], TaskResult[Result]]]
    containers: Containers
    unreadable: list[str]


@dataclass(frozen=True, slots=True)
class ReadShard(Generic[Result]):
    """Read and reduce the files of a shard, batch by batch.

    Attributes:
        files: the files.
        request: what to read of each.
        reduce: the function that reduces a batch.
        seen: the SHA-256 of contents that are skipped, because an earlier shard has them; None where repeated
            contents are read.
        version: the version of this package that the results are for.
    """

    files: ShardFiles
    request: ReadRequest
    reduce: Callable[[Batch], Result]
    seen: frozenset[bytes] | None = None
    version: str = __version__

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it reads."""
        return self.files.paths

    def __call__(self) -> ShardResult[Result]:
        """Read the files.

        Raises:
            WorkerError: this worker has another version of the package.
        """
        check_version(self.version)
        containers = Containers(self.files.limits, self.files.salvage)
        reader = self.files.reader(containers, None if self.seen is None else SeenContents(None, self.seen))
        # The sources are renamed before labels are taken from them.
        request = replace(self.request, labels=())
        reduce = _ReduceListed(self.reduce, self.request.labels, self.files.folder)
        batches = []
        unreadable: set[str] = set()
        for paths, found in reader.read(self.files.located(), request, reduce):
            result, faulty = found.result
            unreadable.update(faulty)
            batches.append((tuple(map(self.files.listed, paths)), TaskResult(result, found.ledger)))
        containers.skipped_in = {self.files.listed(path): counts for path, counts in containers.skipped_in.items()}
        return ShardResult(
            batches,
            containers,
            [path for path in self.files.paths if unreadable and source_name(path) in unreadable],
        )


@dataclass(frozen=True, slots=True)
class _ReduceListed(Generic[Result]):
    """Reduces batches whose sources are named as on the machine that listed them.

    It also gives the sources of the files that could not be read.
    """

    reduce: Callable[[Batch], Result]
    labels: Sequence[LabelRule]
    folder: str

    def __call__(self, batch: Batch) -> tuple[Result, list[str]]:
        if self.folder:
            batch = _without_folder(batch, _start_of_sources(self.folder))
        batch = with_labels(batch, self.labels)
        unreadable = batch.violations.filter(rule=UnreadableError.rule)["source"].to_list()
        return self.reduce(batch), unreadable


def _without_folder(batch: Batch, folder: str) -> Batch:
    def stripped(frame: pl.DataFrame) -> pl.DataFrame:
        is_named = "source" in frame.columns
        return frame.with_columns(pl.col("source").str.strip_prefix(folder)) if is_named else frame

    return replace(
        batch,
        sessions=stripped(batch.sessions),
        records=stripped(batch.records),
        violations=stripped(batch.violations),
    )


@dataclass(frozen=True, slots=True)
class HashContents:
    """Hash every session of a shard, those in containers included."""

    files: ShardFiles
    version: str = __version__

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it reads."""
        return self.files.paths

    def __call__(self) -> list[bytes]:
        """The SHA-256 of each readable session, in order."""
        check_version(self.version)
        seen = _AllContents()
        reader = self.files.reader(Containers(self.files.limits, self.files.salvage), seen)
        for _ in reader.files(self.files.located()):
            # A file that cannot be hashed has no content that is repeated.
            pass
        return seen.digests


class _AllContents(SeenContents):
    """Collects the hashes of all contents; none of them is read further."""

    def __init__(self) -> None:
        super().__init__(None)
        self.digests: list[bytes] = []

    def add_digest(self, digest: bytes) -> bool:
        self.digests.append(digest)
        return False


@dataclass(frozen=True, slots=True)
class HashFiles:
    """Hash plain files.

    Attributes:
        paths: the files as they were listed.
        folder: the folder that relative paths start from.
    """

    paths: tuple[str, ...]
    folder: str

    def __call__(self) -> list[bytes | None]:
        """The SHA-256 of each file; None where it cannot be read."""
        return list(file_digests(os.path.join(self.folder, path) for path in self.paths))


def check_version(version: str) -> None:
    """Check that this worker has the version of the package that the results are for.

    Raises:
        WorkerError: it has another one.
    """
    if version != __version__:
        raise WorkerError.other_version(__version__, version)
