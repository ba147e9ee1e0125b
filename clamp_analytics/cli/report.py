"""``clamp-analytics report``: one HTML file on the whole history."""

from __future__ import annotations

from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli import verdicts as shared
from clamp_analytics.cli.drift import Last, Since, Until, spans
from clamp_analytics.cli.provenance import provenance
from clamp_analytics.cli.run import check_output, command, put, reading, tell
from clamp_analytics.cli.settings import layered, with_defaults

EXAMPLES = """\b
Examples:
  clamp-analytics report build/telemetry -o report.html
  clamp-analytics report runs/pull-request --baseline runs/main -o report.html
  clamp-analytics report 'runs/*' --metric duration_p95_ms --by backend --last 200 -o report.html
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", epilog=EXAMPLES, cls=with_defaults("drift"))(report)


@command
def report(
    sources: options.Sources,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="The HTML file to write; - for standard output.")
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option("--baseline", metavar="SOURCE", help="Compare with these sessions, too; may be repeated."),
    ] = None,
    snapshot: options.Snapshot = None,
    metric: shared.Metrics = None,
    by: shared.By = None,
    since: Since = None,
    until: Until = None,
    last: Last = None,
    alpha: shared.Alpha = None,
    min_sessions: shared.MinSessions = None,
    floor: shared.Floors = None,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Write a report that one looks at.

    One HTML file that opens from disk and loads nothing: figures, what changed and when, charts over time, durations
    by context, the latest session by thread, violations, and where the figures come from.

    --since, --until and --last choose the sessions that are looked at for changes and drawn over time. Options that
    are not given come from [tool.clamp-analytics.drift] and [tool.clamp-analytics.compare] in pyproject.toml.
    """
    with shared.needs_drift_extra():
        from clamp_analytics import html_report as reporting
        from clamp_analytics.analysis.compare import CompareOptions
        from clamp_analytics.analysis.drift import DriftOptions
        from clamp_analytics.analysis.series import checked_metrics
        from clamp_analytics.reading import Reader

        judging = shared.judging(alpha, min_sessions, floor)
        chosen = reporting.ReportOptions(
            by=shared.grouping(by),
            metrics=checked_metrics(metric) if metric else None,
            drift=layered("drift", DriftOptions, spans(since, until, last) | judging),
            compare=layered("compare", CompareOptions, judging),
        )
        columns = reporting.columns(chosen)
        base = None
        if baseline:
            base = shared.read_values(baseline, metric, chosen.by, recursive=not no_recursive, jobs=jobs)
        with reading(sources, jobs, recursive=not no_recursive) as given:
            reader = Reader(**given, columns=columns)
            build_info = provenance(snapshot, reader)
            check_output(output)
            made = reporting.report(reader, options=chosen, baseline=base, build_info=build_info)
    put(made.html, output)
    tell(f"files: {reader.counts}")
