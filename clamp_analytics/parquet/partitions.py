"""Divide batches into Arrow tables by the folders of their rows.

Folders are named in Hive's style, ``key=value``. Values come from telemetry, so they are escaped and shortened
to names that stay in the folder and that every file system accepts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.parquet.options import DAY
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Table, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

NULL_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How Hive names the partition of null."""

NAME_BYTES = 180
"""The most bytes of a value in a folder's name; with the key it is less than the 255 that file systems allow."""

_CUT_DIGITS = 16


class Piece(NamedTuple):
    """Rows of one table, grouped by folder.

    Attributes:
        table: the table's name.
        spans: the folders in the order of the rows, each with the number of its rows.
        rows: the rows.
    """

    table: str
    spans: list[tuple[str, int]]
    rows: pa.Table


class Pieces(NamedTuple):
    """A batch divided by folder; ``missing`` names columns that its records lack."""

    pieces: list[Piece]
    missing: list[str]


def hive_key(partition: str) -> str:
    """The key of a partition's folders.

    Engines replace a column of the same name by the text of the key, with a guessed type; so a key is never the
    name of a column.
    """
    return partition if partition == DAY else f"by_{partition}"


def hive_value(value: str | None) -> str:
    """A value in a folder's name: percent-encoded, and shortened with a hash where it is too long."""
    if value is None:
        return NULL_VALUE
    # Only shortened values contain a tilde, so no other value can have the same name as one of them.
    text = quote(value, safe="").replace("~", "%7E")
    if text == NULL_VALUE:
        return text.replace("_", "%5F", 1)
    if len(text) <= NAME_BYTES:
        return text
    # Shortened between characters: an engine could not decode half of one.
    room = NAME_BYTES - _CUT_DIGITS - 1
    ends = accumulate(len(quote(char, safe="")) for char in value)
    kept = sum(1 for _ in takewhile(lambda end: end <= room, ends))
    digest = hashlib.sha256(value.encode()).hexdigest()[:_CUT_DIGITS]
    return f"{hive_value(value[:kept])}~{digest}"


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """Divides batches by folder, in the process that reads them.

    Args:
        partitions: the partitions of the records, outermost first.
    """

    partitions: tuple[str, ...]

    def __call__(self, batch: Batch) -> Pieces:
        """The three tables of a batch; the rows of one folder keep their order."""
        missing = [name for name in RECORDS.names if name not in batch.records.columns]
        if missing:
            return Pieces([], missing)
        pieces = [
            _piece(SESSIONS, batch.sessions, [(SESSIONS.name, batch.sessions.height)]),
            _piece(VIOLATIONS, batch.violations, [(VIOLATIONS.name, batch.violations.height)]),
            self._records(batch.records),
        ]
        return Pieces([piece for piece in pieces if piece.rows.num_rows], [])

    def _records(self, records: pl.DataFrame) -> Piece:
        if not self.partitions:
            return _piece(RECORDS, records, [(RECORDS.name, records.height)])
        keys = [hive_key(name) for name in self.partitions]
        values = records.select(
            (pl.col("acquired_at").dt.date().cast(pl.String) if name == DAY else pl.col(name)).alias(key)
            for name, key in zip(self.partitions, keys, strict=True)
        )
        groups = values.with_row_index("row").group_by(keys, maintain_order=True).agg("row")
        if groups.height > 1:
            records = records[groups["row"].explode()]
        counts = groups["row"].list.len()
        folders = (_folder(keys, group) for group in groups.select(keys).iter_rows())
        return _piece(RECORDS, records, list(zip(folders, counts, strict=True)))


def _folder(keys: list[str], values: tuple[str | None, ...]) -> str:
    levels = (f"{key}={hive_value(value)}" for key, value in zip(keys, values, strict=True))
    return "/".join((RECORDS.name, *levels))


def _piece(table: Table, frame: pl.DataFrame, spans: list[tuple[str, int]]) -> Piece:
    # The writer adds the descriptions of the columns; here they would be sent with every piece.
    plain = arrow_schema(table).remove_metadata()
    for index, field in enumerate(plain):
        plain = plain.set(index, field.remove_metadata())
    return Piece(table.name, spans, frame.select(table.names).to_arrow().cast(plain))
