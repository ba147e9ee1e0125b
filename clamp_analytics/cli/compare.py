"""``clamp-analytics compare``: a candidate against a baseline, or two backends within the same sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli import verdicts as shared
from clamp_analytics.cli.run import command, tell
from clamp_analytics.cli.settings import layered, with_defaults
from clamp_analytics.cli.verdict_output import show
from clamp_analytics.errors import SourceError, UsageError

if TYPE_CHECKING:
    from clamp_analytics.analysis.compare import Comparison
    from clamp_analytics.analysis.series import SessionValues

NAMED = 10
"""Groups that only one side has and that standard error names; JSON has all of them."""

HOST_WORDS = ("cpu", "host")
"""What the name of a backend or device holds that others are measured against."""

EXAMPLES = """\b
Examples:
  clamp-analytics compare runs/main runs/pull-request
  clamp-analytics compare baseline.json 'runs/*.json' --metric duration_p95_ms --format markdown
  clamp-analytics compare runs/main runs/pull-request --format github --fail-on regression
  clamp-analytics compare runs --across backend --baseline CPU --candidate HIP
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", epilog=EXAMPLES, cls=with_defaults("compare"))(compare)


@command
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="BASELINE CANDIDATE",
            help="Two sources, each as for summarize (quote a glob); or, with --across, any number of them.",
            show_default=False,
        ),
    ],
    metric: shared.Metrics = None,
    by: shared.By = None,
    across: Annotated[
        str | None,
        typer.Option(
            "--across", metavar="COLUMN", help="Compare two values of this column instead: backend, device_name, …"
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="VALUE",
            help="With --across: the value that is measured against. "
            "[default: of two values the one that names a CPU or host, else the first]",
        ),
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option("--candidate", metavar="VALUE", help="With --across: the value that is judged."),
    ] = None,
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
    """Compare a candidate with a baseline.

    Of each context and metric: both values, and whether the candidate is worse, better or not told apart from noise.
    The unit is the session. With --across, two backends or devices within the same sessions are compared.

    Options that are not given come from [tool.clamp-analytics.compare] in pyproject.toml.
    """
    _check(sources, across, baseline, candidate)
    with shared.needs_drift_extra():
        from clamp_analytics.analysis import compare as analysis

        chosen = layered("compare", analysis.CompareOptions, shared.judging(alpha, min_sessions, floor))
        if across is None:
            sides = [
                shared.read_values([source], metric, shared.grouping(by), recursive=not no_recursive, jobs=jobs)
                for source in sources
            ]
            for source, side in zip(sources, sides, strict=True):
                _check_timed(source, side)
            found = analysis.compare(sides[0], sides[1], by=sides[0].by, options=chosen)
            names = None
        else:
            groups = (across, *(name for name in shared.grouping(by) if name != across))
            values = shared.read_values(sources, metric, groups, recursive=not no_recursive, jobs=jobs)
            names = _two_values(values, across, baseline, candidate)
            found = analysis.compare_groups(
                values, split=across, baseline=names[0], candidate=names[1], by=groups[1:], options=chosen
            )
    _show(found, names, output_format, output, limit, fail_from)
    shared.fail_on_verdicts(fail_from, found.verdicts)


def _check(sources: Sequence[str], across: str | None, baseline: str | None, candidate: str | None) -> None:
    """Check that the options make sense together.

    Raises:
        UsageError: they do not.
    """
    if across is None and (baseline is not None or candidate is not None):
        raise UsageError(
            "--baseline and --candidate name values of a column",
            hint="give --across COLUMN, too; to compare two sources, name them: compare BASELINE CANDIDATE",
        )
    if across is None and len(sources) != 2:
        raise UsageError(
            f"two sources are compared, not {len(sources)}",
            hint="put a glob in quotes; or give --across backend to compare within the sources",
        )


def _check_timed(source: str, side: SessionValues) -> None:
    """Check that there is something to compare, because a check of nothing must not pass.

    Raises:
        SourceError: no session of the side has a usable timestamp.
    """
    if side.sessions == 0:
        raise SourceError(
            f"none of {_count(side.untimed)} has a usable timestamp, so there is nothing to compare",
            where=source,
            hint="`clamp-analytics validate` says what is wrong with each file",
        )


def _two_values(values: SessionValues, across: str, baseline: str | None, candidate: str | None) -> tuple[str, str]:
    """The two values that are compared.

    Raises:
        UsageError: they were not named, and there are not just two.
    """
    present = values.values[across].drop_nulls().unique().sort().to_list()
    named = [value for value in (baseline, candidate) if value is not None]
    if len(named) < 2:
        rest = [value for value in present if value not in named]
        if len(rest) + len(named) != 2:
            shown = ", ".join(map(repr, present[:NAMED])) or "none"
            raise UsageError(
                f"two values of {across} are compared, and there are {len(present)}: {shown}",
                where="--across",
                hint="name two of them with --baseline and --candidate" if len(present) > 2 else "",
            )
        if baseline is None and candidate is None:
            hosts = [value for value in rest if any(word in value.lower() for word in HOST_WORDS)]
            baseline = (hosts or rest)[0]
            rest.remove(baseline)
        baseline, candidate = (rest[0] if value is None else value for value in (baseline, candidate))
    assert baseline is not None
    assert candidate is not None
    return baseline, candidate


def _show(
    found: Comparison,
    names: tuple[str, str] | None,
    output_format: shared.VerdictFormat,
    output: str | None,
    limit: int,
    fail_from: shared.FailOnVerdict,
) -> None:
    from clamp_analytics.render.text import group_name
    from clamp_analytics.render.verdicts import COMPARE, count_verdicts, list_counts

    counts: dict[str, Any] = {
        "baseline_sessions": found.baseline_sessions,
        "candidate_sessions": found.candidate_sessions,
        "untimed": found.untimed,
        "in_both": found.in_both,
        "tested": found.verdicts["adjusted_p"].is_not_null().sum(),
    }
    told = (
        f"{_count(found.candidate_sessions)} of the candidate against {_count(found.baseline_sessions)} of the baseline"
    )
    if found.untimed:
        told += f"; {_count(found.untimed)} left out, without a usable timestamp"
    if found.in_both and names is None:
        told += f"; {_count(found.in_both)} on both sides"
    sides = {} if names is None else {"Baseline": [names[0]], "Candidate": [names[1]]}
    lists = sides | {
        title: [group_name(row, found.by) for row in frame.iter_rows(named=True)] if found.by else []
        for title, frame in (("Only in the candidate", found.appeared), ("Only in the baseline", found.vanished))
    }
    show(
        found.verdicts,
        found.by,
        COMPARE,
        output_format,
        output,
        limit=limit,
        fail_from=fail_from,
        told=told,
        counts=counts,
        tables={"appeared": found.appeared, "vanished": found.vanished},
        lists=lists,
    )
    for title, groups in lists.items():
        if groups:
            more = f" … and {len(groups) - NAMED:,} more" if len(groups) > NAMED else ""
            tell(f"{title.lower()}: {', '.join(groups[:NAMED])}{more}")
    tell(f"{list_counts(count_verdicts(found.verdicts)) or 'nothing to compare'}; {counts['tested']:,} tested; {told}")
    if names is None:
        tell(f"files: baseline {found.baseline_counts}; candidate {found.candidate_counts}")
    else:
        tell(f"files: {found.baseline_counts}")


def _count(sessions: int) -> str:
    return f"{sessions:,} session{'s' * (sessions != 1)}"
