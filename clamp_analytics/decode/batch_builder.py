"""Build a batch, the three tables of some files, from their bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import msgspec
import polars as pl

from clamp_analytics.batch import Batch
from clamp_analytics.decode import timestamps, validate
from clamp_analytics.decode.columns import RecordColumns
from clamp_analytics.decode.decoded_files import DecodedFiles, batch_of
from clamp_analytics.decode.fallback import examine
from clamp_analytics.decode.json_scanner import shorten
from clamp_analytics.decode.options import DEFAULT_OPTIONS, DecodeOptions
from clamp_analytics.decode.rows import Fault, FaultLog, SessionRow, device_name
from clamp_analytics.decode.typed import (
    RECORD_FIELDS,
    SESSION_FIELDS,
    SESSION_FIELDS_WITH_LABELS,
    KeyLayout,
    KeyLayouts,
    RecordFaultError,
    raw_fields,
)
from clamp_analytics.moments import session_means
from clamp_analytics.schema import RECORDS, SESSIONS, Status, polars_schema

UNREADABLE = "unreadable"
"""The rule that is broken where the system refuses a file."""

_STAMPS = ("acquired_at", "released_at")
_FROM_FILE = ("source", "session_id")
_SESSION_SCHEMA = polars_schema(SESSIONS)


class BatchBuilder:
    """Decodes files and collects them in one batch.

    Args:
        columns: the requested columns of ``records``.
        layouts: the JSON layouts of the files that were decoded before.
        options: how much is decoded at a time.
    """

    def __init__(self, columns: Collection[str], layouts: KeyLayouts, options: DecodeOptions = DEFAULT_OPTIONS) -> None:
        self._options = options
        self._wanted = [name for name in RECORDS.names if name in columns]
        self._layouts = layouts
        self._clear()

    def _clear(self) -> None:
        self._sessions: list[SessionRow] = []
        self._data: list[bytes] = []
        self._records = RecordColumns(self._wanted)

    def add(self, source: str, data: bytes, session_id: str | None = None) -> SessionRow:
        """Decode the bytes of one file.

        Args:
            source: the file's name.
            data: its bytes.
            session_id: its hash, if it is requested.

        Returns:
            The session of the file, without the values of its records.
        """
        session = SessionRow(source, len(data), session_id, faults=FaultLog(self._options.rows_per_rule))
        if not self._add_fast(session, data):
            records = RecordColumns(self._wanted)
            examine(data, session, records, self._layouts, self._options)
            if session.status is Status.LOADED:
                self._add_records(session, records)
        self._sessions.append(session)
        self._data.append(data)
        return session

    def add_unreadable(self, source: str, why: str, rule: str = UNREADABLE) -> None:
        """Add a file that could not be read, with the rule that it breaks."""
        session = SessionRow(source, status=Status.REJECTED)
        mark_unreadable(session, why, rule)
        self._sessions.append(session)
        self._data.append(b"")

    def build(self) -> Batch:
        """The batch of all files that were added; the builder is empty afterwards."""
        return batch_of([self.take()], self._wanted)

    def take(self) -> DecodedFiles:
        """The rows of all files that were added; the builder is empty afterwards."""
        records = self._checked_records()
        aggregates = _aggregates(records)
        sessions = self._session_frame(aggregates)
        violations = validate.violations(self._sessions, self._data, records, sessions, self._options.rows_per_rule)
        decoded = DecodedFiles(
            sessions.select("file", *SESSIONS.names, "seed_sum"), self._record_frame(records, sessions), violations
        )
        self._clear()
        return decoded

    def _add_fast(self, session: SessionRow, data: bytes) -> bool:
        """Add a file through a typed decoder.

        Returns:
            False where the file has a fault; no record of it is kept then.
        """
        found = self._layouts.decode_session(data, self._options)
        if found is None or _has_top_conflict(found.document):
            return False
        layout, document, chunks = found
        records = RecordColumns(self._wanted)
        try:
            for chunk in chunks:
                records.extend(layout, chunk, len(records))
                if records.pending >= self._options.records_pending:
                    records.freeze()
        except RecordFaultError:
            return False
        self._add_records(session, records)
        _fill_top(session, layout, document, data)
        return True

    def _add_records(self, session: SessionRow, records: RecordColumns) -> None:
        session.record_count = len(records)
        self._records.add(records)
        if self._records.pending >= self._options.records_pending:
            self._records.freeze()

    def _checked_records(self) -> pl.DataFrame:
        """The records with all columns that the rules check; ``file`` is the index of the session."""
        counts = pl.Series([session.record_count for session in self._sessions], dtype=pl.UInt32)
        files = pl.int_range(len(counts), dtype=pl.UInt32, eager=True).repeat_by(counts).explode(empty_as_null=False)
        records = self._records.take_frame()
        stamps = timestamps.parse_columns([records[name] for name in _STAMPS])
        return records.drop(_STAMPS).insert_column(0, files.alias("file")).hstack(stamps)

    def _session_frame(self, aggregates: pl.DataFrame) -> pl.DataFrame:
        """The sessions with their aggregates, in the order in which they were added."""
        given = [name for name in SESSIONS.names if name in SessionRow.__dataclass_fields__]
        rows = pl.DataFrame(
            [
                pl.Series(name, [getattr(session, name) for session in self._sessions], dtype=_SESSION_SCHEMA[name])
                for name in given
            ]
        )
        counted = ["scored_count", "in_flight_count", "seed_sum"]
        return (
            rows.with_row_index("file")
            .join(aggregates, on="file", how="left", maintain_order="left")
            .with_columns(pl.col(counted).fill_null(0))
        )

    def _record_frame(self, records: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
        of_file = [sessions[name].gather(records["file"]) for name in _FROM_FILE if name in self._wanted]
        return records.with_columns(of_file).select("file", *self._wanted)


def mark_unreadable(session: SessionRow, why: str, rule: str) -> None:
    """Mark a session as a file that was not read: it has no size and only this fault."""
    session.size_bytes = None
    # Tables on a screen show the value and not the message.
    session.reject(Fault(rule, value=None if rule == UNREADABLE else shorten(why), detail=why))


def _has_top_conflict(document: Any) -> bool:
    names = document.deviceName, document.device_name
    return isinstance(names[0], str) and isinstance(names[1], str) and names[0] != names[1]


def _fill_top(session: SessionRow, layout: KeyLayout, document: Any, data: bytes) -> None:
    score = document.stability_score
    if score is msgspec.UNSET:
        session.faults.add(Fault("missing-field", "stability_score", byte_offset=data.index(b"{")))
    session.declared_stability_score = _value_or_none(score)
    session.backend = _value_or_none(document.backend)
    session.device_name = device_name(_value_or_none(document.deviceName), _value_or_none(document.device_name))
    has_labels = bool(layout.top_unknown) and session.set_unknown(raw_fields(document, layout.top_unknown))
    is_set = tuple([value is not msgspec.UNSET for value in layout.top(document)])
    session.shared = _shared_faults(layout, session.record_count, is_set, has_labels=has_labels)


def _value_or_none(value: Any) -> Any:
    return None if value is msgspec.UNSET else value


@lru_cache(maxsize=1024)
def _shared_faults(layout: KeyLayout, records: int, is_set: tuple[bool, ...], *, has_labels: bool) -> Sequence[Fault]:
    """The faults about the keys of a file; cached, because most files of a folder have the same keys."""
    keys = [*SESSION_FIELDS, *(key for _, key in layout.top_unknown)]
    counted = SessionRow("")
    counted.note_keys(layout.noted, RECORD_FIELDS, times=records)
    counted.note_keys(compress(keys, is_set), SESSION_FIELDS_WITH_LABELS if has_labels else SESSION_FIELDS)
    return tuple(counted.shared_faults())


def _aggregates(records: pl.DataFrame) -> pl.DataFrame:
    """The columns of ``sessions`` that are computed from the records."""
    score, acquired = pl.col("stability_score"), pl.col("acquired_at")
    aggregates = records.group_by("file").agg(
        scored_count=score.count().cast(pl.UInt32),
        in_flight_count=pl.col("released_at").is_null().sum().cast(pl.UInt32),
        first_acquired_at=acquired.min(),
        last_acquired_at=acquired.max(),
        seed_sum=pl.col("seed").sum(),
    )
    counts = aggregates.select("file", count="scored_count")
    return aggregates.with_columns(session_means(counts, records.select("file", score="stability_score")))
