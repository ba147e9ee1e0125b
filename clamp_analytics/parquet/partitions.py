"""Batches to pieces: Arrow tables with the folders that their rows belong in.

Folders are named in Hive's style, ``key=value``. Values come from telemetry, so they are escaped until they
can neither leave the folder nor be more than a file system takes as a name.
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
"""The most bytes of a folder's value; with the key it stays below the 255 that file systems take."""

_CUT_DIGITS = 16


class Piece(NamedTuple):
    """Rows of one table, those of one folder side by side.

    Attributes:
        table: the table's name.
        spans: the folders in the rows' order, each with the number of its rows.
        rows: the rows.
    """

    table: str
    spans: list[tuple[str, int]]
    rows: pa.Table


class Pieces(NamedTuple):
    """A batch, sorted by folder; ``missing`` names columns of the records that the batch lacks."""

    pieces: list[Piece]
    missing: list[str]


def hive_key(partition: str) -> str:
    """The key of a partition's folders.

    Engines put the key's text in place of a column of the same name, and guess its type; so a key is never
    the name of a column.
    """
    return partition if partition == DAY else f"by_{partition}"


def hive_value(value: str | None) -> str:
    """A value as a part of a folder's name: percent-encoded, and cut with a hash where it is too long."""
    if value is None:
        return NULL_VALUE
    # A bare tilde only ever stands before the hash of a cut value, so no other value can pass for one.
    text = quote(value, safe="").replace("~", "%7E")
    if text == NULL_VALUE:
        return text.replace("_", "%5F", 1)
    if len(text) <= NAME_BYTES:
        return text
    # Cut between characters: half of one would be no text to an engine that decodes the name.
    room = NAME_BYTES - _CUT_DIGITS - 1
    ends = accumulate(len(quote(char, safe="")) for char in value)
    kept = sum(1 for _ in takewhile(lambda end: end <= room, ends))
    digest = hashlib.sha256(value.encode()).hexdigest()[:_CUT_DIGITS]
    return f"{hive_value(value[:kept])}~{digest}"


@dataclass(frozen=True, slots=True)
class Cut:
    """Sorts batches by folder, in the process that has read them.

    Args:
        partitions: what the records are partitioned by, outermost first.
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
    # The columns' sentences are put on by the writer; here they would travel with every piece.
    plain = arrow_schema(table).remove_metadata()
    for index, field in enumerate(plain):
        plain = plain.set(index, field.remove_metadata())
    return Piece(table.name, spans, frame.select(table.names).to_arrow().cast(plain))
