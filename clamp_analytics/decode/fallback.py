"""The slow path: names every fault of a file that no layout accepts, and keeps all that is sound.

A wrong value becomes null and a fault keeps what stood there; the rest of its record stays. Only a document
that is no session at all is given up.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from clamp_analytics.decode.columns import RecordColumns, has_column_fault
from clamp_analytics.decode.json_scanner import Document, MalformedError, Member, Scanner, is_deep, is_utf8, text_of
from clamp_analytics.decode.rows import VALUE_BOUND, Fault, SessionRow, device_name, json_object
from clamp_analytics.decode.typed import RECORD_FIELDS, SESSION_FIELDS, Layout, Layouts
from clamp_analytics.schema import RECORDS, SESSIONS, JsonField, Status, Table

_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MANY_DIGITS = 400
"""A number longer than this is beyond every bound there is, and is not worth converting."""


class _RejectedError(Exception):
    """The document is no session; the fault says why."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.rule)


def shorten(text: str) -> str:
    """A value for a report, cut to its bound."""
    return text if len(text) <= VALUE_BOUND else text[: VALUE_BOUND - 1] + "…"


def examine(data: Document, session: SessionRow, columns: RecordColumns, layouts: Layouts) -> None:
    """Read a document of any quality into ``session`` and ``columns``, with its faults.

    Where the document is no session, its status says so and no record of it is kept.
    """
    begin = len(columns)
    try:
        _examine(data, session, columns, layouts)
    except _RejectedError as rejected:
        _reject(session, rejected.fault)
    except MalformedError as error:
        rule = "truncated" if error.cut else "not-json"
        detail = f"{error.why}, {'cut off' if error.cut else 'found'} at byte {error.offset}"
        value = None if error.cut else text_of(data[error.offset : error.offset + 40])
        _reject(session, Fault(rule, value=value, byte_offset=error.offset, detail=detail))
    except RecursionError:
        _reject(session, Fault("too-deep"))
    if session.status is Status.REJECTED:
        columns.truncate(begin)
    session.record_count = len(columns) - begin


def _reject(session: SessionRow, fault: Fault) -> None:
    session.status = Status.REJECTED
    session.declared_stability_score = session.backend = session.device_name = session.extra = None
    session.deprecated, session.unknown = {}, {}
    # What was found before is about a document that is not one; only the reason counts.
    session.faults = [fault]


def _examine(data: Document, session: SessionRow, columns: RecordColumns, layouts: Layouts) -> None:
    if data.startswith(codecs.BOM_UTF8):
        session.faults.append(Fault("byte-order-mark", byte_offset=0))
        # Blanks in its place keep every later offset true.
        data = b"   " + data[len(codecs.BOM_UTF8) :]
    if data.startswith(_WIDE_BOMS) or b"\0" in data[:4]:
        raise _RejectedError(Fault("not-utf8", byte_offset=0, detail="it looks like UTF-16 or UTF-32"))
    if is_deep(data):
        raise _RejectedError(Fault("too-deep"))
    scanner = Scanner(data)
    start = scanner.document()
    if data[start : start + 1] != b"{":
        scanner.finish(scanner.value_end(start))
        raise _RejectedError(_not_a_session(data, start, len(data), "the top level is no object"))
    members = list(scanner.members(start))
    scanner.finish(scanner.end)
    records = [member for member in members if member.key == "records"]
    if len(records) > 1:
        raise _RejectedError(Fault("duplicate-key", "records", byte_offset=records[1].start))
    if not records:
        raise _RejectedError(_not_a_session(data, start, start, "`records` is missing"))
    if data[records[0].start : records[0].start + 1] != b"[":
        raise _RejectedError(_not_a_session(data, records[0].start, records[0].end, "`records` is no array"))
    others = [member for member in members if member.key != "records"]
    examine_records(scanner, records[0].start, session, columns, layouts)
    values, faults = _object(data, others, SESSIONS, SESSION_FIELDS, where={"byte_offset": start})
    session.faults += faults
    session.note_keys({member.key for member in others}, SESSION_FIELDS)
    for name, value in values.items():
        setattr(session, name, value)


def _not_a_session(data: Document, start: int, end: int, detail: str) -> Fault:
    value = shorten(text_of(data[start : min(end, start + 4 * VALUE_BOUND)])) or None
    return Fault("not-a-session", value=value, byte_offset=start, detail=detail)


def examine_records(
    scanner: Scanner,
    start: int,
    session: SessionRow,
    columns: RecordColumns,
    layouts: Layouts,
) -> None:
    """Read the array of records at ``start``, each by a layout where one accepts it."""
    for index, (begin, end) in enumerate(scanner.elements(start)):
        session.entry_count = index + 1
        raw = scanner.data[begin:end]
        found = layouts.decode_record(raw)
        if found and _is_sound(*found, raw):
            columns.extend(found[0], [found[1]], index)
            session.note_keys(found[0].noted, RECORD_FIELDS)
            continue
        if raw[:1] != b"{":
            value = shorten(text_of(raw))
            session.faults.append(Fault("record-not-object", "records", value, byte_offset=begin, record_index=index))
            continue
        where = {"byte_offset": begin, "record_index": index}
        members = list(scanner.members(begin))
        values, faults = _object(scanner.data, members, RECORDS, RECORD_FIELDS, where)
        session.faults += faults
        keys = frozenset(member.key for member in members)
        session.note_keys(keys, RECORD_FIELDS)
        columns.append(values, index)
        if not faults:
            layouts.remember(keys, frozenset())


