"""Compact a Delta archive: delete rows that do not count, merge small files, and delete files that are not needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from clamp_analytics.archive.delta.commits import Conflict, delete_rows, retry_conflicts, writer_properties
from clamp_analytics.archive.delta.tables import (
    ALL_TABLES,
    first_batch_at,
    last_rows,
    open_delta_archive,
)
from clamp_analytics.archive.tables import CONTAINERS, FILES, INGESTS
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.delta_archive import (
    SESSION_KEY,
    DeltaSnapshot,
    delta_errors,
    delta_storage_options,
    open_snapshot,
    table_location,
)
from clamp_analytics.schema import RECORDS, VIOLATIONS

RETAIN_HOURS = 168
"""How long rows and files are kept that no session needs: a writer may be about to commit, and readers may have an
older version open. Delta's own default is a week, too."""

_UNWRITABLE = "the archive cannot be compacted"


def archive_bytes(snapshot: DeltaSnapshot) -> int:
    """The size of the files of all tables."""
    import pyarrow as pa

    actions = (pa.table(table.get_add_actions(flatten=True)) for table in snapshot.tables.values())
    return sum(sum(files["size_bytes"].to_pylist()) for files in actions)


def compact_delta(location: str, retain_hours: int = RETAIN_HOURS) -> tuple[int, int]:
    """Compact all tables.

    Args:
        location: the folder or URL of the archive.
        retain_hours: how long rows and files are kept that are not needed. With 0, no process may write or read the
            archive at the same time.

    Returns:
        The size of the newest version before and after, in bytes.

    Raises:
        SourceError: it cannot be opened.
        OutputError: it cannot be written.
    """
    before = archive_bytes(open_snapshot(location, ALL_TABLES))
    _delete_unneeded_rows(location, retain_hours)
    for name in ALL_TABLES:
        retry_conflicts(location, partial(_merge_files, location, name))
        _delete_files(location, name, retain_hours)
    return before, archive_bytes(open_snapshot(location, ALL_TABLES))


def _delete_unneeded_rows(location: str, retain_hours: int) -> None:
    """Delete orphans, and entries of the ledger that others have replaced."""
    key = ", ".join(SESSION_KEY)
    old = f"batch < '{first_batch_at(datetime.now(UTC) - timedelta(hours=retain_hours))}'"
    queries = {
        table.name: f"SELECT DISTINCT {key} FROM delta_{table.name} ANTI JOIN delta_sessions USING ({key}) WHERE {old}"
        for table in (RECORDS, VIOLATIONS)
    }
    for table, column in ((FILES, "path"), (CONTAINERS, "path"), (INGESTS, "number")):
        last = last_rows(table)
        queries[table.name] = (
            f"SELECT {column}, batch FROM delta_{table.name} "
            f"ANTI JOIN ({last}) AS last USING ({column}, batch) WHERE {old}"
        )
    connection, _ = open_delta_archive(location)
    try:
        with delta_errors(location, _UNWRITABLE, OutputError):
            unneeded = {name: connection.sql(query).pl() for name, query in queries.items()}
    finally:
        connection.close()
    for name, keys in unneeded.items():
        delete_rows(location, name, keys)


def _merge_files(location: str, name: str) -> None:
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    with delta_errors(location, _UNWRITABLE, OutputError):
        table = DeltaTable(table_location(location, name), storage_options=delta_storage_options(location))
        try:
            table.optimize.compact(writer_properties=writer_properties())
        except CommitFailedError as error:
            raise Conflict from error


def _delete_files(location: str, name: str, retain_hours: int) -> None:
    """Delete the files of older versions, and those of processes that were killed, and shorten the log."""
    from deltalake import DeltaTable

    with delta_errors(location, _UNWRITABLE, OutputError):
        table = DeltaTable(table_location(location, name), storage_options=delta_storage_options(location))
        table.vacuum(retain_hours, dry_run=False, enforce_retention_duration=False, full=True)
        table.create_checkpoint()
