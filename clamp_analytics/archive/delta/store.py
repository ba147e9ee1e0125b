"""The store of a Delta archive: any number of processes may ingest at once, and each session is added once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.delta.commits import append, append_next, delete_rows, retry_conflicts
from clamp_analytics.archive.delta.session_commit import SessionCommit
from clamp_analytics.archive.delta.tables import ALL_TABLES, create_delta_archive, new_batch, open_delta_archive
from clamp_analytics.archive.ingest.plan import Ledger, empty_ledger, read_ledger
from clamp_analytics.archive.ingest.staging import FinishedContainer, Staging
from clamp_analytics.archive.ingest.transaction import IngestRow
from clamp_analytics.archive.tables import CONTAINERS, FILES, INGESTS, empty_archive_in_memory
from clamp_analytics.errors import OutputError
from clamp_analytics.extras import require_extras
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.delta_archive import (
    SESSION_KEY,
    delta_errors,
    delta_table_exists,
    open_snapshot,
)
from clamp_analytics.schema import SESSIONS

if TYPE_CHECKING:
    import duckdb


@dataclass(slots=True)
class DeltaStore:
    """A Delta archive as the archive of an ingest; see ``Store``.

    Attributes:
        location: the folder or URL, which need not exist.
        storage_options: configuration of the object storage.
    """

    location: str
    storage_options: Mapping[str, str] | None = None
    spill_folder: Path | None = None

    def __post_init__(self) -> None:
        require_extras("lake")

    def lock(self) -> AbstractContextManager[None]:
        """Exclude nobody: any number of processes may write."""
        return nullcontext()

    def ledger(self) -> Ledger:
        """The files that the archive knows.

        Raises:
            SourceError: the archive cannot be read.
            OutputError: there is something else at its location.
        """
        if not self._exists():
            self._require_new()
            return empty_ledger()
        with self.open() as connection, delta_errors(self.location, "the archive cannot be read"):
            return read_ledger(connection)

    def open(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open the newest version for reading; an empty archive in memory where there is none."""
        if not self._exists():
            return closing(empty_archive_in_memory())
        return closing(open_delta_archive(self.location, self.storage_options)[0])

    def write(self, staging: Staging, ingest: IngestRow, *, is_last: bool) -> pl.DataFrame:
        """Write what is staged; see ``Store.write``.

        Raises:
            OutputError: it cannot be written, or other writers are first every time.
        """
        if ingest.number is None:
            if not self._exists():
                create_delta_archive(self.location, self.storage_options)
            retry_conflicts(self.location, lambda: self._begin(ingest))
        added = SessionCommit(self.location, self.storage_options, staging, ingest).run()
        self._write_containers(staging.containers, ingest)
        self._append(INGESTS.name, _ingest_row(ingest, is_last=is_last))
        return added

    def _exists(self) -> bool:
        return delta_table_exists(self.location, SESSIONS.name, self.storage_options)

    def _require_new(self) -> None:
        """Raise an error where a folder of something else would become an archive."""
        path = Path(self.location)
        # A process that was killed while it created the archive leaves some of the tables.
        if os.path.lexists(path) and not (
            path.is_dir() and {entry.name for entry in path.iterdir()} <= set(ALL_TABLES)
        ):
            raise OutputError(
                "it exists, and is not a Delta archive",
                where=display_name(self.location),
                hint="name a folder that is empty or does not exist",
            )

    def _begin(self, ingest: IngestRow) -> None:
        """Take the next number, and note that the ingest has begun."""
        snapshot = open_snapshot(self.location, (SESSIONS.name, INGESTS.name), self.storage_options)
        table = snapshot.tables[INGESTS.name]
        with delta_errors(self.location, "the archive cannot be read", OutputError):
            numbers = snapshot.dataset(INGESTS.name).to_table(columns=["number"])["number"].to_pylist()
        ingest.number = max(numbers, default=0) + 1
        append_next(table, self.location, INGESTS.name, _ingest_row(ingest, is_last=False))

    def _append(self, name: str, rows: pl.DataFrame) -> None:
        append(self.location, name, [rows], self.storage_options)

    def _write_containers(self, containers: list[FinishedContainer], ingest: IngestRow) -> None:
        """Write the entries of containers that were read to their end, after those of their members."""
        if not containers:
            return
        for each in containers:
            if each.members is not None:
                self._delete_other_members(each.path, each.members)
        columns = [column.name for column in CONTAINERS.columns]
        rows = [
            (each.path, each.size_bytes, each.mtime_ns, each.etag, each.sha256, each.skipped, ingest.number)
            for each in containers
        ]
        types = (pl.String, pl.UInt64, pl.Int64, pl.String, pl.String, pl.String, pl.Int64)
        schema = dict(zip(columns, types, strict=True))
        self._append(
            CONTAINERS.name,
            pl.DataFrame(rows, schema=schema, orient="row").with_columns(batch=pl.lit(new_batch())),
        )

    def _delete_other_members(self, container: str, members: list[str]) -> None:
        """Delete the entries of members that a container no longer has; loaded sessions stay, rejected ones go."""
        with self.open() as connection, delta_errors(self.location, "the archive cannot be read", OutputError):
            connection.register("members", pl.DataFrame({"path": members}, schema={"path": pl.String}))
            removed = connection.sql(
                "SELECT path, source FROM files WHERE container = ? AND path NOT IN (SELECT path FROM members)",
                params=[container],
            ).pl()
            connection.register("removed", removed)
            orphaned = connection.sql(
                f"SELECT {', '.join(SESSION_KEY)} FROM delta_sessions WHERE status = 'rejected' "
                "AND source IN (SELECT source FROM removed) AND source NOT IN "
                "(SELECT source FROM files WHERE source IS NOT NULL AND path NOT IN (SELECT path FROM removed))"
            ).pl()
        delete_rows(self.location, FILES.name, removed.select("path"), self.storage_options)
        delete_rows(self.location, SESSIONS.name, orphaned, self.storage_options)


def _ingest_row(ingest: IngestRow, *, is_last: bool) -> pl.DataFrame:
    values = ingest.values(is_last=is_last)
    row = {column.name: [value] for column, value in zip(INGESTS.columns, values, strict=True)}
    return pl.DataFrame(row).with_columns(batch=pl.lit(new_batch()))
