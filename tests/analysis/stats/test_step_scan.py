"""The gains of steps and segments, against explicit least squares."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.noise_model import cosine_transform
from clamp_analytics.analysis.stats.step_scan import inner_products, layout, segment_gains, step_gains
from tests.analysis.stats import by_definition


@pytest.mark.parametrize("n", [16, 20, 31])
def test_gains_are_those_of_weighted_least_squares(n: int) -> None:
    series = np.random.default_rng(1).standard_normal((4, n))
    cells = np.array([0, 17, 60, 17])
    products = inner_products(cosine_transform(series), cells)

    steps, segments = step_gains(products, cells), segment_gains(products, cells)

    table = list(zip(layout(n).starts.tolist(), layout(n).ends.tolist(), strict=True))
    for row, (one, cell) in enumerate(zip(series, cells.tolist(), strict=True)):
        expected = [by_definition.gain(one, index, n, cell) for index in range(1, n)]
        assert steps[row] == pytest.approx([0.0, *expected, 0.0])
        assert segments[row] == pytest.approx([by_definition.gain(one, a, b, cell) for a, b in table])


def test_segments_have_ten_sessions_before_and_three_after_them() -> None:
    table = layout(18)

    assert list(zip(table.starts.tolist(), table.ends.tolist(), strict=True)) == [
        (10, 13), (11, 14), (12, 15), (10, 14), (11, 15), (10, 15),
    ]  # fmt: skip


def test_the_shortest_series_with_a_segment_has_sixteen_values() -> None:
    assert [layout(n).starts.size for n in (13, 15, 16)] == [0, 0, 1]


def test_lengths_of_segments_grow_by_a_fifth() -> None:
    table = layout(60)

    lengths = sorted(set((table.ends - table.starts).tolist()))
    assert lengths == [3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 19, 22, 26, 31, 37, 44]


@pytest.mark.parametrize("n, part", [(400, 8), (401, 4)])
def test_long_segments_are_tried_at_some_indices_only(n: int, part: int) -> None:
    table = layout(n)

    for length in (3, 10, 26, 74):
        starts = table.starts[table.ends - table.starts == length]
        assert starts.tolist() == list(range(10, n - 3 - length + 1, max(1, length // part)))
