"""Divide files and members of containers into tasks of about one batch, and collect their results in order.

Members of a zip and compressed files are unpacked by the worker that runs the task; members of a tar come from a
stream, which is read here.

Files are divided twice: first by their names and sizes, before any is opened, so that a part of them can be given to
another machine; then by the sizes of the members that are in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clamp_analytics.batch import Batch
from clamp_analytics.decode.kernel import load_kernel
from clamp_analytics.reading.division import PathGroups, SessionFile, divide
from clamp_analytics.reading.executors import OwnedExecutor, TaskLike, run_all
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.large_file import LargeFileTask
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.repeated_sessions import REPEATED, SeenContents, file_digests
from clamp_analytics.reading.task import ReadRequest, Task, TaskResult, content_bytes
from clamp_analytics.sources import (
    CONTAINER_ENDINGS,
    DEFAULT_LIMITS,
    INSIDE,
    STDIN,
    ContainerLimits,
    LazyMember,
    Member,
    Rejected,
    Skipped,
    UnreadableError,
    read_bytes,
    size_of,
    split_member,
)

Result = TypeVar("Result")

SAMPLED_FILES, SAMPLED_BYTES = 5, 1_000_000
"""Files that show whether the native decoder accepts anything, and how large one of them may be."""


@dataclass(slots=True)
class Containers:
    """How containers are read, and what was counted while reading them.

    Attributes:
        limits: how much one container may hold.
        salvage: whether intact members of a damaged container are read.
        skipped: skipped entries, by reason.
        skipped_in: skipped entries of each container that was read to its end, by reason.
        members: sessions found in containers so far.
        opened: containers opened so far.
    """

    limits: ContainerLimits = DEFAULT_LIMITS
    salvage: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    skipped_in: dict[str, Counter[str]] = field(default_factory=dict)
    members: int = 0
    opened: int = 0

    def add(self, other: Containers) -> None:
        """Add what was counted elsewhere."""
        self.skipped.update(other.skipped)
        self.skipped_in.update(other.skipped_in)
        self.members += other.members
        self.opened += other.opened


@dataclass(frozen=True, slots=True)
class _FinishedTask(Generic[Result]):
    """A task that has run already; it keeps its position among the others."""

    paths: tuple[str, ...]
    results: list[TaskResult[Result]]

    def __call__(self) -> list[TaskResult[Result]]:
        """The results."""
        return self.results


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads files into reduced batches.

    Attributes:
        jobs: how many tasks run at once.
        executor: workers that are running already; None starts some where that saves time.
        containers: how containers are read.
        options: sizes of tasks and batches.
        seen: the contents that were read already, where each content is to be read once; else None.
        remote: the files that are in object storage.
    """

    jobs: int
    executor: OwnedExecutor | None = None
    containers: Containers = field(default_factory=Containers)
    options: ReadingOptions = DEFAULT_OPTIONS
    seen: SeenContents | None = None
    remote: RemoteFiles = field(default_factory=RemoteFiles)

    def read(
        self, paths: Sequence[str], request: ReadRequest, reduce: Callable[[Batch], Result]
    ) -> Iterator[tuple[tuple[str, ...], TaskResult[Result]]]:
        """Read files and yield their reduced batches, in the order of the files.

        Yields:
            The path of each row of the ledger, and the result.

        Raises:
            WorkerError: a worker process died.
        """
        tasks = self._tasks(paths, request, reduce)
        for task, results in run_all(
            tasks,
            self.jobs,
            self.executor,
            self.options.workers_from_bytes,
            in_python=lambda: self._needs_python(paths),
        ):
            for result in results:
                yield task.paths[: result.ledger.height], result

    def hash_files(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        """The SHA-256 of each file; None where it cannot be read."""
        return file_digests(paths)

    def _needs_python(self, paths: Sequence[str]) -> bool:
        """Whether the native decoder is missing, or accepts none of some files that are taken as a sample.

        A folder often has the same fault in every file, as a timestamp without a zone.
        """
        kernel = load_kernel()
        if kernel is None:
            return True
        for sample in (paths[:SAMPLED_FILES], paths[:: max(len(paths) // SAMPLED_FILES, 1)]):
            files = [path for path in sample if path.endswith(".json") and path not in self.remote.objects]
            small = [path for path in files if 0 < size_of(path) <= SAMPLED_BYTES]
            doubtful, *_ = kernel.decode_files(small, (), False, 0)
            if not small or len(doubtful) < len(small):
                return False
        return True

    def _tasks(
        self, paths: Iterable[str], request: ReadRequest, reduce: Callable[[Batch], Result]
    ) -> Iterator[tuple[TaskLike[list[TaskResult[Result]]], int]]:
        """The tasks for files, each with the number of bytes that it reads."""
        for group in divide(self.files(paths), self.options):
            task = Task(group.paths, request, reduce, group.contents)
            has_bytes = any(isinstance(content, bytes) for content in group.contents.values())
            if group.is_large_file(self.options):
                yield LargeFileTask(group.paths[0], request, reduce, self.options.window_bytes), group.size
            elif group.size >= self.options.large_bytes and has_bytes:
                # Large members waiting for a worker would all be in memory at once, so each is decoded immediately.
                yield _FinishedTask(group.paths, task()), group.size
            else:
                yield task, group.size

    def files(self, paths: Iterable[str]) -> Iterator[SessionFile]:
        """The session files of paths: each container is replaced by its members."""
        found = self._all_files(paths)
        return found if self.seen is None else self._new_files(found, self.seen)

    def _all_files(self, paths: Iterable[str]) -> Iterator[SessionFile]:
        limits, salvage = self.containers.limits, self.containers.salvage
        groups = PathGroups(self.options)
        for path, content in self.remote.with_contents(paths):
            size = self.remote.expected_size(path)
            group = groups.add(path, size)
            if isinstance(content, Rejected):
                yield SessionFile(path, content, 0, group)
            elif content is not None:
                yield from self._remote_file(path, content, group)
            elif path.endswith(CONTAINER_ENDINGS) or (INSIDE in path and split_member(path)):
                from clamp_analytics.sources.containers.contents import open_container

                self.containers.opened += 1
                yield from _members(path, self.containers, open_container(path, limits, salvage=salvage), group)
            elif path == STDIN:
                data = read_bytes(STDIN)
                yield SessionFile(path, data, len(data), group)
            else:
                yield SessionFile(path, None, size, group)

    def _remote_file(self, path: str, data: bytes, group: int) -> Iterator[SessionFile]:
        """An object, or its members where it is a container."""
        url = self.remote.objects[path].url
        if not url.endswith(CONTAINER_ENDINGS):
            yield SessionFile(path, data, len(data), group)
            return
        from clamp_analytics.sources.containers.contents import read_packed

        self.containers.opened += 1
        only = path.removeprefix(url).removeprefix(INSIDE)
        found = read_packed(url, only, data, self.containers.limits, salvage=self.containers.salvage)
        yield from _members(path, self.containers, found, group)

    def _new_files(self, files: Iterable[SessionFile], seen: SeenContents) -> Iterator[SessionFile]:
        """The files whose content was not seen before; the others are counted as skipped."""
        for file in files:
            content = file.content
            try:
                if content is None:
                    is_new = seen.add_file(file.path, file.size)
                elif isinstance(content, Rejected):
                    is_new = True
                else:
                    # A member is unpacked only once, so its bytes go with the task.
                    data = content_bytes(content)
                    file, is_new = file._replace(content=data, size=len(data)), seen.add(data)
            except UnreadableError:
                # The task reads it again and reports the reason.
                is_new = True
            if is_new:
                yield file
            else:
                self.containers.skipped[REPEATED] += 1


def _members(
    path: str, containers: Containers, contents: Iterable[Member | LazyMember | Rejected | Skipped], group: int
) -> Iterator[SessionFile]:
    """The session files in a container."""
    skipped: Counter[str] = Counter()
    for found in contents:
        if isinstance(found, Skipped):
            containers.skipped.update(found.skipped)
            skipped.update(found.skipped)
            continue
        containers.members += 1
        if isinstance(found, LazyMember):
            yield SessionFile(found.source, found, found.size, group)
        elif isinstance(found, Rejected):
            yield SessionFile(found.source, found, 0, group)
        else:
            yield SessionFile(found.source, found.data, len(found.data), group)
    containers.skipped_in[path] = skipped
