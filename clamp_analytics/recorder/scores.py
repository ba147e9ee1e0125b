"""Stability scores: what the caller may give."""

from __future__ import annotations

from typing import cast

from clamp_analytics.errors import AnchorError


def checked_score(score: object, where: str) -> float:
    """Return ``score`` as a float if it is a real number from 0 to 1.

    A bool is refused: a flag that was meant as a score would pass for a perfect one.

    Raises:
        AnchorError: for anything else, NaN included.
    """
    if type(score) is not float:
        from numbers import Real  # numpy's scalars count as Real; floats, the usual case, never come here

        if isinstance(score, bool) or not isinstance(score, Real):
            raise _refused(score, where)
    number = cast("float", score)
    if 0.0 <= number <= 1.0:
        return float(number) + 0.0  # -0.0 becomes 0.0
    raise _refused(score, where)


def _refused(score: object, where: str) -> AnchorError:
    return AnchorError(f"{score!r:.100} is no stability score", where=where, hint="a score is a number from 0.0 to 1.0")
