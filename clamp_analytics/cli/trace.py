"""``clamp-analytics trace``: sessions as a file for a trace viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import MOST_LISTED, tell, tell_each
from clamp_analytics.cli.options import AnalysisSourceOptions, output_option
from clamp_analytics.cli.output import check_output, kind_of_beginning, write_result
from clamp_analytics.cli.reading import Inputs, open_sources

if TYPE_CHECKING:
    from clamp_analytics.reading import Telemetry
    from clamp_analytics.trace import Trace

BEGINNING = '{"displayTimeUnit":"ms","traceEvents":['
"""The text by which an earlier trace is recognized."""

EXAMPLES = """
clamp-analytics trace build/telemetry -o trace.json
clamp-analytics trace run.json -o - | gzip > trace.json.gz

Open the file at https://ui.perfetto.dev or chrome://tracing.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "trace", TraceCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class TraceCommand(AnalysisSourceOptions):
    """Write a timeline for a trace viewer.

    The file is in the Chrome trace format: a process per session, a track per thread, and an event per lock that was
    held. An anchor in flight is an event without an end.
    """

    sources: options.Sources
    output: Annotated[str, output_option("The trace to write; - for standard output.", "FILE")]
    force: options.Force = False

    def run(self) -> ExitCode:
        """Read the sessions and write the trace."""
        inputs = Inputs()
        kind = kind_of_beginning("a trace", BEGINNING)
        with open_sources(self.sources, self, inputs) as arguments:
            from clamp_analytics import trace as tracing
            from clamp_analytics.reading import Reader

            check_output(self.output, kind, force=self.force, inputs=inputs)
            reader = Reader(**arguments, columns=tracing.COLUMNS)
            telemetry = reader.collect()
        reader.require_sessions()
        trace = tracing.trace(telemetry)
        write_result(trace.chunks(), self.output, kind, force=self.force, inputs=inputs, announce=False)
        _tell_rejected(telemetry)
        _tell_left_out(trace)
        figures = f"{trace.events:,} events ({trace.in_flight:,} in flight)"
        tell(f"wrote {self.output}: {figures}; files: {reader.counts}")
        return ExitCode.FINE


def _tell_rejected(telemetry: Telemetry) -> None:
    rejected = telemetry.sessions.filter(status="rejected").join(telemetry.violations, on="source", how="left")
    lines = [f"rejected: {source}: {why}" for source, why in rejected.select("source", "message").iter_rows()]
    tell_each(lines, "more rejected; `clamp-analytics validate` lists them all")


def _tell_left_out(trace: Trace) -> None:
    groups = trace.left_out.group_by("source", "reason", maintain_order=True).all()
    for source, reason, indices in groups.head(MOST_LISTED).iter_rows():
        records = ", ".join(map(str, indices[:MOST_LISTED])) + (", …" if len(indices) > MOST_LISTED else "")
        tell(f"not shown: {source}: {len(indices):,} with {reason} (records {records})")
    if groups.height > MOST_LISTED:
        rest = groups[MOST_LISTED:]
        tell(f"… and {rest['record_index'].list.len().sum():,} more not shown, of {rest['source'].n_unique():,} files")
    if trace.negative:
        tell(f"{trace.negative:,} with a negative duration are shown with none")
