"""Files are read into memory that is used again, and no bytes of an earlier file remain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clamp_analytics.reading import ReadingOptions, load
from clamp_analytics.reading.per_thread import Buffers
from clamp_analytics.sources import read_into
from tests.conftest import numbered, record, session, write


@pytest.mark.parametrize("before", [0, 3, 11, 12, 13, 500])
def test_a_file_is_read_whole_whatever_the_buffer_held(before: int, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"hello, world")

    assert read_into(bytearray(b"x" * before), str(path)) == b"hello, world"


@pytest.mark.parametrize(("size", "content"), [(5, b"hello, world"), (50, b"hello, world"), (12, b"")])
def test_a_file_that_changes_while_it_is_read_is_read_to_its_end(
    size: int, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * size)
    monkeypatch.setattr(
        "clamp_analytics.sources.files._regular_size", lambda descriptor: path.write_bytes(content) * 0 + size
    )

    assert read_into(bytearray(), str(path)) == content


def test_a_very_large_file_leaves_no_memory_in_the_buffer(tmp_path: Path) -> None:
    path, buffer = tmp_path / "a.json", bytearray()
    path.write_bytes(b"x" * 101)

    assert read_into(buffer, str(path), reused_bytes=100) == b"x" * 101
    assert not buffer


def test_a_buffer_that_is_still_in_use_is_not_used_again() -> None:
    buffers = Buffers()
    first, second = buffers.for_files(2)
    first += b"first"
    with memoryview(first) as held:
        again = buffers.for_files(2)

        assert again[0] is not first
        assert again[1] is second
        assert bytes(held) == b"first"


def test_batches_of_files_of_other_lengths_do_not_mix(tmp_path: Path) -> None:
    seeds = range(1, 40)
    long = {3, 4, 11, 30}
    write(
        tmp_path,
        {f"{n:02}.json": session(*[record(seed=n)] * (9 if n in long else 1), x=n) for n in seeds}
        | {"99.json": numbered(99)},
    )

    found = load(tmp_path, jobs=1, options=ReadingOptions(batch_files=7))

    expected = [n for n in seeds for _ in range(9 if n in long else 1)]
    assert found.records["seed"].to_list() == [*expected, 99]
    assert found.sessions["size_bytes"].to_list() == [os.stat(path).st_size for path in sorted(tmp_path.iterdir())]
