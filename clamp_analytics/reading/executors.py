"""Run tasks on as many workers as there are cores, and return the results in order.

The native decoder releases the interpreter's lock, so the default
workers are threads where it is installed. Decoding in Python holds the lock, so they are processes otherwise; sources
that are read faster than a process starts use none.
"""

from __future__ import annotations

import gc
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from itertools import chain, islice
from typing import Protocol, TypeVar

from clamp_analytics.decode.kernel import Kernel, load_kernel
from clamp_analytics.decode.options import DEFAULT_OPTIONS as DECODE_OPTIONS
from clamp_analytics.errors import UsageError, WorkerError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.division import first_plain_groups
from clamp_analytics.reading.options import DEFAULT_OPTIONS
from clamp_analytics.schema import RECORDS
from clamp_analytics.sources import Listing, size_of

Result = TypeVar("Result")
Output = TypeVar("Output", covariant=True)


class TaskLike(Protocol[Output]):
    """Something to run, in this process, in another one, or on another machine."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it reads."""

    def __call__(self) -> Output:
        """Run it."""


class OwnedExecutor(Executor):
    """Workers that this package starts and ends, with everything that was submitted to them.

    The process that owns them runs tasks, too, while it waits for a result. It never cancels a single task, because
    ending the workers cancels all of them.
    """


class WorkerThreads(ThreadPoolExecutor, OwnedExecutor):
    """Threads that run tasks."""


def run(task: TaskLike[Result]) -> Result:
    """Run a task; a plain function can be pickled and sent to another process.

    Decoding creates very many objects and no reference cycles. Searching for cycles would take a fifth of the time,
    so the garbage collector is off meanwhile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return task()
    finally:
        if was_enabled:
            gc.enable()


IN_FLIGHT_PER_WORKER = 2
"""Tasks in flight per worker; two keep it busy while results are collected."""

PENDING_PER_WORKER = 4
"""Tasks per worker that are in flight or finished and not yet collected; more would only use memory."""

WAIT_SECONDS = 0.2
"""The longest time that Ctrl-C goes unnoticed."""

AHEAD_FILES, AHEAD_BYTES = 10_000, 200_000_000
"""How much the native decoder may decode while the engine is imported, which takes 0.2 to 0.4 s."""

NAMES_SHOWN = 10
"""Files that an error message names."""


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def checked_jobs(jobs: int | None) -> int:
    """The number of workers to use; the number of cores by default.

    Raises:
        UsageError: it is below 1.
    """
    if jobs is None:
        return usable_cores()
    if jobs < 1:
        raise UsageError("the number of jobs must be at least 1", where=f"jobs {jobs}")
    return jobs


def may_start_processes() -> bool:
    """Whether this process may have children: a daemonic one, such as a worker of ``multiprocessing.Pool``, may not."""
    import multiprocessing

    return not multiprocessing.current_process().daemon


def run_all(
    tasks: Iterable[tuple[TaskLike[Result], int]],
    jobs: int,
    executor: OwnedExecutor | None = None,
    workers_from_bytes: int = DEFAULT_OPTIONS.workers_from_bytes,
    *,
    in_python: Callable[[], bool],
) -> Iterator[tuple[TaskLike[Result], Result]]:
    """Run tasks and yield each with its result, in order.

    Args:
        tasks: each task with the number of bytes that it reads.
        jobs: how many run at once.
        executor: workers that are running already; None starts some where that saves time, and ends them afterwards.
        workers_from_bytes: tasks that read less than this are run in this process.
        in_python: tells whether they hold the interpreter's lock, so that only processes run at the same time; it is
            asked where workers are started.

    Raises:
        WorkerError: a worker died; the message names the files of the unfinished tasks.
    """
    tasks = iter(tasks)
    if executor is not None:
        yield from _run_in_order(executor, (task for task, _ in tasks), jobs)
        return
    first = list(_up_to_bytes(tasks, workers_from_bytes)) if jobs > 1 else []
    all_tasks = (task for task, _ in chain(first, tasks))
    is_small = sum(size for _, size in first) < workers_from_bytes
    start_workers = None if jobs == 1 or is_small else _start_of_workers(in_python=in_python())
    if start_workers is None:
        yield from ((task, run(task)) for task in all_tasks)
        return
    with start_workers(jobs - 1) as workers:
        yield from _run_in_order(workers, all_tasks, jobs)


def _start_of_workers(*, in_python: bool) -> Callable[[int], AbstractContextManager[OwnedExecutor]] | None:
    """What starts the workers for tasks; None where this process must run them all."""
    if not in_python:
        return worker_threads
    return worker_processes if may_start_processes() else None


def _up_to_bytes(tasks: Iterator[tuple[TaskLike[Result], int]], most: int) -> Iterator[tuple[TaskLike[Result], int]]:
    """The first tasks that together read at least ``most`` bytes, or all tasks."""
    total = 0
    for task, size in tasks:
        yield task, size
        total += size
        if total >= most:
            break


def _run_in_order(
    executor: OwnedExecutor, tasks: Iterable[TaskLike[Result]], jobs: int
) -> Iterator[tuple[TaskLike[Result], Result]]:
    """Keep the workers busy a few tasks ahead, and yield the results in order.

    This process is one of the ``jobs``: it runs a task itself while the next result is not there yet, which saves one
    process.
    """
    takes_part = jobs > 1
    workers = jobs - 1 if takes_part else jobs
    pending: deque[tuple[TaskLike[Result], Future[Result]]] = deque()
    tasks = iter(tasks)

    def submit_more() -> None:
        in_flight = sum(not future.done() for _, future in pending)
        room = min(workers * IN_FLIGHT_PER_WORKER - in_flight, jobs * PENDING_PER_WORKER - len(pending))
        for task in islice(tasks, max(room, 0)):
            pending.append((task, executor.submit(run, task)))

    try:
        submit_more()
        while pending:
            task, future = pending[0]
            has_room = len(pending) < jobs * PENDING_PER_WORKER
            if takes_part and not future.done() and has_room and (own_task := next(tasks, None)):
                pending.append((own_task, finished(run(own_task))))
            else:
                wait_for(future)
                result = future.result()
                pending.popleft()
                yield task, result
            submit_more()
    except BrokenExecutor as error:
        lost = [path for task, future in pending if not future.done() or future.exception() for path in task.paths]
        raise WorkerError.killed(where=file_names(list(dict.fromkeys(lost)))) from error


def finished(result: Result) -> Future[Result]:
    """The result of a task that was run already."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def wait_for(future: Future[Result]) -> None:
    """Wait in short steps: a signal handler of an engine may keep one long wait from ever noticing Ctrl-C."""
    while not future.done():
        wait([future], timeout=WAIT_SECONDS)


