"""One way to open whatever an analysis reads: paths, loaded telemetry, or a DuckDB connection.

Every analysis folds a function over batches. ``open_source`` gives it the batches of any source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading.archive_connection import VERSION, ArchiveState, archive_state, select_list
from clamp_analytics.reading.labels import LabelRule, parse_label_rules, with_labels
from clamp_analytics.reading.reader import Reader, Sources
from clamp_analytics.reading.telemetry import Counts, Telemetry, require_sessions
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Status, Table, empty_frame, polars_schema
from clamp_analytics.sources import Listing
from clamp_analytics.wording import sql_name

if TYPE_CHECKING:
    import duckdb

Result = TypeVar("Result")


@runtime_checkable
class BatchReader(Protocol):
    """What an analysis reads from: batches, and what is known of the sources once they are read.

    Attributes:
        directory: the absolute folder that all sources have in common; empty where it is not known.
        skipped: how many entries were passed over, by reason.
        build_info: JSON text of the provenance snapshot that the source carries; None where it carries none.
    """

    directory: str
    skipped: Counter[str]
    build_info: str | None

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ``records`` that are read."""

    @property
    def counts(self) -> Counts:
        """The files read so far."""

    def fold(self, reduce: Callable[[Batch], Result]) -> Iterator[Result]:
        """Apply a function to every batch and yield its results in a fixed order; see ``Reader.fold``."""

    def require_sessions(self) -> None:
        """Raise a ``SourceError`` where no usable session was read."""


Source: TypeAlias = "Sources | Listing | Telemetry | duckdb.DuckDBPyConnection | BatchReader"
"""The first argument of every analysis."""


