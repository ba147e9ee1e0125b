"""Open Delta archives: a folder or URL with one Delta table for each table of an archive.

Delta has no transaction across tables. The table ``sessions`` decides: every row of ``records`` and ``violations``
names its session by ``batch`` and ``batch_row``, and counts only if ``sessions`` has that session. Rows without one
were written by a process that was killed, or that lost to another writer. They are called orphans.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clamp_analytics.errors import ClampError, SourceError
from clamp_analytics.extras import require_extras
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import ArchiveState, archive_state, archive_version, first_line
from clamp_analytics.reading.delta_dataset import delta_dataset
from clamp_analytics.schema import RECORDS, SESSIONS, TABLES, VIOLATIONS, ColumnType, Table, duckdb_type
from clamp_analytics.sources import is_delta_archive
from clamp_analytics.sources.object_refusals import hint_for, reason_of_refusal
from clamp_analytics.sources.object_storage import check_bucket, is_url
from clamp_analytics.wording import sql_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset
    from deltalake import DeltaTable

SESSION_KEY = ("batch", "batch_row")
"""The columns that name a session in every table: the batch that it was written in, and its number in there."""

VIOLATION_ORDER = "violation_row"
"""The column of ``violations`` that keeps their order within a batch."""

_ATTEMPTS = 5
_UNSIGNED = (ColumnType.UINT64, ColumnType.UINT32)


@dataclass(frozen=True, slots=True)
class DeltaSnapshot:
    """One version of each of some tables.

    Attributes:
        location: the folder or URL of the archive.
        tables: the tables by name.
        storage_options: the options that they were opened with.
    """

    location: str
    tables: Mapping[str, DeltaTable]
    storage_options: dict[str, str] | None

    def dataset(self, name: str, batches: tuple[str, str] | None = None) -> pyarrow.dataset.Dataset:
        """The files of a table; of those with rows of some batches only, where the first and last are given."""
        return delta_dataset(self.tables[name], table_location(self.location, name), self.storage_options, batches)

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register every table of the snapshot as ``delta_NAME``; rows are read when a query asks for them."""
        for name in self.tables:
            connection.register(f"delta_{name}", self.dataset(name))


def is_delta_location(archive: str | os.PathLike[str]) -> bool:
    """Whether a path or URL is a Delta archive. A URL of an archive can be nothing else."""
    return is_url(os.fspath(archive)) or is_delta_archive(archive)


def delta_table_exists(location: str, name: str, storage_options: Mapping[str, str] | None = None) -> bool:
    """Whether an archive has a table.

    Raises:
        SourceError: the storage does not say.
        UsageError: the package deltalake is not installed.
    """
    require_extras("lake")
    from deltalake import DeltaTable

    with delta_errors(location, "the archive cannot be opened"):
        options = delta_storage_options(location, storage_options)
        return DeltaTable.is_deltatable(table_location(location, name), storage_options=options)


def table_location(location: str, name: str) -> str:
    """The path or URL of a table."""
    return f"{location.rstrip('/')}/{name}"


def delta_storage_options(location: str, options: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """The options with which deltalake opens a location; credentials come from the environment.

    A commit must fail where another writer made the same version. On S3 that takes conditional writes, so a setting
    that replaces them by plain writes is overruled.

    Raises:
        UsageError: the URL names no bucket.
    """
    if not is_url(location):
        return None
    check_bucket(location)
    chosen = dict(options or {})
    if location.startswith("s3"):
        chosen |= {"conditional_put": "etag", "aws_s3_allow_unsafe_rename": "false"}
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        if endpoint.startswith("http://"):
            chosen.setdefault("aws_allow_http", "true")
    return chosen


@contextmanager
def delta_errors(location: str, what: str, kind: type[ClampError] = SourceError) -> Iterator[None]:
    """Turn errors of deltalake, Arrow and DuckDB into one sentence.

    Raises:
        ClampError: an error of the given kind.
    """
    import duckdb
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError, pa.ArrowException, duckdb.Error) as error:
        # The answer of a service may hold credentials.
        is_remote = is_url(location)
        reason = reason_of_refusal(error) if is_remote else first_line(error)
        hint = hint_for(reason) if is_remote else ""
        raise kind(f"{what}: {reason}", where=display_name(location), hint=hint) from error


