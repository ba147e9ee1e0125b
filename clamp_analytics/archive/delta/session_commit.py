"""Commit staged sessions to a Delta archive, so that exactly one writer adds each of them.

Records, violations and entries of the ledger are appended first. They do not count until one commit to the table of
sessions names their batch. That commit fails where another writer's commit came first. Then everything is compared
again with the newest version, and only what the other writer changed is appended again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.archive.delta.commits import Conflict, append, attempts, delete_rows, merge_sessions
from clamp_analytics.archive.delta.tables import batch_day, new_batch, open_delta_archive
from clamp_analytics.archive.ingest.plan import DUPLICATE, OLD_COLUMNS
from clamp_analytics.archive.ingest.reconcile import REJECTED, Decisions, is_unchanged
from clamp_analytics.archive.ingest.staging import Staging
from clamp_analytics.archive.ingest.transaction import IngestRow, reconcile_with_archive
from clamp_analytics.archive.tables import FILES, FORGOTTEN
from clamp_analytics.errors import OutputError
from clamp_analytics.reading.delta_archive import (
    SESSION_KEY,
    VIOLATION_ORDER,
    DeltaSnapshot,
    delta_errors,
    select_columns,
)
from clamp_analytics.reading.delta_dataset import PARTITION
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS

if TYPE_CHECKING:
    import duckdb

BATCH, BATCH_ROW = SESSION_KEY
_KEYS = {"file_number": pl.UInt32, "name": pl.String, BATCH: pl.String, BATCH_ROW: pl.Int64, PARTITION: pl.Date}
_FILES = [column.name for column in FILES.columns]
_COMPARED = (SESSIONS.name, FILES.name, FORGOTTEN.name)
"""The tables that tell what is new."""

_UNREADABLE = "the archive cannot be read"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What to write, compared with one version of the archive.

    Attributes:
        decisions: for each file that is new or changed.
        known: files that another writer has written meanwhile, whose session is known.
        rejected: likewise, files that were rejected.
        files: rows of the ledger to write.
        replaced: rejected sessions to delete or replace: their keys and ``session_id``.
    """

    decisions: Decisions
    known: int
    rejected: int
    files: pl.DataFrame
    replaced: pl.DataFrame


@dataclass(slots=True)
class SessionCommit:
    """One commit of staged sessions.

    Attributes:
        location: the folder or URL of the archive.
        storage_options: configuration of the object storage.
        staging: what to write.
        ingest: the row of the ingest; its counts are increased.
    """

    location: str
    storage_options: Mapping[str, str] | None
    staging: Staging
    ingest: IngestRow
    _keys: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_KEYS))
    """The keys of the sessions whose rows are appended."""
    _files: pl.DataFrame | None = None
    """The rows of the ledger that are appended."""
    _tried: _Comparison | None = None
    """What the last commit, which failed, was to write."""

    def run(self) -> pl.DataFrame:
        """Write everything, and return the sessions that were added.

        Raises:
            OutputError: it cannot be written, or other writers are first every time.
        """
        for _ in attempts(self.location):
            snapshot, compared = self._prepare()
            try:
                if compared is not self._tried:
                    self._commit(snapshot, compared)
            except Conflict:
                self._tried = compared
                continue
            self.ingest.count(compared.decisions)
            self.ingest.known += compared.known
            self.ingest.rejected += compared.rejected
            return self._sessions(compared.decisions).select(SESSIONS.names)
        raise AssertionError("attempts ends with an error")

    def _prepare(self) -> tuple[DeltaSnapshot, _Comparison]:
        """Append what is missing, until nothing is missing compared with the newest version."""
        while True:
            connection, snapshot = open_delta_archive(self.location, self.storage_options, _COMPARED)
            try:
                with delta_errors(self.location, _UNREADABLE, OutputError):
                    if self._tried is not None and self._is_committed(connection, self._tried):
                        return snapshot, self._tried
                    compared = self._compare(connection)
            finally:
                connection.close()
            # A session without a hash cannot be merged by it.
            unhashed = compared.replaced.filter(pl.col("session_id").is_null()).select(SESSION_KEY)
            delete_rows(self.location, SESSIONS.name, unhashed, self.storage_options)
            has_appended = self._append_rows(compared.decisions)
            has_appended |= self._append_files(compared.files)
            if not (has_appended or unhashed.height):
                return snapshot, compared

    def _is_committed(self, connection: duckdb.DuckDBPyConnection, tried: _Comparison) -> bool:
        """Whether a commit was made although the storage reported a failure: its answer may have been lost."""
        connection.register("tried", self._sessions(tried.decisions).select(SESSION_KEY))
        key = ", ".join(SESSION_KEY)
        found = connection.execute(f"SELECT count(*) FROM delta_sessions SEMI JOIN tried USING ({key})").fetchall()
        return bool(found[0][0])

    def _compare(self, connection: duckdb.DuckDBPyConnection) -> _Comparison:
        incoming = _with_current_entries(connection, self.staging.files)
        unchanged = is_unchanged(incoming)
        rejected = incoming.filter(unchanged, pl.col("status") == REJECTED).height
        fresh = incoming.filter(~unchanged)
        replaced = _replaced_rejections(connection, fresh)
        decisions = reconcile_with_archive(connection, fresh)
        files = decisions.files.with_columns(ingest=pl.lit(self.ingest.number, pl.Int64)).select(_FILES)
        if decisions.replaced:
            files = pl.concat([files, _corrected_entries(connection, decisions, fresh)])
        return _Comparison(decisions, int(unchanged.sum()) - rejected, rejected, files, replaced)

    def _append_rows(self, decisions: Decisions) -> bool:
        """Append the records and violations of sessions that have none in the archive; False where there is none."""
        missing = decisions.added.join(self._keys, on=["file_number", "name"], how="anti", maintain_order="left")
        if missing.is_empty():
            return False
        batch = new_batch()
        keyed = missing.with_columns(
            pl.lit(batch).alias(BATCH),
            pl.int_range(pl.len(), dtype=pl.Int64).alias(BATCH_ROW),
            pl.lit(batch_day(batch)).alias(PARTITION),
        )
        keys = keyed.select(list(_KEYS))
        violations = self.staging.violations.join(
            keyed.unique("source", keep="first", maintain_order=True).drop("file_number", "session_id"),
            on="source",
            how="inner",
            maintain_order="left",
        ).with_columns(source="name", **{VIOLATION_ORDER: pl.int_range(pl.len(), dtype=pl.Int64)})
        if not violations.is_empty():
            append(self.location, VIOLATIONS.name, [violations], self.storage_options)
        counts = self.staging.sessions.join(keys, on="file_number", how="semi")["record_count"]
        if counts.sum():
            append(self.location, RECORDS.name, self._records(keys), self.storage_options)
        self._keys = pl.concat([self._keys, keys])
        return True

    def _records(self, keys: pl.DataFrame) -> Iterator[pl.DataFrame]:
        for frame in self.staging.records():
            yield frame.join(keys, on="file_number", how="inner", maintain_order="left").with_columns(source="name")

    def _append_files(self, files: pl.DataFrame) -> bool:
        """Append entries of the ledger that are not appended yet; False where there is none."""
        if self._files is not None:
            files = files.join(self._files, on=files.columns, how="anti", nulls_equal=True, maintain_order="left")
        if files.is_empty():
            return False
        rows = files.with_columns(pl.lit(new_batch()).alias(BATCH))
        append(self.location, FILES.name, [rows], self.storage_options)
        self._files = files if self._files is None else pl.concat([self._files, files])
        return True

    def _sessions(self, decisions: Decisions) -> pl.DataFrame:
        """The sessions to add, with the keys of their rows."""
        keys = self._keys.join(decisions.added, on=["file_number", "name"], how="semi")
        rows = self.staging.sessions.join(keys, on="file_number", how="inner", maintain_order="left")
        return rows.with_columns(source="name")

    def _commit(self, snapshot: DeltaSnapshot, compared: _Comparison) -> None:
        put = self._sessions(compared.decisions).drop("file_number", "name")
        replaced = compared.replaced.select("session_id").drop_nulls()
        delete = replaced.join(put, on="session_id", how="anti")
        if not (put.is_empty() and delete.is_empty()):
            merge_sessions(snapshot, put, delete)


