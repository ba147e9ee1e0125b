"""``clamp-analytics validate``: every violation, and an exit code for CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import severity_counts, tell
from clamp_analytics.cli.options import AnalysisSourceOptions, FailOn, OutputOptions, format_option
from clamp_analytics.cli.output import kind_of_annotations, kind_of_rows, kind_of_text, write_result
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.cli.violation_checks import has_failed
from clamp_analytics.errors import SourceError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.batch import Batch
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


KIND = "a file of violations"

EXAMPLES = """
clamp-analytics validate build/telemetry
clamp-analytics validate build/telemetry --format github --fail-on warning
clamp-analytics validate telemetry --select seed-zero --select seed-reused
clamp-analytics validate --rules
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "validate", ValidateCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class ValidateCommand(AnalysisSourceOptions, OutputOptions):
    """List every violation of the rules, for people and for CI.

    Each violation names the file, the record, the field and the value. Ends with exit code 1 if there is an error,
    or as --fail-on says.
    """

    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help=options.SOURCE_HELP, show_default=False),
    ] = None
    output_format: Annotated[ValidateFormat, format_option()] = ValidateFormat.TABLE
    fail_from: options.FailOnSeverity = FailOn.ERROR
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="RULE", help="Check only this rule. Can be repeated.")
    ] = None
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULE", help="Do not check this rule. Can be repeated.")
    ] = None
    rules: Annotated[bool, typer.Option("--rules", help="List all rules instead of validating.")] = False
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Validate the sources and write the violations."""
        if self.rules:
            text, kind = _list_rules(self.output_format)
            write_result(text, self.output, kind, force=self.force)
            return ExitCode.FINE
        if not self.sources:
            raise UsageError("no source is given", hint="name a session file, a folder or a glob, or give --rules")
        inputs = Inputs()
        with open_sources(self.sources, self, inputs) as arguments:
            from clamp_analytics.reading import Reader
            from clamp_analytics.rules import count_by_severity

            rules = _choose_rules(self.select or [], self.ignore or [])
            reader = Reader(**arguments, columns=())
            violations, names = _collect(reader.fold(_violations_and_sources), rules)
        counts = reader.counts
        if counts.loaded + counts.rejected == 0:
            raise SourceError.no_session_file(reader.directory)
        text, kind = self._render(violations, names, counts)
        write_result(text, self.output, kind, force=self.force, inputs=inputs)
        severities = count_by_severity(violations)
        tell(f"{_count_severities(severities)}; files: {counts}")
        return ExitCode.CHECK_FAILED if has_failed(self.fail_from, severities) else ExitCode.FINE

    def _render(self, found: pl.DataFrame, names: Sequence[str], counts: Counts) -> tuple[str | bytes, OutputKind]:
        from clamp_analytics import render
        from clamp_analytics.render.ci import github, junit, sarif
        from clamp_analytics.render.text import TOOL
        from clamp_analytics.render.violations import worst_first
        from clamp_analytics.rules import Severity

        if self.output_format is ValidateFormat.GITHUB:
            return github.annotate_violations(found), kind_of_annotations(KIND)
        if self.output_format is ValidateFormat.SARIF:
            return sarif.log_violations(found), kind_of_text(KIND, '"driver": {', f'"name": "{TOOL}"')
        if self.output_format is ValidateFormat.JUNIT:
            least = None if self.fail_from is FailOn.NEVER else Severity(self.fail_from.value)
            text = junit.report_violations(found, names, fail_on=least, counts=counts)
            return text, kind_of_text(KIND, f'<testsuite name="{TOOL}"')
        if self.output_format is ValidateFormat.TABLE:
            rows = worst_first(found)
            table = as_table(rows, self.limit)
            return table, kind_of_rows(KIND, rows, "table", table)
        written = render.FORMATS[render.Format(self.output_format.value)](found)
        return written, kind_of_rows(KIND, found, self.output_format.value, written)


def _violations_and_sources(batch: Batch) -> tuple[pl.DataFrame, list[str]]:
    return batch.violations, batch.sessions["source"].to_list()


def _choose_rules(select: Sequence[str], ignore: Sequence[str]) -> set[str]:
    """The rules that are checked.

    Raises:
        UsageError: there is no such rule.
    """
    from clamp_analytics.rules import BY_ID

    for option, names in (("--select", select), ("--ignore", ignore)):
        for name in names:
            if name not in BY_ID:
                hint = "`clamp-analytics validate --rules` lists them"
                raise UsageError.unknown("rule", name, BY_ID, where=option, otherwise=hint)
    return {rule for rule in (select or BY_ID) if rule not in ignore}


def _collect(parts: Iterable[tuple[pl.DataFrame, list[str]]], rules: set[str]) -> tuple[pl.DataFrame, list[str]]:
    """All violations of the chosen rules, by file and position in it, and the names of all files."""
    import polars as pl

    from clamp_analytics.decode.validate import in_order
    from clamp_analytics.schema import VIOLATIONS, empty_frame

    kept, names = [empty_frame(VIOLATIONS)], []
    for violations, sources in parts:
        kept.append(violations.filter(pl.col("rule").is_in(sorted(rules))))
        names += sources
    return in_order(pl.concat(kept)), names


def _list_rules(output_format: ValidateFormat) -> tuple[str | bytes, OutputKind]:
    import polars as pl

    from clamp_analytics import render
    from clamp_analytics.rules import RULES

    if output_format in {ValidateFormat.GITHUB, ValidateFormat.JUNIT, ValidateFormat.SARIF}:
        raise UsageError(f"the rules cannot be listed as {output_format}", hint="use table, json, csv or markdown")
    rows = pl.DataFrame(
        [{"rule": rule.id, "severity": rule.severity.value, "sentence": rule.sentence} for rule in RULES]
    )
    is_table = output_format is ValidateFormat.TABLE
    written = as_table(rows) if is_table else render.FORMATS[render.Format(output_format.value)](rows)
    return written, kind_of_rows("a list of rules", rows, output_format.value, written)


def _count_severities(severities: Counter[str]) -> str:
    from clamp_analytics.rules import Severity

    return severity_counts((severity.value, severities[severity.value]) for severity in Severity)
