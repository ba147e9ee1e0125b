"""Simulated object storage with as many sessions as wanted: it has keys, and workers that answer for their content.

The client, the scheduler and the tasks between them are real. A task to list computes its answer, and a task to fold
returns the statistics of sessions that it did not read, with a random hash for each of them.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from clamp_analytics.analysis.summary.fold import Group, SummaryPart
from clamp_analytics.errors import WorkerError
from clamp_analytics.moments import Moments
from clamp_analytics.reading.content_hashes import DIGEST_BYTES
from clamp_analytics.reading.divided import FoldedRange, ListRange
from clamp_analytics.reading.executors import TaskLike, finished
from clamp_analytics.reading.workers import Workers
from clamp_analytics.sources import Listing
from clamp_analytics.sources.object_ranges import KeyRange, ObjectFolder, Pages
from clamp_analytics.sources.object_storage import Object, ObjectStorage

URL = "s3://simulated/runs/"
RECORDS, BYTES = 20, 5_000
"""Records and bytes of a session."""


def _key(number: int) -> str:
    return f"runs/clamp_run_{number:012}.json"


def _first_after(key: str, sessions: int) -> int:
    return bisect_right(range(sessions), key, key=_key)


@dataclass
class SimulatedStorage(ObjectStorage):
    """Object storage with a flat folder of sessions."""

    sessions: int = 0

    def list_objects(self, folder: str, after: str = "") -> Iterator[Object]:
        """The objects after a key."""
        for number in range(_first_after(after, self.sessions), self.sessions):
            yield Object(f"s3://simulated/{_key(number)}", BYTES)


def listing(sessions: int) -> Listing:
    """The folder, which workers list."""
    storage = SimulatedStorage(sessions=sessions)
    return Listing([], [], Counter(), URL.rstrip("/"), storage=storage, unlisted=(ObjectFolder.of(URL),))


@dataclass(frozen=True, slots=True)
class SimulatedTask:
    """Answers a task without listing or reading.

    Attributes:
        sessions: the number of sessions in the folder.
        keys: the range of the task.
        list_range: the task, where it lists; else None.
        with_hashes: whether there is a hash for each session.
    """

    sessions: int
    keys: KeyRange
    list_range: ListRange | None
    with_hashes: bool = True

    @property
    def paths(self) -> tuple[str, ...]:
        """What it reads."""
        return (URL,)

    def __call__(self) -> Pages | FoldedRange[SummaryPart]:
        """Answer the task."""
        begin = _first_after(self.keys.after, self.sessions)
        through = self.keys.through
        end = self.sessions if through is None else _first_after(through, self.sessions)
        return (
            fold(end - begin, with_hashes=self.with_hashes)
            if self.list_range is None
            else self._pages(self.list_range, begin, end)
        )

    def _pages(self, task: ListRange, begin: int, end: int) -> Pages:
        listed = min(end, begin + task.most_listed)
        size = min(task.most_objects, task.most_bytes // BYTES)
        bounds = [self.keys.after, *(_key(min(at + size, listed) - 1) for at in range(begin, listed, size))]
        ranges = [KeyRange(after, through) for after, through in pairwise(bounds)]
        return Pages(ranges, KeyRange(bounds[-1], self.keys.through) if listed < end else None)


def fold(sessions: int, *, with_hashes: bool) -> FoldedRange[SummaryPart]:
    """The statistics of some sessions of score 1, of which the first has the same content in every range."""
    records = RECORDS * sessions
    group = Group(sessions, records, 0, Moments.of_ones(records), 0, 1_000)
    if not with_hashes:
        return FoldedRange(SummaryPart({(): group}, Counter()), sessions, 0, Counter(), {}, {})
    digests = {first: _digests(first, sessions * (first + 1) // 256 - sessions * first // 256) for first in range(256)}
    digests[0] = bytes(DIGEST_BYTES) + digests[0][DIGEST_BYTES:]
    return FoldedRange(SummaryPart({(): group}, Counter()), sessions, 0, Counter(), digests, {})


def _digests(first: int, count: int) -> bytes:
    digests = bytearray(os.urandom(count * DIGEST_BYTES))
    digests[::DIGEST_BYTES] = bytes([first]) * count
    return bytes(digests)


@dataclass(frozen=True, slots=True)
class Substitute:
    """Gives the simulated task for a real one."""

    sessions: int
    with_hashes: bool = True

    def __call__(self, task: Any) -> SimulatedTask:
        """The simulated task."""
        list_range = task if isinstance(task, ListRange) else None
        return SimulatedTask(self.sessions, task.keys, list_range, self.with_hashes)


class InThisProcess(Workers):
    """Runs each task when it is submitted."""

    def submit(self, task: TaskLike[Any]) -> Future[Any]:
        """Run a task."""
        return finished(task())

    def capacity(self) -> int:
        """How many tasks may be in flight."""
        return 2

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Do nothing, because all tasks have ended."""

    def failure(self, error: Exception) -> WorkerError:
        """The error of a task."""
        return WorkerError(str(error))
