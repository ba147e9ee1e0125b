"""How worker processes are started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import types
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any


def start(jobs: int) -> ProcessPoolExecutor:
    """An executor of so many processes, each of which begins by loading what decoding needs."""
    return ProcessPoolExecutor(jobs, mp_context=_context(), initializer=_prepare)


class _Worker(ForkServerProcess):
    """A process that does not run the user's script again.

    Starting workers imports the main module, which breaks a script without ``if __name__ == "__main__"``.
    Nothing of ours lives there, so it is hidden for the moment of the start.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802  # the name is given by the base class
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            return ForkServerProcess._Popen(process_obj)  # noqa: SLF001
        finally:
            sys.modules["__main__"] = main


class _Server(ForkServerContext):
    """Starts workers from a small process that has the decoder loaded."""

    Process = _Worker


def _context() -> BaseContext:
    """Fork where this process has one thread, which is quick and safe; else a server that forks for it."""
    if _threads() == 1:
        return multiprocessing.get_context("fork")
    server = _Server()
    server.set_forkserver_preload(["clamp_analytics.load.work"])
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
    import clamp_analytics.load.work  # noqa: F401  # loaded now, and not with the first task
