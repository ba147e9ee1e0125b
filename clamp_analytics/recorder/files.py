"""Files that appear whole or not at all, under names that no other write ever takes."""

from __future__ import annotations

import contextlib
import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_HINT = 100
_NAMES_TRIED = 100
# Answers of file systems that know no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


def safe_hint(hint: str) -> str:
    """Return ``hint`` as the beginning of a file name: ASCII, no separators, not hidden, not too long."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in hint)
    return kept.lstrip(".")[:_LONGEST_HINT] or "clamp_run"


def session_name(hint: str) -> str:
    """Return a new file name: the hint, the time in UTC, the process, and a random number.

    The last one keeps files of different machines and containers apart once they lie in one folder.
    """
    now = datetime.now(UTC)
    return f"{safe_hint(hint)}_{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}-{os.urandom(4).hex()}.json"


def publish_new(folder: Path, hint: str, chunks: Iterable[bytes]) -> Path:
    """Write a file under a name that nobody has; whoever looks sees all of it or nothing.

    Args:
        folder: where to; it exists.
        hint: beginning of the file name.
        chunks: the content.

    Raises:
        OutputError: the file could not be written; nothing is left of the attempt.
    """
    with _explained(folder), _temporary(folder, chunks) as temporary:
        for _ in range(_NAMES_TRIED):
            path = folder / session_name(hint)
            try:
                os.link(temporary, path)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                # Without links a rename has to do. It would overwrite, hence the look before it; that
                # somebody takes this very name, process and random number included, in between is no worry.
                if os.path.lexists(path):
                    continue
                temporary.rename(path)
            _sync_folder(folder)
            return path
        raise FileExistsError(errno.EEXIST, "no free file name was found", str(folder))


def publish_over(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace a file of one's own; whoever looks sees all of the old content or all of the new.

    Raises:
        OutputError: the file could not be written; the old one is untouched.
    """
    with _explained(path.parent), _temporary(path.parent, chunks) as temporary:
        temporary.replace(path)
        _sync_folder(path.parent)


@contextlib.contextmanager
def _temporary(folder: Path, chunks: Iterable[bytes]) -> Iterator[Path]:
    """Write a hidden file, which readers skip, and remove it at the end if it is still there."""
    path = folder / f".{os.getpid()}-{os.urandom(8).hex()}.tmp"
    # A bare descriptor: a file object would keep a buffer that a forked child might write once more.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a new name survive a power failure, on file systems that can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS}:
            raise
    finally:
        os.close(descriptor)


def prepare_folder(folder: Path, *, existed: bool) -> None:
    """Create a folder that was never there; one that was there and is gone was removed by somebody.

    Raises:
        OutputError: the folder cannot be created, is no folder, or was removed.
    """
    with _explained(folder):
        if existed:
            if not folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "the folder was removed", str(folder))
        else:
            folder.mkdir(parents=True, exist_ok=True)


_HINTS = {
    errno.ENOSPC: "free some space on that disk, then write again",
    errno.EDQUOT: "free some of your quota, then write again",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), or set max_records",
    errno.EROFS: "the file system is read-only: give another directory",
    errno.EACCES: "give a directory that this user may write to",
    errno.ENOENT: "create the folder again, or give another directory",
    errno.ENOTDIR: "a part of the path is a file: give another directory",
}


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = _HINTS.get(error.errno or 0, "give another directory")
        raise OutputError(
            f"the session was not written: {reason}",
            where=str(folder),
            hint=f"{hint}; the records are kept in memory",
        ) from error
