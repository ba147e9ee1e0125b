"""All change points of a series."""

import numpy as np
import pytest

from clamp_analytics.analysis.drift.segments import Change, change_points
from clamp_analytics.analysis.drift.shift import Shift, find_shift
from clamp_analytics.analysis.stats import Floats

LEVEL = 0.05


def changes_of(values: Floats, margin: int = 10) -> list[Change]:
    first = find_shift(values, margin, 0.25)
    assert first is not None
    return change_points(values, margin, 0.25, LEVEL, first)


def steps(*levels: float, length: int = 40, seed: int = 1) -> Floats:
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.normal(level, 1, length) for level in levels])


def test_noise_has_no_change_point():
    assert changes_of(steps(0)) == []


def test_one_shift_is_one_change_point():
    assert [(change.start, change.place, change.end) for change in changes_of(steps(0, 6))] == [(0, 40, 80)]


def test_levels_reach_from_one_change_to_the_next():
    found = changes_of(steps(0, 8, 16))

    assert [(change.start, change.place, change.end) for change in found] == [(0, 40, 80), (40, 80, 120)]


def test_a_shift_that_was_taken_back_is_two_change_points():
    assert [change.place for change in changes_of(steps(0, 8, 0))] == [40, 80]


@pytest.mark.parametrize("seed", range(5))
def test_levels_are_no_shorter_than_the_margin(seed):
    found = changes_of(steps(0, 3, 0, 4, 1, 5, length=12, seed=seed))

    edges = [0, *(change.place for change in found), 72]
    assert min(np.diff(edges)) >= 10


def test_a_first_shift_above_the_level_ends_the_search():
    values = steps(0, 6)

    assert change_points(values, 10, 0.25, LEVEL, Shift(40, 0.06, 0.0, is_blocked=False)) == []


def test_every_change_point_is_significant_between_its_neighbours():
    found = changes_of(steps(0, 2, 2.5, 0, 4, length=30))

    assert found
    assert all(change.shift.p <= LEVEL for change in found)
