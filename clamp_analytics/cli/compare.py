"""``clamp-analytics compare``: a candidate against a baseline, or two backends within the same sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clamp_analytics.analysis.groupings import BY, choices
from clamp_analytics.analysis.options import CompareOptions
from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import (
    FailOn,
    FailOnVerdict,
    JudgingOptions,
    SessionUrl,
    VerdictFormat,
    require_drift_extra,
)
from clamp_analytics.cli.command import JUDGING_PANEL, add_command
from clamp_analytics.cli.completion import complete_split_columns
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import MOST_LISTED, tell
from clamp_analytics.cli.options import OutputOptions, format_option
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.reading import Inputs
from clamp_analytics.cli.verdict_output import VerdictReport
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.render.session_links import SessionLinks
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.compare import Comparison
    from clamp_analytics.analysis.series import SessionValues

COMPARE_DEFAULTS = CompareOptions()

HOST_WORDS = ("cpu", "host")
"""Words in the name of a backend or device that make it the baseline of a comparison of two."""

EXAMPLES = """
clamp-analytics compare runs/main runs/pull-request
clamp-analytics compare baseline.json 'runs/*.json' --format markdown
clamp-analytics compare runs/main runs/pull-request --fail-on regression
clamp-analytics compare runs --across backend --baseline CPU --candidate HIP
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "compare", CompareCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class CompareCommand(JudgingOptions, OutputOptions):
    """Compare a candidate with a baseline.

    What is worse or better in the candidate and by how much, and what else differs between the sides. Then each series
    that changed. Each session counts once. With --across, two backends or devices within the same sessions are
    compared.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.compare].
    """

    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="BASELINE CANDIDATE",
            help=f"Two sources: {options.SOURCE_HELP} With --across, any number of sources.",
            show_default=False,
        ),
    ]
    across: Annotated[
        str | None,
        typer.Option(
            "--across",
            metavar="COLUMN",
            help=f"Compare two values of this column: {choices(BY)}.",
            autocompletion=complete_split_columns,
        ),
    ] = None
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="VALUE",
            help="With --across: the value to compare with. [default: of two values the one that names a CPU or host, "
            "else the first]",
        ),
    ] = None
    candidate: Annotated[
        str | None, typer.Option("--candidate", metavar="VALUE", help="With --across: the value that is judged.")
    ] = None
    min_sessions: Annotated[
        int | None,
        typer.Option(
            "--min-sessions",
            metavar="N",
            help=f"Fewest sessions on each side. [default: {COMPARE_DEFAULTS.min_sessions}]",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    output_format: Annotated[VerdictFormat | None, format_option()] = None
    show_all: Annotated[bool, typer.Option("--all", help="Show unchanged series in the table as well.")] = False
    fail_from: FailOn = FailOnVerdict.NEVER
    session_url: SessionUrl = ""
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Compare the two sides and write the verdicts."""
        self._check_sides()
        inputs = Inputs()
        links = SessionLinks(self.session_url)
        with require_drift_extra():
            from clamp_analytics.analysis.incidents.gate import FailOn as FailOnOfAnalysis

            found = self._compare_sources(inputs) if self.across is None else self._compare_values(self.across, inputs)
        failing = found.failing(FailOnOfAnalysis(self.fail_from.value))
        self._write(found, failing, links, inputs)
        return ExitCode.FINE if failing.is_empty() else ExitCode.CHECK_FAILED

    def _check_sides(self) -> None:
        """Check that there are two sides.

        Raises:
            UsageError: there are not.
        """
        if self.across is None and (self.baseline is not None or self.candidate is not None):
            raise UsageError(
                "--baseline and --candidate name values of a column",
                hint="add --across COLUMN; to compare two sources, name them: compare BASELINE CANDIDATE",
            )
        if self.across is None and len(self.sources) != 2:
            raise UsageError(
                f"two sources can be compared, not {len(self.sources)}",
                hint="put a glob in quotes, or compare within the sources with --across backend",
            )

    def _compare_sources(self, inputs: Inputs) -> Comparison:
        from clamp_analytics.analysis.compare import compare

        chosen = self.compare_options(min_sessions=self.min_sessions)
        sides = [self.read_values([source], self.groups(), inputs) for source in self.sources]
        for source, side in zip(self.sources, sides, strict=True):
            _check_timed(source, side)
        with step("judging the series") as progress:
            return compare(sides[0], sides[1], by=sides[0].by, options=chosen, progress=progress)

    def _compare_values(self, across: str, inputs: Inputs) -> Comparison:
        from clamp_analytics.analysis.compare import compare_groups

        chosen = self.compare_options(min_sessions=self.min_sessions)
        groups = (across, *(name for name in self.groups() if name != across))
        values = self.read_values(self.sources, groups, inputs)
        names = _choose_values(values, across, self.baseline, self.candidate)
        with step("judging the series") as progress:
            return compare_groups(
                values,
                split=across,
                baseline=names[0],
                candidate=names[1],
                by=groups[1:],
                options=chosen,
                progress=progress,
            )

    def _write(self, found: Comparison, failing: pl.DataFrame, links: SessionLinks, inputs: Inputs) -> None:
        from clamp_analytics.render.incidents import IncidentTexts
        from clamp_analytics.render.text import group_name
        from clamp_analytics.render.verdicts import COMPARE, count_verdicts, list_counts

        counts: dict[str, Any] = {
            "baseline_sessions": found.baseline_sessions,
            "candidate_sessions": found.candidate_sessions,
            "untimed": found.untimed,
            "in_both": found.in_both,
            "tested": found.verdicts["adjusted_p"].is_not_null().sum(),
            "notes": found.notes(),
        }
        summary = (
            f"{plural(found.candidate_sessions, 'session')} of the candidate against "
            f"{plural(found.baseline_sessions, 'session')} of the baseline"
        )
        if found.untimed:
            summary += f"; {plural(found.untimed, 'session')} left out, without a usable timestamp"
        if found.in_both:
            summary += f"; {plural(found.in_both, 'session')} on both sides"
        sides = {} if self.across is None else {"Baseline": [found.sides[0]], "Candidate": [found.sides[1]]}
        lists = sides | {
            title: [group_name(row, found.by) for row in frame.iter_rows(named=True)] if found.by else []
            for title, frame in (("Only in the candidate", found.appeared), ("Only in the baseline", found.vanished))
        }
        VerdictReport(
            found.verdicts,
            found.by,
            COMPARE,
            summary=summary,
            counts=counts,
            failing=self.fail_from.verdicts(),
            failing_series=None
            if self.fail_from is FailOnVerdict.NEVER
            else {(row[:-1], row[-1]) for row in failing.select(*found.by, "metric").rows()},
            tables={"appeared": found.appeared, "vanished": found.vanished},
            lists=lists,
            documents={"incidents": [one.to_dict(found.by, found.timeline) for one in found.incidents]},
            incidents=IncidentTexts.of(found, links),
            show_all=self.show_all,
        ).write(choose_format(VerdictFormat, self.output_format, self.output), self, inputs, limit=self.limit)
        for title, groups in lists.items():
            if groups:
                more = f" … and {len(groups) - MOST_LISTED:,} more" if len(groups) > MOST_LISTED else ""
                tell(f"{title.lower()}: {', '.join(groups[:MOST_LISTED])}{more}")
        for note in found.notes():
            tell(note)
        verdicts = list_counts(count_verdicts(found.verdicts)) or "nothing to compare"
        tell(f"{verdicts}; {counts['tested']:,} tested; {summary}")
        if self.across is None:
            tell(f"files: baseline {found.baseline_counts}; candidate {found.candidate_counts}")
        else:
            tell(f"files: {found.baseline_counts}")


def _check_timed(source: str, side: SessionValues) -> None:
    """Check that a side has sessions to compare: a check of nothing must not pass.

    Raises:
        SourceError: no session of the side has a usable timestamp.
    """
    if side.sessions == 0:
        raise SourceError(
            f"none of {plural(side.untimed, 'session')} has a usable timestamp, so there is nothing to compare",
            where=source,
            hint="`clamp-analytics validate` says what is wrong with each file",
        )


def _choose_values(values: SessionValues, across: str, baseline: str | None, candidate: str | None) -> tuple[str, str]:
    """Choose the two values that are compared.

    Raises:
        UsageError: they were not named, and there are not exactly two.
    """
    present = values.values[across].drop_nulls().unique().sort().to_list()
    named = [value for value in (baseline, candidate) if value is not None]
    if len(named) < 2:
        rest = [value for value in present if value not in named]
        if len(rest) + len(named) != 2:
            listed = ", ".join(map(repr, present[:MOST_LISTED])) or "none"
            raise UsageError(
                f"two values of {across} can be compared, and there are {len(present)}: {listed}",
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
