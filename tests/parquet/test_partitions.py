"""Partitions of the records, and the names of their folders."""

from __future__ import annotations

import pytest

from clamp_analytics.errors import UsageError
from clamp_analytics.parquet import ExportOptions
from clamp_analytics.parquet.partitions import hive_key, hive_value
from tests.parquet.helpers import HOSTILE


def test_a_folder_name_never_leaves_its_folder_nor_exceeds_what_file_systems_take() -> None:
    names = [f"{hive_key('device_name')}={hive_value(text)}" for text in HOSTILE]

    assert max(len(name.encode()) for name in names) <= 255
    assert all(name.isascii() and name.isprintable() and not set(name) & set("/\\*?[]'") for name in names)
    assert not {".", ".."} & set(names)


def test_different_values_have_different_folder_names() -> None:
    cut = hive_value("x" * 300)
    values = [*HOSTILE, None, "null", cut, "%7E"]

    assert len({hive_value(value) for value in values}) == len(set(values))


def test_a_long_value_is_cut_between_characters() -> None:
    name = hive_value("x" + "é" * 100)

    assert name.startswith("x" + "%C3%A9" * 27 + "~")
    assert len(name) == 1 + 6 * 27 + 1 + 16


@pytest.mark.parametrize(
    "wanted, where",
    [
        ("day,hour", "partition_by"),
        ("none,day", "partition_by"),
        ("", "partition_by"),
        ("day,day", "partition_by day,day"),
        (["day", "seed"], "partition_by"),
    ],
)
def test_partitions_that_cannot_be_are_refused(wanted: str | list[str], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        ExportOptions(partition_by=wanted)

    assert caught.value.where == where


def test_a_mistyped_partition_gets_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        ExportOptions(partition_by="contxt")

    assert caught.value.hint == "did you mean context?"


@pytest.mark.parametrize(
    "bound", [{"rows_per_file": 0}, {"row_group_rows": -1}, {"compression_level": 23}, {"buffer_bytes": 0}]
)
def test_bounds_out_of_range_are_refused(bound: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        ExportOptions(**bound)
