"""A series in one line of text."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.render.sparkline import ASCII, BLOCKS, sparkline


def test_the_least_value_is_the_lowest_mark_and_the_greatest_the_highest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"


def test_marks_of_ascii_stand_for_the_same_heights():
    assert sparkline([7, 0, 3], 8, ASCII) == "@.="


def test_a_series_without_a_difference_is_of_middle_height():
    assert sparkline([3.5, 3.5], 8) == "▅▅"


def test_a_long_series_shows_the_median_of_each_stretch():
    assert sparkline([0, 1, 5, 4, 6, 4, 8, 9, 8], 3) == "▁▄█"


def test_stretches_need_not_be_of_one_length():
    assert sparkline([0, 0, 0, 7, 7], 2) == "▁█"


@pytest.mark.parametrize("hole", [None, math.nan, math.inf, -math.inf])
def test_a_missing_value_is_a_gap(hole):
    assert sparkline([0, hole, 7], 8) == "▁ █"


def test_a_spike_within_a_stretch_is_shown():
    assert sparkline([1, 2, 1, 2, 1, 2, 99, 1, 2, 1, 2, 1], 4) == "▁▁█▁"


def test_a_newest_session_that_is_far_from_all_others_is_shown():
    assert sparkline([*[1.0, 1.1, 0.9] * 20, 10.0], 5) == "▁▁▁▁█"


@pytest.mark.parametrize("values, shown", [([], ""), ([None, None], "  "), ([1.0], "▅")])
def test_hardly_any_value_is_shown_for_what_it_is(values, shown):
    assert sparkline(values, 8) == shown


def test_the_largest_floats_do_not_overflow():
    assert sparkline([-sys.float_info.max, sys.float_info.max, sys.float_info.max], 2) == "▁█"


@given(st.lists(st.none() | st.floats()), st.integers(1, 30))
def test_any_series_has_as_many_marks_as_there_is_room(values, width):
    shown = sparkline(values, width)

    assert len(shown) == min(width, len(values))
    assert set(shown) <= set(BLOCKS) | {" "}


def test_the_newest_session_is_shown_and_not_its_part():
    assert sparkline([0, 0, 0, 0, 7, 7, 7, 7, 0], 3) == "▁█▁"


def test_an_outlier_just_before_the_newest_session_is_shown_as_well():
    assert sparkline([1, 2, 1, 2, 1, 2, 1, 2, 1, 99, 2, 1], 4) == "▁▁█▁"


def test_a_line_marks_each_change_point():
    assert sparkline([0, 0, 7, 7, 0], 8, changes=[2, 4]) == "▁▁│██│▁"
    assert sparkline([0, 0, 7, 7], 8, ASCII, changes=[2]) == "..|@@"


def test_no_part_mixes_the_values_before_and_after_a_change_point():
    assert sparkline([0] * 9 + [7] * 3, 5, changes=[9]) == "▁▁▁│█"


def test_change_points_without_room_are_not_marked():
    assert sparkline([0, 0, 7, 7, 0], 4, changes=[2, 4]) == "▁▁█▁"


def test_a_change_point_outside_the_series_is_not_marked():
    assert sparkline([0, 7], 8, changes=[0, 2]) == "▁█"


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(1, 30), st.sets(st.integers(0, 40)))
def test_lines_of_change_points_stay_within_the_width(values, width, changes):
    shown = sparkline(values, width, changes=sorted(changes))

    lines = shown.count("│")
    assert len(shown) <= width
    assert len(shown) - lines == min(width - lines, len(values))