def open_snapshot(
    location: str, names: Iterable[str], storage_options: Mapping[str, str] | None = None
) -> DeltaSnapshot:
    """Open the newest version of some tables.

    Args:
        location: the folder or URL of the archive.
        names: the names of the tables; ``sessions`` must be among them.
        storage_options: configuration of the object storage.

    Raises:
        SourceError: the archive cannot be opened.
        UsageError: the package deltalake is not installed.
    """
    require_extras("lake")
    from deltalake import DeltaTable

    options = delta_storage_options(location, storage_options)
    with delta_errors(location, "the archive cannot be opened"):
        # Sessions first: what they refer to was written before them.
        ordered = sorted(names, key=lambda name: name != SESSIONS.name)
        for _ in range(_ATTEMPTS):
            tables = {name: DeltaTable(table_location(location, name), storage_options=options) for name in ordered}
            sessions = tables[SESSIONS.name]
            read = sessions.version()
            # A session that was removed meanwhile may have lost its records already.
            sessions.update_incremental()
            if sessions.version() == read:
                break
            sessions.load_as_version(read)
    return DeltaSnapshot(location, tables, options)


def connect_in_memory() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection for queries of a snapshot."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        # A table name must never refer to a variable of the Python code, and by default DuckDB would write what
        # does not fit in memory into the current folder.
        config={"python_enable_replacements": False, "temp_directory": _spill_folder()},
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _spill_folder() -> str:
    """A folder that DuckDB creates when it needs one, and removes at the end."""
    return os.path.join(tempfile.gettempdir(), f"clamp-analytics-{os.getpid()}")


def select_columns(table: Table, names: Iterable[str] | None = None) -> str:
    """Columns of a Delta table for a SELECT, with the types that they have in every other table."""
    wanted = table.names if names is None else list(names)
    columns = [column for column in table.columns if column.name in wanted]
    return ", ".join(
        f"CAST({sql_name(column.name)} AS {duckdb_type(column)}) AS {sql_name(column.name)}"
        if column.type in _UNSIGNED
        else sql_name(column.name)
        for column in columns
    )


def data_views() -> dict[str, str]:
    """The SELECT statement of each of the three tables, without orphans, over a registered snapshot."""
    key = ", ".join(SESSION_KEY)
    return {
        SESSIONS.name: f"SELECT {select_columns(SESSIONS)} FROM delta_sessions",
        **{
            table.name: f"SELECT {select_columns(table)} FROM delta_{table.name} SEMI JOIN delta_sessions USING ({key})"
            for table in (RECORDS, VIOLATIONS)
        },
    }


LAST_INGESTS = "SELECT * FROM delta_ingests QUALIFY row_number() OVER (PARTITION BY number ORDER BY batch DESC) = 1"
"""The rows of ``ingests`` that count: a finished ingest has replaced the row of its beginning."""


def read_delta_state(location: str, storage_options: Mapping[str, str] | None = None) -> ArchiveState:
    """Read what a Delta archive records about its sources.

    Raises:
        SourceError: it is not an archive, cannot be read, or has a newer version.
        UsageError: the package deltalake is not installed.
    """
    snapshot = open_snapshot(location, (SESSIONS.name, "ingests", "meta"), storage_options)
    connection = connect_in_memory()
    try:
        with delta_errors(location, "the archive cannot be read"):
            snapshot.register(connection)
            connection.execute("CREATE VIEW meta AS SELECT * FROM delta_meta")
            connection.execute("CREATE VIEW sessions AS SELECT * FROM delta_sessions")
            connection.execute(f"CREATE VIEW ingests AS {LAST_INGESTS}")
            return archive_state(connection, archive_version(connection, location))
    finally:
        connection.close()


def attach_delta_archive(
    connection: duckdb.DuckDBPyConnection, location: str, storage_options: Mapping[str, str] | None = None
) -> ArchiveState:
    """Create views of the three tables of a Delta archive on a connection.

    Raises:
        SourceError: it is not an archive, cannot be read, or has a newer version.
        UsageError: the package deltalake is not installed.
    """
    state = read_delta_state(location, storage_options)
    snapshot = open_snapshot(location, TABLES, storage_options)
    with delta_errors(location, "the archive cannot be read"):
        snapshot.register(connection)
        for name, query in data_views().items():
            connection.execute(f"CREATE VIEW {name} AS {query}")
    return state
