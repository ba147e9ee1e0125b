"""One writer at a time: a lock beside the archive, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from clamp_analytics.atomic_files import display_name, make_folder
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.archive import FIRST_PAUSE, LONGEST_PAUSE

_UNKNOWN = "another process"


@contextmanager
def writer(archive: Path, task: str, wait_seconds: float) -> Iterator[None]:
    """Be the only writer of an archive for the length of a block.

    The kernel gives the lock back when its holder dies, however that comes about, so none is ever stale. The file
    tells who the holder is; it is removed at the end.

    Args:
        archive: the archive, which need not exist.
        task: what the holder does, for the message that others get.
        wait_seconds: how long to wait for another writer.

    Raises:
        OutputError: another writer still holds it at the end, or the file cannot be made.
    """
    path = lock_file(archive)
    make_folder(path.parent, "choose another place with --archive")
    try:
        descriptor = _locked(path, wait_seconds)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"the lock beside the archive cannot be made: {reason}", where=display_name(path)) from error
    if descriptor is None:
        raise OutputError(
            f"another writer holds the archive: {holder_of(path)}",
            where=display_name(archive),
            hint="try again when that is done, or wait for it with --wait SECONDS",
        )
    try:
        _sign(descriptor, task)
        _clear_remains(archive)
        yield
    finally:
        # While it is still locked, so that nobody's fresh lock is removed.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def lock_file(archive: Path) -> Path:
    """Where the lock of an archive is."""
    return archive.with_name(archive.name + ".lock")


def temporary_of(archive: Path) -> Path:
    """A new name beside an archive for what will take its place; only a writer uses it."""
    return archive.with_name(f"{_prefix(archive)}{os.urandom(8).hex()}.tmp")


def _prefix(archive: Path) -> str:
    return f".{archive.name}.clamp-"


def _clear_remains(archive: Path) -> None:
    """Remove what a writer that was killed has left; there is no other one now."""
    pattern = re.compile(re.escape(_prefix(archive)) + r"[0-9a-f]{16}\.tmp(\.wal)?")
    # What cannot be listed or removed is hidden, and harms nobody.
    with suppress(OSError):
        for name in os.listdir(archive.parent):
            if pattern.fullmatch(name):
                archive.with_name(name).unlink()


def holder_of(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        note = json.loads(path.read_text("utf-8"))
        return f"{note['task']} of process {note['pid']} on {note['host']}, since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return _UNKNOWN


def _locked(path: Path, wait_seconds: float) -> int | None:
    """A descriptor of the locked file; None where somebody else keeps it locked for too long."""
    end = time.monotonic() + wait_seconds
    pause = FIRST_PAUSE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have removed it between our two steps: then the lock is on a file that nobody sees.
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


def _sign(descriptor: int, task: str) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    note = {"task": task, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    # On a full disk the lock holds without its note, and whoever meets it learns less.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode() + b"\n", 0)
