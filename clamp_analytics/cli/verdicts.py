"""What the commands that judge metrics share: their options, what they read, and when they fail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli.run import CHECK_FAILED, reading
from clamp_analytics.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.series import SessionValues
    from clamp_analytics.analysis.verdicts import Verdict


class VerdictFormat(StrEnum):
    """Formats of verdicts."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"


class FailOnVerdict(StrEnum):
    """From which verdict on a command fails."""

    REGRESSION = "regression"
    WARNING = "warning"
    NEVER = "never"


Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        "-m",
        metavar="METRIC",
        help="Only this metric; may be repeated: mean_stability, unstable_share, duration_p50_ms, duration_p95_ms, "
        "duration_p99_ms, hold_total_ms, violations, in_flight. [default: all]",
    ),
]
By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        metavar="COLUMN",
        help="What series are told apart by; may be repeated: context, backend, device_name, thread_id, or none. "
        "[default: context]",
    ),
]
Formats = Annotated[VerdictFormat, typer.Option("--format", "-f", help="How verdicts are shown.")]
Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="PATH", help="Where they go. [default: standard output]")
]
FailFrom = Annotated[
    FailOnVerdict, typer.Option("--fail-on", help="End with exit code 1 where there is a verdict this bad.")
]
Alpha = Annotated[
    float | None,
    typer.Option("--alpha", metavar="P", help="False discoveries that are put up with, as a share."),
]
MinSessions = Annotated[
    int | None,
    typer.Option("--min-sessions", metavar="N", help="Sessions that a side takes for a verdict."),
]
Floors = Annotated[
    list[str] | None,
    typer.Option(
        "--floor",
        metavar="METRIC=SIZE",
        help="Smallest effect that matters: a share for durations (0.1 is 10 %), else in the metric's unit; "
        "may be repeated.",
    ),
]


def grouping(by: Sequence[str] | None) -> tuple[str, ...]:
    """The columns that series are told apart by.

    Raises:
        UsageError: there is no such column, or ``none`` is not alone.
    """
    from clamp_analytics.analysis.series import checked_by

    if not by:
        return ("context",)
    if "none" in by:
        if set(by) != {"none"}:
            raise UsageError("none stands alone", where="--by")
        return ()
    return checked_by(by)


def floors(given: Sequence[str] | None) -> dict[str, float] | None:
    """Floors by metric; None where none is given.

    Raises:
        UsageError: one is not written as METRIC=SIZE, or there is no such metric.
    """
    from clamp_analytics.analysis.series import checked_metrics

    if not given:
        return None
    found = {}
    for text in given:
        metric, equals, size = text.partition("=")
        try:
            found[checked_metrics(metric)[0]] = float(size)
        except ValueError as error:
            hint = "for example --floor duration_p95_ms=0.1" if equals else "it is written as METRIC=SIZE"
            raise UsageError("the size is no number", where=f"--floor {text}", hint=hint) from error
    return found


def judging(alpha: float | None, min_sessions: int | None, floor: Sequence[str] | None) -> dict[str, object]:
    """The options that say when a change is one; None stands for one that was not given.

    Raises:
        UsageError: a floor is not understood.
    """
    return {"alpha": alpha, "min_sessions": min_sessions, "floors": floors(floor)}


def read_values(
    sources: Sequence[str], metric: Sequence[str] | None, by: Sequence[str], *, recursive: bool, jobs: int | None
) -> SessionValues:
    """One value per session, group and metric.

    Raises:
        UsageError: there is no such metric or column.
        SourceError: there is no usable session.
    """
    from clamp_analytics.analysis.series import SessionFold, checked_by, checked_metrics

    fold = SessionFold(checked_by(by), checked_metrics(metric))
    with reading(sources, jobs, recursive=recursive) as given:
        from clamp_analytics.analysis.series import session_values
        from clamp_analytics.reading import Reader

        return session_values(Reader(**given, columns=fold.columns), by=fold.by, metrics=fold.metrics)


@contextmanager
def needs_drift_extra() -> Iterator[None]:
    """Say what to install where the statistics' libraries are missing.

    Raises:
        UsageError: one of them is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"scipy", "numpy"}:
            raise
        raise UsageError(f"{error.name} is not installed", hint="pip install 'clamp-analytics[drift]'") from error


def bad_verdicts(level: FailOnVerdict) -> list[Verdict]:
    """The verdicts that a level fails on."""
    from clamp_analytics.analysis.verdicts import Verdict

    return {
        FailOnVerdict.NEVER: [],
        FailOnVerdict.REGRESSION: [Verdict.REGRESSED],
        FailOnVerdict.WARNING: [Verdict.REGRESSED, Verdict.WARNING],
    }[level]


def fail_on_verdicts(level: FailOnVerdict, verdicts: pl.DataFrame) -> None:
    """End with the exit code of a failed check where there is a verdict as bad as ``level``."""
    if verdicts["verdict"].is_in([verdict.value for verdict in bad_verdicts(level)]).any():
        raise typer.Exit(CHECK_FAILED)
