"""``clamp-analytics drift``: what changed over the sessions, when, and whether it is noise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli import verdicts as shared
from clamp_analytics.cli.run import command, tell
from clamp_analytics.cli.settings import layered, with_defaults
from clamp_analytics.cli.verdict_output import show
from clamp_analytics.errors import UsageError

if TYPE_CHECKING:
    from clamp_analytics.analysis.drift import Drift
    from clamp_analytics.analysis.series import SessionValues

EXAMPLES = """\b
Examples:
  clamp-analytics drift build/telemetry
  clamp-analytics drift build/telemetry --metric duration_p95_ms --by context --by backend --last 100
  clamp-analytics drift build/telemetry --format github --fail-on regression
  clamp-analytics drift build/telemetry --since 2026-10-01 --format json | jq '.verdicts[0].reason'
"""

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Leave out sessions that began before this UTC day or time."),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="WHEN", help="Leave out sessions that began after this UTC day, or at this time or later."
    ),
]
Last = Annotated[
    int | None,
    typer.Option("--last", min=1, metavar="N", help="Only the last N sessions of all that are left."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drift", epilog=EXAMPLES, cls=with_defaults("drift"))(drift)


@command
def drift(
    sources: options.Sources,
    metric: shared.Metrics = None,
    by: shared.By = None,
    since: Since = None,
    until: Until = None,
    last: Last = None,
    alpha: shared.Alpha = None,
    min_sessions: shared.MinSessions = None,
    floor: shared.Floors = None,
    output_format: shared.Formats = shared.VerdictFormat.TABLE,
    output: shared.Output = None,
    fail_from: shared.FailFrom = shared.FailOnVerdict.NEVER,
    limit: options.Limit = 50,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Show what changed over the sessions, and when.

    Of each context and metric: whether it regressed or improved, with which session that began, by how much, and
    how likely noise would show as much. Every session gives one value of a metric; sessions without a usable
    timestamp are counted and left out.

    Options that are not given come from [tool.clamp-analytics.drift] in pyproject.toml.
    """
    with shared.needs_drift_extra():
        from clamp_analytics.analysis import drift as analysis

        chosen = layered(
            "drift", analysis.DriftOptions, spans(since, until, last) | shared.judging(alpha, min_sessions, floor)
        )
        values = shared.read_values(sources, metric, shared.grouping(by), recursive=not no_recursive, jobs=jobs)
        found = analysis.drift(values, options=chosen)
    from clamp_analytics.render.verdicts import DRIFT

    show(
        found.verdicts,
        values.by,
        DRIFT,
        output_format,
        output,
        limit=limit,
        fail_from=fail_from,
        told=_told(found),
        counts={"sessions": found.sessions, "untimed": found.untimed, "tested": found.tested},
        series=found.series,
        tables={"changes": found.changes},
    )
    tell(_closing(found, values))
    shared.fail_on_verdicts(fail_from, found.verdicts)


def spans(since: str | None, until: str | None, last: int | None) -> dict[str, object]:
    """The options that say which sessions are looked at; None stands for one that was not given.

    Raises:
        UsageError: a text is no moment.
    """
    return {"since": _moment("--since", since), "until": _moment("--until", until, after=True), "last": last}


def _moment(option: str, text: str | None, *, after: bool = False) -> datetime | None:
    """A moment in UTC; a day without a time is its beginning, or the one of the next day.

    Raises:
        UsageError: the text is no ISO 8601 day or time.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        is_day = len(text) <= len("2026-10-01")
        moment += timedelta(days=after and is_day)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        hint = "for example 2026-10-01, or 2026-10-01T06:00:00Z"
        raise UsageError("it is no day or time", where=f"{option} {text}", hint=hint) from error


def _told(found: Drift) -> str:
    plural = "s" * (found.sessions != 1)
    untimed = f" ({found.untimed:,} more have no usable timestamp)" if found.untimed else ""
    return f"{found.sessions:,} session{plural}{untimed}, {found.tested:,} series tested."


def _closing(found: Drift, values: SessionValues) -> str:
    """What was looked at and what it came to, in one line."""
    from clamp_analytics.render.verdicts import count_verdicts, list_counts

    words = list_counts(count_verdicts(found.verdicts)) or "no series"
    return (
        f"{words}; {found.tested:,} tested; {found.sessions:,} session{'s' * (found.sessions != 1)}, "
        f"{found.untimed:,} untimed; "
        f"files: {values.counts}"
    )