def file_names(paths: Sequence[str]) -> str:
    """The first names of files, and how many more there are, for an error."""
    shown = ", ".join(display_name(path) for path in paths[:NAMES_SHOWN])
    return shown + (f" and {len(paths) - NAMES_SHOWN} more" if len(paths) > NAMES_SHOWN else "")


@contextmanager
def early_workers(
    listing: Listing, jobs: int | None, columns: Collection[str] | None, *, session_ids: bool
) -> Iterator[OwnedExecutor | None]:
    """Begin to read for a command that has not imported an engine yet.

    The native decoder decodes the first files meanwhile, on a thread of its own. Without it, this gives worker
    processes, or None where none are needed: a process with one thread may fork, which is the fastest way to start a
    worker, and the workers then import the engines while this process does.

    Args:
        listing: what is read.
        jobs: the number of workers.
        columns: the columns of ``records`` that are read; None where they are not known yet, so that nothing can be
            decoded.
        session_ids: whether each file is hashed.
    """
    count = checked_jobs(jobs)
    if kernel := load_kernel():
        if columns is not None:
            _decode_ahead(kernel, listing, columns, session_ids=session_ids)
        yield None
        return
    if count == 1 or not _is_large(listing.files) or not may_start_processes():
        yield None
        return
    # Each process has one core; further threads of an engine would only compete with the other processes.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    with worker_processes(count - 1) as workers:
        # The first submitted function starts the workers.
        workers.submit(int)
        yield workers


def _decode_ahead(kernel: Kernel, listing: Listing, columns: Collection[str], *, session_ids: bool) -> None:
    options = DEFAULT_OPTIONS
    groups: list[tuple[Sequence[str], int | None]] = []
    for group in first_plain_groups(listing, AHEAD_FILES, AHEAD_BYTES, options):
        if not group.is_large_file(options):
            groups.append((group.paths, None))
        elif not session_ids:
            groups.append((group.paths, options.window_bytes))
        else:
            # The hash of a large file is computed apart, and must be that of what is decoded.
            break
    if groups:
        wanted = [name for name in RECORDS.names if name in columns]
        kernel.decode_ahead(groups, wanted, session_ids, DECODE_OPTIONS.rows_per_rule)


def _is_large(paths: Iterable[str]) -> bool:
    total = 0
    for path in paths:
        total += size_of(path)
        if total >= DEFAULT_OPTIONS.workers_from_bytes:
            return True
    return False


@contextmanager
def worker_threads(count: int) -> Iterator[OwnedExecutor]:
    """Worker threads that end with the block; where it ends with an exception, tasks that wait are cancelled."""
    workers = WorkerThreads(count)
    try:
        yield workers
    except BaseException:
        workers.shutdown(wait=False, cancel_futures=True)
        raise
    workers.shutdown()


@contextmanager
def worker_processes(count: int) -> Iterator[OwnedExecutor]:
    """Worker processes that end with the block, immediately where it ends with an exception."""
    from clamp_analytics.reading.worker_processes import WorkerProcesses

    workers = WorkerProcesses(count)
    try:
        yield workers
    except BaseException:
        workers.terminate()
        raise
    workers.shutdown()
