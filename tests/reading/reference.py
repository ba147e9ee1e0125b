"""A second reader of session files, written from the specification with Python's own JSON module.

It is slow and simple, shares no code with the package, and knows the errors; ``reference_rules`` adds the warnings.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

TEXTS = ("context", "thread_id", "acquired_at", "released_at")
KNOWN = (*TEXTS, "seed", "duration_ms", "stability_score", "backend", "deviceName", "device_name")
REQUIRED = (*TEXTS, "seed", "duration_ms", "stability_score")
NULLABLE = ("released_at", "backend", "deviceName", "device_name")
TOP = ("stability_score", "backend", "deviceName", "device_name")
DEPTH = 250
"""Levels of arrays and objects that a document may have."""

BAD_BYTES = 0x10F500
"""The first of 256 private characters that no test uses otherwise; each replaces one byte that is not UTF-8."""


def mark_bad_bytes(error: UnicodeError) -> tuple[str, int]:
    """Replace bytes that are not UTF-8, different ones by different characters, so that keys stay different."""
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(BAD_BYTES + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("mark", mark_bad_bytes)

Index = int | None
Error = tuple[str, Index, str | None]

TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object with all its pairs, in order."""


class NotJsonError(ValueError):
    """The document holds NaN or an infinity, which Python accepts."""


def constant(name: str) -> Any:
    raise NotJsonError(name)


def parse(text: str) -> Any:
    """JSON with numbers as text and objects as pairs, so that nothing is lost or merged."""
    return json.loads(text, object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=constant)


def instant(text: str | None) -> datetime | None:
    """The instant of a timestamp by Python's own datetime, to the microsecond; None where it is not a timestamp."""
    match = TIMESTAMP.fullmatch(text or "")
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
    """The result of reading a document.

    Attributes:
        status: ``loaded`` or ``rejected``.
        top: the values of the top level.
        rows: the values of each record; ``acquired_at_text`` and ``released_at_text`` are the timestamps as written.
        errors: rule, record index and field of each error.
        keys: the different keys of the top level, then those of each record.
        device_names: the two device names of the top level, then those of each record.
    """

    status: str = "loaded"
    top: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    errors: list[Error] = field(default_factory=list)
    keys: list[list[str]] = field(default_factory=list)
    device_names: list[tuple[str | None, str | None]] = field(default_factory=list)


def rejected(rule: str, name: str | None = None) -> Session:
    return Session("rejected", errors=[(rule, None, name)])


def read(data: bytes) -> Session:
    """Read a document; bytes that are not UTF-8 are part of the texts in which they occur."""
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "mark")
    try:
        document = parse(text)
    except RecursionError:
        return rejected("too-deep")
    except ValueError:
        return rejected("not-json")
    if text.count("[") + text.count("{") > DEPTH and depth(document) > DEPTH:
        return rejected("too-deep")
    arrays = [value for key, value in document if key == "records"] if isinstance(document, Pairs) else []
    if len(arrays) > 1:
        return rejected("duplicate-key", "records")
    if not arrays or not isinstance(arrays[0], list) or isinstance(arrays[0], Pairs):
        return rejected("not-a-session")
    session = Session()
    rest = Pairs(pair for pair in document if pair[0] != "records")
    session.top = fields(rest, TOP, ("stability_score",), None, session)
    for index, entry in enumerate(arrays[0]):
        if isinstance(entry, Pairs):
            row = fields(entry, KNOWN, REQUIRED, index, session)
            row["record_index"] = index
            for key in ("acquired_at", "released_at"):
                row[f"{key}_text"] = row[key]
                row[key] = instant(row[key])
            session.rows.append(row)
        else:
            session.errors.append(("record-not-object", index, "records"))
    return session


def depth(value: Any) -> int:
    """The levels of arrays and objects of a value."""
    inner = [member for _, member in value] if isinstance(value, Pairs) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def fields(
    pairs: Pairs, known: tuple[str, ...], required: tuple[str, ...], index: Index, read: Session
) -> dict[str, Any]:
    """The columns of one object; ``extra`` as a list of its pairs by key."""
    row: dict[str, Any] = {}
    given: dict[str, list[Any]] = {}
    for key, value in pairs:
        given.setdefault(key, []).append(value)
    read.keys.append(list(given))
    read.errors += [("duplicate-key", index, key) for key, values in given.items() if len(values) > 1]
    for key in known:
        values = given.get(key, [])
        row[key] = None
        if not values and key in required:
            read.errors.append(("missing-field", index, key))
        if len(values) == 1:
            row[key], rule = checked(key, values[0])
            if rule:
                read.errors.append((rule, index, key))
    names = row.pop("deviceName"), row.pop("device_name")
    read.device_names.append(names)
    row["device_name"] = names[1] if names[0] is None else names[0]
    row["extra"] = []
    for key, values in sorted(given.items()):
        if key not in known and len(values) == 1:
            if not is_unicode(key):
                read.errors.append(("not-utf8", index, key))
            if has_bad_byte(values[0]):
                read.errors.append(("not-utf8", index, key))
            else:
                row["extra"].append((key, values[0]))
    return row


def is_unicode(text: str) -> bool:
    """Whether a text has neither bad bytes nor half of a surrogate pair."""
    return not has_marks(text) and not any("\ud800" <= character <= "\udfff" for character in text)


def has_marks(text: str) -> bool:
    """Whether a text has bytes that are not UTF-8."""
    return not text.isascii() and any(BAD_BYTES <= ord(character) < BAD_BYTES + 256 for character in text)


def has_bad_byte(value: Any) -> bool:
    """Whether a text in a value, keys included, has bytes that are not UTF-8."""
    if isinstance(value, Pairs):
        return any(has_marks(key) or has_bad_byte(member) for key, member in value)
    if isinstance(value, list):
        return any(map(has_bad_byte, value))
    return isinstance(value, str) and has_marks(value)


def checked(key: str, value: Any) -> tuple[Any, str | None]:
    """The value of a known field, or the rule that it breaks."""
    if value is None and key in NULLABLE:
        return None, None
    if key not in ("seed", "duration_ms", "stability_score"):
        return text_checked(value)
    if not isinstance(value, Number):
        return None, "wrong-type"
    if key == "seed":
        return seed_checked(value)
    number = float(value)
    if key == "stability_score":
        return (number, None) if 0 <= number <= 1 else (None, "score-range")
    return (number, None) if abs(number) != float("inf") else (None, "not-finite")


def seed_checked(value: Number) -> tuple[int | None, str | None]:
    """An integer of 64 bits, however it is written."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        # The exponent has more digits than a Decimal can hold.
        return (None, "seed-range") if re.search("[1-9]", re.split("[eE]", value)[0]) else (0, None)
    whole = 0 <= number < 2**64 and number == number.to_integral_value()
    return (int(number), None) if whole else (None, "seed-range")


def text_checked(value: Any) -> tuple[str | None, str | None]:
    """A text that Unicode can hold."""
    if not isinstance(value, str) or isinstance(value, Number):
        return None, "wrong-type"
    return (value, None) if is_unicode(value) else (None, "not-utf8")
