"""``clamp-analytics plot``: the series over time as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli import verdicts as shared
from clamp_analytics.cli.drift import Last, Since, Until, spans
from clamp_analytics.cli.run import check_output, command, put, tell
from clamp_analytics.cli.settings import layered, with_defaults
from clamp_analytics.errors import SourceError, UsageError

KINDS = ("png", "svg")
"""The endings of files that can be written."""

EXAMPLES = """\b
Examples:
  clamp-analytics plot build/telemetry -o drift.png
  clamp-analytics plot build/telemetry --metric duration_p95_ms --by backend -o durations.svg
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plot", epilog=EXAMPLES, cls=with_defaults("drift"))(plot)


@command
def plot(
    sources: options.Sources,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="The picture to write; its name ends in .png or .svg.")
    ],
    metric: shared.Metrics = None,
    by: shared.By = None,
    since: Since = None,
    until: Until = None,
    last: Last = None,
    alpha: shared.Alpha = None,
    min_sessions: shared.MinSessions = None,
    floor: shared.Floors = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Series that are drawn of each metric.", metavar="N")
    ] = 12,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Draw metrics over the sessions, with change points.

    Series that changed come first. Without --metric these are stability, the 95th percentile of durations, and
    whatever else changed.

    Options that are not given come from [tool.clamp-analytics.drift] in pyproject.toml.
    """
    kind = Path(output).suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise UsageError("the name of a picture ends in .png or .svg", where=output, hint="for example -o drift.png")
    with shared.needs_drift_extra():
        from clamp_analytics import plots
        from clamp_analytics.analysis import drift as analysis

        plots.require_charts()
        chosen = layered(
            "drift", analysis.DriftOptions, spans(since, until, last) | shared.judging(alpha, min_sessions, floor)
        )
        values = shared.read_values(sources, metric, shared.grouping(by), recursive=not no_recursive, jobs=jobs)
        found = analysis.drift(values, options=chosen)
        check_output(output)
    shelves = plots.shelves(found, values.by, values.metrics if metric else None, at_most=limit)
    if not shelves:
        raise SourceError(
            f"no session has a value to draw among {values.counts}",
            hint="name other metrics with --metric; an anchor without a release has no duration",
        )
    put(plots.picture(plots.overview(shelves), kind), output)
    drawn, left_out = (
        sum(counts) for counts in zip(*((len(one.panels), one.left_out) for one in shelves), strict=True)
    )
    tell(f"{drawn:,} series drawn, {left_out:,} left out; files: {values.counts}")
