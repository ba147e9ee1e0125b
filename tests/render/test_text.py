"""Figures and labels."""

import pytest

from clamp_analytics.render.text import figure, group_name


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "-"),
        (0.0, "0"),
        (1.8644, "1.86"),
        (0.99952, "1"),
        (0.000123456, "0.000123"),
        (-12.345, "-12.3"),
        (999.6, "1000"),
        (123456.7, "123457"),
        (1e-7, "1e-07"),
    ],
)
def test_a_figure_has_three_digits_and_all_those_before_its_point(value, shown):
    assert figure(value) == shown


@pytest.mark.parametrize(
    "by, row, name",
    [
        (["context"], {"context": "a"}, "a"),
        (["context"], {"context": None}, "no context"),
        (["context", "backend"], {"context": "a", "backend": None}, "context a, no backend"),
        ([], {}, "all sessions"),
    ],
)
def test_a_group_is_named_by_its_values(by, row, name):
    assert group_name(row, by) == name
