"""``connect``: a DuckDB connection with the three tables and the views, locked against everything else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clamp_analytics.database.library import library
from clamp_analytics.database.limits import (
    SpillFolder,
    default_memory_limit,
    size_in_bytes,
)
from clamp_analytics.errors import UsageError
from clamp_analytics.path_names import escape_surrogates
from clamp_analytics.reading import Counts, Reader, Telemetry
from clamp_analytics.reading.archive_connection import attach_archive, damage_as_source_error, select_list
from clamp_analytics.reading.delta_archive import attach_delta_archive, is_delta_location
from clamp_analytics.reading.executors import checked_jobs
from clamp_analytics.reading.export import Manifest, read_manifest
from clamp_analytics.reading.labels import LabelRule, parse_label_rules, session_labels
from clamp_analytics.reading.query_progress import record_progress
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.schema import SESSIONS, TABLES, Table, arrow_schema, ddl, meaning
from clamp_analytics.sources import MANIFEST, is_database, is_delta_archive
from clamp_analytics.sources.object_listing import is_archive_url
from clamp_analytics.sources.object_storage import ObjectStorage, is_url
from clamp_analytics.wording import sql_name, sql_string

if TYPE_CHECKING:
    import duckdb
    import pyarrow.dataset

LOCK = ("SET enable_external_access = false", "SET lock_configuration = true")
"""Statements that forbid files, network and extensions, and the settings that would allow them again."""


ARCHIVE = "archive"
"""The name under which an archive is attached."""

_COUNTS = "SELECT count(*) FILTER (WHERE status = 'loaded'), count(*) FILTER (WHERE status <> 'loaded') FROM sessions"


@dataclass(frozen=True, slots=True)
class Database:
    """An open database, and the counts of the files that its tables come from.

    Attributes:
        connection: the connection.
        counts: files seen, loaded, rejected and skipped.
        directory: the absolute folder that all sources have in common; for several exports, that of the exports.
    """

    connection: duckdb.DuckDBPyConnection
    counts: Counts
    directory: str


def connect(
    sources: Sources | Telemetry,
    *,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    session_ids: bool = True,
    allow_external: bool = False,
    memory_limit: str | None = None,
    progress: Progress | None = None,
    labels: Iterable[str | LabelRule] = (),
) -> duckdb.DuckDBPyConnection:
    r"""Open a DuckDB connection with the tables ``sessions``, ``records``, ``violations`` and the views.

    Session files are read into memory. If all sources are Parquet exports whose sessions have different names, or the
    only source is an archive, each query reads the rows that it needs from them, unless rules for labels are given;
    nobody can ingest into the archive while the connection is open. The session's time zone is UTC.

    Args:
        sources: session files, folders, globs, ``-``, exports or archives; or loaded telemetry.
        jobs: how many batches are read, and threads of DuckDB run, at once; the usable cores by default.
        recursive: whether subfolders are searched, too.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        session_ids: whether to hash each file for its ``session_id``.
        allow_external: whether the SQL may access files, network, extensions and settings, and may write.
        memory_limit: memory that queries may use, such as ``2GB``; half of the machine's memory by default.
        progress: called with the number of files read and of all files.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.

    Raises:
        SourceError: a source does not exist or an export is damaged.
        UsageError: ``jobs`` is below 1, the memory limit is not a size, the telemetry lacks columns, or a label is
            not given as NAME=RULE.
        OutputError: no temporary files can be written.
    """
    return open_database(
        sources,
        jobs=jobs,
        recursive=recursive,
        storage_options=storage_options,
        session_ids=session_ids,
        allow_external=allow_external,
        memory_limit=memory_limit,
        progress=progress,
        labels=labels,
    ).connection


def open_database(
    sources: Sources | Telemetry,
    *,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    session_ids: bool = True,
    allow_external: bool = False,
    memory_limit: str | None = None,
    progress: Progress | None = None,
    labels: Iterable[str | LabelRule] = (),
    reports_progress: bool = False,
) -> Database:
    """Like ``connect``, and return the counts of files, too.

    With ``reports_progress``, DuckDB knows the progress of queries; in a notebook, that needs ipywidgets. The other
    arguments and the errors are those of ``connect``.
    """
    threads = checked_jobs(jobs)
    memory_bytes = default_memory_limit() if memory_limit is None else size_in_bytes(memory_limit)
    rules = parse_label_rules(labels)
    telemetry: Telemetry | None = None
    exports: list[str] = []
    archive: str | None = None
    if isinstance(sources, Telemetry):
        sessions = sources.sessions.with_columns(session_labels(sources.sessions, rules)) if rules else sources.sessions
        telemetry = replace(sources, sessions=sessions)
    else:
        given = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
        if not rules:
            exports, archive = _only_exports(given), _only_archive(given, storage_options)
            # A query could not tell sessions of one name apart, to which the reader gives other names, and Arrow opens
            # only paths that are UTF-8.
            if not _are_utf8(exports) or (len(exports) > 1 and _share_names(exports)):
                exports = []
        if not exports and archive is None:
            reader = Reader(
                given,
                recursive=recursive,
                storage_options=storage_options,
                jobs=jobs,
                session_ids=session_ids,
                progress=progress,
                labels=rules,
            )
            telemetry = reader.collect()
    connection = _new_connection(
        threads, memory_bytes, allow_external=allow_external, reports_progress=reports_progress
    )
    if telemetry is not None:
        _insert(connection, telemetry)
        counts, directory = telemetry.counts, telemetry.directory
    elif archive is not None:
        counts, directory = _attach_archive(connection, archive, storage_options)
    else:
        counts, directory = _register_exports(connection, exports)
    for query in library().values():
        if query.kind == "view":
            connection.execute(f"CREATE VIEW {query.name} AS {query.sql}")
            _comment(connection, query.name, query.sentence, query.columns.items())
    if not allow_external:
        for statement in LOCK:
            connection.execute(statement)
    return Database(connection, counts, directory)


def _new_connection(
    threads: int, memory_bytes: int, *, allow_external: bool, reports_progress: bool
) -> duckdb.DuckDBPyConnection:
    import duckdb

    # By default DuckDB would write rows of a large query into the current folder.
    spill_folder = SpillFolder()
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": f"{memory_bytes}B",
            "temp_directory": spill_folder.path,
            # A table name must never refer to a variable of the Python code.
            "python_enable_replacements": False,
            "autoinstall_known_extensions": allow_external,
            "autoload_known_extensions": allow_external,
            "allow_community_extensions": allow_external,
        },
    )
    spill_folder.remove_after(connection)
    connection.execute("SET TimeZone = 'UTC'")
    if reports_progress:
        record_progress(connection)
    return connection


def _only_exports(given: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The folders of exports, if all sources are exports; else none."""
    folders = {os.fspath(source) for source in given}
    return sorted(folders) if all(Path(folder, MANIFEST).is_file() for folder in folders) else []


