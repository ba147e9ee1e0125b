"""Mutants that behave as the original does, so that no test can notice them.

Each entry gives the module, the line of its source without the indentation, and the changes. An entry is void once
that line is written in another way.
"""

from __future__ import annotations

from dataclasses import dataclass

from mutation.mutants import Mutant


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Mutants of one line for one reason.

    Attributes:
        module: path of the module.
        line: the line of the source.
        changes: the changes.
        reason: why the behaviour is the same.
    """

    module: str
    line: str
    changes: tuple[str, ...]
    reason: str


_RULES = "clamp_analytics/rules.py"
_PRECONDITION = "A precondition saves time; the expression decides."
_NULLS = "precondition=lambda field: pl.col(field).null_count() > 0,"

_STATS = "clamp_analytics/analysis/stats"

_TRANSACTION = "clamp_analytics/archive/ingest/transaction.py"
_REGISTERED = "A name that is registered again is replaced, and the connection ends with the transaction."

EQUIVALENT = (
    *(
        Equivalent(
            _TRANSACTION,
            f'connection.unregister("{name}")',
            (f"connection.unregister('{name}') -> pass",),
            _REGISTERED,
        )
        for name in ("incoming", "members", "retried")
    ),
    Equivalent(
        "clamp_analytics/sources/containers/zip_salvage.py",
        "trailer = file.at(end, 24)",
        ("24 -> 25",),
        "One byte is read that is not used.",
    ),
    Equivalent(
        _RULES,
        "precondition=lambda field: pl.col(field).drop_nulls().n_unique() < pl.col(field).count(),",
        (
            "pl.col(field).drop_nulls().n_unique() < pl.col(field).count()"
            " -> pl.col(field).drop_nulls().n_unique() <= pl.col(field).count()",
        ),
        _PRECONDITION,
    ),
    Equivalent(
        _RULES,
        _NULLS,
        ("pl.col(field).null_count() > 0 -> pl.col(field).null_count() >= 0",),
        _PRECONDITION,
    ),
    Equivalent(_RULES, "null_value=True,", ("True -> False",), "It saves reading a text that is null."),
    Equivalent(
        _RULES,
        "field for rule in RULES if rule.expression and not rule.over_sessions for field in rule.fields",
        ("rule.expression and (not rule.over_sessions) -> rule.expression or not rule.over_sessions",),
        "Faults of more fields are remembered than needed.",
    ),
    Equivalent(
        f"{_STATS}/step_scan.py",
        "while length <= n - MIN_BEFORE - MIN_AFTER:",
        (
            "n - MIN_BEFORE -> n + MIN_BEFORE",
            "n - MIN_BEFORE - MIN_AFTER -> n - MIN_BEFORE + MIN_AFTER",
        ),
        "A segment that is too long for the series has no index to start at.",
    ),
    Equivalent(
        f"{_STATS}/change_points.py",
        "better = evidence > best.evidence[active]",
        ("evidence > best.evidence[active] -> evidence >= best.evidence[active]",),
        "Evidence is exactly equal where nothing could be added, and then the segmentation is the same.",
    ),
    Equivalent(
        "clamp_analytics/moments.py",
        "parts = [part.cast(pl.Int64).alias(name) for part, name in zip((first, second, third), names, strict=True)]",
        ("True -> False",),
        "Three parts always meet three names.",
    ),
)


def is_equivalent(module: str, mutant: Mutant) -> bool:
    """Whether a mutant of a module is listed here."""
    return any(
        one.module == module and one.line == mutant.original and mutant.change in one.changes for one in EQUIVALENT
    )
