"""``clamp-analytics drift``: what changed over the sessions, when, and whether it is more than noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import (
    FailOn,
    FailOnVerdict,
    HistoryOptions,
    SessionUrl,
    VerdictFormat,
    require_drift_extra,
)
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.known_changes import add_entries, known_changes_file, read_entries
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import OutputOptions, format_option
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.reading import Inputs
from clamp_analytics.cli.verdict_output import VerdictReport
from clamp_analytics.errors import UsageError
from clamp_analytics.render.session_links import SessionLinks
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    from clamp_analytics.analysis.drift import Drift
    from clamp_analytics.analysis.incidents.gate import Gate
    from clamp_analytics.analysis.incidents.known_changes import KnownChange

EXAMPLES = """
clamp-analytics drift build/telemetry
clamp-analytics drift build/telemetry --metric duration_p95_ms --by backend
clamp-analytics drift runs --fail-on regression --changed-within 20
clamp-analytics drift runs --acknowledge 432f68a9 --reason "bounds checks"
clamp-analytics drift build/telemetry --format json | jq '.incidents[0]'
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "drift", DriftCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class DriftCommand(HistoryOptions, OutputOptions):
    """Show what changed over the sessions, and when.

    Changes that began with the same session are one incident: which metrics became worse or better and by how much,
    since which session, and what else changed with it. Then each series that changed. Each session gives one value
    per metric. Sessions without a usable timestamp are counted and left out.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.drift].
    """

    sources: options.Sources
    show_all: Annotated[bool, typer.Option("--all", help="Show unchanged series in the table as well.")] = False
    output_format: Annotated[VerdictFormat | None, format_option()] = None
    fail_from: FailOn = FailOnVerdict.NEVER
    changed_within: Annotated[
        int | None,
        typer.Option(
            "--changed-within",
            min=1,
            metavar="N",
            help="With --fail-on: only changes that began within the latest N sessions fail.",
        ),
    ] = None
    since_label: Annotated[
        str | None,
        typer.Option(
            "--since-label",
            metavar="NAME=VALUE",
            help="With --fail-on: only changes that began with the first session of this label, or later, fail.",
        ),
    ] = None
    known_changes: Annotated[
        str | None,
        typer.Option("--known-changes", metavar="FILE", help="TOML file of accepted changes; these never fail."),
    ] = None
    acknowledge: Annotated[
        str | None,
        typer.Option(
            "--acknowledge", metavar="ID", help="Add the changes of this incident to the file of known changes."
        ),
    ] = None
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="With --acknowledge: why the change is accepted.")
    ] = None
    decided_by: Annotated[
        str | None,
        typer.Option("--decided-by", metavar="NAME", help="With --acknowledge: who accepts it. [default: your login]"),
    ] = None
    session_url: SessionUrl = ""
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Judge the history, and write the incidents and verdicts."""
        inputs = Inputs()
        links = SessionLinks(self.session_url)
        with require_drift_extra():
            from clamp_analytics.analysis.drift import drift

            chosen = self.drift_options(known_changes=self.known_changes)
            gate = self._gate()
            file = known_changes_file(self.known_changes, chosen)
            entries = (
                []
                if file is None
                else read_entries(file, must_exist=self.known_changes is not None and self.acknowledge is None)
            )
            values = self.read_values(self.sources, self.groups(), inputs, strata=chosen.strata)
            with step("judging the series") as progress:
                found = drift(values, known_changes=entries, options=chosen, progress=progress)
        if self.acknowledge is not None:
            add_entries(found, self.acknowledge, file, self.reason, self.decided_by)
            return ExitCode.FINE
        failing = gate.failing(found.open_changes(), found.timeline)
        self._write(found, gate, links, inputs)
        tell(f"{_summary(found)} files: {values.counts}")
        for entry in found.unmatched:
            tell(f"known change that matches nothing: {_describe_entry(entry)}")
        return ExitCode.CHECK_FAILED if failing else ExitCode.FINE

    def _gate(self) -> Gate:
        from clamp_analytics.analysis.incidents.gate import FailOn as FailOnChange
        from clamp_analytics.analysis.incidents.gate import Gate

        since = None
        if self.since_label is not None:
            name, equals, value = self.since_label.partition("=")
            if not equals or not name:
                raise UsageError("a label is given as NAME=VALUE", where=f"--since-label {self.since_label}")
            since = (name, value)
        return Gate(FailOnChange(self.fail_from.value), self.changed_within, since)

    def _write(self, found: Drift, gate: Gate, links: SessionLinks, inputs: Inputs) -> None:
        from clamp_analytics.analysis.incidents.gate import FailOn as FailOnChange
        from clamp_analytics.render import incidents
        from clamp_analytics.render.verdicts import DRIFT

        # A test case of JUnit fails for a regression even where the command does not.
        strict = replace(gate, fail_on=FailOnChange.REGRESSION) if gate.fail_on is FailOnChange.NEVER else gate
        failing = strict.failing(found.open_changes(), found.timeline)
        VerdictReport(
            found.verdicts,
            found.by,
            DRIFT,
            summary=_summary(found),
            counts={"sessions": found.sessions, "untimed": found.untimed, "tested": found.tested},
            failing=self.fail_from.verdicts(),
            failing_series={(change.group, change.metric) for change in failing},
            series=found.series,
            show_all=self.show_all,
            tables={"changes": found.changes},
            documents={"incidents": [one.to_dict(found.by, found.timeline) for one in found.incidents]},
            incidents=incidents.IncidentTexts.of(found, links),
        ).write(choose_format(VerdictFormat, self.output_format, self.output), self, inputs, limit=self.limit)


def _summary(found: Drift) -> str:
    from clamp_analytics.render.incidents import headline

    untimed = f" ({found.untimed:,} more have no usable timestamp)" if found.untimed else ""
    return f"{headline(found)}; {plural(found.sessions, 'session')}{untimed}, {found.tested:,} series tested."


def _describe_entry(entry: KnownChange) -> str:
    group = ", ".join(f"{name} {value}" for name, value in entry.group.items())
    return f"{group} {entry.metric} ({entry.reason})"
