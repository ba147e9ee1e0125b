"""Exact sums: a mean and a sample variance that do not depend on the order of the values or on batches.

A double in [0, 1] is an integer times a power of two. It is split into limbs of 22 bits, whose sums and sums of
products are exact in 64-bit integers, so that Polars adds up a whole column without rounding. The mean and the sample
variance are rounded once, at the end.

Formulas: mean = S1 / n; sample variance = (S2 - S1^2 / n) / (n - 1), with S1 the sum and S2 the sum of squares.
Exact arithmetic avoids the cancellation that the second formula suffers from in floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

LIMB_BITS = 22
ROWS_AT_ONCE = 2**63 // (3 * 4**LIMB_BITS)
"""The number of rows whose sums of products of limbs fit in 64 bits; the largest one has three products per row."""

_LIMB = float(2**LIMB_BITS)
_UNIT = 2 * 1074
"""The negative exponent of the unit of sums of squares, the square of the smallest double 2^-1074."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, sum and sum of squares of values in [0, 1], without any rounding.

    Attributes:
        count: the number of values.
        total: their sum, in units of 2^-1074.
        squares: the sum of their squares, in units of 2^-2148.
    """

    count: int = 0
    total: int = 0
    squares: int = 0

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float | None:
        """The arithmetic mean, correctly rounded; None without values."""
        return mean_of(self.total, self.count)

    @property
    def sample_variance(self) -> float | None:
        """The sample variance (n - 1), correctly rounded; None for fewer than two values."""
        if self.count < 2:
            return None
        deviations = self.count * self.squares - self.total**2
        return float(Fraction(deviations, (self.count * (self.count - 1)) << _UNIT))

    @classmethod
    def of_ones(cls, count: int) -> Moments:
        """The moments of a number of ones."""
        return cls(count, count << 1074, count << _UNIT)

    @classmethod
    def of_value(cls, value: float) -> Moments:
        """The moments of one value."""
        numerator, denominator = value.as_integer_ratio()
        scaled = numerator * (2**1074 // denominator)
        return cls(1, scaled, scaled**2)


def limbs(value: pl.Expr) -> list[pl.Expr]:
    """The three limbs of each value as integers, and the rest below them."""
    first = (value * _LIMB).floor()
    rest = value * _LIMB - first
    second = (rest * _LIMB).floor()
    rest = rest * _LIMB - second
    third = (rest * _LIMB).floor()
    names = ("limb_1", "limb_2", "limb_3")
    parts = [part.cast(pl.Int64).alias(name) for part, name in zip((first, second, third), names, strict=True)]
    return [*parts, (rest * _LIMB - third).alias("below")]


def limb_sums() -> list[pl.Expr]:
    """Aggregates over the limbs of rows for ``from_sums``; they are exact where the rest below the limbs is 0."""
    one, two, three = (pl.col(name) for name in ("limb_1", "limb_2", "limb_3"))
    products = [one * one, 2 * one * two, 2 * one * three + two * two, 2 * two * three, three * three]
    return [
        one.count().cast(pl.Int64).alias("m_count"),
        *(limb.sum().alias(f"m_s{n}") for n, limb in enumerate((one, two, three), 1)),
        *(product.sum().alias(f"m_q{n}") for n, product in enumerate(products, 2)),
    ]


SUM_NAMES = ("m_count", "m_s1", "m_s2", "m_s3", "m_q2", "m_q3", "m_q4", "m_q5", "m_q6")
"""The columns of ``limb_sums``, in order."""


def from_sums(sums: Sequence[int]) -> Moments:
    """The moments of one group, from the values of its columns ``SUM_NAMES``."""
    count, *rest = sums
    total = sum(value << (1074 - LIMB_BITS * n) for n, value in enumerate(rest[:3], 1))
    squares = sum(value << (_UNIT - LIMB_BITS * n) for n, value in enumerate(rest[3:], 2))
    return Moments(count, total, squares)


def mean_of(total: int, count: int) -> float | None:
    """The mean of ``count`` values whose sum is ``total`` units of 2^-1074, rounded once; None of nothing."""
    # Python divides integers of any size with one rounding.
    return total / (count << 1074) if count else None


_HALF_BITS = 33
_HALF = float(2**_HALF_BITS)


def session_means(counts: pl.DataFrame, scores: pl.DataFrame) -> pl.Series:
    """The mean score of each file, correctly rounded; null where it has no score.

    Args:
        counts: one row per file: ``file`` and ``count``, how many of its scores are not null.
        scores: the columns ``file`` and ``score``; the scores are in [0, 1] or null.
    """
    sums = sums_below_one(scores)
    means = [
        mean_of(sums[file][1] + ((count - sums[file][0]) << 1074), count) if file in sums else 1.0 if count else None
        for file, count in counts.iter_rows()
    ]
    return pl.Series("mean_stability", means, dtype=pl.Float64)


def exact_total(scores: pl.Series) -> int:
    """The exact sum of scores in [0, 1] or null, in units of 2^-1074."""
    sums = sums_below_one(scores.to_frame("score").select(pl.lit(0).alias("file"), "score"))
    count, total = sums.get(0, (0, 0))
    return total + ((scores.count() - count) << 1074)


def sums_below_one(scores: pl.DataFrame) -> dict[int, tuple[int, int]]:
    """Count and exact sum, in units of 2^-1074, of the scores below 1, by file; files without one are left out."""
    # Nearly every cycle ends well and scores 1, which needs no arithmetic.
    others = scores.filter(scores["score"] != 1)
    if others.is_empty():
        return {}
    scaled = others["score"] * _HALF
    first = scaled.floor()
    rest = (scaled - first) * _HALF
    second = rest.floor()
    is_tiny = rest != second
    halves = others.select("file", first.cast(pl.Int64).alias("first"), second.cast(pl.Int64).alias("second"))
    has_tiny = is_tiny.any()
    if has_tiny:
        halves = halves.filter(~is_tiny)
    sums = {
        file: (count, (first << (1074 - _HALF_BITS)) + (second << (1074 - 2 * _HALF_BITS)))
        for file, count, first, second in halves.group_by("file")
        .agg(pl.len(), pl.col("first", "second").sum())
        .iter_rows()
    }
    # Scores with digits below the halves are few enough to be added one at a time.
    for file, value in [] if not has_tiny else others.filter(is_tiny).select("file", "score").iter_rows():
        count, total = sums.get(file, (0, 0))
        sums[file] = count + 1, total + Moments.of_value(value).total
    return sums
