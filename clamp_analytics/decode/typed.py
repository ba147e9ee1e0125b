"""The fast path: one typed decoder for each set of keys that occurs in files.

A layout requires exactly its keys, each with its type and range, so no value of a document that it accepts has to be
checked again. Unknown keys are part of a layout as raw JSON, which keeps files with extensions fast. The only fault
that a typed decoder does not notice is a key that occurs twice in an object. Because every field needs a comma, the
number of commas reveals it without a second pass over the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, NamedTuple

import msgspec

from clamp_analytics.decode.json_scanner import is_utf8, may_be_deep
from clamp_analytics.decode.labels import LABELS, LABELS_FIELD
from clamp_analytics.decode.options import DEFAULT_OPTIONS, DecodeOptions
from clamp_analytics.decode.pieces import array_of, spans
from clamp_analytics.schema import RECORDS, SESSIONS, JsonField, Table

LAYOUTS_TRIED = 8
"""How many layouts are tried on a file before its keys are examined; more would slow down files with faults."""


def _known(table: Table) -> dict[str, JsonField]:
    return {key: column.json for column in table.columns if column.json for key in column.json.keys}


RECORD_FIELDS = _known(RECORDS)
"""The JSON fields of a record, by key."""

SESSION_FIELDS = _known(SESSIONS)
"""The JSON fields of a session's top level but for `records`, by key."""

SESSION_FIELDS_WITH_LABELS = {**SESSION_FIELDS, LABELS_FIELD: LABELS}
"""The same for a session whose field `labels` holds labels; with another value it is an unknown field."""

_KEYS_BOUND = 256
"""Keys that a layout may have; a document with more goes through the fallback."""

_LEARN_BYTES = 2_000_000
"""A longer document is not searched for its keys, because the parser takes far more memory than its input."""

_REQUIRED = frozenset(key for key, field in RECORD_FIELDS.items() if field.required)
_TEXTS = tuple(key for key, field in RECORD_FIELDS.items() if field.type == "string")


@dataclass(frozen=True, slots=True, eq=False)
class KeyLayout:
    """The exact keys of records and of a document, and the decoders for them.

    Attributes:
        keys: the known keys of a record.
        noted: its keys that are reported: the deprecated and the unknown ones.
        unknown: (attribute, JSON key) of each raw field of a record, by key.
        top_unknown: the same for the top level of the document.
        top: returns the values of the known keys of the top level (``UNSET`` if missing), then the raw ones.
        session: decodes a document.
        records: decodes an array of records.
    """

    keys: frozenset[str]
    noted: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]
    top_unknown: tuple[tuple[str, str], ...]
    top: Callable[[Any], tuple[Any, ...]]
    session: msgspec.json.Decoder[Any]
    records: msgspec.json.Decoder[Any]

    def has_duplicate_keys(self, data: bytes, records: Sequence[Any], session: Any = None) -> bool:
        """Whether a document (or an array of records, where no session is given) may hold a key twice.

        Never False for a duplicate. May be True without one, where strings hold escaped commas.
        """
        width = len(self.keys) + len(self.unknown)
        fields = len(records) * width
        brackets = len(records)
        if session is not None:
            fields += self._top_fields(session)
            brackets += 1
        # n fields of an object need n - 1 commas, and so do n records of an array.
        between = max(len(records) - 1, 0)
        commas = fields - brackets + between
        found = data.count(b",")
        if found == commas:
            # Every field has its comma, and neither a text nor a second value brought another one.
            return False
        return found != commas + self._inner_commas(records, session) or b"\\u002" in data

    def may_have_hidden_fault(self, data: bytes, records: Sequence[Any]) -> bool:
        """Whether a raw field may be nested too deeply or not be UTF-8, which its decoder accepts."""
        if not self.unknown and not self.top_unknown:
            return False
        return may_be_deep(data, len(records) - 1) or not is_utf8(data)

    def _top_fields(self, session: Any) -> int:
        given = self.top(session)
        return 1 + len(given) - given.count(msgspec.UNSET)

    def _inner_commas(self, records: Sequence[Any], session: Any) -> int:
        """Commas inside strings and raw values."""
        texts = [key for key in _TEXTS if key in self.keys]
        count = sum((getattr(record, key) or "").count(",") for record in records for key in texts)
        count += sum(raw.count(b",") for record in records for _, raw in _set_fields(record, self.unknown))
        if session is not None:
            count += sum(raw.count(b",") for _, raw in _set_fields(session, self.top_unknown))
            tops = [getattr(session, key) for key, field in SESSION_FIELDS.items() if field.type == "string"]
            count += sum(text.count(",") for text in tops if isinstance(text, str))
        return count


def raw_fields(holder: Any, names: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The JSON text of each raw field that is set, by its key."""
    return {key: raw.decode() for key, raw in _set_fields(holder, names)}


def _set_fields(holder: Any, names: Sequence[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of each raw field that the object has."""
    for name, key in names:
        raw = getattr(holder, name)
        if raw is not msgspec.UNSET:
            yield key, bytes(raw)


def _python_type(field: JsonField) -> Any:
    if field.type == "string":
        return str | None if field.nullable else str
    # msgspec has no bounds beyond 63 bits; the column refuses a seed that does not fit in its 64 bits.
    maximum = field.maximum if field.maximum is not None and field.maximum < 2**63 else None
    kind: type = int if field.type == "integer" else float
    return Annotated[kind, msgspec.Meta(ge=field.minimum, le=maximum)]


def _attributes(keys: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"unknown_{n}", key) for n, key in enumerate(sorted(keys)))