def _with_current_entries(connection: duckdb.DuckDBPyConnection, incoming: pl.DataFrame) -> pl.DataFrame:
    """The files with their entries in the newest ledger, which another writer may have changed."""
    connection.register("incoming", incoming.select("path"))
    names = ["path", *(f"{name.removeprefix('old_')} AS {name}" for name in OLD_COLUMNS)]
    current: pl.DataFrame = connection.sql(
        f"SELECT {', '.join(names)} FROM files WHERE path IN (SELECT path FROM incoming)"
    ).pl()
    connection.unregister("incoming")
    joined = incoming.drop(OLD_COLUMNS).join(current, on="path", how="left", maintain_order="left")
    return joined.select(incoming.columns).cast(incoming.schema)


def _replaced_rejections(connection: duckdb.DuckDBPyConnection, incoming: pl.DataFrame) -> pl.DataFrame:
    """Rejected sessions whose files are all read again, which the view ``sessions`` no longer shows afterwards."""
    retried = incoming.filter(pl.col("old_status") == REJECTED).select("path")
    connection.register("retried", retried)
    replaced: pl.DataFrame = connection.sql(
        f"SELECT {BATCH}, {BATCH_ROW}, session_id FROM delta_sessions WHERE status = 'rejected' "
        "AND source IN (SELECT source FROM files WHERE path IN (SELECT path FROM retried)) AND source NOT IN "
        "(SELECT source FROM files WHERE source IS NOT NULL AND path NOT IN (SELECT path FROM retried))"
    ).pl()
    connection.register("replaced", replaced)
    connection.execute(
        f"CREATE OR REPLACE VIEW sessions AS SELECT {select_columns(SESSIONS)} FROM delta_sessions "
        f"ANTI JOIN replaced USING ({BATCH}, {BATCH_ROW})"
    )
    return replaced


def _corrected_entries(
    connection: duckdb.DuckDBPyConnection, decisions: Decisions, incoming: pl.DataFrame
) -> pl.DataFrame:
    """Entries of other files that were rejected, and whose bytes can be read now."""
    connection.register("corrected", decisions.added.select("session_id", "name").drop_nulls())
    connection.register("incoming", incoming.select("path"))
    rows: pl.DataFrame = connection.sql(
        f"SELECT files.* REPLACE ('{DUPLICATE}' AS status, NULL AS reason, corrected.name AS source) "
        "FROM files JOIN corrected USING (session_id) "
        "WHERE status = 'rejected' AND path NOT IN (SELECT path FROM incoming)"
    ).pl()
    return rows.select(_FILES).cast(decisions.files.select(pl.lit(0, pl.Int64).alias("ingest"), pl.all()).schema)
