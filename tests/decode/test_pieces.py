"""Long documents are decoded in pieces, and records become columns in lots: neither changes what is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.batch import Batch
from clamp_analytics.decode.options import DecodeOptions
from clamp_analytics.schema import Status
from tests.conftest import EXAMPLES, GOOD, Raw, decode, faults, json_text, record, session, statuses
from tests.reading.test_properties import documents


def decoded(*data: bytes, long: int, piece: int = 200, pending: int = 1_000) -> Batch:
    """What documents give where from ``long`` bytes on each is decoded in pieces."""
    return decode(*data, options=DecodeOptions(piece_bytes=piece, long_bytes=long, records_pending=pending))


def same(one: Batch, other: Batch) -> bool:
    return all(getattr(one, name).equals(getattr(other, name)) for name in ("sessions", "records", "violations"))


@given(group=st.lists(documents(), max_size=4), piece=st.integers(1, 500), pending=st.integers(1, 6))
@settings(max_examples=50 * EXAMPLES)
def test_documents_of_any_quality_read_the_same_in_pieces(group: list[bytes], piece: int, pending: int) -> None:
    whole = decoded(*group, long=10**9)

    assert same(decoded(*group, long=1, piece=piece, pending=pending), whole)


RECORDS = [record(seed=seed) for seed in range(1, 30)]
"""About 4 kB, so twenty pieces of 200 bytes."""

LATE_FAULTS = {
    "a seed of 65 bits": (record(seed=2**64), ("seed-range", 29, "seed", str(2**64))),
    "two device names": (
        record(deviceName="a", device_name="b"),
        ("device-name-conflict", 29, "device_name", '"b"'),
    ),
    "a score beyond 1": (record(stability_score=2), ("score-range", 29, "stability_score", "2")),
    "no object": (Raw("5"), ("record-not-object", 29, "records", "5")),
    "a key twice": (Raw(json_text(record())[:-1] + ',"seed":7}'), ("duplicate-key", 29, "seed", "7, 7")),
}


@pytest.mark.parametrize("case", LATE_FAULTS)
def test_a_fault_in_a_late_piece_is_found_at_its_offset_and_affects_no_other_record(case: str) -> None:
    entry, fault = LATE_FAULTS[case]

    found = decoded(GOOD, session(*RECORDS, entry, *RECORDS[:3]), GOOD + b" ", long=1000)

    assert fault in faults(found, at_least="warning")
    assert statuses(found) == [Status.LOADED.value] * 3
    assert found.records["seed"].to_list()[1:30] == list(range(1, 30))


def test_a_file_that_ends_in_a_late_piece_is_rejected_and_leaves_no_record() -> None:
    found = decoded(GOOD, session(*RECORDS)[:-40], GOOD + b" ", long=1000)

    assert statuses(found) == [Status.LOADED.value, Status.REJECTED.value, Status.LOADED.value]
    assert found.records["source"].to_list() == ["0.json", "2.json"]


def test_a_second_array_of_records_is_a_duplicate_key_however_the_document_is_cut() -> None:
    twice = session(*RECORDS)[:-1] + b',"records":[' + session(*RECORDS).partition(b"[")[2]

    found = decoded(twice, long=1000)

    assert [rule for rule, *_ in faults(found)] == ["duplicate-key"]
    assert found.records.is_empty()


def test_offsets_count_from_the_start_of_the_document() -> None:
    found = decoded(GOOD, session(*RECORDS), long=1000)

    assert found.records["record_index"].to_list() == [0, *range(29)]
