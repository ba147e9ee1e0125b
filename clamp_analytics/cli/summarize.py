"""``clamp-analytics summarize``: the statistics of all sources, and the summary artifact."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.analysis.groupings import GROUPINGS, checked_groupings, choices
from clamp_analytics.analysis.needed_columns import summary_columns
from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.completion import complete_groupings
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import severity_counts, tell_each
from clamp_analytics.cli.options import STDOUT, AnalysisSourceOptions, FailOn, Format, format_option, output_option
from clamp_analytics.cli.output import document, print_data, write_result
from clamp_analytics.cli.provenance import ARTIFACT, beside, provenance
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.cli.violation_checks import has_failed

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.summary import Summary
    from clamp_analytics.outputs import OutputKind

DECIMALS = 6
"""Decimals of the mean and the sample variance of all records; the other formats have every digit."""


OPTIONAL = {"drift_index_ms": 0, "scored": 0, "in_flight": 0, "sample_variance": 0, "sessions": 0, "duration_p99_ms": 0}
"""Columns that a table on a narrow terminal leaves out, the first one first."""

EXAMPLES = """
clamp-analytics summarize build/telemetry
clamp-analytics summarize build/telemetry --by context --format markdown
clamp-analytics summarize runs --by label:build --by context -f json
clamp-analytics summarize 'runs/*/telemetry' -o summary.json --fail-on error
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "summarize", SummarizeCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class SummarizeCommand(AnalysisSourceOptions):
    """Show statistics and write the summary artifact.

    Mean stability, sample variance, drift index and violations of all sources. The artifact of a folder is written
    beside it: build/telemetry gives build/telemetry_summary.json. Other sources have none without --output.
    """

    sources: options.Sources
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help=f"Statistics and duration percentiles for each value of this column: {choices(GROUPINGS)}. "
            "Can be repeated.",
            autocompletion=complete_groupings,
            show_default=False,
        ),
    ] = None
    output_format: Annotated[Format, format_option("Format of the statistics.")] = Format.TABLE
    output: Annotated[
        str | None,
        output_option(
            "Write the artifact to this file; - prints it instead of the statistics. "
            f"[default: {ARTIFACT} beside the folder]",
            "FILE",
        ),
    ] = None
    no_artifact: Annotated[
        bool, typer.Option("--no-artifact", help="Write no artifact.", rich_help_panel=options.OUTPUT_PANEL)
    ] = False
    force: options.Force = False
    snapshot: options.Snapshot = None
    released_only: Annotated[
        bool, typer.Option("--released-only", help="Leave out anchors without a usable release.")
    ] = False
    fail_from: options.FailOnSeverity = FailOn.NEVER
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Summarize the sources, show the statistics and write the artifact."""
        by = checked_groupings(self.by)
        inputs = Inputs()
        columns = summary_columns(by)
        with open_sources(self.sources, self, inputs, columns=columns, leave_unlisted=True) as arguments:
            from clamp_analytics.analysis.summary import SummaryFold, artifact, summarize
            from clamp_analytics.reading import Reader

            fold = SummaryFold(by, self.released_only)
            reader = Reader(**arguments, columns=columns)
            build_info = provenance(self.snapshot, reader)
            summary = summarize(reader, by=fold.by, released_only=fold.released_only)
        text = artifact(summary.total, summary.directory, build_info)
        if self.output == STDOUT:
            print_data(text)
        else:
            print_data(_render(summary, self.output_format, self.limit))
        rejected = [f"rejected: {source}: {message}" for source, message in summary.rejected]
        tell_each(rejected, "more rejected; `clamp-analytics validate` lists them all")
        if self.output is not None and self.output != STDOUT:
            write_result(text, self.output, _artifact_kind(), force=self.force, inputs=inputs)
        elif self.output is None and reader.single_folder and not self.no_artifact:
            path: Path = beside(reader.single_folder, ARTIFACT)
            write_result(text, str(path), _artifact_kind(summary.directory), force=self.force, inputs=inputs)
        return ExitCode.CHECK_FAILED if has_failed(self.fail_from, summary.severities) else ExitCode.FINE


def _artifact_kind(folder: str | None = None) -> OutputKind:
    """Artifacts, or only those of one folder."""
    from clamp_analytics.outputs import OutputKind

    def matches(content: bytes) -> bool:
        try:
            document = json.loads(content)
        except ValueError:
            return False
        if not isinstance(document, dict) or not {"session_count", "drift_index"} <= document.keys():
            return False
        return "source_directory" in document and folder in (None, document["source_directory"])

    return OutputKind("a summary artifact" if folder is None else f"the summary artifact of {folder}", matches)


def _render(summary: Summary, output_format: Format, limit: int) -> str | bytes:
    from clamp_analytics import render

    if output_format is Format.TABLE:
        return _overview(summary) + ("" if summary.groups is None else "\n" + _groups_table(summary.groups, limit))
    if summary.groups is None:
        return render.FORMATS[render.Format(output_format.value)](summary.frame())
    if output_format is Format.JSON:
        return document({"total": summary.frame().row(0, named=True)}, {"groups": summary.groups})
    if output_format is Format.CSV:
        return render.as_csv(summary.groups_and_total())
    return render.as_markdown(summary.groups)


def _groups_table(groups: pl.DataFrame, limit: int) -> str:
    """The table of the groups, with the digits of the overview and names in natural order."""
    from clamp_analytics.render.natural_order import in_natural_order

    by = groups.columns[: groups.columns.index("sessions")]
    decimals = {name: 0 for name, kind in groups.schema.items() if kind.is_integer()}
    decimals |= {name: 3 for name in groups.columns if name.endswith("_ms")}
    decimals |= {"mean_stability": DECIMALS, "sample_variance": DECIMALS}
    return as_table(in_natural_order(groups, by), limit, optional=OPTIONAL, decimals=decimals)


def _overview(summary: Summary) -> str:
    total = summary.total

    def decimal(number: float | None) -> str:
        return "-" if number is None else f"{number:.{DECIMALS}f}"

    lines = {
        "sessions": f"{summary.counts.loaded:,}",
        "records": f"{total.records:,}",
        "in flight": f"{total.in_flight:,}",
        "mean stability": decimal(total.scores.mean),
        "sample variance": decimal(total.scores.sample_variance),
        "drift index": f"{total.drift_index_ms:,.3f} ms{_long_span(total.drift_index_ms)}",
        "violations": severity_counts(summary.severities.items()),
        "files": str(summary.counts),
    }
    return "".join(f"{name:<17}{text}\n" for name, text in lines.items())


def _long_span(milliseconds: float) -> str:
    """A span of a minute or more in days, hours and minutes, in parentheses; empty for a shorter one."""
    minutes = int(milliseconds // 60_000)
    if not minutes:
        return ""
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " (" + " ".join(f"{count} {unit}" for count, unit in parts if count) + ")"
