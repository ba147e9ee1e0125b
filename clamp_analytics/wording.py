"""Text that messages, tables and reports share: counts with a noun, percentages, p-values, reasons, SQL literals."""

from __future__ import annotations

import math

SMALLEST_P = 0.0001
"""P-values below this one are given as a bound, because their digits say nothing."""


def plural(count: int, noun: str, nouns: str = "") -> str:
    """A count and its noun: ``1 session``, ``1,200 sessions``.

    Args:
        count: how many.
        noun: the noun of one.
        nouns: the noun of several, where it is not ``noun`` with an s.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def percent(share: float, *, signed: bool = False) -> str:
    """A share in percent with one decimal, from 100 % on without: ``49.2 %``, ``47.0 %``, ``1,250 %``.

    Args:
        share: the share; 1 is 100 %.
        signed: whether a positive share gets a plus sign, as a difference needs.
    """
    value = 100 * share
    text = f"{value:,.1f}" if abs(value) < 99.95 else f"{value:,.0f}"
    if not text.strip("-0."):
        return "0.0 %"
    return f"{'+' if signed and value > 0 else ''}{text} %"


def p_value(p: float | None, *, missing: str = "-") -> str:
    """A p-value with two significant digits; ``< 0.0001`` below that, ``missing`` where there is none."""
    if p is None or not math.isfinite(p):
        return missing
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.2g}"


def os_error_reason(error: OSError) -> str:
    """Why the operating system refused: its own text, in lower case so that it can end a sentence."""
    return (error.strerror or str(error)).lower()


def sql_string(text: str) -> str:
    """A text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