class TableReader:
    """Folds over the three tables, where these exist already.

    Args:
        batches: the rows of the tables; they are read once.
        columns: the columns of ``records`` in the batches.
        directory: see ``BatchReader``.
        skipped: see ``BatchReader``.
        build_info: see ``BatchReader``.
        labels: rules that give sessions labels.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        columns: Collection[str],
        *,
        directory: str = "",
        skipped: Counter[str] | None = None,
        build_info: str | None = None,
        labels: Sequence[LabelRule] = (),
    ) -> None:
        self._labels = labels
        self._batches = batches
        self._loaded = self._rejected = 0
        self.columns = frozenset(columns)
        self.directory = directory
        self.skipped: Counter[str] = Counter() if skipped is None else skipped
        self.build_info = build_info

    @property
    def counts(self) -> Counts:
        """The files read so far."""
        return Counts(self._loaded, self._rejected, self.skipped.total())

    def fold(self, reduce: Callable[[Batch], Result]) -> Iterator[Result]:
        """Apply a function to every batch and yield its results in order."""
        for batch in self._batches:
            loaded = int((batch.sessions["status"] == Status.LOADED.value).sum())
            self._loaded += loaded
            self._rejected += batch.sessions.height - loaded
            yield reduce(with_labels(batch, self._labels))

    def require_sessions(self) -> None:
        """Raise a ``SourceError`` where no usable session was read."""
        require_sessions(self.counts, self.directory)


def open_source(
    source: Source,
    *,
    columns: Collection[str] | None = None,
    session_ids: bool = False,
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
    labels: Iterable[str | LabelRule] = (),
) -> BatchReader:
    r"""Open a source.

    Args:
        source: session files, containers, folders, globs, exports or archives by path; telemetry that was loaded; a
            DuckDB connection with the three tables, as ``connect`` returns it and as ``duckdb.connect`` returns it
            for an archive; or a reader, which is used up.
        columns: the columns of ``records`` that are needed; all by default.
        session_ids: whether to hash each file that is read for its ``session_id``.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.
        labels: rules that give sessions labels, such as ``build=build-(\d+)``; see ``parse_label_rule``.

    Raises:
        SourceError: a path does not exist, or the connection lacks a table.
        UsageError: the source has another type, lacks a column that is needed, or is a reader, which has rules for
            labels of its own; or a label is not given as NAME=RULE.
    """
    rules = parse_label_rules(labels)
    needed = frozenset(RECORDS.names if columns is None else columns)
    if isinstance(source, Telemetry):
        reader: BatchReader = _telemetry_reader(source, rules)
    elif isinstance(source, BatchReader):
        if rules:
            raise UsageError("rules for labels cannot be added to a reader", hint="give them to the reader itself")
        reader = source
    elif isinstance(source, (str, PathLike, Iterable, Listing)):
        return Reader(
            source,
            columns=needed,
            session_ids=session_ids,
            jobs=jobs,
            recursive=recursive,
            storage_options=storage_options,
            labels=rules,
        )
    else:
        return _connection_reader(source, needed, rules)
    if missing := needed - reader.columns:
        raise UsageError(
            f"the records were read without {', '.join(sorted(missing))}",
            hint="read them with these columns, too, or with all columns",
        )
    return reader


def _telemetry_reader(telemetry: Telemetry, labels: Sequence[LabelRule]) -> TableReader:
    batch = _batch(telemetry.sessions, telemetry.records, telemetry.violations)
    skipped = Counter({"not loaded": telemetry.counts.skipped} if telemetry.counts.skipped else {})
    return TableReader(
        [batch], telemetry.records.columns, directory=telemetry.directory, skipped=skipped, labels=labels
    )


def _connection_reader(
    connection: duckdb.DuckDBPyConnection, columns: Collection[str], labels: Sequence[LabelRule]
) -> TableReader:
    import duckdb

    if not isinstance(connection, duckdb.DuckDBPyConnection):
        raise UsageError(
            f"a {type(connection).__name__} cannot be read",
            hint="give paths, loaded telemetry, or a DuckDB connection",
        )
    wanted = [name for name in RECORDS.names if name in columns]
    state = _archive_state(connection)
    return TableReader(
        _connection_batches(connection, wanted, VERSION if state is None else state.version),
        wanted,
        directory=state.source_directory if state else "",
        skipped=Counter(state.skipped) if state else None,
        build_info=state.build_info if state else None,
        labels=labels,
    )


def _archive_state(connection: duckdb.DuckDBPyConnection) -> ArchiveState | None:
    """The state of the archive that a connection has open; None where it has not just one."""
    found = connection.execute(
        "SELECT database_name, schema_name FROM duckdb_tables() WHERE table_name = 'ingests'"
    ).fetchall()
    if len(found) != 1:
        return None
    schema = ".".join(map(sql_name, found[0]))
    versions = connection.execute(f"SELECT value FROM {schema}.meta WHERE name = 'schema_version'").fetchall()
    return archive_state(connection, int(versions[0][0]), schema)


def _connection_batches(connection: duckdb.DuckDBPyConnection, columns: list[str], version: int) -> Iterator[Batch]:
    """The sessions, then the violations, then the records of a connection, some rows at a time."""
    sessions, violations = empty_frame(SESSIONS), empty_frame(VIOLATIONS)
    records = empty_frame(RECORDS).select(columns)
    for frame in _slices(connection, SESSIONS, SESSIONS.names, version):
        yield _batch(frame, records, violations)
    for frame in _slices(connection, VIOLATIONS, VIOLATIONS.names, version):
        yield _batch(sessions, records, frame)
    for frame in _slices(connection, RECORDS, columns, version):
        yield _batch(sessions, frame, violations)


def _slices(
    connection: duckdb.DuckDBPyConnection, table: Table, columns: list[str], version: int
) -> Iterator[pl.DataFrame]:
    import duckdb
    import pyarrow as pa

    if not columns:
        return
    schema = polars_schema(table)
    names = select_list(table, columns, version)
    try:
        # A cursor would not see the tables of exports, which belong to this very connection.
        relation = connection.sql(f"SELECT {names} FROM {table.name}")
        for rows in pa.RecordBatchReader.from_stream(relation):
            yield pl.DataFrame(rows).cast(pl.Schema({name: schema[name] for name in columns}))
    except duckdb.Error as error:
        raise SourceError(
            f"the connection does not give the table {table.name}: {str(error).splitlines()[0]}",
            hint="connect(sources) gives a connection with the three tables, duckdb.connect(archive) likewise",
        ) from error


def _batch(sessions: pl.DataFrame, records: pl.DataFrame, violations: pl.DataFrame) -> Batch:
    return Batch(sessions, records, violations, pl.Series("seed_sum", [None] * sessions.height, dtype=pl.UInt64))
