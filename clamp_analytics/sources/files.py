"""Read the bytes of one regular file."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from clamp_analytics.wording import os_error_reason

STDIN = "-"
"""The name of standard input as a source."""

STDIN_CHUNK_BYTES = 1 << 20
"""Bytes that are read from standard input at once."""


class UnreadableError(Exception):
    """A file could not be read; the text says why, and ``rule`` which rule it breaks by that."""

    rule = "unreadable"


def size_of(path: str) -> int:
    """The size of a file; 0 where it is not available, for a reason that reading the file reports."""
    if path == STDIN:
        return 0
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def read_bytes(path: str) -> bytes:
    """The bytes of a session file, or of standard input.

    Raises:
        UnreadableError: it is not a regular file, or the system refuses.
    """
    if path == STDIN:
        return _read_stdin()
    descriptor = _opened(path)
    try:
        return _read_all(descriptor, _regular_size(descriptor))
    except OSError as error:
        raise UnreadableError(reason_of(error)) from error
    finally:
        os.close(descriptor)


def _read_stdin() -> bytes:
    """The bytes of standard input, waiting so that Ctrl-C ends it at once.

    Polars installs a handler of Ctrl-C after which the system restarts a blocking read. It never restarts ``select``.
    """
    if sys.stdin is None:
        return b""
    try:
        descriptor = sys.stdin.fileno()
    except io.UnsupportedOperation:  # a stream in memory, as in a notebook
        return sys.stdin.buffer.read()
    chunks: list[bytes] = []
    with _signals() as signals:
        while True:
            readable, _, _ = select.select([descriptor, *signals], [], [])
            if descriptor not in readable:
                os.read(readable[0], STDIN_CHUNK_BYTES)
                continue
            chunk = os.read(descriptor, STDIN_CHUNK_BYTES)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Descriptors that can be read when a signal has come, to whichever thread.

    The system may choose a thread of a library, such as one that has just started. Python then notes the signal for the
    main thread, but does not wake it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []  # handlers run in the main thread alone
        return
    read_end, write_end = os.pipe()
    try:
        os.set_blocking(write_end, False)
        before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        try:
            yield [read_end]
        finally:
            signal.set_wakeup_fd(before)
    finally:
        os.close(read_end)
        os.close(write_end)


def open_regular(path: str) -> io.FileIO:
    """A regular file, opened to be read in pieces.

    Raises:
        UnreadableError: it is not a regular file, or the system refuses.
    """
    descriptor = _opened(path)
    try:
        _regular_size(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return io.FileIO(descriptor)


def file_digest(path: str) -> bytes:
    """The SHA-256 of a file.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UnreadableError(reason_of(error)) from error


def _opened(path: str) -> int:
    try:
        # A FIFO that has replaced the file since it was listed must not block.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableError(reason_of(error)) from error


def _regular_size(descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError("it is not a regular file")
    return status.st_size


def _read_all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    return data if len(data) == size else _read_rest(descriptor, data)


def _read_rest(descriptor: int, data: bytes) -> bytes:
    """Read on to the end: one call gives 2 GiB at most, and a file may grow while it is read."""
    parts = [data]
    while part := os.read(descriptor, 1 << 24):
        parts.append(part)
    return b"".join(parts)


def reason_of(error: OSError) -> str:
    """Why the system refused, in a few words."""
    return "it vanished" if error.errno == errno.ENOENT else os_error_reason(error)
