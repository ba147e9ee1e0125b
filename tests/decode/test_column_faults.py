"""Faults that typed decoders accept and only a column shows: a seed of more than 64 bits, two device names."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clamp_analytics.batch import Batch
from clamp_analytics.decode.options import DecodeOptions
from tests.conftest import EXAMPLES, decode, faults, record, session

RECORDS = {
    "fine": record(),
    "no device": record(without=("deviceName",)),
    "one device": record(deviceName="a", device_name="a"),
    "two devices": record(deviceName="a", device_name="b"),
    "other devices": record(deviceName=None, device_name="c"),
    "wide seed": record(seed=2**64, deviceName="a", device_name="a"),
    "widest seed": record(seed=2**70),
    "both": record(seed=2**64, deviceName="a", device_name="b"),
    "wrong score": record(stability_score=2, deviceName="a", device_name="a"),
    "extra": record(seed=2**64, node=1),
}
FILES = st.lists(st.lists(st.sampled_from(sorted(RECORDS)), max_size=5), min_size=1, max_size=5)


def document(kinds: list[str]) -> bytes:
    return session(*(RECORDS[kind] for kind in kinds))


def assert_read_like_alone(files: list[list[str]], together: Batch) -> None:
    for number, kinds in enumerate(files):
        alone = decode(*([b""] * number), document(kinds))
        for name in ("sessions", "records", "violations"):
            one, other = (getattr(batch, name).filter(source=f"{number}.json") for batch in (alone, together))
            assert one.equals(other)


@given(files=FILES, pending=st.integers(1, 8), long=st.sampled_from([1, 10**9]))
@example(files=[["one device", "two devices", "one device"], ["one device", "two devices"]], pending=100, long=10**9)
@example(files=[["two devices", "one device"], ["two devices"]], pending=100, long=10**9)
@example(files=[["one device", "wide seed"], ["one device", "wide seed"]], pending=100, long=10**9)
@settings(max_examples=60 * EXAMPLES)
def test_files_of_one_batch_have_the_violations_of_each_file_read_alone(
    files: list[list[str]], pending: int, long: int
) -> None:
    options = DecodeOptions(piece_bytes=200, long_bytes=long, records_pending=pending)

    together = decode(*map(document, files), options=options)

    assert_read_like_alone(files, together)


@pytest.mark.parametrize("pending", [1, 2, 3, 100])
def test_a_wide_seed_costs_no_other_file_a_value(pending: int) -> None:
    files = [session(record(seed=n), record(seed=n + 10)) for n in range(1, 6)]
    files[2] = session(record(seed=3), record(seed=2**70), record(seed=13))

    found = decode(*files, options=DecodeOptions(records_pending=pending))

    assert found.records["seed"].to_list() == [1, 11, 2, 12, 3, None, 13, 4, 14, 5, 15]
    assert faults(found) == [("seed-range", 1, "seed", str(2**70))]


def test_two_names_for_one_device_harm_no_other_file_of_their_batch() -> None:
    names = [("a", "a"), ("a", "b"), ("c", "c"), ("c", "d"), ("e", "e")]
    files = [session(record(deviceName=one, device_name=other)) for one, other in names]

    found = decode(*files)

    assert found.records["device_name"].to_list() == ["a", "a", "c", "c", "e"]
    assert [fault[:3] for fault in faults(found, at_least="warning")] == [
        ("device-name-conflict", 0, "device_name")
    ] * 2
