"""Decode the files that the native decoder accepts into the same rows that the decoder in Python gives."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import polars as pl

from clamp_analytics.decode.decoded_files import DecodedFiles
from clamp_analytics.decode.kernel import Kernel, PartSummary
from clamp_analytics.decode.labels import format_labels
from clamp_analytics.decode.options import DEFAULT_OPTIONS
from clamp_analytics.decode.rows import summary_fault
from clamp_analytics.decode.validate import message_of, rank_of
from clamp_analytics.rules import BY_ID
from clamp_analytics.schema import RECORDS, SESSIONS, VIOLATIONS, Status, polars_schema

IN_FLIGHT = "in-flight"
_SHARED = (("deprecated-field", "deprecated"), ("unknown-field", "unknown"))
"""Rules of which a file has one violation for all fields, with the prefix of the kernel's columns."""

_FROM_FILE = ("source", "session_id")
_KERNEL_UNIT_BITS = 90
"""The kernel sums scores in units of 2^-90."""

_PART_SCHEMA = {
    "file": pl.UInt32,
    "source": pl.String,
    "in_flight_count": pl.UInt32,
    "deprecated_fields": pl.String,
    "deprecated_count": pl.UInt32,
    "unknown_fields": pl.String,
    "unknown_count": pl.UInt32,
}
_VIOLATION_SCHEMA = {"file": pl.UInt32(), **polars_schema(VIOLATIONS)}


def decode_accepted(
    kernel: Kernel,
    files: Sequence[str | bytes | None],
    sources: Sequence[str],
    columns: Collection[str],
    *,
    session_ids: bool = False,
    rows_per_rule: int = DEFAULT_OPTIONS.rows_per_rule,
) -> tuple[DecodedFiles, list[int]]:
    """Decode the files that the native decoder accepts.

    Args:
        kernel: the native decoder.
        files: the path or the bytes of each file; None for a file that is not to be read.
        sources: the name of each file.
        columns: the requested columns of ``records``.
        session_ids: whether each file is hashed.
        rows_per_rule: violations of a rule in the records of one file that have a row each.

    Returns:
        The accepted files, and the indexes of the others.
    """
    wanted = [name for name in RECORDS.names if name in columns]
    doubtful, session_table, record_table, in_flight_table = kernel.decode_files(
        files, wanted, session_ids, rows_per_rule
    )
    found = pl.DataFrame(session_table)
    found = found.with_columns(pl.Series("source", sources, dtype=pl.String).gather(found["file"]))
    records = pl.DataFrame(record_table)
    if from_file := [name for name in _FROM_FILE if name in wanted]:
        rows = found["file"].search_sorted(records["file"])
        records = records.with_columns(found[name].gather(rows) for name in from_file)
    violations = violations_of(found, pl.DataFrame(in_flight_table), rows_per_rule)
    return DecodedFiles(_sessions(found), records.select("file", *wanted), violations), doubtful


def _sessions(found: pl.DataFrame) -> pl.DataFrame:
    # The decoder accepts only labels that are texts, so each value of the column is an object of texts.
    labels = [None if text is None else format_labels(json.loads(text)) for text in found["labels"]]
    return found.with_columns(
        pl.lit(Status.LOADED.value).alias("status"),
        pl.col("record_count").alias("scored_count"),
        pl.Series("labels", labels, dtype=pl.String),
    ).select("file", *SESSIONS.names, "seed_sum")


def violations_of(found: pl.DataFrame, in_flight: pl.DataFrame, rows_per_rule: int) -> pl.DataFrame:
    """The violations of accepted files, in the order in which ``validate.violations`` has them.

    Args:
        found: one row per file: ``file``, ``source``, ``in_flight_count``, and names and number of the deprecated and
            of the unknown fields.
        in_flight: ``file`` and ``record_index`` of the records in flight, at most ``rows_per_rule`` of each file.
        rows_per_rule: see ``decode_accepted``.
    """
    frames = [_shared_violations(found, rule, prefix) for rule, prefix in _SHARED]
    if not in_flight.is_empty():
        frames += [_in_flight_violations(found, in_flight), _summaries(found, rows_per_rule)]
    violations = pl.concat(frames)
    rank = rank_of(pl.col("rule"))
    return violations.sort("file", "record_index", rank, nulls_last=False, maintain_order=True)


def violations_of_part(source: str, summary: PartSummary, in_flight: pl.DataFrame) -> pl.DataFrame:
    """The violations of a part of a large file, with indexes from the start of the part."""
    fields = {"deprecated": summary.deprecated_fields, "unknown": summary.unknown_fields}
    row: dict[str, object] = {"file": 0, "source": source, "in_flight_count": summary.in_flight_count}
    for prefix, noted in fields.items():
        row[f"{prefix}_fields"], row[f"{prefix}_count"] = noted or (None, 0)
    found = pl.DataFrame([row], schema=_PART_SCHEMA)
    return violations_of(found, in_flight, DEFAULT_OPTIONS.rows_per_rule).drop("file")


def counts_of_part(summary: PartSummary) -> list[pl.Expr]:
    """The columns of ``sessions`` that a part of a large file gives."""
    values = {
        "record_count": summary.record_count,
        "scored_count": summary.record_count,
        "in_flight_count": summary.in_flight_count,
        "first_acquired_at": summary.first_acquired_us,
        "last_acquired_at": summary.last_acquired_us,
    }
    schema = polars_schema(SESSIONS)
    return [pl.lit(value, pl.Int64).cast(schema[name]).alias(name) for name, value in values.items()]


def score_total(summary: PartSummary) -> int:
    """The exact sum of the scores, in units of 2^-1074."""
    return summary.score_total << (1074 - _KERNEL_UNIT_BITS)


def _shared_violations(found: pl.DataFrame, rule: str, prefix: str) -> pl.DataFrame:
    faulty = found.filter(pl.col(f"{prefix}_fields").is_not_null())
    return _rows(faulty, rule, field=pl.col(f"{prefix}_fields"), count=pl.col(f"{prefix}_count"))


def _in_flight_violations(found: pl.DataFrame, in_flight: pl.DataFrame) -> pl.DataFrame:
    rows = in_flight.join(found.select("file", "source"), on="file", how="left", maintain_order="left")
    (field,) = BY_ID[IN_FLIGHT].fields
    return _rows(rows, IN_FLIGHT, field=pl.lit(field), value=pl.lit("null"), record_index=pl.col("record_index"))


def _summaries(found: pl.DataFrame, rows_per_rule: int) -> pl.DataFrame:
    """The violations that count the records in flight that have no row of their own."""
    beyond = found.filter(pl.col("in_flight_count") > rows_per_rule)
    message = message_of(summary_fault(IN_FLIGHT, 1, rows_per_rule))
    return _rows(beyond, IN_FLIGHT, count=pl.col("in_flight_count") - rows_per_rule, message=pl.lit(message))


def _rows(frame: pl.DataFrame, rule_id: str, **given: pl.Expr) -> pl.DataFrame:
    """Violations of a rule, one per row of a frame with ``file`` and ``source``."""
    rule = BY_ID[rule_id]
    values: dict[str, pl.Expr] = {
        "file": pl.col("file"),
        "source": pl.col("source"),
        "rule": pl.lit(rule.id),
        "severity": pl.lit(rule.severity.value),
        "count": pl.lit(1),
        "message": pl.lit(rule.sentence),
        **given,
    }
    return frame.select(
        values.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in _VIOLATION_SCHEMA.items()
    )
