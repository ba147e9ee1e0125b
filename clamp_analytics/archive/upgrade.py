"""Older layouts to the present one: single steps, all in one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clamp_analytics.archive.forget import existing
from clamp_analytics.archive.ingest.transaction import writing
from clamp_analytics.archive.layout import CONTAINERS, FILES, FORGOTTEN, View, put_views, text
from clamp_analytics.archive.lock import writer
from clamp_analytics.reading.archive import VERSION, open_archive

if TYPE_CHECKING:
    import duckdb

Step = Callable[["duckdb.DuckDBPyConnection"], None]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The versions of the layout before and after."""

    before: int
    after: int


def _containers_and_forgotten(connection: duckdb.DuckDBPyConnection) -> None:
    """From 1 to 2: containers, names of sessions in the ledger, and what was forgotten."""
    connection.execute("ALTER TABLE files RENAME TO old_files")
    connection.execute(FILES.ddl())
    # Version 1 had no duplicates under another name than the session's own, and plain files only.
    connection.execute(
        "INSERT INTO files BY NAME SELECT f.path, f.size_bytes, f.mtime_ns, f.session_id, f.status, f.reason, "
        "s.source, f.ingest FROM old_files f LEFT JOIN sessions s USING (session_id)"
    )
    connection.execute("DROP TABLE old_files")
    connection.execute(CONTAINERS.ddl())
    connection.execute(FORGOTTEN.ddl())


STEPS: Mapping[int, Step] = {1: _containers_and_forgotten}
"""The step from each older version to the next one."""


def upgrade(archive: str | os.PathLike[str], views: Sequence[View] = (), *, wait_seconds: float = 10.0) -> Upgraded:
    """Bring an archive to the present version, with the views of the present library; all or nothing.

    Raises:
        SourceError: there is no such archive, or it is newer than this package.
        OutputError: it is held by somebody else, or cannot be written.
    """
    place = existing(archive)
    with writer(place, "archive upgrade", wait_seconds):
        connection, before = open_archive(place, wait_seconds=wait_seconds)
        connection.close()
        with writing(place, wait_seconds) as connection:
            for version in range(before, VERSION):
                STEPS[version](connection)
            connection.execute(f"UPDATE meta SET value = {text(str(VERSION))} WHERE name = 'schema_version'")
            put_views(connection, views)
    return Upgraded(before, VERSION)
