"""Decode the files that the native decoder accepts into the same rows that the decoder in Python gives."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

import polars as pl

from clamp_analytics.decode.decoded_files import DecodedFiles
from clamp_analytics.decode.kernel import Kernel
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

_VIOLATION_SCHEMA = {"file": pl.UInt32(), **polars_schema(VIOLATIONS)}
_SESSION_SCHEMA = {"file": pl.UInt32(), **polars_schema(SESSIONS), "seed_sum": pl.UInt64()}


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


class DoubtfulError(Exception):
    """The native decoder does not accept a file."""


def decode_large(
    kernel: Kernel,
    path: str,
    source: str,
    columns: Collection[str],
    *,
    session_id: str | None = None,
    window_bytes: int,
    rows_per_rule: int = DEFAULT_OPTIONS.rows_per_rule,
) -> Iterator[DecodedFiles]:
    """Decode a large file window by window, in memory that does not grow with its size.

    Args:
        kernel: the native decoder.
        path: the file.
        source: its name.
        columns: the requested columns of ``records``.
        session_id: its hash, if it is requested.
        window_bytes: about how many bytes are decoded at once.
        rows_per_rule: see ``decode_accepted``.

    Yields:
        The records of each window; then the session and its violations.

    Raises:
        DoubtfulError: the file is not accepted; it is not known before the last window.
    """
    wanted = [name for name in RECORDS.names if name in columns]
    file = kernel.open_large_file(path, wanted, rows_per_rule, window_bytes)
    if file is None:
        raise DoubtfulError
    of_file = [
        pl.lit(value, pl.String).alias(name) for name, value in zip(_FROM_FILE, (source, session_id), strict=True)
    ]
    no_sessions, no_violations = pl.DataFrame(schema=_SESSION_SCHEMA), pl.DataFrame(schema=_VIOLATION_SCHEMA)
    records = pl.DataFrame()
    while (table := file.records()) is not None:
        records = pl.DataFrame(table).with_columns(of_file).select("file", *wanted)
        yield DecodedFiles(no_sessions, records, no_violations)
    tables = file.session()
    if tables is None:
        raise DoubtfulError
    found = pl.DataFrame(tables[0]).with_columns(of_file)
    violations = violations_of(found, pl.DataFrame(tables[1]), rows_per_rule)
    yield DecodedFiles(_sessions(found), records.clear(), violations)


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
    # Each frame takes longer to compute than to find out that it would be empty.
    frames = [pl.DataFrame(schema=_VIOLATION_SCHEMA)]
    frames += (_shared_violations(found, rule, name) for rule, name in _SHARED if found[f"{name}_fields"].count())
    if not in_flight.is_empty():
        frames.append(_in_flight_violations(found, in_flight))
    if (found["in_flight_count"] > rows_per_rule).any():
        frames.append(_summaries(found, rows_per_rule))
    violations = pl.concat(frames)
    rank = rank_of(pl.col("rule"))
    return violations.sort("file", "record_index", rank, nulls_last=False, maintain_order=True)


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
