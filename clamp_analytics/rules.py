"""The rules that session files must follow (the reproducibility criteria of the specification), declared once.

A rule is a named boolean expression over whole columns; its name is the id in every report. Rules without an
expression are checked while a file is decoded, because they are about the JSON text and not about its values.
``clamp_analytics.decode.validate`` evaluates the others over a batch.

Source of the criteria: Clamp Telemetry Specification v0.5, "Record Schema" and "Reproducibility Criteria".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

DURATION_SLACK_US = 1
"""Durations are printed to a microsecond, so they may differ from the timestamps by that much."""

PRINTED_SCORE_HALF_STEP = 0.0005
"""Half a step of a score printed with three significant digits, as the C++ producer prints them."""

PRINTED_MEAN_HALF_STEP = 0.0000005
"""Half a step of a mean printed with six decimals."""


class Severity(StrEnum):
    """The severity of a violation, worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Scope(StrEnum):
    """The unit that one row of ``violations`` describes."""

    RECORD = "record"
    """One row per record at fault."""
    FILE = "file"
    """One row per file, with the number of occurrences in it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A criterion that telemetry must meet.

    Attributes:
        id: the name in every report.
        severity: the severity of a violation.
        sentence: the fault, as one sentence.
        fields: the JSON fields that are checked; the expression is built for each field.
        scope: whether a violation has one row per record or one row per file.
        expression: true where the rule is broken, over the columns that ``decode`` prepares;
            None for a rule that decoding itself finds.
        precondition: a cheap condition on a whole batch without which the expression cannot be true.
        over_sessions: whether the expression is over sessions and not over records.
        null_value: whether the value at fault is always JSON null, so that its text need not be read from the file.
    """

    id: str
    severity: Severity
    sentence: str
    fields: tuple[str, ...] = ()
    scope: Scope = Scope.RECORD
    expression: Callable[[str], pl.Expr] | None = None
    precondition: Callable[[str], pl.Expr] | None = None
    over_sessions: bool = False
    null_value: bool = False


_STAMPS = ("acquired_at", "released_at")
_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def _unreadable(field: str) -> pl.Expr:
    return pl.col(field).is_null() & (pl.col(f"{field}_text") != "")


def _contradicts(field: str) -> pl.Expr:
    span = (pl.col("released_at") - pl.col("acquired_at")).dt.total_microseconds()
    resolution = pl.max_horizontal("acquired_at_resolution_us", "released_at_resolution_us")
    return (span - pl.col(field) * 1000).abs() > resolution + DURATION_SLACK_US


def _reused(field: str) -> pl.Expr:
    return (pl.col(field) != 0) & ~pl.struct("file", field).is_first_distinct()