def _insert(connection: duckdb.DuckDBPyConnection, telemetry: Telemetry) -> None:
    """Insert the rows of the frames into tables."""
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


def _register_exports(connection: duckdb.DuckDBPyConnection, exports: list[str]) -> tuple[Counts, str]:
    """Register the files of exports as the three tables.

    Arrow reads the files, because DuckDB's Parquet reader needs permission to open files while the connection is
    open, and the SQL would have the same permission.
    """
    manifests = [(folder, read_manifest(folder)) for folder in exports]
    for table in TABLES.values():
        connection.register(table.name, _dataset(table, _parquet_files(table, manifests)))
        _comment(connection, table.name, table.meaning, ((column.name, meaning(column)) for column in table.columns))
    loaded, rejected = connection.execute(_COUNTS).fetchall()[0]
    skipped = sum(sum(manifest.skipped.values()) for _, manifest in manifests)
    directories = [manifest.source_directory for _, manifest in manifests]
    directory = directories[0] if len(directories) == 1 else os.path.commonpath(map(os.path.abspath, exports))
    return Counts(loaded, rejected, skipped), directory


def _share_names(exports: list[str]) -> bool:
    """Whether several sessions of these exports have the same ``source``."""
    manifests = [(folder, read_manifest(folder)) for folder in exports]
    names = _dataset(SESSIONS, _parquet_files(SESSIONS, manifests)).to_table(columns=["source"])["source"]
    return bool(len(names.unique()) < len(names))


def _are_utf8(paths: list[str]) -> bool:
    """Whether all paths are valid UTF-8."""
    text = "".join(paths)
    return escape_surrogates(text) == text


def _parquet_files(table: Table, manifests: list[tuple[str, Manifest]]) -> list[str]:
    """The Parquet files of a table in exports."""
    return [
        str(Path(folder, file.path))
        for folder, manifest in manifests
        for file in manifest.files
        if file.table == table.name
    ]


def _only_archive(given: list[str | os.PathLike[str]], storage_options: Mapping[str, str] | None = None) -> str | None:
    """The path of the archive, if it is the only source; else None."""
    path = os.fspath(given[0]) if len(given) == 1 else ""
    if is_url(path):
        return path if is_archive_url(path, ObjectStorage(storage_options or {})) else None
    return path if is_delta_archive(path) or (Path(path).is_file() and is_database(path)) else None


def _attach_archive(
    connection: duckdb.DuckDBPyConnection, path: str, storage_options: Mapping[str, str] | None
) -> tuple[Counts, str]:
    """Attach an archive read-only, with a view for each of the three tables."""
    is_delta = is_delta_location(path)
    state = (
        attach_delta_archive(connection, path, storage_options)
        if is_delta
        else attach_archive(connection, path, ARCHIVE)
    )
    with damage_as_source_error(path):
        for table in TABLES.values():
            if not is_delta:
                names = select_list(table, table.names, state.version)
                connection.execute(f"CREATE VIEW {table.name} AS SELECT {names} FROM {ARCHIVE}.{table.name}")
            columns = ((column.name, meaning(column)) for column in table.columns)
            _comment(connection, table.name, table.meaning, columns)
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
    connection.execute(f"COMMENT ON VIEW {view} IS {sql_string(sentence)}")
    for name, text in columns:
        connection.execute(f"COMMENT ON COLUMN {view}.{sql_name(name)} IS {sql_string(text)}")
