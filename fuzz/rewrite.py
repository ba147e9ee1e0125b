"""``align`` and ``merge`` against the reference reader: they change what they should, and no other byte."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clamp_analytics.errors import ClampError
from clamp_analytics.rewrite import align_files, merge
from fuzz.target import DifferenceError
from tests.conftest import GOOD
from tests.reading import reference

REFERENCE = datetime(2026, 6, 1, tzinfo=UTC)
STAMPS = ("acquired_at", "released_at")


class RewriteTarget:
    """Aligns each input, and merges it with a session in which nothing is wrong."""

    max_bytes = 500
    batch = 1
    dictionary = "session.dict"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, data: bytes) -> None:
        source, other = self._folder / "in" / "a.json", self._folder / "in" / "b.json"
        out = self._folder / "out"
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        other.write_bytes(GOOD)
        try:
            check_align(data, source, out)
            check_merge(data, source, other)
        except AssertionError as error:
            raise DifferenceError(data, str(error)) from error
        finally:
            (out / "a.json").unlink(missing_ok=True)

    def finish(self) -> None:
        """Nothing is kept."""


def check_align(data: bytes, source: Path, out: Path) -> None:
    """Check that each timestamp is shifted by the same time, and that all else is as it was."""
    before = reference.read(data)
    result = align_files(source, REFERENCE, out)
    if before.status == "rejected":
        assert [file.source for file in result.rejected] == [str(source)], "a rejected file was aligned"
        return
    begins = [row["acquired_at"] for row in before.rows if row["acquired_at"]]
    ends = [row["released_at"] for row in before.rows if row["released_at"]]
    if result.rejected:
        assert begins, "a session without timestamps was not aligned"
        assert not in_years(begins, ends), "a session was not aligned"
        return
    aligned = (out / "a.json").read_bytes()
    if not begins:
        assert aligned == data, "a session without timestamps was changed"
        return
    after = reference.read(aligned)
    shift = REFERENCE - min(begins)
    expected = [
        row | {f"{key}_text": None for key in STAMPS} | {key: row[key] + shift for key in STAMPS if row[key]}
        for row in before.rows
    ]
    found = [row | {f"{key}_text": None for key in STAMPS} for row in after.rows]
    assert found == expected, f"records: {found!r} instead of {expected!r}"
    assert (after.top, after.errors, after.keys) == (before.top, before.errors, before.keys), "other values changed"


def in_years(begins: list[datetime], ends: list[datetime]) -> bool:
    """Whether all timestamps stay in the years 1 to 9999 when they are shifted."""
    shift = REFERENCE - min(begins)
    try:
        return all(at + shift for at in (*begins, *ends))
    except OverflowError:
        return False


def check_merge(data: bytes, source: Path, other: Path) -> None:
    """Check that the merged session has the records of both, in order of acquisition, and their mean."""
    before = reference.read(data)
    try:
        merged = merge([source, other])
    except ClampError:
        assert before.status == "rejected", "a session was not merged"
        return
    assert before.status == "loaded", "a rejected file was merged"
    rows = before.rows + ([] if data == GOOD else reference.read(GOOD).rows)
    after = reference.read(merged.data)
    assert after.status == "loaded", f"the merged session is {after.errors}"
    assert Counter(map(content, after.rows)) == Counter(map(content, rows)), "the records differ"
    times = [row["acquired_at"] for row in after.rows]
    known = [at for at in times if at]
    assert known == sorted(known), "the order is wrong"


def content(row: dict[str, Any]) -> str:
    """A record without its index, and without the suffix of a thread that occurs in both files."""
    thread = row["thread_id"]
    kept = {key: value for key, value in row.items() if key not in ("record_index", "thread_id")}
    return repr((sorted(kept.items(), key=str), thread and thread.removesuffix("@1").removesuffix("@2")))


def target(folder: Path) -> RewriteTarget:
    return RewriteTarget(folder)
