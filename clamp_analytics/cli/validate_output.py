"""Write violations and rules in the formats of ``validate``."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from clamp_analytics.cli.messages import severity_counts
from clamp_analytics.cli.options import FailOn
from clamp_analytics.cli.output import kind_of_annotations, kind_of_rows, kind_of_table, kind_of_text
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.errors import UsageError
from clamp_analytics.path_names import path_of
from clamp_analytics.wording import percent, plural

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.outputs import OutputKind
    from clamp_analytics.reading import Counts


class ValidateFormat(StrEnum):
    """Formats of violations."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"
    SARIF = "sarif"


FOR_CI = frozenset({ValidateFormat.GITHUB, ValidateFormat.JUNIT, ValidateFormat.SARIF})
"""The formats that have a result per violation or file, and no rows."""

KIND = "a file of violations"

LARGEST_WITH_LINES = 1 << 28
"""Bytes of a file beyond which its lines are not counted."""

OPTIONAL = {
    "detail": 50,
    "byte_offset": 0,
    "count": 0,
    "example": 20,
    "meaning": 40,
    "file_share": 0,
    "severity": 0,
}
"""Columns that a table on a narrow terminal leaves out, the first one first, and how far each may wrap before."""


class LineFinder:
    """Find the line of a byte offset; a file is read once. Members of containers and other sources have line 1."""

    def __init__(self) -> None:
        self._line_ends: dict[str, list[int]] = {}

    def __call__(self, source: str, offset: int) -> int:
        """The line of an offset, counted from 1."""
        if source not in self._line_ends:
            self._line_ends[source] = _line_ends(source)
        return bisect_left(self._line_ends[source], offset) + 1


def _line_ends(source: str) -> list[int]:
    """The offsets of the line feeds of a regular file; none where it is not one or can no longer be read."""
    path = path_of(source)
    if not os.path.isfile(path) or os.path.getsize(path) > LARGEST_WITH_LINES:
        return []
    try:
        content = Path(path).read_bytes()
    except OSError:
        return []
    return [match.start() for match in re.finditer(b"\n", content)]


