"""Growing columns: what decoding has found so far, before it becomes frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from clamp_analytics.decode.strict import RECORD_FIELDS, Layout
from clamp_analytics.schema import RECORDS, JsonField, Status

ALWAYS = frozenset({"seed", "acquired_at", "released_at", "duration_ms", "stability_score"})
"""Columns that the rules look at; the others are filled only where somebody wants them."""

VALUE_BOUND = 200
"""Characters of a faulty value that a violation keeps."""

RECORDS_WAITING = 2_000
"""Records whose fields are moved into columns at once; more would leave the core's cache before their turn."""

_PREFERRED_DEVICE, _OTHER_DEVICE = next(
    column.json.keys for column in RECORDS.columns if column.name == "device_name" and column.json
)
_FROM_JSON = frozenset(column.name for column in RECORDS.columns if column.json) | {"extra"}


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


class Fault(NamedTuple):
    """A violation that decoding itself found, before it knows its file's name."""

    rule: str
    field: str | None = None
    value: str | None = None
    byte_offset: int | None = None
    record_index: int | None = None
    times: int = 1
    detail: str = ""


@dataclass(slots=True)
class SessionRow:
    """What decoding knows of one file besides the values of its records.

    Attributes:
        record_count: the records that were kept.
        entry_count: the entries of the array, those that are no object included.
    """

    source: str
    size_bytes: int | None = None
    session_id: str | None = None
    status: Status = Status.LOADED
    declared_stability_score: float | None = None
    backend: str | None = None
    device_name: str | None = None
    extra: str | None = None
    record_count: int = 0
    entry_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    deprecated: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    def note_keys(self, keys: Iterable[str], known: Mapping[str, JsonField], times: int = 1) -> None:
        """Count the deprecated and unknown keys among the keys of ``times`` objects."""
        if not times:
            # What a layout learnt from another file says nothing of this one.
            return
        for key in keys:
            if key not in known:
                self.unknown[key] = self.unknown.get(key, 0) + times
            elif known[key].deprecated:
                self.deprecated[key] = self.deprecated.get(key, 0) + times

    def shared_faults(self) -> list[Fault]:
        """The faults that a whole file shares: one for its deprecated fields, one for its unknown ones."""
        shared = (("deprecated-field", self.deprecated), ("unknown-field", self.unknown))
        return [
            Fault(rule, ", ".join(sorted(counts)), times=sum(counts.values()))
            for rule, counts in shared
            if any(counts.values())
        ]


class RecordColumns:
    """The columns of records as Python lists; timestamps are kept as text.

    Attributes:
        record_index: each record's place in its file.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._lists: dict[str, list[Any]] = {
            name: [] for name in RECORDS.names if name in _FROM_JSON and (name in ALWAYS or name in wanted)
        }
        self._layout: Layout | None = None
        self._waiting: list[Any] = []
        self.record_index: list[int] = []

    def __len__(self) -> int:
        return len(self.record_index)

    @property
    def lists(self) -> dict[str, list[Any]]:
        """The values of each column that is wanted or that the rules need."""
        self._settle()
        return self._lists

    def extend(self, layout: Layout, records: Sequence[Any], first_index: int = 0) -> None:
        """Add decoded records of one layout."""
        if layout is not self._layout or len(self._waiting) > RECORDS_WAITING:
            self._settle()
            self._layout = layout
        self._waiting += records
        self.record_index.extend(range(first_index, first_index + len(records)))

    def append(self, values: Mapping[str, Any], index: int) -> None:
        """Add one record given by its columns; a column that is not there is null."""
        for name, column in self.lists.items():
            column.append(values.get(name))
        self.record_index.append(index)

    def replace(self, begin: int, end: int, others: RecordColumns) -> None:
        """Put other records in the place of those from ``begin`` to before ``end``."""
        for name, values in self.lists.items():
            values[begin:end] = others.lists[name]
        self.record_index[begin:end] = others.record_index

    def truncate(self, length: int) -> None:
        """Forget every record after the first ``length``."""
        for values in self.lists.values():
            del values[length:]
        del self.record_index[length:]

    def _settle(self) -> None:
        """Move the records that wait into the columns; the fields of many cost less than those of a few at a time."""
        layout, records = self._layout, self._waiting
        if layout is None or not records:
            return
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


def json_object(members: Mapping[str, str]) -> str | None:
    """An object of JSON texts by key, the keys in order; None where there is none.

    The values stay as they stood in the file, so that no number in them changes.
    """
    if not members:
        return None
    return "{" + ", ".join(f"{json.dumps(key)}: {members[key]}" for key in sorted(members)) + "}"


def device_name(preferred: str | None, other: str | None) -> str | None:
    """The device name of a record or session that may give it under two keys."""
    return other if preferred is None else preferred


def _device_names(layout: Layout, records: Sequence[Any]) -> list[str | None]:
    given = [_GET[key](records) for key in (_PREFERRED_DEVICE, _OTHER_DEVICE) if key in layout.keys]
    if len(given) == 2 and None in given[0]:
        return list(map(device_name, *given))
    return given[0] if given else []


def has_device_conflict(layout: Layout, records: Sequence[Any]) -> bool:
    """Whether a record gives two different device names under its two keys."""
    return layout.keys >= _DEVICE_KEYS and any(None not in pair for pair in _UNLIKE_DEVICES(records))


def _extras(layout: Layout, records: Sequence[Any]) -> list[str]:
    """What ``json_object`` gives for each record, with the keys written once for all of them."""
    texts = [[bytes(raw).decode() for raw in map(attrgetter(name), records)] for name, _ in layout.unknown]
    form = ", ".join(json.dumps(key).replace("{", "{{").replace("}", "}}") + ": {}" for _, key in layout.unknown)
    return list(map(f"{{{{{form}}}}}".format, *texts)) if texts else []
