"""Cuts files, and what containers hold, into tasks of about one batch each, and puts their results together again.

The cut depends on the files alone, never on the number of workers, so results do not either. A zip's members and
compressed files are read by whoever does the task; the members of a tar come out of their stream here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from clamp_analytics.batch import Batch
from clamp_analytics.reading.executors import Job, run_all
from clamp_analytics.reading.large_file import LARGE_BYTES, Part, PartTask, frame_of, join
from clamp_analytics.reading.task import Content, ReadRequest, Task, TaskResult
from clamp_analytics.sources import (
    CONTAINER_ENDINGS,
    DEFAULT_LIMITS,
    INSIDE,
    STDIN,
    ContainerLimits,
    LazyMember,
    Rejected,
    Skipped,
    open_container,
    read_bytes,
    size_of,
    split_member,
)

Result = TypeVar("Result")

BATCH_BYTES = 10_000_000
"""About 40,000 records: enough that starting a pass over them costs little, and few enough to share out evenly."""

BATCH_FILES = 4_000
"""Bounds the files of a batch where they hold next to nothing."""


@dataclass(slots=True)
class Containers:
    """How containers are read, and what they turned out to hold besides sessions.

    Attributes:
        limits: how much each may hold.
        salvage: whether the whole members of a damaged one are kept.
        skipped: entries that were passed over, by reason.
        passed: likewise, by container, of those that were read to their end.
        found: sessions that were found in them so far.
        opened: how many were opened so far.
    """

    limits: ContainerLimits = DEFAULT_LIMITS
    salvage: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    passed: dict[str, Counter[str]] = field(default_factory=dict)
    found: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class _Done(Generic[Result]):
    """A task that is done already, in its place among the others."""

    paths: tuple[str, ...]
    share: TaskResult[Result]

    def __call__(self) -> TaskResult[Result]:
        """What it gave."""
        return self.share


def read_files(
    paths: Iterable[str],
    request: ReadRequest,
    reduce: Callable[[Batch], Result],
    jobs: int,
    executor: Executor | None,
    containers: Containers | None = None,
) -> Iterator[tuple[tuple[str, ...], TaskResult[Result]]]:
    """Read files and yield what their batches reduce to, in the order of the files.

    Yields:
        The files of each row of a share's ledger, with the share.

    Raises:
        WorkerError: a worker process died.
    """
    parts: list[Part[Result]] = []
    tasks = _tasks(paths, request, reduce, containers or Containers())
    for task, given in run_all(tasks, jobs, executor):
        if isinstance(given, TaskResult):
            yield task.paths, given
            continue
        assert isinstance(task, PartTask)
        parts.append(given)
        if len(parts) < len(task.frame.spans):
            continue
        if all(part.sound for part in parts):
            for share in join(task.frame, parts, request, reduce):
                yield task.paths[: share.ledger.height], share
        else:
            yield task.paths, Task(task.paths, request, reduce)()
        parts = []


def _tasks(
    paths: Iterable[str], request: ReadRequest, reduce: Callable[[Batch], Result], containers: Containers
) -> Iterator[tuple[Job[TaskResult[Result] | Part[Result]], int]]:
    """The tasks for files, each with the bytes that it reads."""
    for group, contents, size in _groups(_items(paths, containers)):
        task = Task(group, request, reduce, contents)
        if size < LARGE_BYTES:
            yield task, size
            continue
        if any(isinstance(content, bytes) for content in contents.values()):
            # Many large members that wait for a worker would take their sum in memory: each is done at once.
            yield _Done(group, task()), size
            continue
        frame = frame_of(group[0], size, request) if len(group) == 1 and not contents else None
        if frame is None:
            yield task, size
        else:
            for number, (start, end) in enumerate(frame.spans):
                yield PartTask(frame, number, request, reduce), end - start


_Item = tuple[str, Content | None, int]
"""A path, what is known of the file besides, and about how many bytes it has."""


def _items(paths: Iterable[str], containers: Containers) -> Iterator[_Item]:
    """Files, and in the place of containers what they hold."""
    for path in paths:
        if path.endswith(CONTAINER_ENDINGS) or (INSIDE in path and split_member(path)):
            containers.opened += 1
            yield from _members(path, containers)
        elif path == STDIN:
            data = read_bytes(STDIN)
            yield path, data, len(data)
        else:
            yield path, None, size_of(path)


def _members(path: str, containers: Containers) -> Iterator[_Item]:
    passed: Counter[str] = Counter()
    for found in open_container(path, containers.limits, salvage=containers.salvage):
        if isinstance(found, Skipped):
            containers.skipped.update(found.skipped)
            passed.update(found.skipped)
            continue
        containers.found += 1
        if isinstance(found, LazyMember):
            yield found.source, found, found.size
        elif isinstance(found, Rejected):
            yield found.source, found, 0
        else:
            yield found.source, found.data, len(found.data)
    containers.passed[path] = passed


def _groups(items: Iterable[_Item]) -> Iterator[tuple[tuple[str, ...], dict[int, Content], int]]:
    """Neighbouring files of about one batch, with their size in bytes; a large file stands alone."""
    group: list[str] = []
    contents: dict[int, Content] = {}
    total = 0
    for path, content, size in items:
        if group and (total + size > BATCH_BYTES or len(group) >= BATCH_FILES):
            yield tuple(group), contents, total
            group, contents, total = [], {}, 0
        if content is not None:
            contents[len(group)] = content
        group.append(path)
        total += size
    if group:
        yield tuple(group), contents, total
