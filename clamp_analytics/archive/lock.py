"""A lock that allows one writer of an archive at a time; it ends with the process that holds it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from clamp_analytics.archive.paths import lock_path, remove_leftovers
from clamp_analytics.atomic_files import make_folder
from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import FIRST_PAUSE, LONGEST_PAUSE

_UNKNOWN_HOLDER = "another process"


@contextmanager
def writer_lock(archive: Path, task: str, wait_seconds: float) -> Iterator[None]:
    """Be the only writer of an archive for the duration of a block.

    The kernel releases the lock when its holder dies, for whatever reason, so no lock is ever stale. The lock file
    says who the holder is, and is removed at the end.

    Args:
        archive: the archive, which need not exist.
        task: what the holder does, for the message that other writers get.
        wait_seconds: how long to wait for another writer.

    Raises:
        OutputError: another writer still holds the lock at the end, or the file cannot be made.
    """
    path = lock_path(archive)
    make_folder(path.parent, "choose another path")
    try:
        descriptor = _acquire(path, wait_seconds)
    except OSError as error:
        what = "the lock file of the archive cannot be made"
        raise OutputError.from_os_error(what, error, where=display_name(path)) from error
    if descriptor is None:
        raise OutputError(
            f"another writer holds the archive: {lock_holder(path)}",
            where=display_name(archive),
            hint="try again when that is done, or wait for it with wait_seconds=SECONDS",
        )
    try:
        _write_holder(descriptor, task)
        remove_leftovers(archive)
        yield
    finally:
        # Removed before it is unlocked, so that another writer's new lock file is not removed.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def lock_holder(path: Path) -> str:
    """A description of the process that holds a lock."""
    try:
        holder = json.loads(path.read_text("utf-8"))
        return f"{holder['task']} of process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return _UNKNOWN_HOLDER


def _acquire(path: Path, wait_seconds: float) -> int | None:
    """The descriptor of the locked file; None where another process keeps it locked for too long."""
    end = time.monotonic() + wait_seconds
    pause = FIRST_PAUSE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder may have removed the file between the two calls; then the lock is on a file without a name.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
            os.close(descriptor)
            continue
        except BlockingIOError:
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        left = end - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)


def _write_holder(descriptor: int, task: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"task": task, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    # The lock holds without this text, which a full disk may refuse; other writers then get a shorter message.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)