def _decode_pieces(layout: KeyLayout, data: bytes, spans: Iterable[tuple[int, int]]) -> Iterator[list[Any]]:
    """The records at these spans of a document."""
    for start, stop in spans:
        array = b"[" + data[start:stop] + b"]"
        try:
            records = layout.records.decode(array)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RecordFaultError from error
        if layout.has_duplicate_keys(array, records) or layout.may_have_hidden_fault(array, records):
            raise RecordFaultError
        yield records


@lru_cache(maxsize=64)
def layout_of(record_keys: frozenset[str], session_keys: frozenset[str]) -> KeyLayout | None:
    """The layout for these keys; the last ones are kept, because compiling one takes milliseconds.

    Returns:
        None where no layout can accept them: a required key is missing, or a key needs escapes.
    """
    if not record_keys >= _REQUIRED or len(record_keys) + len(session_keys) > _KEYS_BOUND:
        return None
    known = record_keys & RECORD_FIELDS.keys()
    unknown = _attributes(record_keys - known)
    top_unknown = _attributes(session_keys - SESSION_FIELDS.keys() - {"records"})
    kind: dict[str, Any] = {"forbid_unknown_fields": True, "gc": False}
    unset = msgspec.UNSET
    try:
        record: Any = msgspec.defstruct(
            "Record",
            [
                *((key, _python_type(field)) for key, field in RECORD_FIELDS.items() if key in known),
                *((name, msgspec.Raw) for name, _ in unknown),
            ],
            rename=dict(unknown),
            **kind,
        )
        session: Any = msgspec.defstruct(
            "Session",
            [
                ("records", list[record]),
                *((key, _python_type(field) | msgspec.UnsetType, unset) for key, field in SESSION_FIELDS.items()),
                *((name, msgspec.Raw | msgspec.UnsetType, unset) for name, _ in top_unknown),
            ],
            rename=dict(top_unknown),
            **kind,
        )
    except ValueError:
        return None
    return KeyLayout(
        keys=frozenset(known),
        noted=tuple(key for key in record_keys if key not in known or RECORD_FIELDS[key].deprecated),
        unknown=unknown,
        top_unknown=top_unknown,
        top=attrgetter(*SESSION_FIELDS, *(name for name, _ in top_unknown)),
        session=msgspec.json.Decoder(session),
        records=msgspec.json.Decoder(list[record]),
    )


class RecordFaultError(Exception):
    """At least one of several records has a fault; the fallback finds out which."""


class Decoded(NamedTuple):
    """A document that a layout accepts.

    Attributes:
        layout: the layout.
        document: the fields of the top level.
        chunks: its records, in lists of a few thousand at most. Raises ``RecordFaultError`` where one is not accepted.
    """

    layout: KeyLayout
    document: Any
    chunks: Iterable[Sequence[Any]]


class KeyLayouts:
    """The layouts known so far, the most recently used first."""

    def __init__(self) -> None:
        self._layouts: list[KeyLayout] = []

    def decode_session(self, data: bytes, options: DecodeOptions = DEFAULT_OPTIONS) -> Decoded | None:
        """Decode a document by the layout that accepts it.

        Returns:
            None where no layout does; the fallback then finds out why.
        """
        array = array_of(data) if len(data) >= options.long_bytes else None
        if array is None:
            found = self._decode_whole(data)
            return Decoded(*found, [found[1].records]) if found else None
        (_, first_end), *others = spans(data, *array, options.piece_bytes)
        found = self._decode_whole(data[:first_end] + data[array[1] :])
        return Decoded(*found, chain([found[1].records], _decode_pieces(found[0], data, others))) if found else None

    def _decode_whole(self, data: bytes) -> tuple[KeyLayout, Any] | None:
        found = self._try("session", data)
        if found is None and self._learn(data):
            found = self._try("session", data)
        if found is None:
            return None
        layout, session = found
        is_faulty = layout.has_duplicate_keys(data, session.records, session) or layout.may_have_hidden_fault(
            data, session.records
        )
        return None if is_faulty else found

    def decode_records(self, array: bytes) -> tuple[KeyLayout, Sequence[Any]] | None:
        """Decode an array of records by the layout that accepts all of them; None where no layout does."""
        found = self._try("records", array)
        if found is None or found[0].has_duplicate_keys(array, found[1]):
            return None
        return None if found[0].may_have_hidden_fault(array, found[1]) else found

    def _try(self, what: str, data: bytes) -> tuple[KeyLayout, Any] | None:
        for layout in self._layouts:
            try:
                decoded = getattr(layout, what).decode(data)
            except msgspec.ValidationError:
                continue
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                # Malformed for every layout; the fallback finds the offset.
                return None
            if layout is not self._layouts[0]:
                self._layouts.remove(layout)
                self._layouts.insert(0, layout)
            return layout, decoded
        return None

    def _learn(self, data: bytes) -> KeyLayout | None:
        """Make a layout from the keys of the document and of its first record."""
        if len(data) > _LEARN_BYTES:
            return None
        try:
            top = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
            records = msgspec.json.decode(top["records"], type=list[msgspec.Raw])
            keys = msgspec.json.decode(records[0], type=dict[str, msgspec.Raw]).keys() if records else _REQUIRED
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
            return None
        return self.remember(frozenset(keys), frozenset(top))

    def remember(self, record_keys: frozenset[str], session_keys: frozenset[str]) -> KeyLayout | None:
        """Add the layout of these keys, unless it is known or none can be made."""
        layout = layout_of(record_keys, session_keys)
        if layout is None or any(
            (layout.keys, layout.unknown, layout.top_unknown) == (known.keys, known.unknown, known.top_unknown)
            for known in self._layouts
        ):
            return None
        self._layouts.insert(0, layout)
        del self._layouts[LAYOUTS_TRIED:]
        return layout
