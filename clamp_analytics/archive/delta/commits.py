"""Commits to the Delta tables of an archive: append rows, put and delete sessions, delete rows; with retries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from clamp_analytics.archive.delta.tables import as_delta, delta_schema
from clamp_analytics.errors import OutputError
from clamp_analytics.path_names import display_name
from clamp_analytics.reading.delta_archive import (
    DeltaSnapshot,
    delta_errors,
    delta_storage_options,
    table_location,
)
from clamp_analytics.schema import SESSIONS, Status

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, WriterProperties

Result = TypeVar("Result")

ATTEMPTS = 200
"""How often a commit is tried while other writers commit first."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0
"""Bounds of the random pause after a conflict, in seconds; it doubles with each one."""

_ROW_GROUP_ROWS = 65_536
"""Rows of a Parquet row group: what one batch of a reader skips or reads."""

_UNCHANGED = "the archive cannot be written"
ACTION, PUT, DELETE = "action", "put", "delete"
"""The column of a merge's source that says what to do with a session, and its values."""


class Conflict(Exception):  # noqa: N818  # it is retried, and reaches no caller
    """Another writer committed first."""


def retry_conflicts(location: str, action: Callable[[], Result]) -> Result:
    """Repeat an action until no other writer commits before it.

    Raises:
        OutputError: other writers were first every time.
    """
    for _ in attempts(location):
        try:
            return action()
        except Conflict:
            continue
    raise AssertionError("attempts ends with an error")


def attempts(location: str) -> Iterator[int]:
    """Yield the number of each attempt, after a pause.

    Raises:
        OutputError: all attempts are used up.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            longest = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
            # Random, so that writers that collided once do not collide again.
            time.sleep(random.uniform(0, longest))
        yield attempt
    raise OutputError(
        f"other writers committed first, {ATTEMPTS} times in a row",
        where=display_name(location),
        hint="run the same command again; what was written already is found",
    )


def append(
    location: str, name: str, rows: Iterable[pl.DataFrame], storage_options: Mapping[str, str] | None = None
) -> None:
    """Append rows to a table, as one commit. Other appends do not disturb it.

    Raises:
        OutputError: they cannot be written.
    """
    import pyarrow as pa
    from deltalake import CommitProperties, write_deltalake

    batches = (batch for frame in rows for batch in as_delta(frame, name).to_batches())
    with delta_errors(location, _UNCHANGED, OutputError):
        write_deltalake(
            table_location(location, name),
            pa.RecordBatchReader.from_batches(delta_schema(name), batches),
            mode="append",
            storage_options=delta_storage_options(location, storage_options),
            writer_properties=writer_properties(),
            commit_properties=CommitProperties(max_commit_retries=ATTEMPTS),
        )


def append_next(table: DeltaTable, location: str, name: str, rows: pl.DataFrame) -> None:
    """Append rows as the version that follows the one that is open.

    Raises:
        Conflict: there is another version already.
        OutputError: they cannot be written.
    """
    from deltalake import CommitProperties, write_deltalake
    from deltalake.exceptions import CommitFailedError

    with delta_errors(location, _UNCHANGED, OutputError):
        try:
            write_deltalake(
                table,
                as_delta(rows, name),
                mode="append",
                writer_properties=writer_properties(),
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except CommitFailedError as error:
            raise Conflict from error


def merge_sessions(snapshot: DeltaSnapshot, put: pl.DataFrame, delete: pl.DataFrame) -> None:
    """Insert sessions that the table does not have, and replace or delete rejected ones, as one commit.

    The commit fails where any other one followed the snapshot, because names of sessions are unique only as long as
    nobody else adds one.

    Args:
        snapshot: the newest version.
        put: sessions to insert, or to replace a rejected one with the same bytes.
        delete: the ``session_id`` of rejected sessions to delete.

    Raises:
        Conflict: another writer committed first.
        OutputError: they cannot be written.
    """
    from deltalake import CommitProperties
    from deltalake.exceptions import CommitFailedError

    source = _merge_source(put, delete)
    values = {name: f"s.{name}" for name in delta_schema(SESSIONS.name).names}
    is_rejected = f"t.status = '{Status.REJECTED.value}'"
    with delta_errors(snapshot.location, _UNCHANGED, OutputError):
        try:
            (
                snapshot.tables[SESSIONS.name]
                .merge(
                    source,
                    "t.session_id = s.session_id",
                    source_alias="s",
                    target_alias="t",
                    writer_properties=writer_properties(),
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
                .when_matched_update(values, predicate=f"s.{ACTION} = '{PUT}' AND {is_rejected}")
                .when_matched_delete(predicate=f"s.{ACTION} = '{DELETE}' AND {is_rejected}")
                .when_not_matched_insert(values, predicate=f"s.{ACTION} = '{PUT}'")
                .execute()
            )
        except CommitFailedError as error:
            raise Conflict from error


def _merge_source(put: pl.DataFrame, delete: pl.DataFrame) -> pa.Table:
    import pyarrow as pa

    schema = delta_schema(SESSIONS.name)
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    rows = pl.concat(
        [put.with_columns(pl.lit(PUT).alias(ACTION)), delete.with_columns(pl.lit(DELETE).alias(ACTION))], how="diagonal"
    )
    table = rows.select(*schema.names, ACTION).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(nullable.append(pa.field(ACTION, pa.string())))


def delete_rows(location: str, name: str, keys: pl.DataFrame, storage_options: Mapping[str, str] | None = None) -> None:
    """Delete the rows of a table that have given values in some columns, as one commit.

    Args:
        location: the folder or URL of the archive.
        name: the table.
        keys: one row per value, in columns that are never null.
        storage_options: configuration of the object storage.

    Raises:
        OutputError: they cannot be deleted.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError

    if keys.is_empty():
        return
    predicate = " AND ".join(f"t.{column} = s.{column}" for column in keys.columns)
    schema = delta_schema(name)
    fields = [schema.field(column).type for column in keys.columns]
    source = keys.unique().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_unnamed(keys.columns, fields))
    options = delta_storage_options(location, storage_options)

    def delete() -> None:
        with delta_errors(location, _UNCHANGED, OutputError):
            table = DeltaTable(table_location(location, name), storage_options=options)
            try:
                merge = table.merge(
                    source,
                    predicate,
                    source_alias="s",
                    target_alias="t",
                    writer_properties=writer_properties(),
                )
                merge.when_matched_delete().execute()
            except CommitFailedError as error:
                raise Conflict from error

    retry_conflicts(location, delete)


def _unnamed(names: list[str], types: list[pa.DataType]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(list(zip(names, types, strict=True)))


def writer_properties() -> WriterProperties:
    """How Parquet files are written."""
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", max_row_group_size=_ROW_GROUP_ROWS)
