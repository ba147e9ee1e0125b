"""Options of the commands that judge metrics over sessions, and the options of the analyses built from them.

Typer evaluates annotations that are text in the module of the command, and inherited fields would fail there.
Therefore this module does not postpone the evaluation of its annotations.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.analysis.groupings import BY, checked_by, choices
from clamp_analytics.analysis.metrics import METRICS, checked_metrics
from clamp_analytics.analysis.needed_columns import ATTRIBUTES, series_columns
from clamp_analytics.analysis.options import CompareOptions, DriftOptions
from clamp_analytics.cli.command import JUDGING_PANEL, OUTPUT_PANEL
from clamp_analytics.cli.completion import complete_floors, complete_groups, complete_metrics
from clamp_analytics.cli.options import AnalysisSourceOptions
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.settings import layer_options
from clamp_analytics.errors import UsageError

if TYPE_CHECKING:
    from clamp_analytics.analysis.series import SessionValues
    from clamp_analytics.analysis.verdicts import Verdict

NO_GROUPS = "none"
"""The value of ``--by`` for one group of all records."""

DEFAULT_GROUPS = ("context",)

DEFAULTS = DriftOptions()

_AGO = re.compile(r"([0-9]{1,9})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


class VerdictFormat(StrEnum):
    """Formats of verdicts."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"


class FailOnVerdict(StrEnum):
    """The least bad verdict with which a command fails."""

    REGRESSION = "regression"
    SUSPECT = "suspect"
    NEVER = "never"

    def verdicts(self) -> "list[Verdict]":
        """The verdicts with which the command fails."""
        from clamp_analytics.analysis.verdicts import Verdict

        if self is FailOnVerdict.NEVER:
            return []
        return [Verdict.REGRESSED] if self is FailOnVerdict.REGRESSION else [Verdict.REGRESSED, Verdict.SUSPECT]


FailOn = Annotated[
    FailOnVerdict, typer.Option("--fail-on", help="End with exit code 1 if there is a verdict this bad or worse.")
]

