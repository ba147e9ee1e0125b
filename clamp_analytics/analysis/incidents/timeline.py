"""The time line: all sessions of an analysis in the order of time, with what is known of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import polars as pl

from clamp_analytics.analysis.series.snapshots import SNAPSHOT_FIELDS
from clamp_analytics.errors import UsageError, did_you_mean

OWN_ATTRIBUTES = ("backend", "device_name", "threads", "snapshot")
"""The attributes that every session may have; labels and unknown fields are the others."""


@dataclass(frozen=True)
class Timeline:
    """Sessions in the order of time.

    Attributes:
        sources: the source of each session.
        started_at: when each session began.
        labels: the labels of each session, by name.
        attributes: what may explain a change: for each attribute its value in every session, None where it has none.
    """

    sources: Sequence[str]
    started_at: Sequence[datetime]
    labels: Sequence[Mapping[str, str]]
    attributes: Mapping[str, Sequence[str | None]]

    @classmethod
    def of(cls, sessions: pl.DataFrame) -> Timeline:
        """Build the time line of sessions.

        Args:
            sessions: one row per session, by time: ``source``, ``started_at``, ``labels`` and ``extra`` (JSON objects
                or null), and a text for each of ``OWN_ATTRIBUTES``.
        """
        labels = [_object(text) for text in sessions["labels"].to_list()]
        extra = [_object(text) for text in sessions["extra"].to_list()]
        attributes: dict[str, Sequence[str | None]] = {name: sessions[name].to_list() for name in OWN_ATTRIBUTES}
        attributes |= {f"label {name}": [one.get(name) for one in labels] for name in _names(labels)}
        # The attribute ``snapshot`` covers the fields that hold a snapshot.
        fields = [name for name in _names(extra) if name not in SNAPSHOT_FIELDS]
        attributes |= {f"field {name}": [one.get(name) for one in extra] for name in fields}
        return cls(sessions["source"].to_list(), sessions["started_at"].to_list(), labels, attributes)

    @classmethod
    def empty(cls) -> Timeline:
        """A time line without sessions."""
        return cls((), (), (), {})

    @cached_property
    def index_of(self) -> Mapping[str, int]:
        """The index of each session, by its source."""
        return {source: index for index, source in enumerate(self.sources)}

    @cached_property
    def naming_label(self) -> str | None:
        """The label that tells most sessions apart, for example ``build``; None where sessions have no labels."""
        counts = {name: len({one.get(name) for one in self.labels}) for name in _names(self.labels)}
        return max(sorted(counts), key=lambda name: counts[name], default=None)

    def name(self, index: int) -> str:
        """A session for people: its label and day, or its day and time where it has no label."""
        label = self.labels[index].get(self.naming_label) if self.naming_label else None
        if label is None:
            return f"{self.started_at[index]:%Y-%m-%d %H:%M}"
        return f"{label} ({self.started_at[index]:%Y-%m-%d})"

    def first_with_label(self, name: str, value: str) -> int:
        """The index of the first session with a label.

        Raises:
            UsageError: no session has it.
        """
        for index, labels in enumerate(self.labels):
            if labels.get(name) == value:
                return index
        known = sorted({labels[name] for labels in self.labels if name in labels})
        hint = did_you_mean(value, known) if known else did_you_mean(name, _names(self.labels), "no session has labels")
        raise UsageError(f"no session has the label {name}={value}", hint=hint)


def _object(text: str | None) -> dict[str, str]:
    """A JSON object whose values are texts: those that are not become their JSON."""
    values = json.loads(text) if text else {}
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        for name, value in values.items()
    }


def _names(objects: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted({name for one in objects for name in one})
