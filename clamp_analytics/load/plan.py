"""Cuts a list of files into tasks of about one batch each, and puts their results together again.

The cut depends on the files alone, never on the number of workers, so results do not either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

from clamp_analytics.decode.batch import Batch
from clamp_analytics.load.large import LARGE_BYTES, Part, PartTask, frame_of, join
from clamp_analytics.load.pool import Job, run_all
from clamp_analytics.load.work import Share, Task, Wish
from clamp_analytics.sources import STDIN, read_bytes, size_of

Result = TypeVar("Result")

BATCH_BYTES = 8_000_000
"""About 32,000 records: enough that starting a pass over them costs little, and few enough for a core's cache."""

BATCH_FILES = 1_000
"""Bounds the files of a batch where they hold next to nothing."""


def read_files(
    paths: Iterable[str],
    wish: Wish,
    reduce: Callable[[Batch], Result],
    jobs: int,
    executor: Executor | None,
) -> Iterator[Share[Result]]:
    """Read files and yield what their batches reduce to, in the order of the files.

    Raises:
        WorkerError: a worker process died.
    """
    parts: list[Part[Result]] = []
    tasks = _tasks(paths, wish, reduce)
    for task, given in run_all(tasks, jobs, executor):
        if isinstance(given, Share):
            yield given
            continue
        assert isinstance(task, PartTask)
        parts.append(given)
        if len(parts) < len(task.frame.spans):
            continue
        if all(part.sound for part in parts):
            yield from join(task.frame, parts, wish, reduce)
        else:
            yield Task(task.paths, wish, reduce)()
        parts = []


def _tasks(
    paths: Iterable[str], wish: Wish, reduce: Callable[[Batch], Result]
) -> Iterator[tuple[Job[Share[Result] | Part[Result]], int]]:
    """The tasks for files, each with the bytes that it reads."""
    for group, size in _groups(paths):
        if group == (STDIN,):
            yield Task(group, wish, reduce, read_bytes(STDIN)), size
            continue
        frame = frame_of(group[0], size, wish) if len(group) == 1 and size >= LARGE_BYTES else None
        if frame is None:
            yield Task(group, wish, reduce), size
        else:
            for number, (start, end) in enumerate(frame.spans):
                yield PartTask(frame, number, wish, reduce), end - start


def _groups(paths: Iterable[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Neighbouring files of about one batch, with their size in bytes; a large file stands alone."""
    group: list[str] = []
    total = 0
    for path in paths:
        size = size_of(path)
        alone = STDIN in (path, *group[:1])
        if group and (alone or total + size > BATCH_BYTES or len(group) >= BATCH_FILES):
            yield tuple(group), total
            group, total = [], 0
        group.append(path)
        total += size
    if group:
        yield tuple(group), total