SessionUrl = Annotated[
    str,
    typer.Option(
        "--session-url",
        metavar="TEMPLATE",
        help="In Markdown, link sessions to this address, in which {source} is the path of a session and {NAME} "
        "its label of that name.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True)
class JudgingOptions(AnalysisSourceOptions):
    """Which series are judged, and which changes count."""

    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            metavar="METRIC",
            help=f"Judge only this metric: {', '.join(METRICS)}. Can be repeated. [default: all]",
            autocompletion=complete_metrics,
        ),
    ] = None
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help=f"One series per value of this column: {choices(BY)}; {NO_GROUPS} for a single series. "
            "Can be repeated. [default: context]",
            autocompletion=complete_groups,
        ),
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            metavar="SHARE",
            help=f"False discovery rate over all series. [default: {DEFAULTS.alpha}]",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    floor: Annotated[
        list[str] | None,
        typer.Option(
            "--floor",
            metavar="METRIC=SIZE",
            help="Smallest change that matters: 10% or 0.1 for durations, else in the unit of the metric. "
            "Can be repeated.",
            autocompletion=complete_floors,
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None

    def groups(self) -> tuple[str, ...]:
        """The columns that series are grouped by.

        Raises:
            UsageError: there is no such column, or ``none`` is given with others.
        """
        if not self.by:
            return DEFAULT_GROUPS
        if NO_GROUPS in self.by:
            if set(self.by) != {NO_GROUPS}:
                raise UsageError("none cannot be combined with a column", where="--by")
            return ()
        return checked_by(self.by)

    def metrics(self) -> tuple[str, ...] | None:
        """The metrics that were named; None for all.

        Raises:
            UsageError: there is no such metric.
        """
        return checked_metrics(self.metric) if self.metric else None

    def judging_values(self) -> dict[str, object]:
        """The fields of the options of an analysis; None for those that were not given.

        Raises:
            UsageError: a floor is not understood.
        """
        return {"alpha": self.alpha, "floors": _parse_floors(self.floor)}

    def compare_options(self, **more: object) -> CompareOptions:
        """The options of a comparison: defaults, then pyproject.toml, then the command line.

        Args:
            more: further fields from the command line; None for those that were not given.

        Raises:
            UsageError: a value is wrong.
        """
        return layer_options("compare", CompareOptions, {**self.judging_values(), **more})

    def read_values(
        self, sources: Sequence[str], groups: Sequence[str], inputs: Inputs, *, strata: Sequence[str] = ()
    ) -> "SessionValues":
        """Read one value per session, group and metric.

        Args:
            sources: the sources as they were named.
            groups: the columns that series are grouped by.
            inputs: collects what is read.
            strata: further columns, which are left out where all sessions have one value of them.

        Raises:
            UsageError: there is no such metric.
            SourceError: there is no usable session.
        """
        metrics = checked_metrics(self.metric or None)
        columns = series_columns((*groups, *strata), metrics) | set(ATTRIBUTES)
        with open_sources(sources, self, inputs, columns=columns) as arguments:
            from clamp_analytics.analysis.series import session_values
            from clamp_analytics.reading import Reader

            reader = Reader(**arguments, columns=columns)
            return session_values(reader, by=groups, strata=strata, metrics=metrics)


@dataclass(frozen=True, kw_only=True)
class HistoryOptions(JudgingOptions):
    """Which sessions of a history are judged."""

    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only sessions from this day or time (UTC) on, or of the last 30d, 12h or 2w.",
        ),
    ] = None
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            help="Only sessions up to this day, or before this time (UTC) or 30d, 12h or 2w ago.",
        ),
    ] = None
    last: Annotated[
        int | None, typer.Option("--last", min=1, metavar="N", help="Only the last N sessions of those.")
    ] = None
    pooled: Annotated[
        bool,
        typer.Option(
            "--pooled",
            help="Judge sessions of all backends and devices together, not within each.",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = False

    def drift_options(self, **more: object) -> DriftOptions:
        """The options of a search for drift: defaults, then pyproject.toml, then the command line.

        Args:
            more: further fields from the command line; None for those that were not given.

        Raises:
            UsageError: a value is wrong.
        """
        given: Mapping[str, object] = {
            "since": _parse_time("--since", self.since),
            "until": _parse_time("--until", self.until, end_of_day=True),
            "last": self.last,
            "pooled": self.pooled or None,
            **self.judging_values(),
            **more,
        }
        return layer_options("drift", DriftOptions, given)


def _parse_floors(given: Sequence[str] | None) -> dict[str, float] | None:
    """Floors by metric; None where none is given."""
    if not given:
        return None
    floors = {}
    for text in given:
        metric, equals, size = text.partition("=")
        try:
            name = checked_metrics(metric)[0]
            floors[name] = float(size.removesuffix("%")) / (100 if size.endswith("%") else 1)
        except ValueError as error:
            hint = "for example --floor duration_p95_ms=10%" if equals else "write it as METRIC=SIZE"
            raise UsageError("the size is not a number", where=f"--floor {text}", hint=hint) from error
        if size.endswith("%") and not METRICS[name].is_relative:
            hint = f"give it in the unit of the metric, for example --floor {name}={METRICS[name].floor:g}"
            raise UsageError("only floors of durations are shares", where=f"--floor {text}", hint=hint)
    return floors


def _parse_time(option: str, text: str | None, *, end_of_day: bool = False) -> datetime | None:
    """A time in UTC; a day without a time is its beginning, or the beginning of the next day.

    A number with a unit, such as ``30d``, is so long ago.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.now(UTC) - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
        at = datetime.fromisoformat(text)
        is_day = len(text) <= len("2026-10-01")
        at += timedelta(days=end_of_day and is_day)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        hint = "for example 2026-10-01, 2026-10-01T06:00:00Z, or 30d for 30 days ago"
        raise UsageError("it is not a day or time", where=f"{option} {text}", hint=hint) from error


@contextmanager
def require_drift_extra() -> Iterator[None]:
    """Turn a missing library of the statistics into an error that says what to install.

    Raises:
        UsageError: a library is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"scipy", "numpy"}:
            raise
        raise UsageError.not_installed([error.name], "drift") from error
