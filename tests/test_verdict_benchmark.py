"""The benchmark of error rates: its counts, intervals and tables."""

from __future__ import annotations

import pytest

from benchmarks.verdicts.__main__ import measure
from benchmarks.verdicts.cells import Cell, cells
from benchmarks.verdicts.report import Measured, as_markdown, as_record, wilson

NORMAL_50 = next(cell for cell in cells() if cell.name == "normal, n = 50")


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    # The example of Newcombe, 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E: 15 of 148.
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


def test_a_seed_gives_the_same_count_whatever_else_is_measured() -> None:
    first, second = measure(NORMAL_50, 40, seed=1), measure(NORMAL_50, 40, seed=1)

    assert (first.hits, first.trials) == (second.hits, 40)


def test_no_two_cells_have_the_same_name() -> None:
    keys = [(cell.row, cell.name) for cell in cells()]

    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "hits, at_most, met", [(5, True, True), (6, True, False), (95, False, True), (94, False, False)]
)
def test_a_target_is_an_upper_or_a_lower_limit(hits: int, at_most: bool, met: bool) -> None:
    cell = Cell("row", "name", 0.05 if at_most else 0.95, at_most, lambda generator, rows: 0)

    assert Measured(cell, hits, 100, 0.0).met is met


def test_a_record_is_a_row_of_the_table() -> None:
    cell = Cell("false verdict", "normal", 0.05, True, lambda generator, rows: 0)

    table = as_markdown([as_record(Measured(cell, 10, 100, 1.0))])

    assert table.splitlines()[2] == "| false verdict | normal | 10.0 % | 5.5 % to 17.4 % | 100 | ≤ 5.0 % | **no** |"
