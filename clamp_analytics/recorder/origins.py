"""Who acquires: a name for each thread and each asyncio task, used once in the life of a process.

The system hands the number of a thread that ended to the next one, and users give the same name to many
threads and tasks. So a thread is called ``<name>-<process id>.<number>`` and a task
``<thread>/<task name>.<number>``, where the numbers only count up.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_thread_numbers = itertools.count(1)


class Threads(threading.local):
    """Per thread: its name in the records, and the names of the tasks that ran in it.

    Python calls ``__init__`` again in each thread that touches the object for the first time.
    """

    label: str
    task_labels: WeakKeyDictionary[Any, str]
    task_numbers: Iterator[int]

    def __init__(self) -> None:
        self.label = f"{threading.current_thread().name}-{os.getpid()}.{next(_thread_numbers)}"
        self.task_labels = WeakKeyDictionary()
        self.task_numbers = itertools.count(1)


class Asyncio:
    """The two functions of asyncio that tell which task runs, bound once the program has imported it.

    Importing asyncio here would cost every program that never uses it.
    """

    __slots__ = ("current_task", "running")

    def __init__(self) -> None:
        self.running: Callable[[], Any] | None = None
        self.current_task: Callable[[Any], Any] = _no_task

    def bind(self) -> None:
        """Look for the functions; while another thread is in the middle of the import they are not there."""
        module = sys.modules.get("asyncio")
        running = getattr(module, "_get_running_loop", None)
        current_task = getattr(module, "current_task", None)
        if running is not None and current_task is not None:
            self.current_task = current_task
            self.running = running


def _no_task(loop: Any) -> Any:
    return None


threads = Threads()
aio = Asyncio()
modules = sys.modules


def current_origin() -> str:
    """Name the thread, and the task where one runs, that is executing now."""
    running = aio.running
    if "asyncio" in modules if running is None else running() is not None:
        return task_origin()
    return threads.label


def task_origin() -> str:
    """Name the asyncio task that runs in this thread; the thread alone where no task does."""
    if aio.running is None:
        aio.bind()
    loop = aio.running() if aio.running is not None else None
    task = aio.current_task(loop) if loop is not None else None
    if task is None:
        return threads.label
    label = threads.task_labels.get(task)
    if label is None:
        label = f"{threads.label}/{task.get_name()}.{next(threads.task_numbers)}"
        threads.task_labels[task] = label
    return label


def rename_after_fork() -> None:
    """Give the one thread that survives a fork a name with the number of the new process."""
    threads.__init__()  # type: ignore[misc]  # the same call that Python makes in a new thread
