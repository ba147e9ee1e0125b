"""Checks of the values that callers pass to the recorder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from clamp_analytics.errors import AnchorError, UsageError

MAX_SEED = 2**64 - 1


def validate_context(context: object) -> str:
    """Return ``context`` if it is a string.

    Raises:
        AnchorError: it is anything else.
    """
    if isinstance(context, str):
        return context
    raise AnchorError(f"{context!r:.100} is not a valid context", hint="a context is a name, given as a str")


def validate_score(score: object, where: str) -> float:
    """Return ``score`` as a float if it is a real number from 0 to 1.

    A bool is refused: a flag passed by mistake would otherwise count as a perfect score.

    Raises:
        AnchorError: it is anything else, NaN included.
    """
    if type(score) is not float:
        from numbers import Real  # needed for NumPy scalars; a plain float, the usual case, never gets here

        if isinstance(score, bool) or not isinstance(score, Real):
            raise _invalid_score(score, where)
    number = cast("float", score)
    if 0.0 <= number <= 1.0:
        return float(number) + 0.0  # turns -0.0 into 0.0
    raise _invalid_score(score, where)


def _invalid_score(score: object, where: str) -> AnchorError:
    return AnchorError(
        f"{score!r:.100} is not a valid stability score", where=where, hint="a score is a number from 0.0 to 1.0"
    )


def validate_seed(seed: object, where: str) -> int:
    """Return ``seed`` if it is an integer from 1 to 2^64-1.

    Raises:
        AnchorError: it is anything else.
    """
    if isinstance(seed, int) and not isinstance(seed, bool) and 0 < seed <= MAX_SEED:
        return int(seed)
    raise AnchorError(
        f"{seed!r:.100} is not a valid seed",
        where=where,
        hint="a seed is an integer from 1 to 2**64 - 1; zero denotes a failed acquisition",
    )


def validate_option(valid: bool, option: str, value: object, expected: str) -> None:
    """Check an option of ``EntropyTelemetry``.

    Raises:
        UsageError: ``valid`` is false.
    """
    if not valid:
        raise UsageError(f"{option} is {value!r:.100}", where="EntropyTelemetry", hint=f"pass {expected}")


def validate_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the labels if they are a mapping from strings to strings.

    Raises:
        UsageError: they are anything else.
    """
    if labels is None:
        return {}
    valid = isinstance(labels, Mapping) and all(isinstance(text, str) for pair in labels.items() for text in pair)
    validate_option(valid, "labels", labels, 'a mapping from strings to strings, such as {"commit": "1f3a9c"}')
    return dict(labels)
