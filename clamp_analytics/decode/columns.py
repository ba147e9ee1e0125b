"""Collect the values of decoded records in columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
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

    A few thousand records at a time are moved from lists to Polars columns, so that the memory of one chunk is still in
    the processor's cache when the next one reuses it.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._names = [name for name in RECORDS.names if name in _FROM_JSON and name in CHECKED_COLUMNS.union(wanted)]
        self._schema = pl.Schema({"record_index": pl.UInt32(), **{name: _STORED[name] for name in self._names}})
        self._lists: dict[str, list[Any]] = {name: [] for name in self._schema}
        self._chunks: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return sum(chunk.height for chunk in self._chunks) + self.pending

    @property
    def pending(self) -> int:
        """Records that are still in lists."""
        return len(self._lists["record_index"])

    def extend(self, layout: KeyLayout, records: Sequence[Any], first_index: int) -> None:
        """Add decoded records of one layout; ``first_index`` is the index of the first one in its file.

        Raises:
            RecordFaultError: a record has a fault that decoders accept: a seed of more than 64 bits, or two different
                device names; no record is added.
        """
        if has_column_fault(layout, records):
            raise RecordFaultError
        nothing = [None] * len(records)
        values: list[Any]
        for name in self._names:
            if name == "device_name":
                values = _device_names(layout, records) or nothing
            elif name == "extra":
                values = _extras(layout, records) or nothing
            else:
                values = _GET[name](records) if name in layout.keys else nothing
            self._lists[name] += values
        self._lists["record_index"] += range(first_index, first_index + len(records))

    def append(self, values: Mapping[str, Any], index: int) -> None:
        """Add one record, given by its columns; a missing column is null."""
        for name in self._names:
            self._lists[name].append(values.get(name))
        self._lists["record_index"].append(index)

    def add(self, others: RecordColumns) -> None:
        """Add the records of another object, which is empty afterwards."""
        if others._chunks:
            self.freeze()
        self._chunks += others._chunks
        for name, values in others._lists.items():
            self._lists[name] += values
        others._chunks, others._lists = [], {}

    def freeze(self) -> None:
        """Move the pending records into Polars columns."""
        if self.pending or not self._chunks:
            # A column without a value takes no memory until all chunks are joined.
            used = {
                name: pl.Null() if values.count(None) == len(values) else self._schema[name]
                for name, values in self._lists.items()
            }
            self._chunks.append(pl.DataFrame(self._lists, schema=used))
            self._lists = {name: [] for name in self._schema}

    def take_frame(self) -> pl.DataFrame:
        """All records, with ``record_index``, the index in its file, as the first column.

        The columns are empty afterwards, so that no value is in memory twice.
        """
        self.freeze()
        chunks, self._chunks = self._chunks, []
        return pl.concat(chunks, how="vertical_relaxed", rechunk=True).cast(self._schema)


def _device_names(layout: KeyLayout, records: Sequence[Any]) -> list[str | None]:
    given = [_GET[key](records) for key in (_PREFERRED_DEVICE, _OTHER_DEVICE) if key in layout.keys]
    if len(given) == 2 and None in given[0]:
        return list(map(device_name, *given))
    return given[0] if given else []


def has_column_fault(layout: KeyLayout, records: Sequence[Any]) -> bool:
    """Whether a record has a seed of more than 64 bits, or two different device names under its two keys."""
    if max(_GET["seed"](records), default=0) > SEED_MAX:
        return True
    return layout.keys >= _DEVICE_KEYS and any(None not in pair for pair in _DIFFERING_DEVICES(records))


def _extras(layout: KeyLayout, records: Sequence[Any]) -> list[str]:
    """The result of ``json_object`` for each record, with the keys formatted only once."""
    texts = [[bytes(raw).decode() for raw in map(attrgetter(name), records)] for name, _ in layout.unknown]
    form = ", ".join(json.dumps(key).replace("{", "{{").replace("}", "}}") + ": {}" for _, key in layout.unknown)
    return list(map(f"{{{{{form}}}}}".format, *texts)) if texts else []
