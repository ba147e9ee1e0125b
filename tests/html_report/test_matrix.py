"""The overview matrix: verdicts of groups and metrics, with links."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

import polars as pl

from clamp_analytics.html_report.links import SeriesLinks
from clamp_analytics.html_report.matrix import MOST_ROWS, matrix

BY = ("context",)


def verdicts(**given: str) -> pl.DataFrame:
    """The verdicts on one metric of groups."""
    rows = [
        {"context": name, "metric": "duration_p50_ms", "verdict": verdict, "before": 1.0, "after": 2.0}
        for name, verdict in given.items()
    ]
    return pl.DataFrame(rows)


def markup_of(frame: pl.DataFrame, listed: int = 500) -> str:
    return matrix(frame, BY, SeriesLinks(frame, BY, [], listed))


def test_a_cell_has_a_mark_a_change_and_a_link_to_its_series():
    text = markup_of(verdicts(a="regressed"))

    assert '<td class="regressed"><a href="#row-1"' in text
    assert 'aria-label="a, duration_p50_ms: regressed +100 %"' in text
    assert '✗ <span class="size">+100 %</span>' in text


def test_a_series_without_a_row_or_chart_has_no_link():
    assert "href" not in markup_of(verdicts(a="unchanged"), listed=0)


def test_groups_that_changed_come_first():
    text = markup_of(verdicts(a="unchanged", b="improved", c="unchanged"))

    assert re.findall('data-group="(.)"', text) == ["b", "a", "c"]


def test_many_unchanged_groups_are_folded():
    names = {f"g{number}": "unchanged" for number in range(MOST_ROWS + 1)}

    text = markup_of(verdicts(changed="suspect", **names))

    assert f"<summary>{MOST_ROWS + 1} groups without a change</summary>" in text
    assert text.index('data-group="changed"') < text.index("<details")


def test_names_are_escaped():
    assert "<b>" not in markup_of(verdicts(**{"<b>": "regressed"}))
