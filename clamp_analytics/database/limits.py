"""Limits of a query: memory, time, and the folder for rows that do not fit in memory."""

from __future__ import annotations

import fcntl
import math
import os
import re
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.query_progress import percentage_done
from clamp_analytics.reading.reader import Progress

if TYPE_CHECKING:
    import duckdb

Result = TypeVar("Result")

DEFAULT_TIMEOUT_SECONDS = 600.0
"""Time after which a query is stopped."""

MEMORY_SHARE = 0.5
"""Share of the machine's memory that a query may use by default."""

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_SIZE = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmgt]?i?b)\s*", re.IGNORECASE)
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}

_SPILL_PREFIX = "clamp-analytics-"
_STALE_SECONDS = 60
"""A folder without a lock that is younger than this may belong to a process that has not locked it yet."""

_SIGNAL_SECONDS = 0.2
"""The longest time that a signal goes unnoticed."""

_INTERRUPT_SECONDS = 0.05
"""Pause between two interrupts: one that comes before DuckDB has begun to run the query has no effect."""


def default_memory_limit() -> int:
    """Half of the memory of this machine or container, in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CGROUP_LIMIT.read_text("ascii").strip()
    except OSError:
        limit = "max"
    if limit.isdecimal():
        memory = min(memory, int(limit))
    return int(memory * MEMORY_SHARE)


def size_in_bytes(text: str) -> int:
    """The bytes of a size such as ``2GB`` or ``512 MiB``.

    Raises:
        UsageError: it is not a size above zero.
    """
    match = _SIZE.fullmatch(text)
    size = int(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else 0
    if size <= 0:
        raise UsageError(f"{text!r} is not a size of memory", where="memory limit", hint="for example 2GB or 512MiB")
    return size


def run_interruptible(
    connection: duckdb.DuckDBPyConnection,
    run: Callable[[], Result],
    timeout_seconds: float | None,
    progress: Progress | None = None,
) -> Result:
    """Run a function that uses a connection, so that signals and a timeout can stop it.

    The function runs in another thread, because Python handles a signal only when the main thread runs Python code.
    It must be the only one that uses the connection: in the main thread, a signal would end any call of DuckDB with a
    ``RuntimeError``, and the connection might still be busy.

    Args:
        connection: the connection.
        run: the function.
        timeout_seconds: the time after which it is stopped; None for no limit.
        progress: called now and then with the percentage that DuckDB has done, and 100.

    Raises:
        TimeoutError: it took longer than ``timeout_seconds``.
    """
    end = math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds
    outcome: Future[Result] = Future()
    is_running, cancelled = threading.Lock(), threading.Event()

    def run_unless_cancelled() -> None:
        with is_running:
            if cancelled.is_set():
                return
            try:
                outcome.set_result(run())
            except BaseException as error:
                outcome.set_exception(error)

    try:
        threading.Thread(target=run_unless_cancelled, daemon=True).start()
        while not outcome.done():
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            wait([outcome], timeout=min(left, _SIGNAL_SECONDS))
            if progress is not None and (done := percentage_done(connection)) is not None:
                progress(int(done), 100)
    except BaseException:
        # The thread may not have begun yet, even if it was started; then it finds that it is cancelled.
        cancelled.set()
        while is_running.locked():
            with suppress(KeyboardInterrupt):  # pressed again
                connection.interrupt()
                wait([outcome], timeout=_INTERRUPT_SECONDS)
        raise
    return outcome.result()


class SpillFolder:
    """A folder for rows that do not fit in memory, readable by this user only.

    It is removed when this object is gone or the process ends, and locked until then. Folders of processes that were
    killed have no lock and are removed by the next process.

    Attributes:
        path: the folder.

    Raises:
        OutputError: the folder cannot be made.
    """

    def __init__(self) -> None:
        parent = os.environ.get("TMPDIR", "")
        try:
            # Python searches for a folder in which it can write a file.
            parent = tempfile.gettempdir()
            _remove_stale_folders(Path(parent))
            self.path = tempfile.mkdtemp(prefix=_SPILL_PREFIX)
            lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        except OSError as error:
            raise OutputError.from_os_error(
                "the folder for temporary files cannot be made",
                error,
                where=display_name(parent),
                hint="set TMPDIR to a folder that can be written",
            ) from error
        self._finalizer = weakref.finalize(self, _remove_folder, self.path, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove_after(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep the folder until a connection is gone."""
        weakref.finalize(connection, self.remove)

    def remove(self) -> None:
        """Remove the folder."""
        self._finalizer()


def _remove_folder(folder: str, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _remove_stale_folders(parent: Path) -> None:
    # Another user's folder, or one that is removed at the same moment, is left alone.
    with suppress(OSError):
        for entry in os.scandir(parent):
            if entry.name.startswith(_SPILL_PREFIX) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_stale(entry)


def _remove_if_stale(entry: os.DirEntry[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    if status.st_uid != os.getuid() or time.time() - status.st_mtime < _STALE_SECONDS:
        return
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(descriptor)
