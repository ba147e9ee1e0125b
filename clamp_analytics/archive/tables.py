"""The tables of an archive: sessions, records and violations; the ledger of files; the ingests; the version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics import __version__
from clamp_analytics.archive.paths import temporary_path, wal_path
from clamp_analytics.atomic_files import link_new, make_folder
from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.archive_connection import FORMAT, UPGRADE_HINT, VERSION, check_path, record_counts
from clamp_analytics.schema import ddl
from clamp_analytics.wording import sql_name, sql_string

if TYPE_CHECKING:
    import duckdb


BLOCK_BYTES = 16_384
"""The smallest size of a column, and the unit in which the file grows; DuckDB's default is 256 KiB."""


@dataclass(frozen=True, slots=True)
class View:
    """A view that is stored in an archive, so that other programs can query it.

    Attributes:
        name: its name.
        sentence: what a row is.
        columns: the description of each column.
        sql: one SELECT statement over the three tables.
    """

    name: str
    sentence: str
    columns: Mapping[str, str]
    sql: str


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """A table of the ledger."""

    name: str
    meaning: str
    columns: tuple[_Column, ...]

    def ddl(self) -> str:
        """The statements that create the table, with its comments."""
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        head = f"CREATE TABLE {self.name} ({columns}); COMMENT ON TABLE {self.name} IS {sql_string(self.meaning)};"
        return "\n".join([head, *self.comments()])

    def comments(self) -> list[str]:
        """Statements that describe the columns."""
        return [f"COMMENT ON COLUMN {self.name}.{each.name} IS {sql_string(each.meaning)};" for each in self.columns]


META = LedgerTable(
    "meta",
    "Properties of the archive: one row per property.",
    (
        _Column(
            "name",
            "VARCHAR NOT NULL",
            "The property: format, schema_version, created_by, created_at, or the number of rows of a table.",
        ),
        _Column("value", "VARCHAR NOT NULL", "Value of the property as text."),
    ),
)

FILES = LedgerTable(
    "files",
    "The ledger: one row per file that was ever ingested, with its status.",
    (
        _Column(
            "path", "VARCHAR NOT NULL", "Absolute path or URL; a member of a container is named `container!/member`."
        ),
        _Column("container", "VARCHAR", "The container or compressed file that holds it; null for a plain file."),
        _Column("size_bytes", "UBIGINT", "Size when it was read. (bytes)"),
        _Column(
            "mtime_ns",
            "BIGINT",
            "Modification time when it was read; null for a member and for an object. (ns since 1970, UTC)",
        ),
        _Column("etag", "VARCHAR", "ETag of an object in object storage; null for a file on disk and for a member."),
        _Column("session_id", "VARCHAR", "SHA-256 of its bytes; null where they could not be read."),
        _Column(
            "status",
            "VARCHAR NOT NULL",
            "`loaded`; `duplicate` of a known session; `rejected`; `forgotten` on request.",
        ),
        _Column("reason", "VARCHAR", "Why it was rejected."),
        _Column("source", "VARCHAR", "Name of its session in the other tables; null where they have no such session."),
        _Column("ingest", "UINTEGER NOT NULL", "Number of the ingest that last read it."),
    ),
)

CONTAINERS = LedgerTable(
    "containers",
    "One row per container or compressed file that was ever ingested; its members are in `files`.",
    (
        _Column("path", "VARCHAR NOT NULL", "Absolute path or URL."),
        _Column("size_bytes", "UBIGINT", "Size when it was read. (bytes)"),
        _Column("mtime_ns", "BIGINT", "Modification time when it was read; null for an object. (ns since 1970, UTC)"),
        _Column("etag", "VARCHAR", "ETag of an object in object storage; null for a file on disk."),
        _Column("sha256", "VARCHAR", "Hash of its bytes; null for an object, and where they could not be read."),
        _Column("skipped_reasons", "VARCHAR NOT NULL", "Skipped members by reason, as a JSON object."),
        _Column("ingest", "UINTEGER NOT NULL", "Number of the ingest that last opened it."),
    ),
)

