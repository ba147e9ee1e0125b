"""Files that are whole or absent at every moment, and that take nobody's place unless told to."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from clamp_analytics.errors import OutputError, UsageError

# Answers of file systems that know no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}
_EXISTS = "it exists already"
_ELSEWHERE = "choose another place with -o"


INSIDE = "!/"
"""Stands between a container and its member: ``artifact.zip!/telemetry/x.json``."""


def display_name(path: str | Path) -> str:
    """A path as text for tables and messages: what is not Unicode in it becomes an escape."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_absent(path: Path, hint: str = _ELSEWHERE) -> None:
    """Check that nothing stands at a path.

    Raises:
        OutputError: something does.
    """
    if os.path.lexists(path):
        raise OutputError(_EXISTS, where=display_name(path), hint=hint)


def check_no_source(path: Path, named: Iterable[str], files: Iterable[str] = ()) -> None:
    """Check that what is to be replaced is none of the files that are read.

    Args:
        path: what is to be replaced.
        named: the sources as the user named them; the name of a member of a container begins with the container's.
        files: the files that were found in them.

    Raises:
        UsageError: it is one of them.
    """
    if not path.exists():
        return
    real = os.path.realpath(path)
    # There may be very many files, and few have the name that is asked about.
    alike = (file for file in files if file.endswith(os.path.basename(real)))
    if any(os.path.realpath(source.partition(INSIDE)[0]) == real for source in chain(named, alike)):
        raise UsageError("it is one of the sources", where=display_name(path), hint=_ELSEWHERE)


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
    """Write a file by way of a hidden one beside it, flushed to disk and then given its name in one step.

    Args:
        path: the file; its folder exists.
        chunks: the content.
        overwrite: whether it may take the place of a file that is there.

    Raises:
        OutputError: the system refuses, or a file is there; what stood at ``path`` is untouched.
    """
    temporary = path.parent / f".clamp-{os.urandom(8).hex()}.tmp"
    try:
        try:
            _write(temporary, chunks)
            if overwrite:
                temporary.replace(path)
            else:
                _name(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError as error:
        raise OutputError(_EXISTS, where=display_name(path), hint=_ELSEWHERE) from error
    except OSError as error:
        raise _refusal(error, path, "cannot be written") from error


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _name(temporary: Path, path: Path) -> None:
    """Give a file a name that nothing has; a rename would silently replace what came to stand there meanwhile."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, _EXISTS, str(path)) from error
        temporary.rename(path)


def _refusal(error: OSError, path: Path, what: str, hint: str = _ELSEWHERE) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"{what}: {reason}", where=display_name(path), hint=hint)
