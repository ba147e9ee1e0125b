"""Violations as a person reads them: the worst first, one line per rule or one line per violation."""

from __future__ import annotations

import os

import polars as pl

from clamp_analytics.render.text import Row
from clamp_analytics.rules import BY_ID, RULES, Scope, Severity

RANK = {severity.value: rank for rank, severity in enumerate(Severity)}
"""The rank of each severity; 0 is the worst."""

TABLE_COLUMNS = ("severity", "rule", "source", "record_index", "field", "value", "count", "byte_offset")
"""The columns of a table for a person; the message is the sentence of the rule, which ``validate --rules`` lists."""

_WHOLE_FILE = [rule.id for rule in RULES if rule.scope is Scope.FILE]


def describe(row: Row) -> str:
    """A violation in one line, not escaped: its message, then its position and the value.

    Args:
        row: a row of ``schema.VIOLATIONS``.
    """
    details = _details(row)
    return f"{row['message']} [{details}]" if details else str(row["message"])


def _details(row: Row) -> str:
    """The position of a violation in its file, and the value; empty if neither is known."""
    details = []
    if row["record_index"] is not None:
        details.append(f"record {row['record_index']}")
    if row["field"] is not None or row["value"] is not None:
        details.append(" ".join(part for part in (row["field"], row["value"]) if part is not None))
    if row["count"] > 1:
        details.append(f"{row['count']} times")
    if row["byte_offset"] is not None:
        details.append(f"byte {row['byte_offset']}")
    return ", ".join(details)


def worst_first(violations: pl.DataFrame) -> pl.DataFrame:
    """The violations by severity, each severity in the order in which it came, with the columns for a person."""
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.UInt8)
    return violations.sort(rank, maintain_order=True).select(TABLE_COLUMNS)


def count_by_rule(violations: pl.DataFrame, files: int) -> pl.DataFrame:
    """The statistics of violations: one row per rule that is broken, the worst and most frequent first.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        files: how many files were read, for the share of them that break the rule.
    """
    times = pl.when(pl.col("rule").is_in(_WHOLE_FILE)).then(1).otherwise(pl.col("count").cast(pl.Int64))
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.UInt8)
    sentences = {rule.id: rule.sentence for rule in BY_ID.values()}
    return (
        violations.group_by("severity", "rule", maintain_order=True)
        .agg(violations=times.sum(), files=pl.col("source").n_unique().cast(pl.Int64))
        .sort(rank, -pl.col("violations"), maintain_order=True)
        .with_columns(
            file_share=pl.col("files") / max(files, 1),
            meaning=pl.col("rule").replace_strict(sentences, default=None, return_dtype=pl.String),
        )
    )


def one_row_per_rule(violations: pl.DataFrame, files: int) -> pl.DataFrame:
    """The table of violations for a person: a row per rule with its counts and the first violation as an example.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        files: how many files were read; a rule that all of them break says so.
    """
    counted = count_by_rule(violations, files)
    first = violations.unique("rule", keep="first", maintain_order=True)
    examples = {row["rule"]: row for row in first.iter_rows(named=True)}
    shown = [f"all {count:,}" if count == files > 1 else f"{count:,}" for count in counted["files"]]
    return counted.select(
        "severity",
        "rule",
        pl.col("violations").alias("count"),
        pl.Series("files", shown, pl.String),
        pl.Series("example", [examples[rule]["source"] for rule in counted["rule"]], pl.String),
        pl.Series("detail", [_details(examples[rule]) or None for rule in counted["rule"]], pl.String),
    )


def common_folder(violations: pl.DataFrame) -> str:
    """The folder that all sources have in common, with a slash at its end; empty if there is none."""
    folders = [source.rpartition("/")[0] for source in violations["source"].unique()]
    if not folders or "" in folders or len({folder.startswith("/") for folder in folders}) > 1:
        return ""
    common = os.path.commonpath(folders)
    return f"{common}/" if common and all(folder.startswith(common) for folder in folders) else ""
