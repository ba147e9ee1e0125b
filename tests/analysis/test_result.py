"""How results are displayed and converted."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.result import HTML_ROWS, Result
from clamp_analytics.analysis.verdicts import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class Inner:
    verdict: Verdict


@dataclass(frozen=True, slots=True, repr=False)
class Example(Result):
    table: pl.DataFrame
    inner: Inner
    names: tuple[str, ...] = ("a", "b")

    def describe(self) -> list[str]:
        return ["<b>headline</b>", "more"]

    def to_polars(self) -> pl.DataFrame:
        return self.table


def example(**columns: list[object]) -> Example:
    return Example(pl.DataFrame(columns), Inner(Verdict.REGRESSED))


def test_the_representation_is_the_headline_and_the_lines_below_it():
    assert repr(example(a=[1])) == "Example: <b>headline</b>\n  more"


def test_a_dict_holds_plain_values():
    assert example(a=[1, None]).to_dict() == {
        "table": [{"a": 1}, {"a": None}],
        "inner": {"verdict": "regressed"},
        "names": ["a", "b"],
    }


def test_html_escapes_headline_column_names_and_cells():
    html = example(**{"<i>": ["<script>alert(1)</script>"]})._repr_html_()

    assert "<script" not in html
    assert "<i>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html


def test_html_shows_the_first_rows_and_says_how_many_more_there_are():
    html = example(a=list(range(HTML_ROWS + 3)))._repr_html_()

    assert html.count("<tr>") == HTML_ROWS + 1
    assert "… and 3 more rows" in html


def test_html_cuts_a_long_cell():
    assert len(example(a=["x" * 10_000])._repr_html_()) < 1_000
