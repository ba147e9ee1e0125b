"""The paths of an archive and of the files that belong to it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from clamp_analytics.errors import SourceError
from clamp_analytics.path_names import display_name


def existing_archive(archive: str | os.PathLike[str]) -> Path:
    """The real path of an archive that must exist.

    Raises:
        SourceError: there is no such file.
    """
    path = Path(os.path.realpath(archive))
    hint = "`ingest` creates one"
    try:
        path.stat()
    except FileNotFoundError as error:
        raise SourceError("there is no such archive", where=display_name(os.fspath(archive)), hint=hint) from error
    except OSError as error:
        where = display_name(os.fspath(archive))
        raise SourceError.from_os_error("the archive cannot be opened", error, where=where) from error
    if not path.is_file():
        raise SourceError("there is no such archive", where=display_name(os.fspath(archive)), hint=hint)
    return path


def wal_path(archive: Path) -> Path:
    """The write-ahead log that DuckDB keeps next to a database."""
    return archive.with_name(archive.name + ".wal")


def lock_path(archive: Path) -> Path:
    """The file whose lock makes a process the only writer of an archive."""
    return archive.with_name(archive.name + ".lock")


def temporary_path(archive: Path) -> Path:
    """A new path next to an archive, for a file that will replace it; only the writer uses it."""
    return archive.with_name(f"{_temporary_prefix(archive)}{os.urandom(8).hex()}.tmp")


def _temporary_prefix(archive: Path) -> str:
    return f".{archive.name}.clamp-"


def remove_leftovers(archive: Path) -> None:
    """Remove temporary files of writers that were killed. The caller holds the lock, so there is no other writer."""
    pattern = re.compile(re.escape(_temporary_prefix(archive)) + r"[0-9a-f]{16}\.tmp(\.wal)?")
    # A file that cannot be listed or removed is hidden and harms nobody.
    with suppress(OSError):
        for name in os.listdir(archive.parent):
            if pattern.fullmatch(name):
                archive.with_name(name).unlink()
