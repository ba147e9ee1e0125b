"""Names in the order in which a person counts."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.render.natural_order import in_natural_order, natural_key


@pytest.mark.parametrize(
    "names",
    [
        ["thread-2", "thread-10"],
        ["stage-1", "stage-2", "stage-10", "stage-11", "stage-100"],
        ["2", "10", "a2b1", "a2b10", "a10b1"],
        ["run 007", "run 8"],
        ["a", "b", None],
        ["1" * 5000, "2" * 5000, "1" * 5001],
    ],
)
def test_numbers_in_names_are_compared_as_numbers(names):
    shuffled = [names[index] for index in range(-1, -len(names) - 1, -1)]

    assert sorted(shuffled, key=natural_key) == names


@given(st.lists(st.text() | st.none()))
def test_any_names_can_be_sorted_and_equal_keys_are_equal_names(names):
    keys = {name: natural_key(name) for name in names}

    assert len({str(key) for key in keys.values()}) == len(keys)
    assert sorted(keys, key=keys.__getitem__) == sorted(sorted(keys, key=str), key=keys.__getitem__)


def test_rows_with_the_same_names_keep_their_order():
    frame = pl.DataFrame({"name": ["a10", "a2", "a10", None], "other": ["x", "x", "b", "c"], "row": [1, 2, 3, 4]})

    assert in_natural_order(frame, ["name"])["row"].to_list() == [2, 1, 3, 4]
    assert in_natural_order(frame, ["name", "other"])["row"].to_list() == [2, 3, 1, 4]


def test_no_column_leaves_the_rows_as_they_are():
    frame = pl.DataFrame({"name": ["b", "a"]})

    assert in_natural_order(frame, []).equals(frame)
