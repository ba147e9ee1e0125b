"""Exact sums against Python's fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clamp_analytics.moments import (
    LIMB_BITS,
    ROWS_AT_ONCE,
    SUM_NAMES,
    Moments,
    exact_total,
    from_sums,
    limb_sums,
    limbs,
    session_means,
    sums_below_one,
)

TINY = math.ulp(0.0)
"""The smallest double, which is the unit of the sums."""

PLAIN = 0.5 + 2.0**-66
SCORES = st.lists(
    st.one_of(st.sampled_from([0.0, 1.0, 0.5, 0.1, 2.0**-33, 2.0**-66, 2.0**-67, TINY]), st.floats(0, 1)), max_size=8
)


def units(scores: list[float]) -> int:
    """The sum of scores in units of the smallest double."""
    return int(sum(map(Fraction, scores)) / Fraction(TINY))


def moments_of(scores: list[float]) -> Moments:
    return sum(map(Moments.of_value, scores), Moments())


def rounded(exact: Fraction) -> float:
    return exact.numerator / exact.denominator


@given(scores=SCORES)
@example(scores=[])
@example(scores=[TINY, 1.0])
@example(scores=[0.1] * 3)
def test_sum_mean_and_sample_variance_are_rounded_once(scores: list[float]) -> None:
    moments = moments_of(scores)

    n, exact = len(scores), [Fraction(score) for score in scores]
    assert (moments.count, moments.total) == (n, units(scores))
    assert moments.squares == int(sum(score**2 for score in exact) / Fraction(TINY) ** 2)
    assert moments.mean == (rounded(sum(exact, Fraction(0)) / n) if n else None)
    if n < 2:
        assert moments.sample_variance is None
    else:
        mean = sum(exact, Fraction(0)) / n
        assert moments.sample_variance == rounded(sum(((score - mean) ** 2 for score in exact), Fraction(0)) / (n - 1))


def test_the_moments_of_ones_are_those_of_that_many_values() -> None:
    assert Moments.of_ones(3) == moments_of([1.0, 1.0, 1.0])


def test_moments_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Moments().count = 1  # type: ignore[misc]


@given(
    scores=st.lists(st.integers(0, 2 ** (3 * LIMB_BITS)).map(lambda units: units / 2.0 ** (3 * LIMB_BITS)), min_size=1)
)
def test_sums_of_limbs_are_exact_where_nothing_is_below_them(scores: list[float]) -> None:
    frame = pl.DataFrame({"score": scores}).with_columns(limbs(pl.col("score")))

    assert frame["below"].to_list() == [0.0] * len(scores)
    assert from_sums(frame.select(limb_sums()).select(SUM_NAMES).row(0)) == moments_of(scores)


@pytest.mark.parametrize("score", [2.0**-67, 2.0**-66 + 2.0**-100, 0.5 * 2.0**-66])
def test_the_digits_below_the_limbs_are_given(score: float) -> None:
    below = pl.DataFrame({"score": [score]}).select(limbs(pl.col("score"))[3])["below"][0]

    assert below == float((Fraction(score) * 2**66) % 1)


def test_the_sums_of_as_many_rows_as_are_added_at_once_fit_in_64_bits() -> None:
    largest = 1 - 2.0**-53
    one = Moments.of_value(largest)
    frame = pl.DataFrame({"score": [largest]}).with_columns(limbs(pl.col("score")))

    sums = (
        pl.concat([frame] * 2).sample(ROWS_AT_ONCE, with_replacement=True).select(limb_sums()).select(SUM_NAMES).row(0)
    )

    assert ROWS_AT_ONCE > 100_000
    assert from_sums(sums) == Moments(ROWS_AT_ONCE, ROWS_AT_ONCE * one.total, ROWS_AT_ONCE * one.squares)
    assert from_sums(sums).sample_variance == 0


@given(scores=SCORES)
@example(scores=[PLAIN, TINY, 0.1, 1.0])
@example(scores=[PLAIN, 0.25])
@example(scores=[TINY, TINY])
def test_the_exact_total_is_the_sum(scores: list[float]) -> None:
    assert exact_total(pl.Series(scores, dtype=pl.Float64)) == units(scores)


def test_nulls_are_left_out_of_the_total() -> None:
    assert exact_total(pl.Series([0.5, None, 1.0])) == units([1.5])


def test_the_means_of_files_are_independent_of_each_other() -> None:
    files = {0: [0.1, 0.2, 0.4], 1: [1.0, 1.0], 2: [TINY, 1.0, 0.3], 3: [], 4: [PLAIN, 0.7], 5: [TINY, TINY, 0.0]}
    scores = pl.DataFrame(
        {
            "file": [file for file, row in files.items() for _ in row],
            "score": [x for row in files.values() for x in row],
        },
        schema={"file": pl.UInt32, "score": pl.Float64},
    )
    counts = pl.DataFrame({"file": list(files), "count": [len(row) for row in files.values()]})

    means = session_means(counts, scores)

    expected = [rounded(sum(map(Fraction, row), Fraction(0)) / len(row)) if row else None for row in files.values()]
    assert means.to_list() == expected


def test_files_in_which_every_score_is_one_need_no_sum() -> None:
    scores = pl.DataFrame({"file": [0, 0, 1], "score": [1.0, 1.0, 0.5]})

    assert sums_below_one(scores) == {1: (1, units([0.5]))}
    assert sums_below_one(scores.head(2)) == {}


def test_scores_with_few_and_with_many_digits_are_counted_together() -> None:
    scores = pl.DataFrame({"file": [0, 0, 0], "score": [0.5, TINY, 0.25]})

    assert sums_below_one(scores) == {0: (3, units([0.5, TINY, 0.25]))}


def test_mean_and_sample_variance_of_literal_values() -> None:
    moments = moments_of([0.25, 0.5, 1.0, 1.0])

    assert (moments.count, moments.mean, moments.sample_variance) == (4, 0.6875, 0.140625)


def test_a_session_mean_leaves_out_nulls() -> None:
    counts = pl.DataFrame({"file": [0, 1], "count": [2, 0]})
    scores = pl.DataFrame({"file": [0, 0, 0, 1], "score": [1.0, 0.5, None, None]})

    assert session_means(counts, scores).to_list() == [0.75, None]
