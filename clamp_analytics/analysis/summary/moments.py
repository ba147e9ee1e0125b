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
ROWS_AT_ONCE = 2 ** (63 - 2 * LIMB_BITS) // 2
"""The number of rows whose sums of products of limbs fit in 64 bits."""

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
        return float(Fraction(self.total, self.count << 1074)) if self.count else None

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
