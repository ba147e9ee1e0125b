"""Frames of violations and of verdicts for the tests of what is written from them."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from clamp_analytics.render.verdicts import COMPARE, DRIFT
from clamp_analytics.schema import VIOLATIONS, polars_schema

GOLDEN = Path(__file__).parent / "golden"

DEPRECATED = "The file uses fields that are deprecated."

RANGE = "The seed is not an integer from 0 to 2^64-1."

# Two faults of one record rule in a file with an awkward name, a rejected file, standard input, and a whole file's row.
FAULTS = [
    ("a: b,50%.json", 3, "seed-range", "error", "seed", "-1", 1, RANGE, 345),
    ("a: b,50%.json", 4, "seed-range", "error", "seed", '"100%\n"', 1, RANGE, 400),
    ("a: b,50%.json", None, "deprecated-field", "info", "backend", None, 15, DEPRECATED, None),
    ("c.json", None, "truncated", "error", None, None, 1, "The file ends inside its JSON document.", 12),
    ("-", 0, "seed-zero", "warning", "seed", "0", 1, "The seed is zero: the acquisition failed.", 7),
]


HOSTILE = "</details><script>|`::error::x\x1b[31m"

AT = datetime(2026, 10, 8, 6, tzinfo=UTC)

SHIFT = "1.864 to 2.931 ms, +57.2% (corrected p 0.0012)"

FEW = "6 and 0 sessions, and it takes 10 a side"

NOISE = "no shift beyond noise (corrected p 0.4, limit 0.01)"

# verdict, context, metric, reason, before, after, effect, relative, at, source, adjusted p, missing sessions
ROWS = [
    ("unchanged", "a|b", "mean_stability", NOISE, 0.99952, 0.99948, -4e-05, -4e-05, None, None, 0.4, 20),
    ("not enough data", "rare", "in_flight", FEW, 0.0, None, None, None, None, None, None, 24),
    ("improved", "queue", "unstable_share", "0.2 to 0.05", 0.2, 0.05, -0.15, -0.75, AT, "b.json", 1e-9, 20),
    ("regressed", "queue", "duration_p95_ms", SHIFT, 1.8644, 2.9312, 1.0668, 0.5722, AT, "b.json", 0.00123, 20),
    ("suspect", None, "violations", "0 to 4", 0.0, 4.0, 4.0, None, AT, "b.json", 0.02, 20),
    ("regressed", HOSTILE, "hold_total_ms", "x%y", 1000.4, 123456.7, 122456.3, 122.4, AT, "b.json", 0.0004, 20),
]

SERIES = pl.DataFrame(
    [("queue", "duration_p95_ms", float(value)) for value in (1, 1, 2, 1, 9, 8, 9)]
    + [("a|b", "mean_stability", 1.0), ("a|b", "mean_stability", 0.0)],
    schema={"context": pl.String, "metric": pl.String, "value": pl.Float64},
    orient="row",
)


def golden(name):
    return (GOLDEN / name).read_bytes().decode()


def violations(rows):
    return pl.DataFrame(rows, schema=polars_schema(VIOLATIONS), orient="row")


def fault(severity="error", source="a.json", rule="seed-range", text="x"):
    return (source, 0, rule, severity, "seed", text, 1, text, 5)


def verdicts(rows=ROWS, columns=DRIFT):
    schema = {
        "verdict": pl.String,
        "context": pl.String,
        "metric": pl.String,
        "reason": pl.String,
        columns.before: pl.Float64,
        columns.after: pl.Float64,
        columns.difference: pl.Float64,
        columns.relative: pl.Float64,
        columns.changed_at or "at": pl.Datetime("us", "UTC"),
        columns.source or "source": pl.String,
        "adjusted_p": pl.Float64,
        "missing_sessions": pl.Int64,
    }
    found = pl.DataFrame(rows, schema=schema, orient="row")
    if columns is COMPARE:
        # Half as much and half as much again.
        ends = {
            name: pl.col("difference") * share for name, share in (("difference_low", 0.5), ("difference_high", 1.5))
        }
        return found.with_columns(**ends)
    return found


def verdict_of(context, verdict="regressed"):
    return verdicts([(verdict, context, *ROWS[3][2:])])
