"""Validation: the violations of the rules, and their number by severity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from clamp_analytics.analysis.result import Result
from clamp_analytics.batch import Batch
from clamp_analytics.decode.validate import in_order
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import Counts
from clamp_analytics.reading.open_source import Source, open_source
from clamp_analytics.rules import BY_ID, Severity
from clamp_analytics.schema import VIOLATIONS, empty_frame
from clamp_analytics.wording import plural

SHOWN = 5
"""Rules that the representation of a validation lists."""


@dataclass(frozen=True, slots=True, repr=False)
class Validation(Result):
    """The violations of a source.

    Attributes:
        violations: one row per fault, by file and position (see ``schema.VIOLATIONS`` for the columns).
        severities: the number of rows by severity, the worst first.
        files: the names of all files that were read, in order.
        counts: files seen, loaded, rejected and skipped.
    """

    violations: pl.DataFrame
    severities: dict[str, int]
    files: list[str]
    counts: Counts

    def describe(self) -> list[str]:
        """The violations by severity, the rules that are broken most often, and the files."""
        totals = ", ".join(f"{count:,} {name}" for name, count in self.severities.items())
        rules = self.violations.group_by("rule", "severity").len("rows").sort("rows", "rule", descending=[True, False])
        lines = [f"{rule} ({severity}): {plural(rows, 'violation')}" for rule, severity, rows in rules.iter_rows()]
        more = [f"… and {plural(len(lines) - SHOWN, 'more rule', 'more rules')}"] if len(lines) > SHOWN else []
        return [totals, *lines[:SHOWN], *more, f"files: {self.counts}"]

    def to_polars(self) -> pl.DataFrame:
        """One row per fault: ``violations``."""
        return self.violations


def validate(
    source: Source,
    *,
    select: Iterable[str] | str | None = None,
    ignore: Iterable[str] | str = (),
    jobs: int | None = None,
    recursive: bool = True,
    storage_options: Mapping[str, str] | None = None,
) -> Validation:
    """Check sessions against the rules of the telemetry format.

    Args:
        source: paths, loaded telemetry, or a DuckDB connection; see ``open_source``.
        select: the ids of the rules to check; all by default.
        ignore: the ids of rules to leave out.
        jobs: how many batches of files are read at once; the usable cores by default.
        recursive: whether folders are searched recursively.
        storage_options: configuration of the object storage, as Polars takes it; by default that of the environment.

    Raises:
        UsageError: there is no such rule.
        SourceError: there is no session file.
    """
    rules = sorted(checked_rules(select, ignore))
    reader = open_source(source, columns=(), jobs=jobs, recursive=recursive, storage_options=storage_options)
    violations, files = [empty_frame(VIOLATIONS)], []
    for found, names in reader.fold(_violations_and_names):
        violations.append(found.filter(pl.col("rule").is_in(rules)))
        files += names
    counts = reader.counts
    if counts.loaded + counts.rejected == 0:
        raise SourceError.no_session_file(reader.directory)
    ordered = in_order(pl.concat(violations))
    severities = {severity.value: int((ordered["severity"] == severity.value).sum()) for severity in Severity}
    return Validation(ordered, severities, files, counts)


def checked_rules(select: Iterable[str] | str | None, ignore: Iterable[str] | str) -> set[str]:
    """The ids of the rules that are selected and not ignored.

    Raises:
        UsageError: there is no such rule.
    """
    selected = list(BY_ID) if select is None else _names(select)
    ignored = _names(ignore)
    for name in (*selected, *ignored):
        if name not in BY_ID:
            raise UsageError.unknown("rule", name, BY_ID)
    return set(selected) - set(ignored)


def _names(names: Iterable[str] | str) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _violations_and_names(batch: Batch) -> tuple[pl.DataFrame, list[str]]:
    return batch.violations, batch.sessions["source"].to_list()
