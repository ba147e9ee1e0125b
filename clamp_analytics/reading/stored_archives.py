"""Read archives of either kind: DuckDB files and Delta archives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from clamp_analytics.batch import Batch
from clamp_analytics.reading.archive_batches import read_archive
from clamp_analytics.reading.archive_connection import ArchiveState, read_state
from clamp_analytics.reading.delta_archive import is_delta_location, read_delta_state
from clamp_analytics.reading.delta_batches import read_delta_archive
from clamp_analytics.reading.options import ReadingOptions


def read_stored_state(path: str, options: ReadingOptions, storage_options: Mapping[str, str]) -> ArchiveState:
    """Read what an archive records about its sources.

    Raises:
        SourceError: it is not an archive, is damaged, has a newer version, or another process writes to it.
        UsageError: the package deltalake is not installed.
    """
    if is_delta_location(path):
        return read_delta_state(path, storage_options)
    return read_state(path, wait_seconds=options.archive_wait_seconds)


def read_stored_archive(
    path: str, columns: Collection[str], options: ReadingOptions, storage_options: Mapping[str, str]
) -> Iterator[Batch]:
    """Read the batches of an archive: sessions with all of their records and violations.

    Args:
        path: the archive.
        columns: the columns of ``records`` to read.
        options: the size of a batch, and how long to wait for a process that writes to a DuckDB file.
        storage_options: configuration of the object storage.

    Raises:
        SourceError: it is not an archive, is damaged, has a newer version, or another process writes to it.
        UsageError: the package deltalake is not installed.
    """
    if is_delta_location(path):
        return read_delta_archive(path, columns, options, storage_options)
    return read_archive(path, columns, options)