@dataclass(frozen=True)
class ViolationReport:
    """The violations of one run, and what is shown of them.

    Attributes:
        violations: the violations of the chosen rules.
        names: the names of all files that were read.
        counts: the files that were seen.
        fail_on: the least severity that fails.
        show_all: whether the table has a row per violation and not per rule.
        show_info: whether tables show violations of the severity info.
        statistics: whether every format has the counts per rule.
        new_only: whether the violations that a baseline accepts are left out.
    """

    violations: pl.DataFrame
    names: Sequence[str]
    counts: Counts
    fail_on: FailOn
    show_all: bool
    show_info: bool
    statistics: bool
    new_only: bool

    @property
    def files(self) -> int:
        """The number of files that were read."""
        return self.counts.loaded + self.counts.rejected

    def write(self, output_format: ValidateFormat, limit: int) -> tuple[str | bytes, OutputKind]:
        """The violations in a format, and the kind of such files.

        Args:
            output_format: the format.
            limit: the most rows of a table; 0 for all.

        Raises:
            UsageError: the format has no rows, and statistics are asked for.
        """
        import polars as pl

        from clamp_analytics.render.ci import github, junit, sarif
        from clamp_analytics.render.text import TOOL
        from clamp_analytics.render.violations import count_by_rule
        from clamp_analytics.rules import Severity

        if self.statistics:
            if output_format in FOR_CI:
                raise UsageError(f"there are no statistics in the format {output_format}", hint="leave one of them out")
            counted = count_by_rule(self.violations, self.files)
            if output_format is ValidateFormat.TABLE:
                shares = [percent(share) for share in counted["file_share"]]
                counted = counted.with_columns(pl.Series("file_share", shares, pl.String))
            return _write_rows(counted, output_format, limit)
        if output_format is ValidateFormat.GITHUB:
            return github.annotate_violations(self.violations), kind_of_annotations(KIND)
        if output_format is ValidateFormat.SARIF:
            log = sarif.log_violations(self.violations, line_of=LineFinder())
            return log, kind_of_text(KIND, '"driver": {', f'"name": "{TOOL}"')
        if output_format is ValidateFormat.JUNIT:
            least = None if self.fail_on is FailOn.NEVER else Severity(self.fail_on.value)
            text = junit.report_violations(self.violations, self.names, fail_on=least, counts=self.counts)
            return text, kind_of_text(KIND, f'<testsuite name="{TOOL}"')
        if output_format is ValidateFormat.TABLE:
            return self._table(limit)
        return _write_rows(self.violations, output_format, limit)

    def _table(self, limit: int) -> tuple[str, OutputKind]:
        """The table for a person, or a sentence where it would be empty."""
        import polars as pl

        from clamp_analytics.render.violations import common_folder, one_row_per_rule, worst_first
        from clamp_analytics.rules import Severity

        shown = self.violations if self.show_info else self.violations.remove(severity=Severity.INFO.value)
        folder = common_folder(shown)
        relative = shown.with_columns(pl.col("source").str.strip_prefix(folder))
        rows = worst_first(relative) if self.show_all else one_row_per_rule(relative, self.files)
        text = "" if shown.is_empty() else as_table(rows, limit, title=folder or None, optional=OPTIONAL)
        kind = kind_of_table(KIND, rows.columns, "No violation", "No error", "No new ")
        hidden = self.violations.height - shown.height
        if shown.is_empty():
            new = "new " if self.new_only else ""
            what = f"{new}violation" if self.show_info or not hidden else f"{new}error or warning"
            text = f"No {what} in {plural(self.files, 'file')}.\n"
        if hidden:
            rules = self.violations.filter(severity=Severity.INFO.value)["rule"].unique().sort()
            text += f"{severity_counts([('info', hidden)])} hidden ({', '.join(rules)}); --info shows them\n"
        return text, kind


def list_rules(output_format: ValidateFormat) -> tuple[str | bytes, OutputKind]:
    """The list of all rules.

    Raises:
        UsageError: the format has no rows.
    """
    import polars as pl

    from clamp_analytics.rules import RULES

    if output_format in FOR_CI:
        raise UsageError(f"the rules cannot be listed as {output_format}", hint="use table, json, csv or markdown")
    rows = pl.DataFrame(
        [{"rule": rule.id, "severity": rule.severity.value, "sentence": rule.sentence} for rule in RULES]
    )
    text, _ = _write_rows(rows, output_format, 0)
    return text, kind_of_rows("a list of rules", rows, output_format.value, text)


def explain_rule(name: str) -> str:
    """What a rule checks, why, and how to fix a violation, as text.

    Args:
        name: the id of the rule.
    """
    import textwrap

    from clamp_analytics.cli.terminal import terminal_width
    from clamp_analytics.rule_explanations import EXPLANATIONS
    from clamp_analytics.rules import BY_ID

    rule, explanation = BY_ID[name], EXPLANATIONS[name]
    parts = {
        "severity": f"{rule.severity}, reported once per {rule.scope}",
        "what": rule.sentence,
        "why": explanation.why,
        "fix": explanation.fix,
    }
    width = min(terminal_width() or 80, 100)
    lines = [rule.id]
    for title, text in parts.items():
        lines += textwrap.wrap(text, width, initial_indent=f"  {title:<10}", subsequent_indent=" " * 12)
    return "".join(line + "\n" for line in lines)


def _write_rows(rows: pl.DataFrame, output_format: ValidateFormat, limit: int) -> tuple[str | bytes, OutputKind]:
    from clamp_analytics import render

    if output_format is ValidateFormat.TABLE:
        text: str | bytes = as_table(rows, limit, optional=OPTIONAL)
        return text, kind_of_table(KIND, rows.columns)
    text = render.FORMATS[render.Format(output_format.value)](rows)
    return text, kind_of_rows(KIND, rows, output_format.value, text)
