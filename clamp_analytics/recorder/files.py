"""Session files: written atomically, under names that no other write uses."""

from __future__ import annotations

import contextlib
import errno
import os
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.errors import OutputError
from clamp_analytics.wording import os_error_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_HINT_LENGTH = 100
_MAX_NAMES_TRIED = 100
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
        for name in islice(names, _MAX_NAMES_TRIED):
            path = folder / name
            try:
                os.link(temporary, path)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # Without hard links the file is renamed. A rename overwrites, so the name is checked first;
                # nobody creates this very name, with process id and random number, in between.
                if os.path.lexists(path):
                    continue
                temporary.rename(path)
            _sync_folder(folder)
            return path
        raise FileExistsError(errno.EEXIST, "no free file name was found", str(folder))


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace a file of this telemetry; a reader sees the whole old content or the whole new content.

    Raises:
        OutputError: the file could not be written; the old content is unchanged.
    """
    with _output_errors(path.parent), _temporary(path.parent, chunks) as temporary:
        temporary.replace(path)
        _sync_folder(path.parent)


@contextlib.contextmanager
def _temporary(folder: Path, chunks: Iterable[bytes]) -> Iterator[Path]:
    """Write a hidden file, which readers skip; remove it at the end if it still exists."""
    path = folder / f".{os.getpid()}-{os.urandom(8).hex()}.tmp"
    # A bare descriptor: a file object has a buffer, which a forked child might write a second time.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            for chunk in chunks:
                unwritten = memoryview(chunk)
                while unwritten:
                    unwritten = unwritten[os.write(descriptor, unwritten) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield path
    finally:
        path.unlink(missing_ok=True)


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


def prepare_folder(folder: Path, *, existed: bool) -> None:
    """Create a folder unless it existed before; a folder that existed and is missing was removed on purpose.

    Raises:
        OutputError: the folder cannot be created, is not a folder, or was removed.
    """
    with _output_errors(folder):
        if existed:
            if not folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "the folder was removed", str(folder))
        else:
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
        reason = os_error_reason(error)
        hint = _HINTS.get(error.errno or 0, "choose another directory")
        raise OutputError(
            f"the session was not written: {reason}",
            where=str(folder),
            hint=f"{hint}; the records are kept in memory",
        ) from error
