"""Percentiles of values that are given with their frequencies."""

from __future__ import annotations

import polars as pl


def weighted_percentile(value: pl.Expr, times: pl.Expr, share: float) -> pl.Expr:
    """A percentile of values that occur several times each, linear between neighbours.

    Source: Hyndman and Fan, Sample Quantiles in Statistical Packages, 1996, definition 7,
    doi:10.1080/00031305.1996.10473566.

    Args:
        value: the distinct values of a group in ascending order.
        times: how many times each of them occurs.
        share: the share of values below the percentile, in [0, 1].
    """
    up_to = times.cast(pl.Int64).cum_sum()
    position = (up_to.last() - 1) * share
    below = value.filter(up_to > position.floor()).first()
    above = value.filter(up_to > position.ceil()).first()
    return below + (above - below) * (position - position.floor())
