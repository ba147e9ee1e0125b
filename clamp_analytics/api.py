"""``export``, ``ingest`` and ``query``, which combine packages that do not import each other.

``clamp_analytics`` exports them together with ``load``, ``connect`` and the analyses.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from clamp_analytics import parquet
from clamp_analytics.analysis.result import Result
from clamp_analytics.archive.ingest import run
from clamp_analytics.archive.ingest.options import DEFAULT_INGEST_OPTIONS, IngestOptions
from clamp_analytics.archive.tables import View
from clamp_analytics.database import connect, library, run_query
from clamp_analytics.database import named as named_query
from clamp_analytics.database.limits import DEFAULT_TIMEOUT_SECONDS
from clamp_analytics.errors import UsageError
from clamp_analytics.reading import Counts, Telemetry
from clamp_analytics.reading.export import ExportedFile
from clamp_analytics.reading.open_source import Source, open_source
from clamp_analytics.reading.reader import Progress, Sources
from clamp_analytics.reading.workers import Cluster, chosen_workers
from clamp_analytics.sources import Listing
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    import duckdb

__all__ = ["Exported", "export", "ingest", "query"]


@dataclass(frozen=True, slots=True, repr=False)
class Exported(Result):
    """A Parquet export that was written.

    Attributes:
        directory: the folder.
        rows: the number of rows of each table.
        files: the Parquet files.
        counts: files read: seen, loaded, rejected and skipped.
    """

    directory: str
    rows: dict[str, int]
    files: list[ExportedFile]
    counts: Counts

    def describe(self) -> list[str]:
        """The folder, its rows, and the files that were read."""
        rows = ", ".join(f"{count:,} {table}" for table, count in self.rows.items())
        return [self.directory, f"{rows} in {plural(len(self.files), 'file')}", f"files read: {self.counts}"]

    def to_polars(self) -> pl.DataFrame:
        """One row per Parquet file: its table, path, rows, size and hash."""
        return pl.DataFrame([msgspec.structs.asdict(file) for file in self.files])

    def to_dict(self) -> dict[str, Any]:
        """Every attribute as plain Python values."""
        return {
            "directory": self.directory,
            "rows": dict(self.rows),
            "files": [msgspec.structs.asdict(file) for file in self.files],
            "counts": {"loaded": self.counts.loaded, "rejected": self.counts.rejected, "skipped": self.counts.skipped},
        }


def export(
    source: Source,
    directory: str | os.PathLike[str],
    *,
    options: parquet.ExportOptions | None = None,
    labels: Iterable[str] = (),
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
) -> Exported:
    r"""Write the three tables of a source into a folder of Parquet files, complete or not at all.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        directory: the folder to create, or its URL in object storage; missing parents are created.
        options: partitions, compression, and whether an existing export is replaced.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        OutputError: the folder exists, or cannot be written.
        UsageError: the source was read without a column, or a label is not given as NAME=RULE.
        SourceError: a path does not exist, or a source is damaged.
    """
    reader = open_source(
        source, session_ids=True, jobs=jobs, recursive=recursive, storage_options=storage_options, labels=labels
    )
    manifest = parquet.export(reader, directory, options or parquet.ExportOptions(), storage_options=storage_options)
    rows: Counter[str] = Counter({"sessions": 0, "records": 0, "violations": 0})
    for file in manifest.files:
        rows[file.table] += file.rows
    return Exported(os.fspath(directory), dict(rows), list(manifest.files), reader.counts)


def ingest(
    source: Sources | Listing,
    archive: str | os.PathLike[str],
    *,
    options: IngestOptions = DEFAULT_INGEST_OPTIONS,
    executor: Executor | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> run.Ingested:
    """Add to an archive the sessions that it does not hold; a new archive gets the views of the SQL library.

    Args:
        source: session files, containers, folders or globs by path. Loaded telemetry and connections cannot be
            ingested, because the archive keeps a ledger of files.
        archive: the DuckDB database; it is created where there is none.
        options: what to read, and how.
        executor: where to read; by default processes, where there is enough to read.
        cluster: a Dask cluster to read on: the address of its scheduler, or a client.
        progress: called with the number of files read so far and of all files that needed reading.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        SourceError: a path does not exist, or ``archive`` is not an archive.
        UsageError: a source is an export, an archive, telemetry or a connection.
        OutputError: another process keeps the archive too long, or it cannot be written.
        WorkerError: a worker or the cluster failed.
    """
    if not isinstance(source, (str, os.PathLike, Listing, Iterable)):
        raise UsageError(
            f"a {type(source).__name__} cannot be ingested, because an archive keeps a ledger of files",
            hint="name the session files",
        )
    with chosen_workers(executor, cluster) as workers:
        return run.ingest(
            source,
            archive,
            options,
            views=library_views(),
            executor=workers,
            progress=progress,
            storage_options=storage_options,
        )


def library_views() -> list[View]:
    """The views of the SQL library, as an archive carries them."""
    return [
        View(query.name, query.sentence, query.columns, query.sql)
        for query in library().values()
        if query.kind == "view"
    ]


def query(
    source: Sources | Telemetry | duckdb.DuckDBPyConnection,
    sql: str | None = None,
    *,
    named: str | None = None,
    params: Mapping[str, Any] | None = None,
    labels: Iterable[str] = (),
    memory_limit: str | None = None,
    timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
    storage_options: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    r"""Run one SQL query over the tables ``sessions``, ``records``, ``violations`` and the views.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection that ``connect`` returned; with a connection, several
            queries read the sources only once.
        sql: one statement that reads.
        named: instead of ``sql``, the name of a query of the SQL library.
        params: the values of the query's parameters by name.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``. A connection
            has those that ``connect`` was given.
        memory_limit: memory that the query may use, such as ``2GB``; half of the machine's memory by default. A
            connection has its own limit.
        timeout_seconds: the time after which the query is stopped; None for no limit.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Returns:
        The result as a Polars frame. Integers of up to 128 bits are exact.

    Raises:
        QueryError: the statement is refused or fails.
        UsageError: neither or both of ``sql`` and ``named`` are given; there is no such query or parameter; a label is
            not given as NAME=RULE; or labels are given with a connection.
        SourceError: a path does not exist, or a source is damaged.
    """
    if (sql is None) == (named is None):
        raise UsageError("give either sql or named", hint="for example sql='SELECT * FROM sessions'")
    values: Mapping[str, Any] = params or {}
    if named is not None:
        sql, values = named_query(named, **values)
    assert sql is not None
    if isinstance(source, (str, os.PathLike, Iterable, Telemetry)):
        connection = connect(source, memory_limit=memory_limit, labels=labels, storage_options=storage_options)
        try:
            return run_query(connection, sql, values, timeout_seconds=timeout_seconds)
        finally:
            connection.close()
    if labels:
        raise UsageError("rules for labels cannot be added to a connection", hint="give them to connect(sources)")
    return run_query(source, sql, values, timeout_seconds=timeout_seconds)
