"""Collect the values of decoded records in columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import polars as pl

from clamp_analytics.decode.rows import device_name
from clamp_analytics.decode.typed import RECORD_FIELDS, KeyLayout, RecordFaultError
from clamp_analytics.schema import RECORDS, SEED_MAX, polars_schema

CHECKED_COLUMNS = frozenset({"seed", "acquired_at", "released_at", "duration_ms", "stability_score"})
"""Columns that the rules check; the others are filled only if they are requested."""

_PREFERRED_DEVICE, _OTHER_DEVICE = next(
    column.json.keys for column in RECORDS.columns if column.name == "device_name" and column.json
)
_FROM_JSON = frozenset(column.name for column in RECORDS.columns if column.json) | {"extra"}
_STORED = {
    name: pl.String if dtype == pl.Datetime else dtype
    for name, dtype in polars_schema(RECORDS).items()
    if name in _FROM_JSON
}


def _compile_getter(value: str, condition: str = "") -> Callable[[Sequence[Any]], list[Any]]:
    """Compile a function that evaluates an expression for each record.

    This is the only use of ``eval``. It runs for every value, and an attribute whose name is known at compile time is
    read in half the time that ``getattr`` needs. The names in the expressions come from ``schema`` only.

    Args:
        value: the expression, over ``record``.
        condition: which records are evaluated; all by default.
    """
    where = f" if {condition}" if condition else ""
    getter: Callable[[Sequence[Any]], list[Any]] = eval(f"lambda records: [{value} for record in records{where}]")
    return getter


_GET = {key: _compile_getter(f"record.{key}") for key in RECORD_FIELDS}
_DEVICE_KEYS = {_PREFERRED_DEVICE, _OTHER_DEVICE}
_DIFFERING_DEVICES = _compile_getter(
    f"(record.{_PREFERRED_DEVICE}, record.{_OTHER_DEVICE})", f"record.{_PREFERRED_DEVICE} != record.{_OTHER_DEVICE}"
)
"""The two device names of each record in which they differ."""


class RecordColumns:
    """The columns of records, with timestamps as text.

    A few thousand records at a time are moved from objects to lists, and from lists to Polars columns, so that the
    memory of one chunk is still in the processor's cache when the next one reuses it.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._lists: dict[str, list[Any]] = {
            name: [] for name in RECORDS.names if name in _FROM_JSON and (name in CHECKED_COLUMNS or name in wanted)
        }
        self._layout: KeyLayout | None = None
        self._waiting: list[Any] = []
        self._has_conflict = False
        self._columns: dict[str, list[pl.Series | int]] = {name: [] for name in self._lists}
        self._frozen = self._length = 0
        self._runs: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self._length

    @property
    def pending(self) -> int:
        """Records that can still be refused by ``freeze``."""
        return self._length - self._frozen

    def extend(self, layout: KeyLayout, records: Sequence[Any], first_index: int = 0) -> None:
        """Add decoded records of one layout; ``first_index`` is the index of the first one in its file."""
        if layout is not self._layout:
            self._flush()
            self._layout = layout
        self._waiting += records
        self._count(first_index, len(records))

    def append(self, values: Mapping[str, Any], index: int) -> None:
        """Add one record, given by its columns; a missing column is null."""
        self._flush()
        for name, column in self._lists.items():
            column.append(values.get(name))
        self._count(index, 1)

    def truncate(self, length: int) -> None:
        """Remove every record after the first ``length``."""
        flushed = self._length - len(self._waiting)
        del self._waiting[max(length - flushed, 0) :]
        for values in self._lists.values():
            del values[max(length - self._frozen, 0) :]
        if length < self._frozen:
            for name, chunks in self._columns.items():
                self._columns[name] = [_joined(name, chunks).head(length)]
            self._frozen = length
        if length == self._frozen:
            self._has_conflict = False
        while self._runs and self._runs[-1][0] >= length:
            self._runs.pop()
        self._length = length

    def freeze(self) -> None:
        """Move the pending records into Polars columns.

        Raises:
            RecordFaultError: a record has a fault that decoders accept: a seed of more than 64 bits, or two different
                device names; all records are still pending.
        """
        self._flush()
        if self._has_conflict:
            raise RecordFaultError
        try:
            frozen = [_frozen(name, values) for name, values in self._lists.items()]
        except (OverflowError, TypeError) as error:
            raise RecordFaultError from error
        for chunk, chunks in zip(frozen, self._columns.values(), strict=True):
            if isinstance(chunk, int) and chunks and isinstance(chunks[-1], int):
                chunks[-1] += chunk
            else:
                chunks.append(chunk)
        self._frozen = self._length
        self._lists = {name: [] for name in self._lists}

    def take_frame(self) -> pl.DataFrame:
        """All records that are frozen, with ``record_index``, the index in its file, as the first column.

        The columns are empty afterwards, so that no value is in memory twice.
        """
        edges = [*(row for row, _ in self._runs), self._length]
        lengths = pl.Series([end - begin for begin, end in pairwise(edges)], dtype=pl.UInt32)
        begins = pl.Series([row - index for row, index in self._runs], dtype=pl.Int64)
        rows = pl.int_range(self._length, dtype=pl.Int64, eager=True)
        shifts = begins.repeat_by(lengths).explode(empty_as_null=False)
        index = (rows - shifts).cast(pl.UInt32).alias("record_index")
        return pl.DataFrame([index, *(_joined(name, self._columns.pop(name)) for name in self._lists)])

    def _count(self, first_index: int, records: int) -> None:
        if not self._runs or first_index != self._runs[-1][1] + self._length - self._runs[-1][0]:
            self._runs.append((self._length, first_index))
        self._length += records

    def _flush(self) -> None:
        """Move the waiting objects into the lists."""
        layout, records = self._layout, self._waiting
        if layout is None or not records:
            return
        self._has_conflict = self._has_conflict or has_device_conflict(layout, records)
        nothing = [None] * len(records)
        for name, values in self._lists.items():
            if name == "device_name":
                values += _device_names(layout, records) or nothing
            elif name == "extra":
                values += _extras(layout, records) or nothing
            elif name in layout.keys:
                values += _GET[name](records)
            else:
                values += nothing
        self._waiting = []


