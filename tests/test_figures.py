"""Figures as a person reads them."""

import pytest

from clamp_analytics.figures import figure, levels


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
        (0.0, "0"),
        (1.8644, "1.86"),
        (29.98, "30.0"),
        (250.4, "250"),
        (3.0, "3"),
        (0.99952, "1.00"),
        (0.000123456, "0.000123"),
        (-12.345, "-12.3"),
        (999.6, "1,000"),
        (123456.7, "123,457"),
        (1e-7, "1e-07"),
    ],
)
def test_a_figure_has_three_digits_and_all_those_before_its_point(value, shown):
    assert figure(value) == shown


@pytest.mark.parametrize(
    "before, after, shown",
    [
        (20.2, 29.98, ("20.20", "29.98")),
        (1.0, 0.835, ("1.000", "0.835")),
        (0.9956, 0.9921, ("0.9956", "0.9921")),
        (0.000166, 0.165, ("0.000", "0.165")),
        (1.06, 1.06, ("1.060", "1.060")),
        (1.0, 1 - 1e-12, ("1.00000", "1.00000")),
        (3.0, 12.0, ("3", "12")),
        (2.335, 1.875, ("2.335", "1.875")),
        (0.0123, 0.0234, ("0.0123", "0.0234")),
        (1000.4, 123456.7, ("1,000", "123,457")),
        (None, 1.5, ("-", "1.50")),
        (float("inf"), 1.5, ("-", "1.50")),
        (1e300, 2e300, ("1e+300", "2e+300")),
    ],
)
def test_two_levels_have_the_same_decimals(before, after, shown):
    assert levels(before, after) == list(shown)


def test_levels_in_turn_have_the_decimals_of_their_smallest_step():
    assert levels(1.0, 0.835, 0.8346) == ["1.00000", "0.83500", "0.83460"]