def _is_sound(layout: Layout, record: Any, raw: Document) -> bool:
    """Whether a record has none of the faults that a layout lets through."""
    return not has_column_fault(layout, [record]) and (not layout.unknown or is_utf8(raw))


def _object(
    data: Document, members: Iterable[Member], table: Table, fields: Mapping[str, JsonField], where: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Fault]]:
    """The columns of one object, and its faults; ``where`` says where the object is."""
    reader = _ObjectReader(data, members, where)
    values: dict[str, Any] = {}
    for column in table.columns:
        if column.json is None:
            continue
        preferred, *others = column.json.keys
        value = reader.value(preferred, column.json)
        for other in others:
            second = reader.value(other, column.json)
            if None not in (value, second) and value != second:
                reader.fault("device-name-conflict", other)
            value = device_name(value, second)
        values[column.name] = value
    values["extra"] = reader.unknown(fields)
    return values, reader.faults


class _ObjectReader:
    """One object's members by key, and the faults found while they are read."""

    def __init__(self, data: Document, members: Iterable[Member], where: Mapping[str, Any]) -> None:
        self._data = data
        self._where = where
        self._spans: defaultdict[str, list[Member]] = defaultdict(list)
        self.faults: list[Fault] = []
        for member in members:
            self._spans[member.key].append(member)
        for key, spans in self._spans.items():
            if len(spans) > 1:
                both = ", ".join(text_of(self._raw(span)) for span in spans)
                self._add(Fault("duplicate-key", key, shorten(both)), spans[1])

    def value(self, key: str, field: JsonField) -> Any:
        """The value of a known field; None where it is missing, wrong or ambiguous."""
        spans = self._spans.get(key, [])
        if not spans and field.required:
            self._add(Fault("missing-field", key))
        if len(spans) != 1:
            return None
        value, broken = _value(self._raw(spans[0]), field)
        if broken:
            self.fault(broken, key)
        return value

    def unknown(self, fields: Mapping[str, JsonField]) -> str | None:
        """The unknown fields as one JSON object."""
        texts = {}
        for key, spans in self._spans.items():
            if key in fields or len(spans) > 1:
                continue
            if spans[0].altered:
                self._add(Fault("not-utf8", key, shorten(text_of(self._raw(spans[0]))), detail="its key"), spans[0])
            if is_utf8(self._raw(spans[0])):
                texts[key] = self._raw(spans[0]).decode()
            else:
                self.fault("not-utf8", key)
        return json_object(texts)

    def fault(self, rule: str, key: str) -> None:
        """Note what the only value of a key breaks."""
        span = self._spans[key][0]
        self._add(Fault(rule, key, shorten(text_of(self._raw(span)))), span)

    def _add(self, fault: Fault, span: Member | None = None) -> None:
        place = {**self._where, "byte_offset": span.start} if span else self._where
        self.faults.append(fault._replace(**place))

    def _raw(self, span: Member) -> Document:
        return self._data[span.start : span.end]


def _value(raw: Document, field: JsonField) -> tuple[Any, str | None]:
    """The value of a known field, or None and the rule that it breaks."""
    if raw == b"null" and field.nullable:
        return None, None
    if field.type == "string":
        return _string(raw)
    if not _NUMBER.fullmatch(raw):
        return None, "wrong-type"
    return _integer(raw, field) if field.type == "integer" else _number(raw, field)


def _string(raw: Document) -> tuple[str | None, str | None]:
    if raw[:1] != b'"':
        return None, "wrong-type"
    try:
        text: str = json.loads(raw)
        text.encode()
    except UnicodeError:
        return None, "not-utf8"
    return text, None


def _integer(raw: Document, field: JsonField) -> tuple[int | None, str | None]:
    # 7.0 and 7e0 are the integer 7 in JSON; by way of a float, a large seed would change.
    mantissa = re.split(rb"[eE]", raw)[0]
    if not mantissa.strip(b"-0."):
        return 0, None
    try:
        number = Decimal(raw.decode()) if len(raw) <= _MANY_DIGITS else Decimal("inf")
    except InvalidOperation:
        # Its exponent has more digits than any number that fits.
        return None, "seed-range"
    inside = field.minimum is not None and field.maximum is not None and field.minimum <= number <= field.maximum
    if not inside or number != int(number):
        return None, "seed-range"
    return int(number), None


def _number(raw: Document, field: JsonField) -> tuple[float | None, str | None]:
    number = float(raw)
    if field.maximum is None and field.minimum is None:
        return (number, None) if abs(number) != float("inf") else (None, "not-finite")
    low, high = field.minimum, field.maximum
    inside = (low is None or number >= low) and (high is None or number <= high)
    return (number, None) if inside else (None, "score-range")