def _frozen(name: str, values: list[Any]) -> pl.Series | int:
    """The values as a Polars column; if all are null, their number, which takes no memory."""
    if not values or (values[0] is None and values.count(None) == len(values)):
        return len(values)
    return pl.Series(name, values, dtype=_STORED[name])


def _joined(name: str, chunks: Sequence[pl.Series | int]) -> pl.Series:
    null = pl.Series(name, [None], dtype=_STORED[name])
    columns = [null.new_from_index(0, chunk) if isinstance(chunk, int) else chunk for chunk in chunks]
    return pl.concat(columns, rechunk=True) if columns else null.clear()


def _device_names(layout: KeyLayout, records: Sequence[Any]) -> list[str | None]:
    given = [_GET[key](records) for key in (_PREFERRED_DEVICE, _OTHER_DEVICE) if key in layout.keys]
    if len(given) == 2 and None in given[0]:
        return list(map(device_name, *given))
    return given[0] if given else []


def has_column_fault(layout: KeyLayout, records: Sequence[Any]) -> bool:
    """Whether one of these records has a fault that its decoder accepts and that ``freeze`` refuses."""
    return any(record.seed > SEED_MAX for record in records) or has_device_conflict(layout, records)


def has_device_conflict(layout: KeyLayout, records: Sequence[Any]) -> bool:
    """Whether a record gives two different device names under its two keys."""
    return layout.keys >= _DEVICE_KEYS and any(None not in pair for pair in _DIFFERING_DEVICES(records))


def _extras(layout: KeyLayout, records: Sequence[Any]) -> list[str]:
    """The result of ``json_object`` for each record, with the keys formatted only once."""
    texts = [[bytes(raw).decode() for raw in map(attrgetter(name), records)] for name, _ in layout.unknown]
    form = ", ".join(json.dumps(key).replace("{", "{{").replace("}", "}}") + ": {}" for _, key in layout.unknown)
    return list(map(f"{{{{{form}}}}}".format, *texts)) if texts else []