RULES: tuple[Rule, ...] = (
    Rule("unreadable", _ERROR, "The file could not be read.", scope=Scope.FILE),
    Rule(
        "container-damaged",
        _ERROR,
        "The container, or this member of it, is cut or damaged.",
        scope=Scope.FILE,
    ),
    Rule(
        "container-refused",
        _ERROR,
        "The container, or this member of it, has a structure that is refused.",
        scope=Scope.FILE,
    ),
    Rule("container-limit", _ERROR, "The container holds more than the limits allow.", scope=Scope.FILE),
    Rule("container-mismatch", _ERROR, "The name of the file and its bytes contradict each other.", scope=Scope.FILE),
    Rule("truncated", _ERROR, "The file ends inside its JSON document.", scope=Scope.FILE),
    Rule("not-json", _ERROR, "The file is not JSON.", scope=Scope.FILE),
    Rule("not-utf8", _ERROR, "The text is not valid UTF-8 or holds half of a surrogate pair."),
    Rule("too-deep", _ERROR, "The JSON is nested too deeply to follow.", scope=Scope.FILE),
    Rule("too-many-keys", _ERROR, "An object has more keys than are read.", scope=Scope.FILE),
    Rule("not-a-session", _ERROR, "The document is JSON but not a Clamp session.", scope=Scope.FILE),
    Rule("record-not-object", _ERROR, "An entry of `records` is not an object."),
    Rule("missing-field", _ERROR, "A field that the specification requires is missing."),
    Rule("wrong-type", _ERROR, "A field holds a value of the wrong type."),
    Rule("duplicate-key", _ERROR, "A key occurs twice in an object."),
    Rule("seed-range", _ERROR, "The seed is not an integer from 0 to 2^64-1.", ("seed",)),
    Rule("score-range", _ERROR, "The stability score lies outside [0, 1].", ("stability_score",)),
    Rule("not-finite", _ERROR, "The number is too large for a 64-bit float."),
    Rule("byte-order-mark", _WARNING, "The file begins with a byte order mark.", scope=Scope.FILE),
    Rule("device-name-conflict", _WARNING, "`deviceName` and `device_name` differ.", ("device_name",)),
    Rule(
        "seed-zero",
        _WARNING,
        "The seed is zero: the acquisition failed.",
        ("seed",),
        expression=lambda field: pl.col(field) == 0,
    ),
    Rule(
        "seed-reused",
        _WARNING,
        "The seed occurs twice in its session.",
        ("seed",),
        expression=_reused,
        precondition=lambda field: pl.col(field).drop_nulls().n_unique() < pl.col(field).count(),
    ),
    Rule(
        "timestamp-unset",
        _WARNING,
        "The timestamp was never set.",
        _STAMPS,
        expression=lambda field: pl.col(f"{field}_text") == "",
        precondition=lambda field: pl.col(field).null_count() > 0,
    ),
    Rule(
        "timestamp-unreadable",
        _WARNING,
        "The timestamp is not an ISO 8601 date and time.",
        _STAMPS,
        expression=_unreadable,
        precondition=lambda field: pl.col(field).null_count() > 0,
    ),
    Rule(
        "timestamp-not-utc",
        _WARNING,
        "The timestamp has an offset from UTC; it was converted.",
        _STAMPS,
        Scope.FILE,
        expression=lambda field: pl.col(f"{field}_offset"),
    ),
    Rule(
        "timestamp-no-zone",
        _WARNING,
        "The timestamp names no zone; it was taken as UTC.",
        _STAMPS,
        Scope.FILE,
        expression=lambda field: pl.col(f"{field}_zoneless"),
    ),
    Rule(
        "released-before-acquired",
        _WARNING,
        "The release lies before the acquisition.",
        ("released_at",),
        expression=lambda field: pl.col(field) < pl.col("acquired_at"),
    ),
    Rule(
        "duration-negative",
        _WARNING,
        "The duration is negative.",
        ("duration_ms",),
        expression=lambda field: pl.col(field) < 0,
    ),
    Rule(
        "duration-contradicts-timestamps",
        _WARNING,
        "The duration differs from the time between the two timestamps by more than their resolution.",
        ("duration_ms",),
        expression=_contradicts,
    ),
    Rule(
        "mean-contradicts-records",
        _WARNING,
        "The declared mean stability differs from the mean of the records by more than their precision.",
        ("stability_score",),
        Scope.FILE,
        expression=lambda field: (
            (pl.col(f"declared_{field}") - pl.col("mean_stability")).abs() > pl.col("mean_resolution")
        ),
        over_sessions=True,
    ),
    Rule("session-repeated", _WARNING, "The same session was read before under another name.", scope=Scope.FILE),
    Rule(
        "in-flight",
        _INFO,
        "The anchor was not released when the file was written.",
        ("released_at",),
        expression=lambda field: pl.col(f"{field}_text").is_null(),
        null_value=True,
    ),
    Rule(
        "timestamp-finer-than-microsecond",
        _INFO,
        "The timestamp is finer than a microsecond; the rest was cut off.",
        _STAMPS,
        Scope.FILE,
        expression=lambda field: pl.col(f"{field}_finer"),
    ),
    Rule("deprecated-field", _INFO, "The file uses fields that are deprecated.", scope=Scope.FILE),
    Rule("unknown-field", _INFO, "The file has fields that the specification does not know.", scope=Scope.FILE),
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}

RECORD_RULE_FIELDS = frozenset(
    field for rule in RULES if rule.expression and not rule.over_sessions for field in rule.fields
)
"""The fields of records that rules check as columns."""


def count_by_severity(violations: pl.DataFrame) -> Counter[str]:
    """How many violations there are, by severity; one of a whole file counts once, whatever its ``count``.

    Args:
        violations: rows of ``violations``; a row may count those of a rule and a file that have no row of their own.
    """
    whole_file = [rule.id for rule in RULES if rule.scope is Scope.FILE]
    times = pl.when(pl.col("rule").is_in(whole_file)).then(1).otherwise(pl.col("count").cast(pl.Int64))
    return Counter(dict(violations.group_by("severity").agg(times.sum()).iter_rows()))
