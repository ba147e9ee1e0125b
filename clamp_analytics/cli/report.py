"""``clamp-analytics report``: an HTML report on the whole history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import HistoryOptions
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.known_changes import known_changes_file, read_entries
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import output_option
from clamp_analytics.cli.output import check_output, kind_of_text, write_result
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.provenance import provenance
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.extras import require_extras

TITLE = "<title>Clamp telemetry report</title>"
"""The line by which an earlier report is recognized."""

EXAMPLES = """
clamp-analytics report build/telemetry -o report.html
clamp-analytics report runs/pull-request --baseline runs/main -o report.html
clamp-analytics report 'runs/*' --by backend --last 200 -o report.html
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "report", ReportCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class ReportCommand(HistoryOptions):
    """Write an HTML report.

    One file that opens from disk and loads nothing. It says whether the sessions are stable, and shows incidents with
    their evidence, all series over time, violations, durations by context, and the latest session by thread.

    --since, --until and --last choose the sessions that are searched for changes and drawn over time.

    Defaults of these options can be set in pyproject.toml, in the tables [tool.clamp-analytics.drift] and
    [tool.clamp-analytics.compare].
    """

    sources: options.Sources
    output: Annotated[str, output_option("The HTML file to write; - for standard output.", "FILE")]
    force: options.Force = False
    baseline: Annotated[
        list[str] | None,
        typer.Option("--baseline", metavar="SOURCE", help="Also compare with these sessions. Can be repeated."),
    ] = None
    known_changes: Annotated[
        str | None,
        typer.Option("--known-changes", metavar="FILE", help="TOML file of accepted changes."),
    ] = None
    snapshot: options.Snapshot = None

    def run(self) -> ExitCode:
        """Analyze the sources and write the report."""
        inputs = Inputs()
        kind = kind_of_text("a report", TITLE)
        require_extras("charts", "drift")
        from clamp_analytics import html_report
        from clamp_analytics.reading import Reader

        drift_options = self.drift_options(known_changes=self.known_changes)
        file = known_changes_file(self.known_changes, drift_options)
        chosen = html_report.ReportOptions(
            by=self.groups(),
            metrics=self.metrics(),
            known_changes=tuple(read_entries(file, must_exist=self.known_changes is not None)) if file else (),
            drift=drift_options,
            compare=self.compare_options(),
        )
        baseline = (
            self.read_values(self.baseline, chosen.by, inputs, strata=chosen.drift.strata) if self.baseline else None
        )
        with open_sources(self.sources, self, inputs, then="") as arguments:
            reader = Reader(**arguments, columns=html_report.columns(chosen))
            build_info = provenance(self.snapshot, reader)
            check_output(self.output, kind, force=self.force, inputs=inputs)
            report = html_report.report(reader, options=chosen, baseline=baseline, build_info=build_info, step=step)
        write_result(report.html, self.output, kind, force=self.force, inputs=inputs)
        tell(f"files: {reader.counts}")
        return ExitCode.FINE
