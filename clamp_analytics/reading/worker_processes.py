"""``WorkerProcesses``: an executor of processes that import the decoder first and end with their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

from clamp_analytics.reading.executors import OwnedExecutor


class WorkerProcesses(ProcessPoolExecutor, OwnedExecutor):
    """Processes that run tasks."""

    def __init__(self, count: int) -> None:
        super().__init__(count, mp_context=_context(), initializer=_initialize_worker)

    def terminate(self) -> None:
        """End all workers immediately."""
        workers = list((self._processes or {}).values())
        self.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()


class _Worker(ForkServerProcess):
    """A process that does not run the user's script again.

    Starting a worker imports the main module, which fails for a script without ``if __name__ == "__main__"``.
    Workers need nothing from it, so its path is hidden while a worker starts.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  # the name is given by the base class
        main = sys.modules["__main__"]
        hidden: dict[str, Any] = {
            name: main.__dict__[name] for name in ("__spec__", "__file__") if name in main.__dict__
        }
        main.__dict__.update(dict.fromkeys(hidden))
        try:
            return super(_Worker, _Worker)._Popen(process_obj)
        finally:
            main.__dict__.update(hidden)


class _Server(ForkServerContext):
    """Starts workers from a small process that has imported the decoder."""

    Process = _Worker


def _context() -> BaseContext:
    """Fork where this process has one thread, which is fast and safe; else a server process that forks."""
    if _thread_count() == 1:
        return multiprocessing.get_context("fork")
    server = _Server()
    server.set_forkserver_preload(["clamp_analytics.reading.task"])
    return server


def _thread_count() -> int:
    """The threads of this process; 2 where the system does not say."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 2


def _initialize_worker() -> None:
    # Ctrl-C reaches the whole group of processes; only the parent acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    os.environ["POLARS_MAX_THREADS"] = "1"
    import clamp_analytics.reading.task  # noqa: F401  # imported now, and not with the first task


def _exit_with_parent() -> None:
    """End this process as soon as its parent has ended, for whatever reason."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
