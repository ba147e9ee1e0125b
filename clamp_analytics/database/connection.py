"""The DuckDB connection: the three tables, the views of the library, and the lock on everything else."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clamp_analytics.database.library import library
from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.reading import Counts, Reader, Telemetry
from clamp_analytics.reading.archive_connection import attach_archive
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.export import read_manifest
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.schema import TABLES, Table, arrow_schema, ddl, meaning
from clamp_analytics.sources import MANIFEST, is_database

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset

LOCK = ("SET enable_external_access = false", "SET lock_configuration = true")
"""No file, network or extension from here on, and no setting that could bring them back."""


_COUNTS = "SELECT count(*) FILTER (WHERE status = 'loaded'), count(*) FILTER (WHERE status <> 'loaded') FROM sessions"


@dataclass(frozen=True, slots=True)
class Database:
    """An open database, with what was counted when it was filled.

    Attributes:
        connection: the connection.
        counts: files seen, loaded, rejected and skipped.
        directory: the absolute folder that all sources have in common; of several exports, of themselves.
    """

    connection: duckdb.DuckDBPyConnection
    counts: Counts
    directory: str


def connect(
    sources: Sources | Telemetry,
    *,
    jobs: int | None = None,
    recursive: bool = True,
    session_ids: bool = True,
    allow_external: bool = False,
    progress: Progress | None = None,
) -> duckdb.DuckDBPyConnection:
    """Telemetry as a DuckDB connection with the tables ``sessions``, ``records``, ``violations`` and the views.

    Session files are read into memory. Parquet exports alone, and an archive alone, are left where they are and read
    by each query, as far as it needs them; nobody can ingest into the archive while the connection is open. The
    session's time zone is UTC.

    Args:
        sources: session files, folders, globs, ``-``, exports or archives; or telemetry that is loaded already.
        jobs: how many batches are read, and threads of DuckDB run, at once; the usable cores by default.
        recursive: whether folders are searched below, too.
        session_ids: whether to hash each file for its ``session_id``.
        allow_external: whether the SQL may reach files, network, extensions and settings, and may write.
        progress: is told how far reading has come.

    Raises:
        SourceError: a source does not exist or an export is damaged.
        UsageError: ``jobs`` is below 1, or the telemetry lacks columns.
        OutputError: there is no place for temporary files.
    """
    return open_database(
        sources,
        jobs=jobs,
        recursive=recursive,
        session_ids=session_ids,
        allow_external=allow_external,
        progress=progress,
    ).connection


def open_database(
    sources: Sources | Telemetry,
    *,
    jobs: int | None = None,
    recursive: bool = True,
    session_ids: bool = True,
    allow_external: bool = False,
    progress: Progress | None = None,
) -> Database:
    """Like ``connect``, and tells what was counted. Args and errors are those of ``connect``."""
    threads = checked_jobs(jobs)
    telemetry: Telemetry | None = None
    exports: list[str] = []
    archive: str | None = None
    if isinstance(sources, Telemetry):
        telemetry = sources
    else:
        given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
        exports = _only_exports(given)
        archive = _only_archive(given)
        if not exports and archive is None:
            reader = Reader(given, recursive=recursive, jobs=jobs, session_ids=session_ids, progress=progress)
            telemetry = reader.collect()
    connection = _new_connection(threads, allow_external=allow_external)
    if telemetry is not None:
        _store(connection, telemetry)
        counts, directory = telemetry.counts, telemetry.directory
    elif archive is not None:
        counts, directory = _attach_archive(connection, archive)
    else:
        counts, directory = _attach(connection, exports)
    for query in library().values():
        if query.kind == "view":
            connection.execute(f"CREATE VIEW {query.name} AS {query.sql}")
            _comment(connection, query.name, query.sentence, query.columns.items())
    if not allow_external:
        for statement in LOCK:
            connection.execute(statement)
    return Database(connection, counts, directory)


def _new_connection(threads: int, *, allow_external: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        # Private to the user, because rows of a large query are written to it; DuckDB's own place is the folder one
        # is in.
        spill = tempfile.mkdtemp(prefix="clamp-analytics-")
    except OSError as error:
        raise OutputError(
            f"there is no place for temporary files: {error.strerror}",
            where=tempfile.gettempdir(),
            hint="set TMPDIR to a folder that can be written",
        ) from error
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "temp_directory": spill,
            # A table name must never become a variable of the Python code around.
            "python_enable_replacements": False,
            "autoinstall_known_extensions": allow_external,
            "autoload_known_extensions": allow_external,
            "allow_community_extensions": allow_external,
        },
    )
    weakref.finalize(connection, shutil.rmtree, spill, ignore_errors=True)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _only_exports(given: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The exports by name, where the sources are nothing else."""
    folders = {os.fspath(source) for source in given}
    return sorted(folders) if all(Path(folder, MANIFEST).is_file() for folder in folders) else []


