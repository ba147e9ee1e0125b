"""Divide files and members of containers into tasks of about one batch, and collect their results in order.

The division depends on the files alone and not on the number of workers, so the results do not either. Members of a
zip and compressed files are unpacked by the worker that runs the task; members of a tar come from a stream, which is
read here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from clamp_analytics.batch import Batch
from clamp_analytics.reading.executors import TaskLike, run_all
from clamp_analytics.reading.fetching import RemoteFiles
from clamp_analytics.reading.large_file import LargeFileTask
from clamp_analytics.reading.options import DEFAULT_OPTIONS, ReadingOptions
from clamp_analytics.reading.repeated_sessions import REPEATED, SeenContents
from clamp_analytics.reading.task import Content, ReadRequest, Task, TaskResult, content_bytes
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
    open_container,
    read_bytes,
    read_packed,
    size_of,
    split_member,
)

Result = TypeVar("Result")


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


@dataclass(frozen=True, slots=True)
class _FinishedTask(Generic[Result]):
    """A task that has run already; it keeps its position among the others."""

    paths: tuple[str, ...]
    results: list[TaskResult[Result]]

    def __call__(self) -> list[TaskResult[Result]]:
        """The results."""
        return self.results


class _File(NamedTuple):
    """A session file to read.

    Attributes:
        path: its path.
        content: what to read instead of the path; None for a plain file.
        size: about how many bytes it has.
    """

    path: str
    content: Content | None
    size: int


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads files into reduced batches.

    Attributes:
        jobs: how many tasks run at once.
        executor: where they run; None starts worker processes where that saves time.
        containers: how containers are read.
        options: sizes of tasks and batches.
        seen: the contents that were read already, where each content is to be read once; else None.
        remote: the files that are in object storage.
    """

    jobs: int
    executor: Executor | None = None
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
            WorkerError: a worker process died.
        """
        tasks = self._tasks(paths, request, reduce)
        for task, results in run_all(tasks, self.jobs, self.executor, self.options.workers_from_bytes):
            for result in results:
                yield task.paths[: result.ledger.height], result

    def _tasks(
        self, paths: Iterable[str], request: ReadRequest, reduce: Callable[[Batch], Result]
    ) -> Iterator[tuple[TaskLike[list[TaskResult[Result]]], int]]:
        """The tasks for files, each with the number of bytes that it reads."""
        for group, contents, size in self._groups(self._files(paths)):
            task = Task(group, request, reduce, contents)
            if size < self.options.large_bytes:
                yield task, size
            elif len(group) == 1 and not contents:
                yield LargeFileTask(group[0], request, reduce, self.options.window_bytes), size
            elif any(isinstance(content, bytes) for content in contents.values()):
                # Large members waiting for a worker would all be in memory at once, so each is decoded immediately.
                yield _FinishedTask(group, task()), size
            else:
                yield task, size

    def _files(self, paths: Iterable[str]) -> Iterator[_File]:
        """The files to read: each container is replaced by its members."""
        found = self._all_files(paths)
        return found if self.seen is None else self._new_files(found, self.seen)

    def _all_files(self, paths: Iterable[str]) -> Iterator[_File]:
        limits, salvage = self.containers.limits, self.containers.salvage
        for path, content in self.remote.with_contents(paths):
            if isinstance(content, Rejected):
                yield _File(path, content, 0)
            elif content is not None:
                yield from self._remote_file(path, content)
            elif path.endswith(CONTAINER_ENDINGS) or (INSIDE in path and split_member(path)):
                self.containers.opened += 1
                yield from _members(path, self.containers, open_container(path, limits, salvage=salvage))
            elif path == STDIN:
                data = read_bytes(STDIN)
                yield _File(path, data, len(data))
            else:
                yield _File(path, None, size_of(path))

    def _remote_file(self, path: str, data: bytes) -> Iterator[_File]:
        """An object, or its members where it is a container."""
        url = self.remote.objects[path].url
        if not url.endswith(CONTAINER_ENDINGS):
            yield _File(path, data, len(data))
            return
        self.containers.opened += 1
        only = path.removeprefix(url).removeprefix(INSIDE)
        found = read_packed(url, only, data, self.containers.limits, salvage=self.containers.salvage)
        yield from _members(path, self.containers, found)

    def _new_files(self, files: Iterable[_File], seen: SeenContents) -> Iterator[_File]:
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
                    file, is_new = _File(file.path, data, len(data)), seen.add(data)
            except UnreadableError:
                # The task reads it again and reports the reason.
                is_new = True
            if is_new:
                yield file
            else:
                self.containers.skipped[REPEATED] += 1

    def _groups(self, files: Iterable[_File]) -> Iterator[tuple[tuple[str, ...], dict[int, Content], int]]:
        """Adjacent files of about one batch, with their size in bytes; a large file is a group of its own."""
        group: list[str] = []
        contents: dict[int, Content] = {}
        total = 0
        for file in files:
            if group and (total + file.size > self.options.batch_bytes or len(group) >= self.options.batch_files):
                yield tuple(group), contents, total
                group, contents, total = [], {}, 0
            if file.content is not None:
                contents[len(group)] = file.content
            group.append(file.path)
            total += file.size
        if group:
            yield tuple(group), contents, total


def _members(
    path: str, containers: Containers, contents: Iterable[Member | LazyMember | Rejected | Skipped]
) -> Iterator[_File]:
    """The session files in a container."""
    skipped: Counter[str] = Counter()
    for found in contents:
        if isinstance(found, Skipped):
            containers.skipped.update(found.skipped)
            skipped.update(found.skipped)
            continue
        containers.members += 1
        if isinstance(found, LazyMember):
            yield _File(found.source, found, found.size)
        elif isinstance(found, Rejected):
            yield _File(found.source, found, 0)
        else:
            yield _File(found.source, found.data, len(found.data))
    containers.skipped_in[path] = skipped
