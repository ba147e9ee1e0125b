"""Runs tasks, in order, on as many workers as there are cores to use.

Everything goes through ``concurrent.futures.Executor``. Decoding holds the interpreter's lock, so the default
workers are processes; a small amount of work starts none at all.
"""

from __future__ import annotations

import gc
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager
from itertools import chain, islice
from typing import Protocol, TypeVar

from clamp_analytics.atomic_files import display_name
from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.sources import Listing, size_of

Result = TypeVar("Result")
Given = TypeVar("Given", covariant=True)


class Job(Protocol[Given]):
    """Something to do, here or in another process."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it reads."""

    def __call__(self) -> Given:
        """Do it."""


def run(job: Job[Result]) -> Result:
    """Do a job; a plain function, so that it can be sent to another process.

    Decoding makes a great many objects and no cycle among them. Looking for one takes a fifth of the time, so the
    collector rests meanwhile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return job()
    finally:
        if was_enabled:
            gc.enable()


ALONE_BELOW_BYTES = 12_000_000
"""Less than this is decoded sooner than a worker starts."""

AHEAD = 2
"""Tasks a worker that are under way; with one alone it would wait for the next."""

KEPT = 4
"""Tasks a worker that are under way or done and not yet taken; more would only hold memory."""

WAIT_SECONDS = 0.2
"""How long an interrupt may go unnoticed."""

NAMES_SHOWN = 10
"""Files that an error names."""


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked_jobs(jobs: int | None) -> int:
    """The number of workers to use; the cores by default.

    Raises:
        UsageError: it is below 1.
    """
    if jobs is None:
        return usable_cores()
    if jobs < 1:
        raise UsageError("the number of jobs must be at least 1", where=f"--jobs {jobs}")
    return jobs


def run_all(
    tasks: Iterable[tuple[Job[Result], int]], jobs: int, executor: Executor | None = None
) -> Iterator[tuple[Job[Result], Result]]:
    """Run tasks and yield each with its result, in their order.

    Args:
        tasks: each with the bytes that it reads.
        jobs: how many may run at once.
        executor: where to run them; None starts processes where it pays, and ends them afterwards.

    Raises:
        WorkerError: a worker died; the message names the files that were under way.
    """
    tasks = iter(tasks)
    if executor is not None:
        yield from _in_order(executor, (task for task, _ in tasks), jobs)
        return
    first = list(_enough_to_share(tasks)) if jobs > 1 else []
    work = (task for task, _ in chain(first, tasks))
    if jobs == 1 or sum(size for _, size in first) < ALONE_BELOW_BYTES:
        yield from ((task, run(task)) for task in work)
        return
    with processes(jobs - 1) as pool:
        yield from _in_order(pool, work, jobs)


def _enough_to_share(tasks: Iterator[tuple[Job[Result], int]]) -> Iterator[tuple[Job[Result], int]]:
    """The first tasks, up to the amount of work that pays for workers."""
    total = 0
    for task, size in tasks:
        yield task, size
        total += size
        if total >= ALONE_BELOW_BYTES:
            break


def _in_order(executor: Executor, tasks: Iterable[Job[Result]], jobs: int) -> Iterator[tuple[Job[Result], Result]]:
    """Keep the workers busy a few tasks ahead, and hand results out in order.

    Beside workers of our own this process is one of the ``jobs``: while the next result is not there, it does a
    task itself, which saves it from waiting and the machine from one more process.
    """
    ours = jobs > 1 and getattr(executor, "ends_its_futures", False)
    workers = jobs - 1 if ours else jobs
    waiting: deque[tuple[Job[Result], Future[Result]]] = deque()
    tasks = iter(tasks)

    def refill() -> None:
        under_way = sum(not future.done() for _, future in waiting)
        for task in islice(tasks, max(min(workers * AHEAD - under_way, jobs * KEPT - len(waiting)), 0)):
            waiting.append((task, executor.submit(run, task)))

    try:
        refill()
        while waiting:
            if ours and not waiting[0][1].done() and len(waiting) < jobs * KEPT and (own := next(tasks, None)):
                waiting.append((own, _done(run(own))))
            else:
                _wait_for(waiting[0][1])
                result = waiting[0][1].result()
                task, _ = waiting.popleft()
                yield task, result
            refill()
    except BrokenExecutor as error:
        lost = [path for task, future in waiting if not future.done() or future.exception() for path in task.paths]
        raise WorkerError(
            "a worker ended before its work was done (killed, or out of memory)",
            where=_names(list(dict.fromkeys(lost))),
            hint="fewer workers need less memory: try --jobs 1",
        ) from error
    except BaseException:
        if not getattr(executor, "ends_its_futures", False):
            for _, future in waiting:
                future.cancel()
        raise


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _wait_for(future: Future[Result]) -> None:
    """Wait in short steps: a signal handler of an engine may keep one long wait from ever noticing Ctrl-C."""
    while not future.done():
        wait([future], timeout=WAIT_SECONDS)


def _names(paths: Sequence[str]) -> str:
    shown = ", ".join(display_name(path) for path in paths[:NAMES_SHOWN])
    return shown + (f" and {len(paths) - NAMES_SHOWN} more" if len(paths) > NAMES_SHOWN else "")


@contextmanager
def early_workers(listing: Listing, jobs: int | None) -> Iterator[Executor | None]:
    """Workers for a command that has not imported an engine yet; None where there is too little to read.

    A process that has one thread may fork, which is the quickest way to a worker, and the workers then import the
    engines while this process does.
    """
    count = checked_jobs(jobs)
    if count == 1 or not _is_much(listing.files):
        yield None
        return
    # Each process has one core; an engine's threads beside it would only get in the way of the other processes.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    with processes(count - 1) as pool:
        # The first job starts the workers.
        pool.submit(int)
        yield pool


def _is_much(paths: Iterable[str]) -> bool:
    total = 0
    for path in paths:
        total += size_of(path)
        if total >= ALONE_BELOW_BYTES:
            return True
    return False


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Worker processes that end with the block, at once where it ends by an exception."""
    from clamp_analytics.reading.worker_processes import Workers

    pool = Workers(jobs)
    try:
        yield pool
    except BaseException:
        pool.end()
        raise
    pool.shutdown()
