"""Decoding against the reference reader, which is written from the specification with Python's own JSON module."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clamp_analytics.batch import Batch
from clamp_analytics.decode.batch_builder import BatchBuilder
from clamp_analytics.decode.options import DecodeOptions
from clamp_analytics.decode.typed import KeyLayouts
from clamp_analytics.schema import RECORDS
from fuzz.target import DifferenceError
from tests.reading import reference
from tests.reading.reference_rules import warnings

COLUMNS = ["context", "seed", "thread_id", "acquired_at", "released_at", "duration_ms", "stability_score", "backend"]
COLUMNS += ["device_name", "record_index"]
NOT_JSON = {"not-json", "truncated", "not-utf8", "too-deep"}
NO_SPAN = {"duplicate-key", "missing-field", "not-a-session", "not-utf8"}
"""Rules whose value is not the text at its offset."""

OPTIONS = (
    DecodeOptions(),
    DecodeOptions(piece_bytes=100, long_bytes=1, records_pending=5),
    DecodeOptions(piece_bytes=400, long_bytes=500, records_pending=20),
)
"""The usual sizes, and sizes for which a short document is a long one."""


class DecodeTarget:
    """Decodes each input as one file among others, and compares every table with the reference."""

    max_bytes = 320
    batch = 1000
    dictionary = "session.dict"

    def __init__(self) -> None:
        # Layouts are kept from one batch to the next, as they are in a worker.
        self._layouts = KeyLayouts()
        self._batches = 0
        self._start()

    def _start(self) -> None:
        options = OPTIONS[self._batches % len(OPTIONS)]
        self._builder = BatchBuilder(RECORDS.names, self._layouts, options)
        self._documents: list[bytes] = []
        self._batches += 1

    def run(self, data: bytes) -> None:
        self._documents.append(data)
        try:
            self._builder.add(f"{len(self._documents) - 1}.json", data)
        except Exception:
            self._start()
            raise
        if len(self._documents) >= self.batch:
            self.finish()

    def finish(self) -> None:
        documents, builder = self._documents, self._builder
        self._start()
        compare(documents, builder.build())


def compare(documents: Sequence[bytes], batch: Batch) -> None:
    """Compare the tables of documents, which are the files ``0.json`` and so on, with the reference."""
    sessions = batch.sessions.rows(named=True)
    records: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for source, extra, *values in batch.records.select("source", "extra", *COLUMNS).iter_rows():
        records[source].append((*values, extra))
    violations: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in batch.violations.iter_rows(named=True):
        violations[row["source"]].append(row)
    for data, session in zip(documents, sessions, strict=True):
        name = session["source"]
        try:
            compare_session(data, session, records[name], violations[name])
        except AssertionError as error:
            raise DifferenceError(data, f"{error}") from error


def compare_session(
    data: bytes, session: dict[str, Any], records: list[tuple[Any, ...]], violations: list[dict[str, Any]]
) -> None:
    expected = reference.read(data)
    same("status", session["status"], expected.status)
    if expected.errors and expected.errors[0][0] in NOT_JSON and expected.status == "rejected":
        (violation,) = violations
        assert violation["rule"] in NOT_JSON, f"rule: {violation['rule']}"
        return
    has_odd_key = not all(map(reference.is_unicode, (key for keys in expected.keys for key in keys)))
    found = [(row["rule"], row["record_index"], row["field"], row["count"]) for row in violations]
    wanted = [(*error, 1) for error in expected.errors]
    wanted += warnings(expected, has_mark=data.startswith(codecs.BOM_UTF8))
    if has_odd_key:
        # The report shows such a key with escapes.
        found = [(rule, index, None, count) for rule, index, _, count in found]
        wanted = [(rule, index, None, count) for rule, index, _, count in wanted]
    same("violations", sorted(found, key=str), sorted(wanted, key=str))
    for row in violations:
        check_value(data, row)
    same("records", [row[:-1] for row in records], [tuple(row[name] for name in COLUMNS) for row in expected.rows])
    if expected.status == "rejected":
        return
    if not has_odd_key:
        same("extra", [pairs(row[-1]) for row in records], [row["extra"] for row in expected.rows])
        is_labels = session["labels"] is not None
        top = [pair for pair in expected.top["extra"] if not (is_labels and pair[0] == "labels")]
        # Labels that are an empty object are neither labels nor an unknown field.
        same("extra of the top level", pairs(session["extra"]), [pair for pair in top if pair != ("labels", [])])
    declared = session["declared_stability_score"], session["backend"], session["device_name"]
    same("top", declared, tuple(expected.top[name] for name in ("stability_score", "backend", "device_name")))
    scores = [row["stability_score"] for row in expected.rows if row["stability_score"] is not None]
    counts = session["record_count"], session["scored_count"], session["in_flight_count"]
    in_flight = sum(row["released_at"] is None for row in expected.rows)
    same("counts", counts, (len(expected.rows), len(scores), in_flight))


def same(what: str, found: Any, wanted: Any) -> None:
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


def pairs(text: str | None) -> list[tuple[str, Any]]:
    return sorted(reference.parse(text)) if text is not None else []


def check_value(data: bytes, row: dict[str, Any]) -> None:
    """Check that the value of a violation is the text at its offset."""
    if row["value"] is None or row["byte_offset"] is None or row["rule"] in NO_SPAN:
        return
    there = data[row["byte_offset"] :].decode(errors="backslashreplace")
    assert there.startswith(row["value"].removesuffix("…")), f"value: {row}"


def target(_folder: Path) -> DecodeTarget:
    return DecodeTarget()