def _store(connection: duckdb.DuckDBPyConnection, telemetry: Telemetry) -> None:
    """Copy frames into tables of the declared types."""
    connection.execute(ddl())
    for table in TABLES.values():
        frame = getattr(telemetry, table.name)
        missing = [name for name in table.names if name not in frame.columns]
        if missing:
            raise UsageError(
                f"the telemetry lacks {', '.join(missing)} of {table.name}", hint="load it with all its columns"
            )
        connection.register("incoming", frame)
        connection.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")


def _attach(connection: duckdb.DuckDBPyConnection, exports: list[str]) -> tuple[Counts, str]:
    """Make the tables views of the exports' files.

    They go through Arrow and not through DuckDB's own Parquet reader, because that needs the right to open the files
    for as long as the connection lives, and the SQL would have the right, too.
    """
    manifests = [(folder, read_manifest(folder)) for folder in exports]
    for table in TABLES.values():
        paths = [
            str(Path(folder, file.path))
            for folder, manifest in manifests
            for file in manifest.files
            if file.table == table.name
        ]
        connection.register(table.name, _dataset(table, paths))
        _comment(connection, table.name, table.meaning, ((column.name, meaning(column)) for column in table.columns))
    loaded, rejected = connection.execute(_COUNTS).fetchall()[0]
    skipped = sum(sum(manifest.skipped.values()) for _, manifest in manifests)
    directories = [manifest.source_directory for _, manifest in manifests]
    directory = directories[0] if len(directories) == 1 else os.path.commonpath(map(os.path.abspath, exports))
    return Counts(loaded, rejected, skipped), directory


def _only_archive(given: list[str | os.PathLike[str]]) -> str | None:
    """The archive, where it is the only source."""
    path = os.fspath(given[0]) if len(given) == 1 else ""
    return path if Path(path).is_file() and is_database(path) else None


def _attach_archive(connection: duckdb.DuckDBPyConnection, path: str) -> tuple[Counts, str]:
    """Make the tables views of an archive's, which stays where it is and cannot be written to."""
    state = attach_archive(connection, path, "archive")
    for table in TABLES.values():
        connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM archive.{table.name}")
        _comment(connection, table.name, table.meaning, ((column.name, meaning(column)) for column in table.columns))
    loaded, rejected = connection.execute(_COUNTS).fetchall()[0]
    return Counts(loaded, rejected, sum(state.skipped.values())), state.source_directory or str(Path(path).parent)


def _dataset(table: Table, paths: list[str]) -> pyarrow.dataset.Dataset | Any:
    import pyarrow as pa
    import pyarrow.dataset as ds

    schema = arrow_schema(table)
    return ds.dataset(paths, schema=schema, format="parquet") if paths else pa.Table.from_batches([], schema)


def _comment(
    connection: duckdb.DuckDBPyConnection, view: str, sentence: str, columns: Iterable[tuple[str, str]]
) -> None:
    connection.execute(f"COMMENT ON VIEW {view} IS {_literal(sentence)}")
    for name, text in columns:
        connection.execute(f'COMMENT ON COLUMN {view}."{name}" IS {_literal(text)}')


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
