"""Figures as a person reads them: few digits, a sign, the same decimals for levels that are compared."""

from __future__ import annotations

import math
from itertools import pairwise

MISSING = "-"
"""The text for a missing value."""

DIGITS = 3
"""Significant digits of a figure that is read at a glance."""

LEVEL_DECIMALS = 3
"""Decimals of levels below ten; from ten on, there are as many fewer as there are more digits before the point."""

DIFFERENCE_DIGITS = 2
"""Significant digits of a difference that levels show at least, unless that takes too many decimals."""

MOST_EXTRA_DECIMALS = 2
"""Further decimals that levels get, so that a small difference between them shows."""

LONGEST_WHOLE = 10**15
"""From here on a figure has an exponent: a hostile duration of three hundred digits would push all else away."""


def figure(value: float | None) -> str:
    """A number with three significant digits, and with all digits before its point; ``-`` for none.

    A whole number has no decimals: most are counts.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) < LONGEST_WHOLE and (value.is_integer() or abs(value) >= 10**DIGITS - 0.5):
        return f"{value:,.0f}"
    text = f"{value:#.{DIGITS}g}"
    return f"{value:.{DIGITS}g}" if "e" in text else text.removesuffix(".")


def signed_figure(value: float | None) -> str:
    """A difference: ``figure`` with its sign; zero has none."""
    text = figure(value)
    return text if text in (MISSING, "0") or text.startswith("-") else f"+{text}"


def levels(*values: float | None) -> list[str]:
    """Levels as text with the same number of decimals, so many that the difference of neighbours shows.

    The number depends on the largest level, so that levels of one metric mostly have the same.

    Where a level is missing, it is ``-``, and each other one a ``figure``.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    largest = max(map(abs, known), default=0.0)
    if len(known) < len(values) or largest >= LONGEST_WHOLE or all(value.is_integer() for value in known):
        return [figure(value) for value in values]
    least = max(min(_decimals(largest, LEVEL_DECIMALS + 1), LEVEL_DECIMALS), _decimals(largest, DIGITS))
    differences = [abs(after - before) for before, after in pairwise(known) if after != before]
    wanted = _decimals(min(differences), DIFFERENCE_DIGITS) if differences else least
    decimals = max(least, min(wanted, least + MOST_EXTRA_DECIMALS))
    return [f"{value:,.{decimals}f}" for value in known]


def _decimals(value: float, digits: int) -> int:
    """The decimals that a positive number needs for a number of significant digits."""
    return max(digits - 1 - math.floor(math.log10(value)), 0)