INGESTS = LedgerTable(
    "ingests",
    "One row per ingest that changed the archive.",
    (
        _Column("number", "UINTEGER NOT NULL", "Number of the ingest, from 1."),
        _Column("started_at", "TIMESTAMPTZ NOT NULL", "Start of the ingest. (UTC)"),
        _Column("finished_at", "TIMESTAMPTZ", "Last commit of the ingest; null where it was interrupted. (UTC)"),
        _Column("tool_version", "VARCHAR NOT NULL", "Version of clamp-analytics."),
        _Column("directory", "VARCHAR NOT NULL", "Absolute folder that all sources have in common."),
        _Column(
            "build_info", "VARCHAR", "JSON text of the provenance snapshot of the sources; null where there is none."
        ),
        _Column("new", "UINTEGER NOT NULL", "Sessions that were added."),
        _Column("known", "UINTEGER NOT NULL", "Files whose session was in the archive already."),
        _Column("rejected", "UINTEGER NOT NULL", "Files that could not be read as a session."),
        _Column("skipped", "UINTEGER NOT NULL", "Skipped entries."),
        _Column("skipped_reasons", "VARCHAR NOT NULL", "Skipped entries by reason, as a JSON object."),
    ),
)

FORGOTTEN = LedgerTable(
    "forgotten",
    "One row per session that was forgotten on request; later ingests skip it.",
    (
        _Column("session_id", "VARCHAR NOT NULL", "SHA-256 of the session's bytes."),
        _Column("forgotten_at", "TIMESTAMPTZ NOT NULL", "Time of the request. (UTC)"),
    ),
)

LEDGER_TABLES = (META, FILES, CONTAINERS, INGESTS, FORGOTTEN)


def create_archive(path: Path, views: Sequence[View]) -> None:
    """Create an empty archive; the file is complete as soon as it exists.

    Raises:
        OutputError: it cannot be created.
    """
    make_folder(path.parent, "choose another path")
    temporary = temporary_path(path)
    try:
        try:
            write_empty_archive(temporary, views)
            link_new(temporary, path)
        finally:
            for part in (temporary, wal_path(temporary)):
                part.unlink(missing_ok=True)
    except FileExistsError:
        # Another process created it at the same moment; opening it shows whether it is an archive.
        return
    except OSError as error:
        raise OutputError.from_os_error("the archive cannot be created", error, where=display_name(path)) from error


def write_empty_archive(path: Path, views: Sequence[View]) -> None:
    """Write an archive without sessions to a path that does not exist.

    Raises:
        OutputError: DuckDB cannot write it.
    """
    import duckdb

    check_path(path, OutputError)
    try:
        connection = duckdb.connect(str(path), config={"default_block_size": BLOCK_BYTES})
        try:
            connection.execute("BEGIN")
            connection.execute(ddl())
            for table in LEDGER_TABLES:
                connection.execute(table.ddl())
            properties = {
                "format": FORMAT,
                "schema_version": str(VERSION),
                "created_by": f"clamp-analytics {__version__}",
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            connection.executemany("INSERT INTO meta VALUES (?, ?)", list(properties.items()))
            record_counts(connection)
            create_views(connection, views)
            connection.execute("COMMIT")
            # Closing would do it, too, but reports no error.
            connection.execute("CHECKPOINT")
        finally:
            connection.close()
    except duckdb.Error as error:
        what = f"the archive cannot be created: {str(error).splitlines()[0]}"
        raise OutputError(what, where=display_name(path)) from error


def empty_archive_in_memory() -> duckdb.DuckDBPyConnection:
    """The tables of an archive without sessions, in memory."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(ddl())
    for table in LEDGER_TABLES:
        connection.execute(table.ddl())
    return connection


def require_current(version: int, archive: Path) -> None:
    """Check that an archive has the current version, which is the only one that is written to.

    Raises:
        OutputError: it has an older version.
    """
    if version < VERSION:
        what = f"the archive has version {version}, and only version {VERSION} is written to"
        raise OutputError(what, where=display_name(archive), hint=UPGRADE_HINT)


def create_views(connection: duckdb.DuckDBPyConnection, views: Sequence[View]) -> None:
    """Create views with their descriptions as comments; they replace views of the same names."""
    for view in views:
        connection.execute(f"CREATE OR REPLACE VIEW {view.name} AS {view.sql}")
        connection.execute(f"COMMENT ON VIEW {view.name} IS {sql_string(view.sentence)}")
        for name, sentence in view.columns.items():
            connection.execute(f"COMMENT ON COLUMN {view.name}.{sql_name(name)} IS {sql_string(sentence)}")
