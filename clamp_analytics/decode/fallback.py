"""The fallback: reads a file that no typed decoder accepts, names each of its faults, and keeps every valid value.

A wrong value becomes null and its fault keeps the original text; the other values of the record are kept. Only a
document that is not a session is rejected.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from clamp_analytics.decode.columns import RecordColumns, has_column_fault
from clamp_analytics.decode.json_scanner import (
    KeyValueSpan,
    MalformedError,
    Scanner,
    excerpt,
    is_deep,
    is_utf8,
    shorten,
    text_of,
)
from clamp_analytics.decode.options import DecodeOptions
from clamp_analytics.decode.pieces import BETWEEN
from clamp_analytics.decode.rows import Fault, SessionRow, device_name, json_object
from clamp_analytics.decode.typed import (
    RECORD_FIELDS,
    SESSION_FIELDS,
    SESSION_FIELDS_WITH_LABELS,
    KeyLayout,
    KeyLayouts,
)
from clamp_analytics.schema import RECORDS, SESSIONS, JsonField, Table

_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MANY_DIGITS = 400
"""A number longer than this is beyond every bound there is, and is not worth converting."""

KEYS_BOUND = 10_000
"""Different keys of one object that are read; a record of the specification has ten."""

_DUPLICATES_LISTED = 100
"""Values of one key that are kept to be listed; the text of so many fills a violation's value."""

_ENTRY_BYTES = 40
"""Entries of very long arrays that are shorter on average are not records, whose fields take more than 100 bytes."""


