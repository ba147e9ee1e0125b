"""``clamp-analytics trace``: sessions for a trace viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import STDOUT, check_output, command, put, reading, tell

if TYPE_CHECKING:
    from clamp_analytics.reading import Telemetry
    from clamp_analytics.trace import Trace

NAMED = 10
"""Groups of records that could not be shown, and records of a group, that are named one by one."""

EXAMPLES = """\b
Examples:
  clamp-analytics trace build/telemetry -o trace.json
  clamp-analytics trace run.json -o - | gzip > trace.json.gz

Open the file at https://ui.perfetto.dev or chrome://tracing.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace", epilog=EXAMPLES)(trace)


@command
def trace(
    sources: options.Sources,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="The trace to write; - for standard output.")
    ],
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Show sessions on a timeline, in a trace viewer.

    Writes the Chrome trace format: a process for each session, a track for each thread, an event for each lock that
    was held. An anchor in flight is an event without an end.
    """
    with reading(sources, jobs, recursive=not no_recursive) as given:
        from clamp_analytics import trace as tracing
        from clamp_analytics.atomic_files import publish
        from clamp_analytics.reading import Reader

        reader = Reader(**given, columns=tracing.COLUMNS)
        telemetry = reader.collect()
    reader.require_sessions()
    made = tracing.trace(telemetry)
    if output == STDOUT:
        for chunk in made.chunks():
            put(chunk)
    else:
        check_output(output)
        publish(Path(output), made.chunks(), overwrite=True)
    _name_rejected(telemetry)
    _name_left_out(made)
    figures = f"{made.events:,} events ({made.in_flight:,} in flight)"
    tell(f"wrote {output}: {figures}; files: {reader.counts}")


def _name_rejected(telemetry: Telemetry) -> None:
    rejected = telemetry.sessions.filter(status="rejected").join(telemetry.violations, on="source", how="left")
    for source, why in rejected.select("source", "message").head(NAMED).iter_rows():
        tell(f"rejected: {source}: {why}")
    if rejected.height > NAMED:
        tell(f"… and {rejected.height - NAMED:,} more rejected; `validate` names them all")


def _name_left_out(made: Trace) -> None:
    groups = made.left_out.group_by("source", "reason", maintain_order=True).all()
    for source, reason, indices in groups.head(NAMED).iter_rows():
        numbers = ", ".join(map(str, indices[:NAMED])) + (", …" if len(indices) > NAMED else "")
        tell(f"not shown: {source}: {len(indices):,} with {reason} (records {numbers})")
    if groups.height > NAMED:
        rest = groups[NAMED:]
        tell(f"… and {rest['record_index'].list.len().sum():,} more not shown, of {rest['source'].n_unique():,} files")
    if made.negative:
        tell(f"{made.negative:,} with a negative duration are shown with none")
