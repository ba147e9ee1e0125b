"""``Store``: what an ingest needs from the archive that it writes to; and the store of a DuckDB file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import polars as pl

from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.plan import Ledger, empty_ledger, read_ledger
from clamp_analytics.archive.ingest.staging import Staging
from clamp_analytics.archive.ingest.transaction import IngestRow, transaction, write_staged
from clamp_analytics.archive.lock import writer_lock
from clamp_analytics.archive.tables import View, create_archive, empty_archive_in_memory, require_current
from clamp_analytics.reading.archive_connection import damage_as_source_error, open_archive
from clamp_analytics.reading.executors import checked_jobs

if TYPE_CHECKING:
    import duckdb


class Store(Protocol):
    """An archive that an ingest writes to.

    Attributes:
        spill_folder: where records wait that do not fit in memory; None for the system's folder of temporary files.
    """

    spill_folder: Path | None

    def lock(self) -> AbstractContextManager[None]:
        """Keep other writers away for the duration of a block, where the store needs it."""

    def ledger(self) -> Ledger:
        """The files that the archive knows; none before it is created."""

    def open(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection with the tables of the archive, which are empty before it is created."""

    def write(self, staging: Staging, ingest: IngestRow, *, is_last: bool) -> pl.DataFrame:
        """Write what is staged, and return the sessions that were added, including rejected ones.

        Args:
            staging: what to write.
            ingest: the row of the ingest; its counts are increased.
            is_last: whether this ends the ingest.
        """


@dataclass(slots=True)
class DuckDBStore:
    """A DuckDB file as the archive of an ingest; see ``Store``.

    Attributes:
        archive: the file, which need not exist.
        options: how long to wait for other processes, and how many threads may write.
        views: the views that a new archive gets.
    """

    archive: Path
    options: IngestOptions
    views: Sequence[View]
    spill_folder: Path | None = None

    def __post_init__(self) -> None:
        self.spill_folder = self.archive.parent

    def lock(self) -> AbstractContextManager[None]:
        """Be the only writer."""
        return writer_lock(self.archive, "ingest", self.options.wait_seconds)

    def ledger(self) -> Ledger:
        """The files that the archive knows.

        Raises:
            SourceError: the file is not an archive, or is damaged.
            OutputError: it has an older version.
        """
        if not os.path.exists(self.archive):
            return empty_ledger()
        connection, version = open_archive(self.archive, wait_seconds=self.options.wait_seconds)
        try:
            require_current(version, self.archive)
            with damage_as_source_error(self.archive):
                return read_ledger(connection)
        finally:
            connection.close()

    def open(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open the archive for reading; an empty one in memory where there is none."""
        if not os.path.exists(self.archive):
            return closing(empty_archive_in_memory())
        return closing(open_archive(self.archive)[0])

    def write(self, staging: Staging, ingest: IngestRow, *, is_last: bool) -> pl.DataFrame:
        """Write what is staged in one transaction."""
        if not os.path.exists(self.archive):
            create_archive(self.archive, self.views)
        with transaction(self.archive, self.options.wait_seconds) as connection:
            if is_last:
                # All files are decoded, so every core may write.
                connection.execute(f"SET threads = {checked_jobs(self.options.jobs)}")
            return write_staged(connection, staging, ingest, is_last=is_last)
