"""A second reader of sessions, written from the specification with Python's own JSON module.

It is slow and simple, shares no code with the package, and knows the errors only, not the warnings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

TEXTS = ("context", "thread_id", "acquired_at", "released_at")
KNOWN = (*TEXTS, "seed", "duration_ms", "stability_score", "backend", "deviceName", "device_name")
REQUIRED = (*TEXTS, "seed", "duration_ms", "stability_score")
NULLABLE = ("released_at", "backend", "deviceName", "device_name")
TOP = ("stability_score", "backend", "deviceName", "device_name")

Place = int | None
Error = tuple[str, Place, str | None]

STAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object with every pair that stands in it."""


class NotJsonError(ValueError):
    """NaN and its like, which Python would take."""


def constant(name: str) -> Any:
    raise NotJsonError(name)


def parse(text: str) -> Any:
    """JSON with numbers as text and objects as pairs, so that nothing is lost or merged."""
    return json.loads(text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=constant)


def instant(text: str | None) -> datetime | None:
    """What a timestamp means to Python's own datetime, to the microsecond; None where it is none."""
    match = STAMP.fullmatch(text or "")
    if not match:
        return None
    day, hour, minute, second, fraction, zone = match.groups()
    zone = (zone or "Z").upper()
    if zone != "Z" and (int(zone[1:3]) > 23 or int(zone[-2:]) > 59):
        return None
    try:
        at = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}.{(fraction or '0').ljust(6, '0')[:6]}+00:00")
        if zone == "Z":
            return at
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
        return at - ahead if zone[0] == "+" else at + ahead
    except (ValueError, OverflowError):
        return None


@dataclass
class Session:
    """What a document comes to."""

    status: str = "loaded"
    top: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)


def read(data: bytes) -> Session:
    """Read a document of UTF-8."""
    session = Session()
    try:
        document = parse(data.decode())
    except NotJsonError:
        return Session("rejected", errors=[("not-json", None, None)])
    arrays = [value for key, value in document if key == "records"] if isinstance(document, Pairs) else []
    if len(arrays) > 1:
        return Session("rejected", errors=[("duplicate-key", None, "records")])
    if not arrays or not isinstance(arrays[0], list) or isinstance(arrays[0], Pairs):
        return Session("rejected", errors=[("not-a-session", None, None)])
    rest = Pairs(pair for pair in document if pair[0] != "records")
    session.top = fields(rest, TOP, ("stability_score",), None, session.errors)
    for index, entry in enumerate(arrays[0]):
        if isinstance(entry, Pairs):
            row = fields(entry, KNOWN, REQUIRED, index, session.errors)
            row["record_index"] = index
            row["acquired_at"], row["released_at"] = instant(row["acquired_at"]), instant(row["released_at"])
            session.rows.append(row)
        else:
            session.errors.append(("record-not-object", index, "records"))
    return session


def fields(
    pairs: Pairs, known: tuple[str, ...], required: tuple[str, ...], place: Place, errors: list[Error]
) -> dict[str, Any]:
    """The columns of one object; ``extra`` as a list of its pairs by key."""
    row: dict[str, Any] = {}
    given: dict[str, list[Any]] = {}
    for key, value in pairs:
        given.setdefault(key, []).append(value)
    errors += [("duplicate-key", place, key) for key, values in given.items() if len(values) > 1]
    for key in known:
        values = given.get(key, [])
        row[key] = None
        if not values and key in required:
            errors.append(("missing-field", place, key))
        if len(values) == 1:
            row[key], rule = checked(key, values[0])
            if rule:
                errors.append((rule, place, key))
    names = row.pop("deviceName"), row.pop("device_name")
    row["device_name"] = names[1] if names[0] is None else names[0]
    row["extra"] = sorted((key, values[0]) for key, values in given.items() if key not in known and len(values) == 1)
    return row


def checked(key: str, value: Any) -> tuple[Any, str | None]:
    """The value of a known field, or the rule that it breaks."""
    if value is None and key in NULLABLE:
        return None, None
    if key not in ("seed", "duration_ms", "stability_score"):
        return text_checked(value)
    if not isinstance(value, Number):
        return None, "wrong-type"
    if key == "seed":
        number = Decimal(value)
        whole = number == number.to_integral_value() and 0 <= number < 2**64
        return (int(number), None) if whole else (None, "seed-range")
    number = float(value)
    if key == "stability_score":
        return (number, None) if 0 <= number <= 1 else (None, "score-range")
    return (number, None) if abs(number) != float("inf") else (None, "not-finite")


def text_checked(value: Any) -> tuple[str | None, str | None]:
    """A text that Unicode can hold."""
    if not isinstance(value, str) or isinstance(value, Number):
        return None, "wrong-type"
    try:
        value.encode()
    except UnicodeEncodeError:
        return None, "not-utf8"
    return value, None
