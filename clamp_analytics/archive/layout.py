"""What an archive consists of: the tables of the telemetry, the ledger of files, the ingests, and the version."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics import __version__
from clamp_analytics.archive.lock import temporary_of
from clamp_analytics.atomic_files import display_name, make_folder
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.archive import FORMAT, UPGRADE, VERSION
from clamp_analytics.schema import ddl

if TYPE_CHECKING:
    import duckdb


BLOCK_BYTES = 16_384
"""What a column takes at least, and what the file grows by: DuckDB's own 256 KiB are for larger tables."""


@dataclass(frozen=True, slots=True)
class View:
    """A view that an archive carries, so that it answers questions without this package.

    Attributes:
        name: its name.
        sentence: what a row is.
        columns: its columns, each with a sentence.
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
class _Table:
    name: str
    meaning: str
    columns: tuple[_Column, ...]

    def ddl(self) -> str:
        columns = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        comments = [f"COMMENT ON COLUMN {self.name}.{each.name} IS {text(each.meaning)};" for each in self.columns]
        head = f"CREATE TABLE {self.name} ({columns}); COMMENT ON TABLE {self.name} IS {text(self.meaning)};"
        return "\n".join([head, *comments])


META = _Table(
    "meta",
    "What the archive says of itself: one row a fact.",
    (
        _Column("name", "VARCHAR NOT NULL", "The fact: format, schema_version, created_by, created_at."),
        _Column("value", "VARCHAR NOT NULL", "Its value as text."),
    ),
)

FILES = _Table(
    "files",
    "The ledger: one row a file that was ever ingested, with what became of it.",
    (
        _Column("path", "VARCHAR NOT NULL", "Absolute path; a member is named `container!/member`."),
        _Column("container", "VARCHAR", "The container or compressed file that holds it; null of a plain file."),
        _Column("size_bytes", "UBIGINT", "Size when it was read. (bytes)"),
        _Column("mtime_ns", "BIGINT", "Modification time when it was read; null of a member. (ns since 1970, UTC)"),
        _Column("session_id", "VARCHAR", "SHA-256 of its bytes; null where they could not be read."),
        _Column(
            "status",
            "VARCHAR NOT NULL",
            "`loaded`; `duplicate` of bytes that were known; `rejected`; `forgotten` on request.",
        ),
        _Column("reason", "VARCHAR", "Why it was rejected."),
        _Column("source", "VARCHAR", "Name of its session in the other tables; null where it has none there."),
        _Column("ingest", "UINTEGER NOT NULL", "Number of the ingest that last looked at its bytes."),
    ),
)

CONTAINERS = _Table(
    "containers",
    "One row a container or compressed file that was ever ingested; what it holds is in `files`.",
    (
        _Column("path", "VARCHAR NOT NULL", "Absolute path."),
        _Column("size_bytes", "UBIGINT", "Size when it was read. (bytes)"),
        _Column("mtime_ns", "BIGINT", "Modification time when it was read. (ns since 1970, UTC)"),
        _Column("sha256", "VARCHAR", "Hash of its bytes; null where they could not be read."),
        _Column("skipped_reasons", "VARCHAR NOT NULL", "Members passed over, by reason, as a JSON object."),
        _Column("ingest", "UINTEGER NOT NULL", "Number of the ingest that last opened it."),
    ),
)

INGESTS = _Table(
    "ingests",
    "One row an ingest that changed the archive.",
    (
        _Column("number", "UINTEGER NOT NULL", "Counts up from 1."),
        _Column("started_at", "TIMESTAMPTZ NOT NULL", "Its start. (UTC)"),
        _Column("finished_at", "TIMESTAMPTZ", "Its last commit; null where it was ended before. (UTC)"),
        _Column("tool_version", "VARCHAR NOT NULL", "Version of clamp-analytics."),
        _Column("directory", "VARCHAR NOT NULL", "Absolute folder that its sources have in common."),
        _Column("build_info", "VARCHAR", "Provenance snapshot of its sources, the JSON text; null where none."),
        _Column("new", "UINTEGER NOT NULL", "Sessions that it added."),
        _Column("known", "UINTEGER NOT NULL", "Files whose sessions were known."),
        _Column("rejected", "UINTEGER NOT NULL", "Files that are no sessions."),
        _Column("skipped", "UINTEGER NOT NULL", "Entries passed over."),
        _Column("skipped_reasons", "VARCHAR NOT NULL", "Entries passed over, by reason, as a JSON object."),
    ),
)

FORGOTTEN = _Table(
    "forgotten",
    "Hashes of sessions that were forgotten on request, so that no ingest brings them back.",
    (
        _Column("session_id", "VARCHAR NOT NULL", "SHA-256 of the session's bytes."),
        _Column("forgotten_at", "TIMESTAMPTZ NOT NULL", "When. (UTC)"),
    ),
)

LEDGER = (META, FILES, CONTAINERS, INGESTS, FORGOTTEN)


def text(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def create(path: Path, views: Sequence[View]) -> None:
    """Make an empty archive, complete or absent.

    Raises:
        OutputError: it cannot be made.
    """
    make_folder(path.parent, "choose another place with --archive")
    temporary = temporary_of(path)
    try:
        try:
            write_empty(temporary, views)
            # A link, because a rename would replace what came to stand there meanwhile.
            os.link(temporary, path)
        finally:
            for part in (temporary, wal_of(temporary)):
                part.unlink(missing_ok=True)
    except FileExistsError:
        # Somebody made it at the same moment; whatever it is, opening it will tell.
        return
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"the archive cannot be made: {reason}", where=display_name(path)) from error


def write_empty(path: Path, views: Sequence[View]) -> None:
    """Write an archive without sessions at a path where nothing is.

    Raises:
        OutputError: DuckDB cannot write it.
    """
    import duckdb

    try:
        connection = duckdb.connect(str(path), config={"default_block_size": BLOCK_BYTES})
        try:
            connection.execute("BEGIN")
            connection.execute(ddl())
            for table in LEDGER:
                connection.execute(table.ddl())
            facts = {
                "format": FORMAT,
                "schema_version": str(VERSION),
                "created_by": f"clamp-analytics {__version__}",
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            connection.executemany("INSERT INTO meta VALUES (?, ?)", list(facts.items()))
            put_views(connection, views)
            connection.execute("COMMIT")
            # Closing would do it, too, but keeps silent where it fails.
            connection.execute("CHECKPOINT")
        finally:
            connection.close()
    except duckdb.Error as error:
        what = f"the archive cannot be made: {str(error).splitlines()[0]}"
        raise OutputError(what, where=display_name(path)) from error


def empty_in_memory() -> duckdb.DuckDBPyConnection:
    """The tables of an archive without sessions, in memory."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(ddl())
    for table in LEDGER:
        connection.execute(table.ddl())
    return connection


def require_current(version: int, archive: Path) -> None:
    """Check that an archive may be written to.

    Raises:
        OutputError: it is an older one.
    """
    if version < VERSION:
        what = f"the archive has version {version}, and only version {VERSION} is written to"
        raise OutputError(what, where=display_name(archive), hint=UPGRADE)


def put_views(connection: duckdb.DuckDBPyConnection, views: Sequence[View]) -> None:
    """Make views, with their sentences as comments, in the place of those of the same names."""
    for view in views:
        connection.execute(f"CREATE OR REPLACE VIEW {view.name} AS {view.sql}")
        connection.execute(f"COMMENT ON VIEW {view.name} IS {text(view.sentence)}")
        for name, sentence in view.columns.items():
            connection.execute(f'COMMENT ON COLUMN {view.name}."{name}" IS {text(sentence)}')


def wal_of(path: Path) -> Path:
    """The write-ahead log that DuckDB keeps beside a database."""
    return path.with_name(path.name + ".wal")
