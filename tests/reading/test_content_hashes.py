"""Counting equal hashes, in memory and in temporary files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import polars as pl
import pytest

from clamp_analytics.errors import OutputError
from clamp_analytics.reading.content_hashes import ContentHashes
from clamp_analytics.reading.divided import digests_by_first_byte


def hashes_of(*contents: int) -> dict[int, bytes]:
    digests = [hashlib.sha256(b"%d" % content).digest() for content in contents]
    ledger = {"loaded": True, "record_count": 1, "digest": pl.Series(digests, dtype=pl.Binary)}
    return digests_by_first_byte([pl.select(**ledger)])


@pytest.mark.parametrize("in_memory_bytes", [1_000_000, 0], ids=["in memory", "in files"])
def test_each_hash_after_the_first_of_its_kind_counts(in_memory_bytes: int) -> None:
    with ContentHashes(in_memory_bytes) as hashes:
        for _ in range(3):
            hashes.add(hashes_of(*range(300)))
        hashes.add(hashes_of(*range(290, 310)))

        assert hashes.repeated() == 2 * 300 + 10


def test_nothing_is_repeated_where_nothing_was_added() -> None:
    with ContentHashes() as hashes:
        assert hashes.repeated() == 0


def test_only_sessions_with_records_are_compared() -> None:
    ledger = pl.DataFrame(
        {"loaded": [True, True, False], "record_count": [0, 1, 1], "digest": [b"a" * 32, b"b" * 32, None]}
    )

    assert digests_by_first_byte([ledger]) == {ord("b"): b"b" * 16}


def test_temporary_files_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with ContentHashes(in_memory_bytes=0) as hashes:
        hashes.add(hashes_of(1))
        assert len(os.listdir(tmp_path)) == 1

    assert os.listdir(tmp_path) == []


def test_a_temporary_folder_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")

    with (
        ContentHashes(in_memory_bytes=0) as hashes,
        pytest.raises(OutputError, match="hashes of sessions cannot be kept"),
    ):
        hashes.add(hashes_of(1))
