"""Atomic writes: a file is complete or absent at every moment, and replaces another one only on request.

Content goes to a hidden temporary file, or a hidden folder for several files, which is flushed to disk and then gets
its final name in one step. A process holds a lock on its temporary entry. An entry without a lock was left by a
process that was killed; the next write into the same folder removes it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name

if sys.platform != "win32":
    import fcntl

# Errors of file systems without hard links.
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}
_ELSEWHERE = "choose another path"
_PREFIX, _ENDING = ".clamp-", ".tmp"


def check_absent(path: Path, hint: str = _ELSEWHERE) -> None:
    """Check that a path does not exist.

    Raises:
        OutputError: it exists.
    """
    if os.path.lexists(path):
        raise OutputError.exists(path, hint)


def make_folder(path: Path, hint: str = _ELSEWHERE) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        OutputError: the system refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal(error, path, "the folder cannot be made", hint) from error


def publish(path: Path, chunks: Iterable[bytes], *, overwrite: bool = False) -> None:
    """Write a file through a hidden temporary file beside it.

    Args:
        path: the file; its folder exists.
        chunks: the content.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: the system refuses, or the file exists; an existing file is untouched.
    """
    remove_abandoned(path.parent)
    try:
        temporary, file = _create(path.parent)
        try:
            with file:
                _write(file, chunks)
                if overwrite:
                    temporary.replace(path)
                else:
                    link_new(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise OutputError.exists(path, _ELSEWHERE) from error
    except OSError as error:
        raise _refusal(error, path, "cannot be written") from error


class FileGroup:
    """Several new files below one folder, of which all appear or none.

    A context manager. Files are written to a hidden folder first. ``publish`` gives them their names; an exception
    before or during that removes everything that was written, and the folders that were made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staging = _temporary(folder)
        self._descriptor = -1
        self._targets: list[Path] = []
        self._named: list[Path] = []
        self._made: list[Path] = []

    def __enter__(self) -> FileGroup:
        """Make the hidden folder.

        Raises:
            OutputError: the system refuses.
        """
        try:
            self._make_folders(self._folder)
            remove_abandoned(self._folder)
            self._staging.mkdir()
            self._descriptor = os.open(self._staging, os.O_RDONLY)
        except OSError as error:
            self._undo()
            raise _refusal(error, self._folder, "the folder cannot be made") from error
        _lock(self._descriptor)
        return self

    def add(self, target: Path, data: bytes) -> None:
        """Write the content of a file that gets its name later.

        Raises:
            OutputError: the system refuses.
        """
        try:
            with Path(self._staging, str(len(self._targets))).open("xb") as file:
                _write(file, [data])
        except OSError as error:
            raise _refusal(error, target, "cannot be written") from error
        self._targets.append(target)

    def publish(self) -> list[Path]:
        """Give all files their names, and return these.

        Raises:
            OutputError: the system refuses, or a file exists already.
        """
        for number, target in enumerate(self._targets):
            try:
                self._make_folders(target.parent)
                link_new(self._staging / str(number), target)
            except FileExistsError as error:
                raise OutputError.exists(target, _ELSEWHERE) from error
            except OSError as error:
                raise _refusal(error, target, "cannot be written") from error
            self._named.append(target)
        return self._targets

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the hidden folder, and after an exception everything else that was written."""
        if kind is None:
            shutil.rmtree(self._staging, ignore_errors=True)
        else:
            self._undo()
        os.close(self._descriptor)

    def _make_folders(self, folder: Path) -> None:
        missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
        for one in reversed(missing):
            one.mkdir()
            self._made.append(one)
        folder.mkdir(exist_ok=True)

    def _undo(self) -> None:
        for path in self._named:
            path.unlink(missing_ok=True)
        shutil.rmtree(self._staging, ignore_errors=True)
        for folder in reversed(self._made):
            # Another process may have written to it meanwhile.
            with suppress(OSError):
                folder.rmdir()


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files and folders of killed processes from a folder.

    An entry is left where it cannot be locked or removed: it belongs to a running process or to another user, or the
    file system has no locks.
    """
    if sys.platform == "win32":
        return
    for path in folder.glob(f"{_PREFIX}*{_ENDING}"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            finally:
                os.close(descriptor)


def _temporary(folder: Path) -> Path:
    return folder / f"{_PREFIX}{os.urandom(8).hex()}{_ENDING}"


def _create(folder: Path) -> tuple[Path, BinaryIO]:
    """Create a temporary file that is locked for as long as it is open."""
    while True:
        path = _temporary(folder)
        file = path.open("xb")
        _lock(file.fileno())
        # Another process may have removed it in the moment before it was locked.
        if path.exists():
            return path, file
        file.close()


def _lock(descriptor: int) -> None:
    """Mark a temporary entry as in use, for as long as the descriptor is open."""
    # Some network file systems have no locks. Nothing is removed there, either.
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _write(file: BinaryIO, chunks: Iterable[bytes]) -> None:
    file.writelines(chunks)
    file.flush()
    os.fsync(file.fileno())


def link_new(temporary: Path, path: Path) -> None:
    """Give a temporary file its name; a rename would silently replace a file that was created meanwhile.

    The temporary name may remain, and the caller removes it.

    Raises:
        FileExistsError: there is a file of this name.
        OSError: the system refuses.
    """
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.rename(path)


def _refusal(error: OSError, path: Path, what: str, hint: str = _ELSEWHERE) -> OutputError:
    return OutputError.from_os_error(what, error, where=display_name(path), hint=hint)
