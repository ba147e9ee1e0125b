"""The native decoder accepts what is certainly right, with the values of the decoder in Python, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clamp_analytics.decode.accepted import DoubtfulError, decode_accepted, decode_large
from clamp_analytics.decode.decoded_files import DecodedFiles
from clamp_analytics.decode.kernel import Kernel, describe_decoder, load_kernel
from clamp_analytics.decode.options import DEFAULT_OPTIONS
from clamp_analytics.schema import RECORDS
from tests.conftest import GOOD, Raw, decode, json_text, numbered, producer_session, record, session

pytestmark = pytest.mark.skipif(load_kernel() is None, reason="clamp-analytics-kernel is not installed")


@pytest.fixture
def kernel() -> Kernel:
    found = load_kernel()
    assert found is not None
    return found


def accept(kernel: Kernel, *documents: bytes | str | None) -> tuple[DecodedFiles, list[int]]:
    names = [f"{number}.json" for number in range(len(documents))]
    return decode_accepted(kernel, documents, names, RECORDS.names)


ACCEPTED: Mapping[str, bytes] = {
    "a good session": GOOD,
    "no records": session(),
    "the producer's format": producer_session({}, {"seed": 8}),
    "a record in flight": session(record(released_at=None, duration_ms=0)),
    "the largest seed": session(record(seed=2**64 - 1)),
    "microseconds": session(
        record(acquired_at="2026-01-01T00:00:00.000001Z", released_at="2026-01-01T00:00:01.000001Z")
    ),
    "a zone of +00:00": session(record(acquired_at="2026-01-01T00:00:00+00:00")),
    "a leap day": session(record(acquired_at="2024-02-29T23:59:59Z", released_at="2024-03-01T00:00:00Z")),
    "a score of 17 digits": session(record(stability_score=Raw("0.12345678901234567")), stability_score=0.123457),
    "a score with an exponent": session(record(stability_score=Raw("5e-1")), stability_score=0.5),
    "unknown fields": session(record(node={"a": [1, {"b": None}], "c": "d"}, zone=True), run="x"),
    "escapes": session(record(context=Raw(r'"caf\u00e9 \ud83d\ude00 \"\\\/\b\f\n\r\t"'))),
    "text beyond ASCII": session(record(context="\u00e9\u4e2d\U0001f600")),
    "labels": session(record(), labels={"build": "7", "commit": "c0ffee"}),
    "blanks everywhere": GOOD.replace(b",", b" ,\n\t").replace(b":1,", b" : 1 ,\r").replace(b"[", b"[ ") + b"\n",
    "records of several layouts": session(record(), record(seed=8, backend="CPU"), record(seed=9, node=1)),
    "the mean of scores with three digits": session(
        record(stability_score=0.123), record(seed=8, stability_score=0.4), stability_score=0.2617
    ),
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_session_is_accepted(kernel: Kernel, document: bytes) -> None:
    accepted, doubtful = accept(kernel, document)

    assert (accepted.sessions.height, doubtful) == (1, [])


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_an_accepted_session_has_the_rows_of_the_decoder_in_python(document: bytes) -> None:
    # The function compares the two.
    assert decode(document).sessions["status"].to_list() == ["loaded"]


DOUBTFUL: Mapping[str, bytes] = {
    "nothing": b"",
    "a cut file": GOOD[:-1],
    "something after the end": GOOD + b"x",
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a byte that is not UTF-8": GOOD.replace(b"alpha", b"\xff"),
    "half of a surrogate pair": session(record(context=Raw(r'"\ud800"'))),
    "a backslash before a text": GOOD.replace(b'"alpha"', b'\\lpha"'),
    "a control character in a text": session(record(context=Raw('"\x01"'))),
    "a seed of 65 bits": session(record(seed=2**64)),
    "a seed of zero": session(record(seed=0)),
    "a negative seed": session(record(seed=-1)),
    "a seed with a fraction": session(record(seed=Raw("7.0"))),
    "a seed with a leading zero": session(record(seed=Raw("07"))),
    "a seed twice": session(record(), record()),
    "a score above 1": session(record(stability_score=Raw("1.0000000000000002"))),
    "a score that is a text": session(record(stability_score="1")),
    "a score that is not a number": session(record(stability_score=Raw("NaN"))),
    "a duration beyond the range of a double": session(record(duration_ms=Raw("1e309"))),
    "a negative duration": session(record(duration_ms=-1)),
    "a duration that contradicts the timestamps": session(record(duration_ms=5000)),
    "a release before the acquisition": session(record(released_at="2025-12-31T23:59:59Z")),
    "an empty timestamp": session(record(acquired_at="")),
    "a day that does not exist": session(record(acquired_at="2025-02-29T00:00:00Z", released_at=None)),
    "a second of 60": session(record(acquired_at="2026-01-01T00:00:60Z")),
    "a timestamp without a zone": session(record(acquired_at="2026-01-01T00:00:00")),
    "nanoseconds": session(record(acquired_at="2026-01-01T00:00:00.000000001Z")),
    "a missing field": session(record(without=("seed",))),
    "a missing score of the session": json_text({"records": [record()]}).encode(),
    "a field twice": GOOD.replace(b'"seed":7', b'"seed":7,"seed":7'),
    "an unknown field twice": GOOD.replace(b'"seed":7', b'"seed":7,"x":1,"x":1'),
    "a top-level field twice": GOOD.replace(b'{"stability', b'{"x":1,"x":1,"stability'),
    "two device names": session(record(deviceName="a", device_name="b")),
    "an entry that is not a record": session(record(), 5),
    "records that are not an array": b'{"stability_score":1,"records":{}}',
    "a deep nesting": session(record(x=Raw("[" * 100 + "]" * 100))),
    "a mean that contradicts the records": session(record(), stability_score=0.5),
    "labels that are not texts": session(record(), labels={"build": 7}),
    "a trailing comma": GOOD.replace(b"}]", b"},]"),
}


@pytest.mark.parametrize("document", DOUBTFUL.values(), ids=DOUBTFUL)
def test_everything_else_is_doubtful_and_leaves_no_row(kernel: Kernel, document: bytes) -> None:
    accepted, doubtful = accept(kernel, numbered(1), document, numbered(2))

    assert doubtful == [1]
    assert accepted.sessions["source"].to_list() == ["0.json", "2.json"]
    assert accepted.records["seed"].to_list() == [1, 2]
    assert accepted.records["source"].to_list() == ["0.json", "2.json"]


def test_a_file_that_cannot_be_read_is_doubtful(kernel: Kernel, tmp_path: Any) -> None:
    accepted, doubtful = accept(kernel, str(tmp_path), str(tmp_path / "missing"), None)

    assert doubtful == [0, 1, 2]
    assert accepted.sessions.is_empty()


def decode_ahead(kernel: Kernel, *groups: list[str], session_ids: bool = False) -> None:
    rows_per_rule = DEFAULT_OPTIONS.rows_per_rule
    kernel.decode_ahead([(paths, None) for paths in groups], RECORDS.names, session_ids, rows_per_rule)


@pytest.fixture
def eight_files(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"{number}.json") for number in range(1, 9)]
    for number, path in enumerate(paths, 1):
        Path(path).write_bytes(numbered(number))
    return paths


def test_files_that_are_decoded_ahead_give_the_same_rows(kernel: Kernel, eight_files: list[str]) -> None:
    faulty = eight_files[3]
    Path(faulty).write_bytes(b"[]")
    alone = accept(kernel, *eight_files)

    decode_ahead(kernel, eight_files[:1], eight_files, ["missing"])
    accepted, doubtful = accept(kernel, *eight_files)

    assert doubtful == alone[1] == [3]
    assert accepted.sessions.equals(alone[0].sessions)
    assert accepted.records.equals(alone[0].records)


@pytest.mark.parametrize("order", [[2, 0, 1], [0, 1, 2], [2, 1, 0]])
def test_files_that_are_asked_for_in_any_order_give_their_rows(
    kernel: Kernel, eight_files: list[str], order: list[int]
) -> None:
    groups = [eight_files[:3], eight_files[3:4], eight_files[4:]]
    seeds = [[1, 2, 3], [4], [5, 6, 7, 8]]

    decode_ahead(kernel, *groups)

    found = [accept(kernel, *groups[index])[0].records["seed"].to_list() for index in order]
    assert found == [seeds[index] for index in order]


def test_what_was_decoded_ahead_with_other_arguments_is_not_used(kernel: Kernel, eight_files: list[str]) -> None:
    decode_ahead(kernel, eight_files, session_ids=True)

    accepted, _ = accept(kernel, *eight_files)

    assert accepted.sessions["session_id"].to_list() == [None] * 8


def test_a_file_that_is_rewritten_is_decoded_again(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(numbered(1))
    decode_ahead(kernel, [str(path)])
    accept(kernel, str(path))
    path.write_bytes(numbered(2))

    accepted, _ = accept(kernel, str(path))

    assert accepted.records["seed"].to_list() == [2]


def windows(kernel: Kernel, path: Path, window_bytes: int) -> pl.DataFrame:
    return pl.concat(part.records for part in decode_large(kernel, str(path), "a", ["seed"], window_bytes=window_bytes))


def test_a_large_file_that_is_decoded_ahead_gives_the_same_records(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_bytes(session(*(record(seed=number) for number in range(1, 5_000))))

    kernel.decode_ahead([([str(path)], 100_000)], ["seed"], False, DEFAULT_OPTIONS.rows_per_rule)
    found = windows(kernel, path, 100_000)

    assert found["seed"].to_list() == list(range(1, 5_000))


def test_a_large_file_with_a_fault_that_is_decoded_ahead_is_doubtful(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_bytes(session(*(record(seed=number % 4_000) for number in range(1, 5_000))))

    kernel.decode_ahead([([str(path)], 100_000)], ["seed"], False, DEFAULT_OPTIONS.rows_per_rule)

    with pytest.raises(DoubtfulError):
        windows(kernel, path, 100_000)


def test_a_large_file_that_is_written_to_between_two_windows_is_doubtful(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_bytes(session(*(record(seed=number) for number in range(1, 5_000))))
    parts = decode_large(kernel, str(path), "a", ["seed"], window_bytes=100_000)
    next(parts)
    os.utime(path, ns=(0, 0))

    with pytest.raises(DoubtfulError):
        list(parts)


def test_records_in_flight_beyond_the_limit_are_counted(kernel: Kernel) -> None:
    document = session(*(record(seed=n, released_at=None, duration_ms=0) for n in range(1, 6)))

    accepted, _ = decode_accepted(kernel, [document], ["a"], RECORDS.names, rows_per_rule=3)

    found = accepted.violations.select("record_index", "count").rows()
    assert found == [(None, 2), (0, 1), (1, 1), (2, 1)]


def test_the_variable_turns_the_native_decoder_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAMP_ANALYTICS_KERNEL", "off")

    assert load_kernel() is None
    assert describe_decoder() == "pure Python (CLAMP_ANALYTICS_KERNEL=off)"


def test_a_kernel_of_another_interface_is_not_used(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "INTERFACE", 0)

    assert load_kernel() is None
    assert "does not fit" in describe_decoder()


def test_columns_that_are_not_requested_are_left_out(kernel: Kernel) -> None:
    accepted, _ = decode_accepted(kernel, [GOOD], ["a"], {"seed"})

    assert accepted.records.equals(
        pl.DataFrame({"file": [0], "seed": [7]}, schema={"file": pl.UInt32, "seed": pl.UInt64})
    )
