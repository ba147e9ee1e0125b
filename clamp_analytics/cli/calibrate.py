"""``clamp-analytics calibrate``: how far the gate of ``drift`` can be trusted on a user's own history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import drift as drift_command
from clamp_analytics.cli import options
from clamp_analytics.cli import verdicts as shared
from clamp_analytics.cli.run import command, put, screen, tell
from clamp_analytics.cli.settings import layered, with_defaults
from clamp_analytics.cli.verdict_output import document

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.drift import Calibration

FIGURES = ("replays", "false_alarms", "false_changes", "gates", "alarms", "unfounded", "untested")
"""What is said of the history as a whole."""

EXAMPLES = """\b
Examples:
  clamp-analytics calibrate build/telemetry
  clamp-analytics calibrate build/telemetry --metric duration_p95_ms --min-sessions 20
  clamp-analytics calibrate build/telemetry --alpha 0.01 --format json | jq .false_alarms
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("calibrate", epilog=EXAMPLES, cls=with_defaults("drift"))(calibrate)


@command
def calibrate(
    sources: options.Sources,
    metric: shared.Metrics = None,
    by: shared.By = None,
    since: drift_command.Since = None,
    until: drift_command.Until = None,
    last: drift_command.Last = None,
    alpha: shared.Alpha = None,
    min_sessions: shared.MinSessions = None,
    floor: shared.Floors = None,
    replays: Annotated[
        int | None, typer.Option("--replays", metavar="N", help="Histories without a change that are made.")
    ] = None,
    output_format: Annotated[
        options.Format, typer.Option("--format", "-f", help="How the figures are shown.")
    ] = options.Format.TABLE,
    output: shared.Output = None,
    limit: options.Limit = 50,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Show how far drift can be trusted on this history.

    Your own sessions are drawn anew without their changes: how often would drift have cried wolf? And with a shift
    put in: which is the smallest that it catches in 80 or 90 of 100 histories? At last the history is judged again
    and again while it grows, as CI would have done.

    Options that are not given come from [tool.clamp-analytics.drift] in pyproject.toml.
    """
    with shared.needs_drift_extra():
        from clamp_analytics.analysis import drift as analysis

        given = drift_command.spans(since, until, last) | shared.judging(alpha, min_sessions, floor)
        chosen = layered("drift", analysis.DriftOptions, given | {"replays": replays})
        values = shared.read_values(sources, metric, shared.grouping(by), recursive=not no_recursive, jobs=jobs)
        found = analysis.calibrate(values, options=chosen)
    put(_rendered(found, values.by, output_format, limit), output)
    for sentence in _sentences(found):
        tell(sentence)


def _rendered(found: Calibration, by: Sequence[str], output_format: options.Format, limit: int) -> str | bytes:
    from clamp_analytics import render

    if output_format is options.Format.JSON:
        return document({name: getattr(found, name) for name in FIGURES}, {"series": found.figures})
    if output_format is options.Format.CSV:
        return render.as_csv(found.figures)
    frame = _for_a_person(found.figures, by)
    return render.as_markdown(frame) if output_format is options.Format.MARKDOWN else screen(frame, limit)


def _for_a_person(figures: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The figures at a glance, all of them text."""
    import polars as pl

    from clamp_analytics.render.text import figure

    def caught(value: float | None, unit: str) -> str | None:
        return None if value is None else f"{figure(value)} {unit}" if unit == "ms" else figure(value)

    rows = [
        {
            **{column: row[column] for column in by},
            "metric": row["metric"],
            "sessions": str(row["sessions"]),
            "false_alarms": None if row["false_alarms"] is None else f"{row['false_alarms']:.1%}",
            "alarms": f"{row['alarms']} of {row['gates']}",
            "unfounded": str(row["unfounded"]),
            "catches_80": caught(row["catches_80"], row["unit"]),
            "catches_90": caught(row["catches_90"], row["unit"]),
        }
        for row in figures.iter_rows(named=True)
    ]
    names = (*by, "metric", "sessions", "false_alarms", "alarms", "unfounded", "catches_80", "catches_90")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _sentences(found: Calibration) -> list[str]:
    told = []
    if found.untested < found.figures.height:
        told = [
            f"{found.false_alarms:.1%} of {found.replays:,} histories without a change had a false regression, "
            f"{found.false_changes:.1%} any false verdict",
            f"while the history grew, it was judged {found.gates:,} time{'s' * (found.gates != 1)}: "
            f"{found.alarms:,} found a regression, {found.unfounded:,} where the whole history shows none",
        ]
    if found.untested:
        told.append(f"{found.untested:,} of {found.figures.height:,} series have too few sessions to be tested")
    return told
