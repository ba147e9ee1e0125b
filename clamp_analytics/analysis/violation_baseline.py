"""A baseline of violations: the faults that a team accepts for now, so that only new ones fail a check.

The file has a line of JSON per source, rule and field, sorted, after a line that names the format::

    {"clamp_violations_baseline":1}
    {"source":"build/telemetry/a.json","rule":"seed-zero","field":"seed","count":2}

Sources are relative to the folder of the file, so that it means the same on every machine. Record numbers and values
are not part of it: a file, rule and field with more violations than the baseline has is new as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from clamp_analytics.errors import UsageError
from clamp_analytics.rules import RULES, Scope
from clamp_analytics.sources import STDIN

HEADER = b'{"clamp_violations_baseline":1}\n'

_KEY = ["source", "rule", "field"]
_WHOLE_FILE = [rule.id for rule in RULES if rule.scope is Scope.FILE]


class BaselineEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An accepted fault.

    Attributes:
        source: the session file, relative to the folder of the baseline.
        rule: the rule that it breaks.
        field: the field at fault; None if there is no single one.
        count: how many violations are accepted; 1 for a rule that has one row per file.
    """

    source: str
    rule: str
    field: str | None
    count: int

    def __str__(self) -> str:
        return f"{self.source}: {self.rule}" + (f" {self.field}" if self.field else "")


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Violations against a baseline.

    Attributes:
        new: the violations that it does not accept.
        known: how many violations it accepts.
        resolved: entries that no longer occur, although their file was read.
        unread: how many entries are about files that were not read.
    """

    new: pl.DataFrame
    known: int
    resolved: list[BaselineEntry]
    unread: int


def read_baseline(file: Path) -> list[BaselineEntry]:
    """Read a baseline.

    Raises:
        UsageError: it cannot be read, or is not a baseline.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        hint = "write it first, with write_baseline=True"
        raise UsageError.from_os_error("cannot be read", error, where=str(file), hint=hint) from error
    return parse_baseline(content, str(file))


def parse_baseline(content: bytes, name: str) -> list[BaselineEntry]:
    """Parse a baseline.

    Args:
        content: the content of the file.
        name: its name, for an error.

    Raises:
        UsageError: it is not a baseline.
    """
    if not content.startswith(HEADER):
        raise UsageError("is not a baseline of violations", where=name)
    try:
        return msgspec.json.Decoder(BaselineEntry).decode_lines(content[len(HEADER) :])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"is not a baseline of violations: {error}", where=name) from error


def baseline_lines(violations: pl.DataFrame, folder: Path) -> bytes:
    """Write a baseline that accepts these violations; the same violations give the same bytes.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        folder: the folder of the baseline.
    """
    rows = _counted(violations, folder).sort(_KEY, nulls_last=False)
    entries = [BaselineEntry(*row) for row in rows.select(*_KEY, "violations").iter_rows()]
    return HEADER + msgspec.json.Encoder().encode_lines(entries)


def compare_with_baseline(
    violations: pl.DataFrame, sources: Iterable[str], baseline: Iterable[BaselineEntry], folder: Path
) -> BaselineComparison:
    """Split violations into new and known ones, and find entries that no longer occur.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        sources: the names of all files that were read.
        baseline: the accepted faults.
        folder: the folder of the baseline.
    """
    entries = {(entry.source, entry.rule, entry.field): entry for entry in baseline}
    accepted = pl.DataFrame(
        [(*key, entry.count) for key, entry in entries.items()],
        schema={"source": pl.String, "rule": pl.String, "field": pl.String, "accepted": pl.Int64},
        orient="row",
    )
    counted = _counted(violations, folder)
    is_known = pl.col("violations") <= pl.col("accepted")
    known = counted.join(accepted, on=_KEY, how="inner", nulls_equal=True).filter(is_known)
    new = _with_relative_sources(violations, folder).join(
        known.select(relative="source", rule="rule", field="field"),
        on=["relative", "rule", "field"],
        how="anti",
        nulls_equal=True,
        maintain_order="left",
    )
    found = set(counted.select(_KEY).iter_rows())
    read = {_relative(source, folder) for source in sources}
    missing = [entry for key, entry in entries.items() if key not in found]
    resolved = [entry for entry in missing if entry.source in read]
    total = int(known["violations"].sum())
    return BaselineComparison(new.drop("relative"), total, resolved, len(missing) - len(resolved))


def _counted(violations: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """The number of violations per source, rule and field; the sources are relative to the folder."""
    times = pl.when(pl.col("rule").is_in(_WHOLE_FILE)).then(1).otherwise(pl.col("count").cast(pl.Int64))
    relative = _with_relative_sources(violations, folder).with_columns(source="relative")
    return relative.group_by(_KEY, maintain_order=True).agg(violations=times.sum())


def _with_relative_sources(violations: pl.DataFrame, folder: Path) -> pl.DataFrame:
    names = {source: _relative(source, folder) for source in violations["source"].unique()}
    relative = [names[source] for source in violations["source"]]
    return violations.with_columns(pl.Series("relative", relative, pl.String))


def _relative(source: str, folder: Path) -> str:
    """A source relative to a folder; standard input and addresses of object storage stay as they are."""
    return source if source == STDIN or "://" in source else os.path.relpath(source, folder)
