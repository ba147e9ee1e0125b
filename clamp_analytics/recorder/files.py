"""Session files: written atomically, under names that no other write uses.

This does not use ``atomic_files``, because the recorder runs inside a program that is busy with other things. The
program may fork during a write, so there is no file object whose buffer the child would write again. And every
system call gives up the interpreter lock, which a program with n busy threads returns after n times 5 ms. So a
file takes few calls: blocks are large, and temporary names need no random bytes.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_HINT_LENGTH = 100
_MAX_NAMES_TRIED = 100
_BLOCK_SIZE = 4 << 20
# Parts of temporary names: the first one differs between machines, the second between writes of a process.
_RUN = os.urandom(4).hex()
_numbers = itertools.count(1)
# Errors of file systems without hard links.
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


def safe_hint(hint: str) -> str:
    """Return ``hint`` as the beginning of a file name: ASCII, without separators, not hidden, not too long."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in hint)
    return kept.lstrip(".")[:_MAX_HINT_LENGTH] or "clamp_run"


def session_names(hint: str) -> Iterator[str]:
    """Yield file names: the hint, the time in UTC, the process id, and a random number.

    The random number keeps files of different machines and containers apart when they end up in one folder.
    """
    while True:
        now = datetime.now(UTC)
        yield f"{safe_hint(hint)}_{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}-{os.urandom(4).hex()}.json"


def publish_new(folder: Path, names: Iterable[str], chunks: Iterable[bytes]) -> Path:
    """Write a file under a new name; a reader sees the whole file or none.

    Args:
        folder: an existing folder.
        names: file names to try, in this order; an existing file is never replaced.
        chunks: the content.

    Raises:
        OutputError: the file could not be written; the temporary file is removed.
    """
    with _output_errors(folder), _temporary(folder, chunks) as temporary:
        for name in itertools.islice(names, _MAX_NAMES_TRIED):
            path = folder / name
            try:
                os.link(temporary, path)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # Without hard links the file is renamed. A rename overwrites, so the name is checked first;
                # no other process creates a name with this process id and random number in between.
                if os.path.lexists(path):
                    continue
                temporary.rename(path)
            else:
                temporary.unlink(missing_ok=True)
            _sync_folder(folder)
            return path
        raise FileExistsError(errno.EEXIST, "no free file name was found", str(folder))


def replace_file(path: Path, chunks: Iterable[bytes], *, sync_folder: bool = True) -> None:
    """Replace a file of this telemetry; a reader sees the whole old content or the whole new content.

    Args:
        path: the file.
        chunks: the new content.
        sync_folder: whether the new content must survive a power failure. Otherwise the old content may be back
            after one, and the write takes three system calls fewer.

    Raises:
        OutputError: the file could not be written; the old content is unchanged.
    """
    with _output_errors(path.parent), _temporary(path.parent, chunks) as temporary:
        temporary.replace(path)
        if sync_folder:
            _sync_folder(path.parent)


@contextlib.contextmanager
def _temporary(folder: Path, chunks: Iterable[bytes]) -> Iterator[Path]:
    """Write a hidden file, which readers skip; remove it if it still has that name at the end."""
    path = folder / f".{os.getpid()}-{_RUN}-{next(_numbers)}.tmp"
    try:
        # A bare descriptor: a file object has a buffer, which a forked child might write a second time.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "the folder was removed", str(folder)) from None
    try:
        try:
            for block in _blocks(chunks):
                unwritten = memoryview(block)
                while unwritten:
                    unwritten = unwritten[os.write(descriptor, unwritten) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join chunks into blocks."""
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        pending.append(chunk)
        size += len(chunk)
        if size >= _BLOCK_SIZE:
            yield b"".join(pending)
            pending.clear()
            size = 0
    yield b"".join(pending)


def _sync_folder(folder: Path) -> None:
    """Make a new file name survive a power failure, on file systems that support this."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS}:
            raise
    finally:
        os.close(descriptor)


def create_folder(folder: Path) -> None:
    """Create a folder and its parents unless they exist.

    Raises:
        OutputError: the folder cannot be created, or is not a folder.
    """
    with _output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


_HINTS = {
    errno.ENOSPC: "free some disk space, then write again",
    errno.EDQUOT: "free some of your quota, then write again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), or set max_records",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.EACCES: "choose a directory that this user may write to",
    errno.ENOENT: "create the folder again, or choose another directory",
    errno.ENOTDIR: "a part of the path is a file: choose another directory",
}


@contextlib.contextmanager
def _output_errors(folder: Path) -> Iterator[None]:
    """Turn an ``OSError`` into an ``OutputError`` with a hint."""
    try:
        yield
    except OSError as error:
        hint = f"{_HINTS.get(error.errno or 0, 'choose another directory')}; the records are kept in memory"
        raise OutputError.from_os_error("the session was not written", error, where=str(folder), hint=hint) from error
