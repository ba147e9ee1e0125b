"""Columns of records: their order over lists and chunks, and the faults that only a column shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from clamp_analytics.decode.columns import RecordColumns, has_column_fault
from clamp_analytics.decode.typed import KeyLayout, RecordFaultError, layout_of
from clamp_analytics.schema import RECORDS
from tests.conftest import json_text, record

DEVICES = frozenset({"deviceName", "device_name"})


def decoded(*records: Mapping[str, Any]) -> tuple[KeyLayout, list[Any]]:
    """Records of equal keys as a typed decoder gives them."""
    layout = layout_of(frozenset(records[0]), frozenset())
    assert layout is not None
    return layout, layout.records.decode(json_text(records).encode())


def numbered(*seeds: int) -> tuple[KeyLayout, list[Any]]:
    return decoded(*(record(seed=seed) for seed in seeds))


def seeds(columns: RecordColumns) -> list[int]:
    return columns.take_frame()["seed"].to_list()


def test_columns_hold_the_records_that_are_pending_and_those_in_chunks() -> None:
    columns = RecordColumns(RECORDS.names)

    columns.extend(*numbered(1, 2), 0)
    columns.freeze()
    columns.extend(*numbered(3), 2)

    assert (len(columns), columns.pending) == (3, 1)
    frame = columns.take_frame()
    assert frame.select("record_index", "seed").rows() == [(0, 1), (1, 2), (2, 3)]
    assert frame.n_chunks() == 1
    assert len(columns) == 0


def test_a_single_record_is_appended_with_its_index_and_null_for_what_is_missing() -> None:
    columns = RecordColumns(["context"])

    columns.append({"context": "a", "seed": 2**64 - 1, "thread_id": "not requested"}, 7)

    rows = columns.take_frame().select("record_index", "context", "seed", "duration_ms").rows()
    assert rows == [(7, "a", 2**64 - 1, None)]


def test_a_frame_without_records_has_all_columns() -> None:
    frame = RecordColumns(["backend"]).take_frame()

    assert frame.is_empty()
    assert frame.columns == [
        "record_index",
        "seed",
        "acquired_at",
        "released_at",
        "duration_ms",
        "stability_score",
        "backend",
    ]


@pytest.mark.parametrize("frozen", [(), (0,), (1,), (0, 1)])
def test_columns_are_added_behind_others(frozen: tuple[int, ...]) -> None:
    first, second = RecordColumns(RECORDS.names), RecordColumns(RECORDS.names)
    first.extend(*numbered(1, 2), 0)
    second.extend(*numbered(3), 0)
    for number in frozen:
        (first, second)[number].freeze()

    first.add(second)

    assert seeds(first) == [1, 2, 3]


def test_pending_records_stay_pending_where_others_are_added() -> None:
    first, second = RecordColumns(RECORDS.names), RecordColumns(RECORDS.names)
    first.extend(*numbered(1, 2), 0)
    second.extend(*numbered(3), 0)

    first.add(second)

    assert first.pending == 3


def test_a_column_may_be_empty_in_one_chunk_and_not_in_another() -> None:
    columns = RecordColumns(RECORDS.names)

    for index, entry in enumerate((record(), record(backend="CPU"), record())):
        columns.extend(*decoded(entry), index)
        columns.freeze()

    frame = columns.take_frame()
    assert frame["backend"].to_list() == [None, "CPU", None]
    assert frame.schema["backend"] == pl.String


@pytest.mark.parametrize(
    ("records", "is_faulty"),
    [
        ([record(seed=2**64 - 1)], False),
        ([record(seed=2**64)], True),
        ([record(seed=1), record(seed=2**70), record(seed=2)], True),
        ([record(deviceName="a", device_name="a")], False),
        ([record(deviceName="a", device_name="b")], True),
        ([record(deviceName="a", device_name="a"), record(deviceName="a", device_name="b")], True),
        ([record(deviceName=None, device_name="b"), record(deviceName="a", device_name="b")], True),
        ([record(deviceName=None, device_name="b")], False),
        ([record(deviceName="a", device_name=None)], False),
        ([record(deviceName="a")], False),
    ],
)
def test_a_wide_seed_and_two_device_names_are_faults_of_a_column(
    records: list[dict[str, Any]], is_faulty: bool
) -> None:
    layout, found = decoded(*records)

    assert has_column_fault(layout, found) is is_faulty


def test_no_record_of_several_is_added_where_one_is_faulty() -> None:
    columns = RecordColumns(RECORDS.names)

    with pytest.raises(RecordFaultError):
        columns.extend(*numbered(1, 2**64), 0)

    assert len(columns) == 0


def test_no_records_have_no_fault() -> None:
    layout, _ = numbered(1)

    assert has_column_fault(layout, []) is False


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([("a", "a"), (None, "b"), ("c", None), (None, None)], ["a", "b", "c", None]),
        ([("a", "a"), ("b", "b")], ["a", "b"]),
        ([(None, "b"), ("a", "a")], ["b", "a"]),
        ([("a", None), ("b", "b")], ["a", "b"]),
    ],
)
def test_the_device_name_is_the_one_that_is_given(
    names: list[tuple[str | None, str | None]], expected: list[str | None]
) -> None:
    columns = RecordColumns(RECORDS.names)

    columns.extend(*decoded(*(record(deviceName=one, device_name=other) for one, other in names)), 0)

    assert columns.take_frame()["device_name"].to_list() == expected


def test_unknown_fields_become_one_object_with_its_keys_in_order() -> None:
    columns = RecordColumns(RECORDS.names)

    columns.extend(*decoded(record(**{"b{0}": 1, "a": {"c": [1]}}), record(**{"b{0}": "x", "a": None})), 0)

    assert columns.take_frame()["extra"].to_list() == ['{"a": {"c":[1]}, "b{0}": 1}', '{"a": null, "b{0}": "x"}']
