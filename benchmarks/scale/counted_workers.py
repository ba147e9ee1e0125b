"""``CountedWorkers``: the workers of a cluster, and how many tasks of each kind they got."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from clamp_analytics.errors import WorkerError
from clamp_analytics.reading.executors import TaskLike
from clamp_analytics.reading.workers import Workers


class CountedWorkers(Workers):
    """Passes tasks on, and counts them.

    Args:
        workers: the workers of a cluster.
        substitute: gives the task that is run instead of another.
    """

    def __init__(self, workers: Workers, substitute: Callable[[Any], TaskLike[Any]] | None = None) -> None:
        self._workers = workers
        self._substitute = substitute
        self.tasks: Counter[str] = Counter()

    def submit(self, task: TaskLike[Any]) -> Future[Any]:
        """Run a task."""
        self.tasks[type(task).__name__] += 1
        return self._workers.submit(self._substitute(task) if self._substitute else task)

    def capacity(self) -> int:
        """How many tasks may be in flight."""
        return self._workers.capacity()

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Cancel tasks."""
        self._workers.cancel(futures)

    def failure(self, error: Exception) -> WorkerError:
        """The error to raise where a task ended with ``error``."""
        return self._workers.failure(error)
