"""How worker processes are started."""

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


class Workers(ProcessPoolExecutor):
    """An executor of our own processes, each of which begins by loading what decoding needs."""

    ends_its_futures = True
    """Whoever made it ends it with what is under way; cancelling from outside would race with that."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, mp_context=_context(), initializer=_prepare)

    def end(self) -> None:
        """End all workers at once."""
        workers = list((self._processes or {}).values())
        self.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()


class _Worker(ForkServerProcess):
    """A process that does not run the user's script again.

    Starting workers imports the main module, which breaks a script without ``if __name__ == "__main__"``.
    Nothing of ours lives there, so where it came from is hidden for the moment of the start.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  # the name is given by the base class
        main = sys.modules["__main__"]
        known: dict[str, Any] = {
            name: main.__dict__[name] for name in ("__spec__", "__file__") if name in main.__dict__
        }
        main.__dict__.update(dict.fromkeys(known))
        try:
            return ForkServerProcess._Popen(process_obj)  # noqa: SLF001
        finally:
            main.__dict__.update(known)


class _Server(ForkServerContext):
    """Starts workers from a small process that has the decoder loaded."""

    Process = _Worker


def _context() -> BaseContext:
    """Fork where this process has one thread, which is quick and safe; else a server that forks for it."""
    if _threads() == 1:
        return multiprocessing.get_context("fork")
    server = _Server()
    server.set_forkserver_preload(["clamp_analytics.reading.task"])
    return server


def _threads() -> int:
    """The threads of this process; more than one where that cannot be told."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 2


def _prepare() -> None:
    # Ctrl-C reaches the whole group of processes; only the parent acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["POLARS_MAX_THREADS"] = "1"
    import clamp_analytics.reading.task  # noqa: F401  # loaded now, and not with the first task


def _end_with_parent() -> None:
    """End this process as soon as its parent is gone, however that came about."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
