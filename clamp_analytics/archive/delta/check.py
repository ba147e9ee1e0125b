"""Check a Delta archive: its columns, the consistency of its tables, and the hashes of files that still exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clamp_analytics.archive.check import CHECKS, Problem, changed_files, check_problems, read_every_value
from clamp_analytics.archive.delta.tables import ALL_TABLES, delta_schema, open_delta_archive
from clamp_analytics.reading.delta_archive import DeltaSnapshot, delta_errors

_ONLY_IN_FILES = ("order",)
"""Checks of what only a DuckDB file has: its rows have an order."""


def delta_problems(
    location: str, *, rehash: bool, progress: Callable[[int, int], None] | None = None
) -> Iterator[Problem]:
    """What is wrong in a Delta archive; see ``check``. Rows that do not count are not reported.

    Raises:
        SourceError: it cannot be read.
        UsageError: the package deltalake is not installed.
    """
    connection, snapshot = open_delta_archive(location)
    try:
        with delta_errors(location, "the archive cannot be read"):
            yield from _wrong_columns(snapshot)
            read_every_value(connection)
            yield from check_problems(connection, [name for name in CHECKS if name not in _ONLY_IN_FILES])
            if rehash:
                yield from changed_files(connection, progress)
    finally:
        connection.close()


def _wrong_columns(snapshot: DeltaSnapshot) -> Iterator[Problem]:
    """Columns that are missing or have another type: only DECIMAL(20,0) holds every seed exactly."""
    import pyarrow as pa

    for name in ALL_TABLES:
        found = {field.name: field.type for field in pa.schema(snapshot.tables[name].schema())}
        for field in delta_schema(name):
            if found.get(field.name) != field.type:
                problem = f"it is {found.get(field.name, 'missing')}, not {field.type}"
                yield "columns", f"{name}.{field.name}", problem
