"""The ``thread_id`` of a record: a name for each thread and each asyncio task, never used twice.

The system reuses the number of a thread that ended, and programs give the same name to many threads and
tasks. So a thread is called ``<name>-<process id>.<number>`` and a task ``<thread>/<task name>.<number>``,
where the numbers only count up.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from clamp_analytics.recorder.process import hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_thread_numbers = itertools.count(1)


class ThreadNames(threading.local):
    """The current thread's id, and the ids of the tasks that ran in it.

    Python calls ``__init__`` in each thread that uses the object for the first time.
    """

    thread_id: str
    task_ids: WeakKeyDictionary[Any, str]
    task_numbers: Iterator[int]

    def __init__(self) -> None:
        self.name_thread()

    def name_thread(self) -> None:
        """Give the current thread a new id, and forget the ids of its tasks."""
        self.thread_id = f"{threading.current_thread().name}-{os.getpid()}.{next(_thread_numbers)}"
        self.task_ids = WeakKeyDictionary()
        self.task_numbers = itertools.count(1)


class Asyncio:
    """The two functions of asyncio that identify the running task, available once the program has imported it.

    Importing asyncio here would cost every program that never uses it.
    """

    __slots__ = ("current_task", "running_loop")

    def __init__(self) -> None:
        self.running_loop: Callable[[], Any] | None = None
        self.current_task: Callable[[Any], Any] = _no_task

    def bind(self) -> None:
        """Take the functions from the module; they are missing while another thread is still importing it."""
        module = sys.modules.get("asyncio")
        running_loop = getattr(module, "_get_running_loop", None)
        current_task = getattr(module, "current_task", None)
        if running_loop is not None and current_task is not None:
            self.current_task = current_task
            self.running_loop = running_loop


def _no_task(loop: Any) -> Any:
    return None


threads = ThreadNames()
aio = Asyncio()
modules = sys.modules

# A forked child has one thread, whose id must contain the number of the new process.
hooks.in_forked_child(threads.name_thread)


def current_thread_id() -> str:
    """Return the id of the current thread, with the current task if there is one."""
    running_loop = aio.running_loop
    if "asyncio" in modules if running_loop is None else running_loop() is not None:
        return current_task_id()
    return threads.thread_id


def current_task_id() -> str:
    """Return the id of the asyncio task that runs in this thread; that of the thread if there is none."""
    if aio.running_loop is None:
        aio.bind()
    loop = aio.running_loop() if aio.running_loop is not None else None
    task = aio.current_task(loop) if loop is not None else None
    if task is None:
        return threads.thread_id
    task_id = threads.task_ids.get(task)
    if task_id is None:
        task_id = f"{threads.thread_id}/{task.get_name()}.{next(threads.task_numbers)}"
        threads.task_ids[task] = task_id
    return task_id
