"""Output files and objects: which existing ones a command may replace, and how it writes them.

- A URL of object storage is an object, which is written with one request; the rules for regular files hold for it.
- A device, a pipe or a socket is written to as a stream.
- A symbolic link is followed.
- A regular file is replaced if its content shows that the command wrote it, if it is empty, or if the caller forces it.
- Sessions, archives, exports, and the files that hold compressed sessions are data, and are never replaced.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clamp_analytics.atomic_files import check_absent, publish
from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name
from clamp_analytics.sources import MANIFEST, check_no_source
from clamp_analytics.sources.object_storage import ObjectStorage, is_url, split_url

HEAD_BYTES = 16_000_000
"""Bytes of an existing file that are examined."""

EXPORT_DEPTH = 3
"""Folders between a file of an export and the manifest, at most."""

# The first bytes of the formats in which sessions are compressed: gzip, zip, zstd and xz.
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00")
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_DUCKDB_MAGIC, _DUCKDB_MAGIC_AT = b"DUCK", 8
_RECORDS = re.compile(rb'"records"\s*:\s*\[')
_SESSION = "a session"
_ELSEWHERE = "choose another path with output=PATH"
_OVERWRITE = "name another file, or replace it with overwrite=True"


@dataclass(frozen=True, slots=True)
class OutputKind:
    """One kind of output, and how a file of it is recognized.

    Attributes:
        name: the kind with its article, such as ``a summary artifact``.
        matches: whether a file with this content (its first ``HEAD_BYTES``) is of the kind.
    """

    name: str
    matches: Callable[[bytes], bool]


def write_output(path: str | Path, chunks: Iterable[bytes], kind: OutputKind, *, force: bool = False) -> None:
    """Write an output file according to the rules of this module.

    A regular file is complete or absent at every moment, and untouched if the write fails.

    Args:
        path: the file, device, pipe or URL.
        chunks: the content.
        kind: the kind of output; an existing file of the same kind is replaced.
        force: whether to replace any other file, except data.

    Raises:
        OutputError: the path may not be replaced, or cannot be written.
    """
    if _is_stream(path):
        _write_stream(path, chunks)
        return
    check_replaceable(path, kind, force=force)
    if is_url(os.fspath(path)):
        ObjectStorage().write(os.fspath(path), b"".join(chunks))
    else:
        publish(Path(os.path.realpath(path)), chunks, overwrite=True)


def check_replaceable(path: str | Path, kind: OutputKind, *, force: bool = False) -> None:
    """Check that an output may be written to a path.

    Raises:
        OutputError: there is a file that may not be replaced.
    """
    head = None if _is_stream(path) else _head_of(path)
    if head is None:
        return
    data = _kind_of_data(path, head)
    if data:
        what = f"it is {data}, which is never replaced"
        raise OutputError(what, where=display_name(path), hint=_ELSEWHERE)
    if head and not force and not kind.matches(head):
        raise OutputError(
            f"it exists and is not recognized as {kind.name}",
            where=display_name(path),
            hint=f"{_ELSEWHERE}, or replace it with force=True",
        )


def _head_of(path: str | Path) -> bytes | None:
    """The first bytes of a regular file or an object; None where there is none."""
    if is_url(os.fspath(path)):
        return ObjectStorage().read_head(os.fspath(path), HEAD_BYTES)
    if not os.path.isfile(path):
        return None
    try:
        with Path(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise OutputError.from_os_error("cannot be read", error, where=display_name(path)) from error


def _kind_of_data(path: str | Path, head: bytes) -> str:
    """The kind of data in a file, with its article; empty for a file that may be replaced."""
    if head[_DUCKDB_MAGIC_AT:].startswith(_DUCKDB_MAGIC):
        return "a database"
    if head.startswith(_COMPRESSED) or head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return "a compressed file or a tar"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _RECORDS.search(head):
        return _SESSION
    if os.fspath(path).endswith(("/" + MANIFEST, ".parquet")) and _is_in_export(path):
        return "part of an export"
    return ""


def _is_in_export(path: str | Path) -> bool:
    """Whether a folder above a file or object is an export."""
    if is_url(os.fspath(path)):
        bucket, key = split_url(os.fspath(path))
        folders = [f"{bucket}/{folder}/" for folder in map(str, PurePosixPath(key).parents) if folder != "."]
        storage = ObjectStorage()
        return any(storage.read_head(folder + MANIFEST, 1) for folder in [*folders, f"{bucket}/"][:EXPORT_DEPTH])
    real = Path(os.path.realpath(path))
    return any((folder / MANIFEST).is_file() for folder in real.parents[:EXPORT_DEPTH])


def _is_stream(path: str | Path) -> bool:
    """Whether a path is a device, pipe or socket, or an open descriptor of a process such as ``/dev/stdout``."""
    if os.path.abspath(path).startswith(("/dev/", "/proc/")):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        # Writing raises the error.
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _write_stream(path: str | Path, chunks: Iterable[bytes]) -> None:
    try:
        with Path(path).open("wb") as file:
            file.writelines(chunks)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError.from_os_error("cannot be written", error, where=display_name(path)) from error


def check_session_target(path: str | Path, named: Iterable[str], files: Iterable[str], *, overwrite: bool) -> None:
    """Check that a new session file may be written to a path.

    Args:
        path: the file.
        named: the sources as the user named them.
        files: the files that were found in them.
        overwrite: whether an existing file may be replaced: a session too, but none of the sources and no other data.

    Raises:
        OutputError: there is a file that may not be replaced.
        UsageError: it is one of the sources.
    """
    if _is_stream(path):
        return
    if not overwrite:
        if not is_url(os.fspath(path)):
            check_absent(Path(path), _OVERWRITE)
        elif ObjectStorage().read_head(os.fspath(path), 1) is not None:
            raise OutputError.exists(path, _OVERWRITE)
        return
    check_no_source(path, named, files)
    head = _head_of(path)
    data = "" if head is None else _kind_of_data(path, head)
    if data not in ("", _SESSION):
        raise OutputError(f"it is {data}, which is never replaced", where=display_name(path), hint=_ELSEWHERE)


def write_session(path: str | Path, data: bytes, *, overwrite: bool) -> None:
    """Write a session file or object after ``check_session_target``.

    Raises:
        OutputError: it cannot be written.
    """
    if _is_stream(path):
        _write_stream(path, [data])
    else:
        write_file(path if is_url(os.fspath(path)) else os.path.realpath(path), data, overwrite=overwrite)


def write_file(
    path: str | os.PathLike[str],
    data: bytes,
    *,
    overwrite: bool,
    storage_options: Mapping[str, str] | None = None,
) -> None:
    """Write a file or object, complete or not at all.

    Args:
        path: the file, or the URL of an object.
        data: the content.
        overwrite: whether to replace a file or object that exists.
        storage_options: configuration of the object storage.

    Raises:
        OutputError: there is one already, or it cannot be written.
    """
    target = os.fspath(path)
    if not is_url(target):
        publish(Path(path), [data], overwrite=overwrite)
        return
    storage = ObjectStorage(storage_options or {})
    if overwrite:
        storage.write(target, data)
    elif not storage.write_if(target, data, None):
        raise OutputError.exists(target, _OVERWRITE)
