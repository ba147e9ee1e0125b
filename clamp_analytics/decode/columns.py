"""Growing columns: the values of records on their way from decoded objects to a frame."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any

import polars as pl

from clamp_analytics.decode.rows import device_name
from clamp_analytics.decode.typed import RECORD_FIELDS, DoubtfulError, Layout
from clamp_analytics.schema import RECORDS, SEED_MAX, polars_schema

ALWAYS = frozenset({"seed", "acquired_at", "released_at", "duration_ms", "stability_score"})
"""Columns that the rules look at; the others are filled only where somebody wants them."""

_PREFERRED_DEVICE, _OTHER_DEVICE = next(
    column.json.keys for column in RECORDS.columns if column.name == "device_name" and column.json
)
_FROM_JSON = frozenset(column.name for column in RECORDS.columns if column.json) | {"extra"}
_STORED = {
    name: pl.String if dtype == pl.Datetime else dtype
    for name, dtype in polars_schema(RECORDS).items()
    if name in _FROM_JSON
}


def _column_getter(key: str) -> Callable[[Sequence[Any]], list[Any]]:
    """A function that takes one field of each record.

    Spelled out for the field, because an attribute that is known when code is compiled is read in half the time,
    and this runs for every value there is. The names come from ``schema`` and nowhere else.
    """
    getter: Callable[[Sequence[Any]], list[Any]] = eval(f"lambda records: [record.{key} for record in records]")
    return getter


_GET = {key: _column_getter(key) for key in RECORD_FIELDS}
_DEVICE_KEYS = {_PREFERRED_DEVICE, _OTHER_DEVICE}
_DEVICES = f"(record.{_PREFERRED_DEVICE}, record.{_OTHER_DEVICE})"
_UNLIKE_DEVICES: Callable[[Sequence[Any]], list[tuple[str | None, str | None]]] = eval(
    f"lambda records: [{_DEVICES} for record in records if record.{_PREFERRED_DEVICE} != record.{_OTHER_DEVICE}]"
)
"""The two device names of each record in which they are not the same."""


class RecordColumns:
    """The columns of records, with timestamps as text.

    Decoded objects become lists and lists become columns of the engine a few thousand at a time, so that the memory
    of one lot is still in the core's cache when the next lot takes its place.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._lists: dict[str, list[Any]] = {
            name: [] for name in RECORDS.names if name in _FROM_JSON and (name in ALWAYS or name in wanted)
        }
        self._layout: Layout | None = None
        self._waiting: list[Any] = []
        self._has_conflict = False
        self._columns: dict[str, list[pl.Series]] = {name: [] for name in self._lists}
        self._frozen = self._length = 0
        self._runs: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self._length

    @property
    def pending(self) -> int:
        """Records that can still be refused by ``freeze``."""
        return self._length - self._frozen

    def extend(self, layout: Layout, records: Sequence[Any], first_index: int = 0) -> None:
        """Add decoded records of one layout, of which the first has this place in its file."""
        if layout is not self._layout:
            self._settle()
            self._layout = layout
        self._waiting += records
        self._count(first_index, len(records))

    def append(self, values: Mapping[str, Any], index: int) -> None:
        """Add one record given by its columns; a column that is not there is null."""
        self._settle()
        for name, column in self._lists.items():
            column.append(values.get(name))
        self._count(index, 1)

    def truncate(self, length: int) -> None:
        """Forget every record after the first ``length``."""
        settled = self._length - len(self._waiting)
        del self._waiting[max(length - settled, 0) :]
        for values in self._lists.values():
            del values[max(length - self._frozen, 0) :]
        if length < self._frozen:
            for name, lots in self._columns.items():
                self._columns[name] = [pl.concat(lots).head(length)]
            self._frozen = length
        if length == self._frozen:
            self._has_conflict = False
        while self._runs and self._runs[-1][0] >= length:
            self._runs.pop()
        self._length = length

    def freeze(self) -> None:
        """Move what is pending into columns of the engine.

        Raises:
            DoubtfulError: a record has a fault that decoders let through, a seed of more than 64 bits or two names
                for its device; everything is still pending.
        """
        self._settle()
        if self._has_conflict:
            raise DoubtfulError
        try:
            lot = [pl.Series(name, values, dtype=_STORED[name]) for name, values in self._lists.items()]
        except (OverflowError, TypeError) as error:
            raise DoubtfulError from error
        for series, lots in zip(lot, self._columns.values(), strict=True):
            lots.append(series)
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
        return pl.DataFrame([index, *(pl.concat(self._columns.pop(name), rechunk=True) for name in self._lists)])

    def _count(self, first_index: int, records: int) -> None:
        if not self._runs or first_index != self._runs[-1][1] + self._length - self._runs[-1][0]:
            self._runs.append((self._length, first_index))
        self._length += records

    def _settle(self) -> None:
        """Move the objects that wait into the lists."""
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


def _device_names(layout: Layout, records: Sequence[Any]) -> list[str | None]:
    given = [_GET[key](records) for key in (_PREFERRED_DEVICE, _OTHER_DEVICE) if key in layout.keys]
    if len(given) == 2 and None in given[0]:
        return list(map(device_name, *given))
    return given[0] if given else []


def has_column_fault(layout: Layout, records: Sequence[Any]) -> bool:
    """Whether one of these records has a fault that its decoder accepts and that ``freeze`` refuses."""
    return any(record.seed > SEED_MAX for record in records) or has_device_conflict(layout, records)


def has_device_conflict(layout: Layout, records: Sequence[Any]) -> bool:
    """Whether a record gives two different device names under its two keys."""
    return layout.keys >= _DEVICE_KEYS and any(None not in pair for pair in _UNLIKE_DEVICES(records))


def _extras(layout: Layout, records: Sequence[Any]) -> list[str]:
    """What ``json_object`` gives for each record, with the keys written once for all of them."""
    texts = [[bytes(raw).decode() for raw in map(attrgetter(name), records)] for name, _ in layout.unknown]
    form = ", ".join(json.dumps(key).replace("{", "{{").replace("}", "}}") + ": {}" for _, key in layout.unknown)
    return list(map(f"{{{{{form}}}}}".format, *texts)) if texts else []
