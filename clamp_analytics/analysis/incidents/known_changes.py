"""Known changes: changes that a team has accepted, in a TOML file.

Each entry accepts one change of one series::

    [[change]]
    group = { context = "gemm" }
    metric = "duration_p50_ms"
    direction = "worse"
    started_at = 2026-10-30T08:00:00Z
    session = "clamp_run_20261030T080000Z.json"
    reason = "the kernel now checks its bounds"
    decided_by = "Ada"

``started_at`` is the start of the first session after the change. Instead of it an entry may name a label of that
session: ``label = { build = "1134" }``. ``session`` is for the reader of the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clamp_analytics.analysis.incidents.grouping import Direction, SeriesChange
from clamp_analytics.errors import UsageError
from clamp_analytics.path_names import display_name

_TABLE = "change"
_TEXTS = ("metric", "reason", "decided_by", "session")


@dataclass(frozen=True, slots=True)
class KnownChange:
    """One accepted change.

    Attributes:
        group: the group of the series, by column; a null is the empty text, because TOML has no null.
        metric: the name of the metric.
        direction: ``worse`` or ``better``.
        started_at: when the first session after the change began; None where ``label`` names the session.
        label: labels of the first session after the change.
        session: the name of that session, for the reader of the file.
        reason: why the change is accepted.
        decided_by: who accepted it.
    """

    group: Mapping[str, str]
    metric: str
    direction: Direction
    started_at: datetime | None
    label: Mapping[str, str]
    session: str
    reason: str
    decided_by: str

    def describes(
        self,
        change: SeriesChange,
        by: Sequence[str],
        started_at: Sequence[datetime],
        labels: Sequence[Mapping[str, str]],
    ) -> bool:
        """Whether this entry accepts a change: same series, same direction, and a session that may be its first.

        Args:
            change: the change.
            by: the columns that tell series apart.
            started_at: when each session of the time line began.
            labels: the labels of each session of the time line.
        """
        group = dict(zip(by, (value or "" for value in change.group), strict=True))
        if (dict(self.group), self.metric, self.direction) != (group, change.metric, change.direction):
            return False
        plausible = range(change.earliest, change.latest + 1)
        if self.started_at is not None:
            return any(started_at[index] == self.started_at for index in plausible)
        return any(self.label.items() <= labels[index].items() for index in plausible)


def read_known_changes(path: Path) -> list[KnownChange]:
    """Read the entries of a file.

    Raises:
        UsageError: the file cannot be read, is not TOML, or an entry lacks a field or has an unknown one.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError.from_os_error("cannot be read", error, where=display_name(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"it is not a TOML file: {error}", where=display_name(path)) from error
    unknown = sorted(document.keys() - {_TABLE})
    if unknown:
        raise UsageError(
            f"unknown key {unknown[0]!r}", where=display_name(path), hint=f"entries are tables [[{_TABLE}]]"
        )
    return [_entry(values, f"{path}, entry {number}") for number, values in enumerate(document.get(_TABLE, []), 1)]


def _entry(values: Mapping[str, Any], where: str) -> KnownChange:
    known = {"group", "direction", "started_at", "label", *_TEXTS}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise UsageError(f"unknown key {unknown[0]!r}", where=where, hint=f"known keys are {', '.join(sorted(known))}")
    for name in ("group", "label"):
        table = values.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise UsageError(f"{name} must be a table of texts", where=where)
    for name in _TEXTS:
        if not isinstance(values.get(name, ""), str):
            raise UsageError(f"{name} must be a text", where=where)
    for name in ("metric", "reason"):
        if not values.get(name):
            raise UsageError(f"{name} is missing", where=where)
    direction = values.get("direction", "worse")
    if direction not in ("worse", "better"):
        raise UsageError(f"direction is {direction!r}", where=where, hint="it is worse or better")
    started_at = values.get("started_at")
    if started_at is not None and not isinstance(started_at, datetime):
        raise UsageError("started_at must be a date with a time, without quotes", where=where)
    if (started_at is None) == (not values.get("label")):
        raise UsageError("an entry names its session by started_at or by label, and by one of them only", where=where)
    return KnownChange(
        group=values.get("group", {}),
        metric=values["metric"],
        direction=direction,
        started_at=started_at and (started_at if started_at.tzinfo else started_at.replace(tzinfo=UTC)),
        label=values.get("label", {}),
        session=values.get("session", ""),
        reason=values["reason"],
        decided_by=values.get("decided_by", ""),
    )


def with_entries(text: str, entries: Sequence[KnownChange]) -> str:
    """The text of a file with entries appended; comments and the layout of what is there are kept."""
    import tomlkit

    document = tomlkit.parse(text)
    tables = document.setdefault(_TABLE, tomlkit.aot())
    for entry in entries:
        table = tomlkit.table()
        group = tomlkit.inline_table()
        group.update(entry.group)
        table["group"] = group
        table["metric"] = entry.metric
        table["direction"] = entry.direction
        if entry.started_at is not None:
            table["started_at"] = entry.started_at
        else:
            label = tomlkit.inline_table()
            label.update(entry.label)
            table["label"] = label
        table["session"] = entry.session
        table["reason"] = entry.reason
        table["decided_by"] = entry.decided_by
        tables.append(table)
    return tomlkit.dumps(document)
