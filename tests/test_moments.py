"""Exact sums: means and sample variances are those of exact fractions, rounded once."""

from __future__ import annotations

from fractions import Fraction

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from clamp_analytics.moments import SUM_NAMES, Moments, exact_total, from_sums, limb_sums, limbs, session_means

SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=20)


def moments(values: list[float]) -> Moments:
    return sum(map(Moments.of_value, values), Moments())


def test_the_mean_and_the_sample_variance_of_literal_values() -> None:
    found = moments([0.25, 0.5, 1.0, 1.0])

    assert (found.count, found.mean, found.sample_variance) == (4, 0.6875, 0.140625)


def test_the_mean_of_no_value_and_the_variance_of_one_value_are_none() -> None:
    assert (Moments().mean, Moments.of_value(0.5).sample_variance) == (None, None)


@given(SCORES)
def test_mean_and_sample_variance_are_those_of_exact_fractions(values: list[float]) -> None:
    exact = list(map(Fraction, values))
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)

    found = moments(values)

    assert (found.mean, found.sample_variance) == (float(mean), float(variance))


@given(st.lists(st.integers(0, 2**52), min_size=1, max_size=20))
def test_the_limbs_of_a_column_sum_to_the_same_moments(numerators: list[int]) -> None:
    values = [numerator / 2**52 for numerator in numerators]

    frame = pl.DataFrame({"score": values}).select(limbs(pl.col("score")))
    sums = frame.select(limb_sums()).select(SUM_NAMES).row(0)

    assert frame["below"].sum() == 0
    assert from_sums(sums) == moments(values)


@given(SCORES)
def test_the_exact_total_of_a_column_is_the_sum_of_its_fractions(values: list[float]) -> None:
    total = exact_total(pl.Series([*values, None], dtype=pl.Float64))

    assert Fraction(total, 2**1074) == sum(map(Fraction, values))


def test_a_session_mean_leaves_out_nulls_and_is_null_without_a_score() -> None:
    counts = pl.DataFrame({"file": [0, 1, 2], "count": [3, 1, 0]})
    scores = pl.DataFrame({"file": [0, 0, 0, 0, 1], "score": [1.0, 0.5, None, 2.0**-60, 1.0]})

    means = session_means(counts, scores)

    assert means.to_list() == [float((Fraction(3, 2) + Fraction(1, 2**60)) / 3), 1.0, None]
