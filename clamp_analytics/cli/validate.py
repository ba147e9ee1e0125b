"""``clamp-analytics validate``: the violations of the rules, and an exit code for CI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import JUDGING_PANEL, OUTPUT_PANEL, add_command
from clamp_analytics.cli.completion import complete_rules
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import MOST_LISTED, severity_counts, tell
from clamp_analytics.cli.options import AnalysisSourceOptions, FailOn, OutputOptions, format_option
from clamp_analytics.cli.output import kind_of_beginning, print_data, write_result
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.settings import layer_options, read_settings
from clamp_analytics.cli.validate_options import ValidateOptions, check_rule
from clamp_analytics.cli.validate_output import ValidateFormat, ViolationReport, explain_rule, list_rules
from clamp_analytics.cli.violation_checks import has_failed
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.violation_baseline import BaselineComparison
    from clamp_analytics.batch import Batch

EXAMPLES = """
clamp-analytics validate build/telemetry
clamp-analytics validate build/telemetry --all --select seed-zero
clamp-analytics validate --explain seed-zero
clamp-analytics validate telemetry --baseline known.jsonl --write-baseline
clamp-analytics validate build/telemetry --format github --fail-on warning
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "validate", ValidateCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class ValidateCommand(AnalysisSourceOptions, OutputOptions):
    """Show violations of the rules, for people and for CI.

    One line per rule, with its counts and an example; --all shows each violation with its file, record, field and
    value, as every other format does. Ends with exit code 1 if there is an error, or as --fail-on says.

    Defaults of some options can be set in pyproject.toml, in the table [tool.clamp-analytics.validate].
    """

    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help=options.SOURCE_HELP, show_default=False),
    ] = None
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="RULE",
            help="Check only this rule. Can be repeated.",
            autocompletion=complete_rules,
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="RULE",
            help="Do not check this rule. Can be repeated.",
            autocompletion=complete_rules,
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on",
            help="End with exit code 1 if there are violations of this severity or worse. [default: error]",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="File of accepted violations; only new ones are shown and can fail.",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    write_baseline: Annotated[
        bool,
        typer.Option(
            "--write-baseline",
            help="Write the violations to the file of --baseline and accept them. Info only with --fail-on info.",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = False
    rules: Annotated[bool, typer.Option("--rules", help="List all rules instead of validating.")] = False
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="RULE",
            help="Explain a rule instead of validating: what it checks, why, and how to fix a violation.",
            autocompletion=complete_rules,
        ),
    ] = None
    output_format: Annotated[ValidateFormat | None, format_option()] = None
    show_all: Annotated[
        bool,
        typer.Option("--all", help="Show each violation on a line, also those of info.", rich_help_panel=OUTPUT_PANEL),
    ] = False
    show_info: Annotated[
        bool, typer.Option("--info", help="Show violations of info as well.", rich_help_panel=OUTPUT_PANEL)
    ] = False
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Show the number of violations and files per rule, also in the formats json, csv and markdown.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Show nothing on the terminal but errors of usage.", rich_help_panel=OUTPUT_PANEL
        ),
    ] = False
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Validate the sources and write the violations."""
        output_format = choose_format(ValidateFormat, self.output_format, self.output)
        if self.explain is not None:
            check_rule(self.explain, where=f"--explain {self.explain}")
            print_data(explain_rule(self.explain))
            return ExitCode.FINE
        if self.rules:
            text, kind = list_rules(output_format)
            write_result(text, self.output, kind, force=self.force)
            return ExitCode.FINE
        if not self.sources:
            raise UsageError("no source is given", hint="name a session file, a folder or a glob, or give --rules")
        chosen = self._options()
        file = self._baseline_file(chosen)
        inputs = Inputs()
        with open_sources(self.sources, self, inputs, columns=()) as arguments:
            from clamp_analytics.reading import Reader
            from clamp_analytics.rules import count_by_severity

            reader = Reader(**arguments, columns=())
            violations, names = _collect(reader.fold(_violations_and_sources), chosen.rules())
        counts = reader.counts
        if counts.loaded + counts.rejected == 0:
            raise SourceError.no_session_file(reader.directory)
        if file is not None and self.write_baseline:
            self._write_baseline(violations, file, chosen.fail_on, inputs)
            return ExitCode.FINE
        compared = None if file is None else _compare(violations, names, file)
        if compared is not None:
            violations = compared.new
        report = ViolationReport(
            violations,
            names,
            counts,
            fail_on=chosen.fail_on,
            show_all=self.show_all,
            show_info=self.show_info or self.show_all or self._asks_for_info(chosen),
            statistics=self.statistics,
            new_only=compared is not None,
        )
        if not self.quiet or self.output is not None:
            text, kind = report.write(output_format, self.limit)
            write_result(text, self.output, kind, force=self.force, inputs=inputs, announce=not self.quiet)
        severities = count_by_severity(violations)
        if not self.quiet:
            if compared is not None and file is not None:
                _tell_comparison(compared, file)
            tell(f"{severity_counts((name, severities[name]) for name in _severities())}; files: {counts}")
        return ExitCode.CHECK_FAILED if has_failed(chosen.fail_on, severities) else ExitCode.FINE

    def _options(self) -> ValidateOptions:
        """The options: defaults, then pyproject.toml, then the command line."""
        given = {
            "select": tuple(self.select) if self.select else None,
            "ignore": tuple(self.ignore) if self.ignore else None,
            "fail_on": self.fail_on,
        }
        return layer_options("validate", ValidateOptions, given)

    def _baseline_file(self, chosen: ValidateOptions) -> Path | None:
        """The file of the baseline: as named on the command line, else as in pyproject.toml, relative to that file."""
        if self.baseline is not None:
            return Path(self.baseline)
        if chosen.baseline is not None:
            return Path(read_settings().file).parent / chosen.baseline
        if self.write_baseline:
            raise UsageError("--write-baseline needs a file", hint="name it with --baseline FILE")
        return None

    def _asks_for_info(self, chosen: ValidateOptions) -> bool:
        """Whether the options name something of the severity info."""
        from clamp_analytics.rules import BY_ID, Severity

        return chosen.fail_on is FailOn.INFO or any(BY_ID[rule].severity is Severity.INFO for rule in chosen.select)

    def _write_baseline(self, violations: pl.DataFrame, file: Path, fail_on: FailOn, inputs: Inputs) -> None:
        from clamp_analytics.analysis.violation_baseline import HEADER, baseline_lines
        from clamp_analytics.rules import Severity

        accepted = violations if fail_on is FailOn.INFO else violations.remove(severity=Severity.INFO.value)
        lines = baseline_lines(accepted, file.parent)
        kind = kind_of_beginning("a baseline of violations", HEADER.decode())
        write_result(lines, str(file), kind, force=self.force, inputs=inputs, announce=False)
        if not self.quiet:
            entries = len(lines.splitlines()) - 1
            tell(f"wrote {file}: {plural(entries, 'accepted entry', 'accepted entries')}, by file, rule and field")


def _severities() -> list[str]:
    from clamp_analytics.rules import Severity

    return [severity.value for severity in Severity]


def _violations_and_sources(batch: Batch) -> tuple[pl.DataFrame, list[str]]:
    return batch.violations, batch.sessions["source"].to_list()


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


def _compare(violations: pl.DataFrame, names: list[str], file: Path) -> BaselineComparison:
    from clamp_analytics.analysis.violation_baseline import compare_with_baseline, read_baseline

    return compare_with_baseline(violations, names, read_baseline(file), file.parent)


def _tell_comparison(compared: BaselineComparison, file: Path) -> None:
    """Say what the baseline accepts and which of its entries no longer occur."""
    for entry in compared.resolved[:MOST_LISTED]:
        tell(f"no longer occurs: {entry}")
    if len(compared.resolved) > MOST_LISTED:
        tell(f"… and {len(compared.resolved) - MOST_LISTED:,} more that no longer occur")
    parts = [f"{plural(compared.known, 'violation')} accepted by {file}"]
    if compared.resolved:
        parts.append("--write-baseline removes the entries that no longer occur")
    if compared.unread:
        parts.append(f"{plural(compared.unread, 'entry', 'entries')} of files that were not read")
    tell("; ".join(parts))
