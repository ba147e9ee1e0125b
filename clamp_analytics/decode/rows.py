"""The session of one file and its faults, as decoding collects them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from clamp_analytics.decode.labels import LABELS_FIELD, format_labels, parse_labels
from clamp_analytics.decode.options import DEFAULT_OPTIONS
from clamp_analytics.rules import RECORD_RULE_FIELDS
from clamp_analytics.schema import JsonField, Status

UNKNOWN_NAMES = 1_000
"""Different unknown keys of one file that are listed by name; the others are counted."""


class Fault(NamedTuple):
    """A violation of a file whose name is stored elsewhere."""

    rule: str
    field: str | None = None
    value: str | None = None
    byte_offset: int | None = None
    record_index: int | None = None
    times: int = 1
    detail: str = ""


class FaultLog:
    """The faults of one file: the first of each rule in its records with all they have, the others as a count.

    Args:
        rows_per_rule: how many faults of a rule are kept, of those that are about a record.

    Attributes:
        kept: the faults that are kept, in the order in which they were added.
        faulted: the index of each record whose value decoding has found at fault already, by field; only of fields
            that are checked once more as columns.
    """

    def __init__(self, rows_per_rule: int = DEFAULT_OPTIONS.rows_per_rule) -> None:
        self.kept: list[Fault] = []
        self.faulted: dict[str, array[int]] = {}
        self._rows_per_rule = rows_per_rule
        self._counts: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        """Add a fault, which is kept or counted."""
        if fault.record_index is None:
            self.kept.append(fault)
            return
        count = self._counts.get(fault.rule, 0)
        self._counts[fault.rule] = count + 1
        if count < self._rows_per_rule:
            self.kept.append(fault)
        if fault.field in RECORD_RULE_FIELDS:
            self.faulted.setdefault(fault.field, array("I")).append(fault.record_index)

    def not_kept(self) -> dict[str, int]:
        """How many faults were counted only, by rule."""
        bound = self._rows_per_rule
        return {rule: count - bound for rule, count in self._counts.items() if count > bound}


def summary_fault(rule: str, count: int, rows_per_rule: int) -> Fault:
    """A fault that counts those of a rule and a file that have no row of their own."""
    return Fault(rule, times=count, detail=f"the first {rows_per_rule:,} are listed; this row counts the others")


@dataclass(slots=True)
class SessionRow:
    """The session of one file, without the values of its records.

    Attributes:
        record_count: the records that were kept.
        shared: the faults about deprecated and unknown keys, if they are known without counting keys.
        unnamed: occurrences of unknown keys beyond the first ``UNKNOWN_NAMES`` different ones.
    """

    source: str
    size_bytes: int | None = None
    session_id: str | None = None
    status: Status = Status.LOADED
    declared_stability_score: float | None = None
    backend: str | None = None
    device_name: str | None = None
    extra: str | None = None
    labels: str | None = None
    record_count: int = 0
    faults: FaultLog = field(default_factory=FaultLog)
    deprecated: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    unnamed: int = 0
    shared: Sequence[Fault] = ()

    def reject(self, fault: Fault) -> None:
        """Mark the file as rejected for one reason: nothing else that it says is believed."""
        self.status = Status.REJECTED
        self.declared_stability_score = self.backend = self.device_name = self.extra = self.labels = None
        self.deprecated, self.unknown = {}, {}
        self.faults = FaultLog()
        self.faults.add(fault)

    def set_unknown(self, members: Mapping[str, str]) -> bool:
        """Set ``labels`` and ``extra`` from the JSON texts of the fields that the specification does not know.

        Returns:
            Whether one of the fields holds labels, which are not part of ``extra``.
        """
        labels = parse_labels(members[LABELS_FIELD]) if LABELS_FIELD in members else None
        if labels is not None:
            self.labels = format_labels(labels)
            members = {key: text for key, text in members.items() if key != LABELS_FIELD}
        self.extra = json_object(members)
        return labels is not None

    def note_keys(self, keys: Iterable[str], known: Mapping[str, JsonField], times: int = 1) -> None:
        """Count the deprecated and unknown keys among the keys of ``times`` objects."""
        if not times:
            # The keys of a layout that comes from another file do not occur in this one.
            return
        for key in keys:
            if key not in known:
                if key in self.unknown or len(self.unknown) < UNKNOWN_NAMES:
                    self.unknown[key] = self.unknown.get(key, 0) + times
                else:
                    self.unnamed += times
            elif known[key].deprecated:
                self.deprecated[key] = self.deprecated.get(key, 0) + times

    def shared_faults(self) -> Sequence[Fault]:
        """The faults that a whole file shares: one for its deprecated fields, one for its unknown ones."""
        if not self.deprecated and not self.unknown:
            return self.shared
        shared = (("deprecated-field", self.deprecated, 0), ("unknown-field", self.unknown, self.unnamed))
        return [
            Fault(rule, ", ".join(sorted(counts)), times=sum(counts.values()) + unnamed)
            for rule, counts, unnamed in shared
            if any(counts.values())
        ]


def json_object(members: Mapping[str, str]) -> str | None:
    """An object of JSON texts by key, the keys in order; None where there is none.

    The values keep their text in the file, so that no number changes.
    """
    if not members:
        return None
    return "{" + ", ".join(f"{json.dumps(key)}: {members[key]}" for key in sorted(members)) + "}"


def device_name(preferred: str | None, other: str | None) -> str | None:
    """The device name of a record or session that may give it under two keys."""
    return other if preferred is None else preferred