class _RejectedError(Exception):
    """The document is not a session, for the reason that the fault gives."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def examine(
    data: bytes, session: SessionRow, columns: RecordColumns, layouts: KeyLayouts, options: DecodeOptions
) -> None:
    """Read a document of any quality into ``session`` and ``columns``, with its faults.

    Where the document is not a session, its status says so, and ``columns`` has no meaning.
    """
    try:
        _examine(data, session, columns, layouts, options)
    except _RejectedError as rejected:
        session.reject(rejected.fault)
    except MalformedError as error:
        rule = "truncated" if error.cut else "not-json"
        detail = f"{error.why}, {'cut off' if error.cut else 'found'} at byte {error.offset}"
        value = None if error.cut else text_of(data[error.offset : error.offset + 40])
        session.reject(Fault(rule, value=value, byte_offset=error.offset, detail=detail))
    except RecursionError:
        session.reject(Fault("too-deep"))


def _examine(
    data: bytes, session: SessionRow, columns: RecordColumns, layouts: KeyLayouts, options: DecodeOptions
) -> None:
    if data.startswith(codecs.BOM_UTF8):
        session.faults.add(Fault("byte-order-mark", byte_offset=0))
        # Blanks instead of it keep every later offset true.
        data = b"   " + data[len(codecs.BOM_UTF8) :]
    if data.startswith(_WIDE_BOMS) or b"\0" in data[:4]:
        raise _RejectedError(Fault("not-utf8", byte_offset=0, detail="it looks like UTF-16 or UTF-32"))
    if is_deep(data):
        raise _RejectedError(Fault("too-deep"))
    scanner = Scanner(data)
    start = scanner.document()
    if data[start : start + 1] != b"{":
        scanner.finish(scanner.value_end(start))
        raise _RejectedError(_not_a_session(data, start, len(data), "the top level is not an object"))
    spans = _spans_by_key(scanner.members(start), start)
    scanner.finish(scanner.end)
    records = spans.pop("records", [])
    if len(records) > 1:
        raise _RejectedError(Fault("duplicate-key", "records", byte_offset=records[1].start))
    if not records:
        raise _RejectedError(_not_a_session(data, start, start, "`records` is missing"))
    array = records[0]
    if data[array.start : array.start + 1] != b"[":
        raise _RejectedError(_not_a_session(data, array.start, array.end, "`records` is not an array"))
    _check_density(scanner, array, options.short_entries)
    examine_records(scanner, array, session, columns, layouts, options)
    values, unknown, faults = _object(data, spans, SESSIONS, SESSION_FIELDS, start)
    for fault in faults:
        session.faults.add(fault)
    has_labels = session.set_unknown(unknown)
    session.note_keys(spans, SESSION_FIELDS_WITH_LABELS if has_labels else SESSION_FIELDS)
    for name, value in values.items():
        setattr(session, name, value)


def _check_density(scanner: Scanner, array: KeyValueSpan, bound: int) -> None:
    """Reject an array of more entries than a bound, which are on average too short to be records."""
    size = array.end - array.start
    if size <= 2 * bound:
        return
    entries = sum(1 for _ in scanner.elements(array.start))
    if entries > bound and size < _ENTRY_BYTES * entries:
        detail = f"its {entries:,} entries are too short to be records"
        raise _RejectedError(_not_a_session(scanner.data, array.start, array.end, detail))


def _spans_by_key(members: Iterable[KeyValueSpan], start: int) -> dict[str, list[KeyValueSpan]]:
    """The members of the object at ``start``, by key."""
    spans: dict[str, list[KeyValueSpan]] = {}
    for member in members:
        of_key = spans.setdefault(member.key, [])
        if len(of_key) < _DUPLICATES_LISTED:
            of_key.append(member)
        if len(spans) > KEYS_BOUND:
            raise _RejectedError(Fault("too-many-keys", byte_offset=start, detail=f"the bound is {KEYS_BOUND:,}"))
    return spans


def _not_a_session(data: bytes, start: int, end: int, detail: str) -> Fault:
    value = excerpt(data, start, end) or None
    return Fault("not-a-session", value=value, byte_offset=start, detail=detail)


def examine_records(
    scanner: Scanner,
    array: KeyValueSpan,
    session: SessionRow,
    columns: RecordColumns,
    layouts: KeyLayouts,
    options: DecodeOptions,
) -> None:
    """Read an array of records: many valid ones at once, and the records beside a fault one at a time."""
    run = _ValidRun(session, columns, options)
    index, at, faulty_to = 0, scanner.first_element(array.start), array.start
    while at is not None:
        are_many = at >= faulty_to
        if are_many:
            end = _likely_end(scanner.data, at, array.end - 1, options.examined_bytes)
        else:
            end = scanner.value_end(at)
        found = _decode_valid(scanner.data[at:end], layouts)
        if found:
            run.add(*found, index)
            index += len(found[1])
        elif are_many:
            faulty_to = end
            continue
        else:
            run.flush()
            _examine_record(scanner, at, end, index, session, columns, layouts)
            index += 1
        at = scanner.next_element(end)
    run.flush()


def _examine_record(
    scanner: Scanner,
    begin: int,
    end: int,
    index: int,
    session: SessionRow,
    columns: RecordColumns,
    layouts: KeyLayouts,
) -> None:
    """Read one record field by field."""
    data = scanner.data
    if data[begin : begin + 1] != b"{":
        value = excerpt(data, begin, end)
        session.faults.add(Fault("record-not-object", "records", value, byte_offset=begin, record_index=index))
        return
    spans = _spans_by_key(scanner.members(begin), begin)
    values, unknown, faults = _object(data, spans, RECORDS, RECORD_FIELDS, begin, index)
    for fault in faults:
        session.faults.add(fault)
    session.note_keys(spans, RECORD_FIELDS)
    columns.append({**values, "extra": json_object(unknown)}, index)
    if not faults:
        layouts.remember(frozenset(spans), frozenset())


def _likely_end(data: bytes, begin: int, end: int, size: int) -> int:
    """An offset ``size`` to twice as many bytes after ``begin``, at which a record ends if one does there."""
    limit = min(begin + 2 * size, end)
    cut = BETWEEN.search(data, begin + size, limit)
    return cut.start() + 1 if cut else limit


def _decode_valid(records: bytes, layouts: KeyLayouts) -> tuple[KeyLayout, Sequence[Any]] | None:
    """Decode records that are separated by commas; None where one may have a fault."""
    found = layouts.decode_records(b"[" + records + b"]")
    return None if found is None or has_column_fault(*found) else found


class _ValidRun:
    """Valid records of one layout that follow each other, which become columns together."""

    def __init__(self, session: SessionRow, columns: RecordColumns, options: DecodeOptions) -> None:
        self._session, self._columns, self._options = session, columns, options
        self._layout: KeyLayout | None = None
        self._first_index = 0
        self._records: list[Any] = []

    def add(self, layout: KeyLayout, records: Sequence[Any], index: int) -> None:
        """Add the records that follow the last one, of which the first has this index."""
        if layout is not self._layout or len(self._records) >= self._options.records_pending:
            self.flush()
        if not self._records:
            self._layout, self._first_index = layout, index
        self._records += records

    def flush(self) -> None:
        """Move the records into the columns."""
        if self._layout:
            self._columns.extend(self._layout, self._records, self._first_index)
            self._session.note_keys(self._layout.noted, RECORD_FIELDS, times=len(self._records))
            self._records = []
        if self._columns.pending >= self._options.records_pending:
            self._columns.freeze()


def _object(
    data: bytes,
    spans: Mapping[str, list[KeyValueSpan]],
    table: Table,
    fields: Mapping[str, JsonField],
    start: int,
    record_index: int | None = None,
) -> tuple[dict[str, Any], dict[str, str], list[Fault]]:
    """The columns of the object at ``start``, the JSON texts of its unknown fields, and its faults by field."""
    reader = _ObjectReader(data, spans, start, record_index)
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
    unknown = reader.unknown(fields)
    # Which faults of a rule have a row does not depend on the order in which fields are read.
    return values, unknown, sorted(reader.faults, key=_field_of)


def _field_of(fault: Fault) -> str:
    return fault.field or ""


class _ObjectReader:
    """The members of one object, and the faults that are found while they are read."""

    def __init__(
        self, data: bytes, spans: Mapping[str, list[KeyValueSpan]], start: int, record_index: int | None
    ) -> None:
        self._data = data
        self._start = start
        self._record_index = record_index
        self._spans = spans
        self.faults: list[Fault] = []
        for key, of_key in spans.items():
            if len(of_key) > 1:
                values = ", ".join(excerpt(data, span.start, span.end) for span in of_key)
                self._add("duplicate-key", key, shorten(values), of_key[1].start)

    def value(self, key: str, field: JsonField) -> Any:
        """The value of a known field; None where it is missing, wrong or ambiguous."""
        spans = self._spans.get(key, [])
        if not spans and field.required:
            self._add("missing-field", key, None, self._start)
        if len(spans) != 1:
            return None
        value, broken = _value(self._raw(spans[0]), field)
        if broken:
            self.fault(broken, key)
        return value

    def unknown(self, fields: Mapping[str, JsonField]) -> dict[str, str]:
        """The JSON text of each unknown field, by its key."""
        texts = {}
        for key, spans in self._spans.items():
            if key in fields or len(spans) > 1:
                continue
            if spans[0].altered:
                self._add("not-utf8", key, self._excerpt(spans[0]), spans[0].start, "its key")
            if is_utf8(self._raw(spans[0])):
                texts[key] = self._raw(spans[0]).decode()
            else:
                self.fault("not-utf8", key)
        return texts

    def fault(self, rule: str, key: str) -> None:
        """Note what the only value of a key breaks."""
        span = self._spans[key][0]
        self._add(rule, key, self._excerpt(span), span.start)

    def _add(self, rule: str, key: str, value: str | None, byte_offset: int, detail: str = "") -> None:
        self.faults.append(Fault(rule, key, value, byte_offset, self._record_index, detail=detail))

    def _raw(self, span: KeyValueSpan) -> bytes:
        return self._data[span.start : span.end]

    def _excerpt(self, span: KeyValueSpan) -> str:
        return excerpt(self._data, span.start, span.end)


def _value(raw: bytes, field: JsonField) -> tuple[Any, str | None]:
    """The value of a known field, or None and the rule that it breaks."""
    if raw == b"null" and field.nullable:
        return None, None
    if field.type == "string":
        return _string(raw)
    if not _NUMBER.fullmatch(raw):
        return None, "wrong-type"
    return _integer(raw, field) if field.type == "integer" else _number(raw, field)


def _string(raw: bytes) -> tuple[str | None, str | None]:
    if raw[:1] != b'"':
        return None, "wrong-type"
    try:
        text: str = json.loads(raw)
        text.encode()
    except UnicodeError:
        return None, "not-utf8"
    return text, None


def _integer(raw: bytes, field: JsonField) -> tuple[int | None, str | None]:
    # 7.0 and 7e0 are the integer 7 in JSON; by way of a float, a large seed would change.
    mantissa = re.split(rb"[eE]", raw)[0]
    if not mantissa.strip(b"-0."):
        return 0, None
    try:
        number = Decimal(raw.decode()) if len(raw) <= _MANY_DIGITS else Decimal("inf")
    except InvalidOperation:
        # Its exponent has more digits than any number that fits.
        return None, "seed-range"
    if not _is_inside(number, field) or number != int(number):
        return None, "seed-range"
    return int(number), None


def _number(raw: bytes, field: JsonField) -> tuple[float | None, str | None]:
    number = float(raw)
    if not _is_inside(number, field):
        return None, "score-range"
    return (None, "not-finite") if math.isinf(number) else (number, None)


def _is_inside(number: Decimal | float, field: JsonField) -> bool:
    """Whether a number lies within the bounds of a field that has them."""
    low, high = field.minimum, field.maximum
    return (low is None or number >= low) and (high is None or number <= high)
