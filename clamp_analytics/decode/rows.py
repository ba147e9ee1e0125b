"""What decoding finds out about one file besides the values of its records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from clamp_analytics.schema import JsonField, Status

VALUE_BOUND = 200
"""Characters of a faulty value that a violation keeps."""


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
        shared: the faults about deprecated and unknown keys, where they are known without counting keys.
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
    shared: Sequence[Fault] = ()

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

    def shared_faults(self) -> Sequence[Fault]:
        """The faults that a whole file shares: one for its deprecated fields, one for its unknown ones."""
        if not self.deprecated and not self.unknown:
            return self.shared
        shared = (("deprecated-field", self.deprecated), ("unknown-field", self.unknown))
        return [
            Fault(rule, ", ".join(sorted(counts)), times=sum(counts.values()))
            for rule, counts in shared
            if any(counts.values())
        ]


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
