"""Labels: names and paths are escaped, cut and unique."""

from __future__ import annotations

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from clamp_analytics import plots


@pytest.mark.parametrize(
    "name, shown",
    [
        (None, "(none)"),
        ("", '""'),
        ("plain", "plain"),
        ("\u202eover", "\\u202eover"),
        ("a\x00b", "a\\x00b"),
        ("x" * 10_000, "x" * 79 + "…"),
    ],
)
def test_a_name_shows_whole_bounded_and_with_nothing_hidden(name, shown):
    assert plots.label(name) == shown


def test_names_that_cutting_made_equal_are_told_apart():
    assert plots.make_unique(["a", "b", "a", "a (2)", "a"]) == ["a", "b", "a (2)", "a (2) (2)", "a (3)"]


@pytest.mark.parametrize(
    "longest, shown",
    [
        (22, "runs/2026/session.json"),
        (21, "…/2026/session.json"),
        (18, "…/session.json"),
        (13, "…session.json"),
        (10, "…sion.json"),
    ],
)
def test_of_a_long_path_the_end_is_kept(longest, shown):
    assert plots.shorten_path("runs/2026/session.json", longest) == shown
