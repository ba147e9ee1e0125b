"""``clamp-analytics drift``: what changed over the sessions, when, and whether it is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import (
    FailOn,
    FailOnVerdict,
    HistoryOptions,
    VerdictFormat,
    any_fails,
    require_drift_extra,
)
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import OutputOptions, format_option
from clamp_analytics.cli.reading import Inputs
from clamp_analytics.cli.verdict_output import VerdictReport
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    from clamp_analytics.analysis.drift import Drift

EXAMPLES = """
clamp-analytics drift build/telemetry
clamp-analytics drift build/telemetry --metric duration_p95_ms --by backend
clamp-analytics drift build/telemetry --format github --fail-on regression
clamp-analytics drift build/telemetry --format json | jq '.verdicts[0]'
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "drift", DriftCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class DriftCommand(HistoryOptions, OutputOptions):
    """Show what changed over the sessions, and when.

    For each context and metric: whether it regressed or improved, the first session after the change, the size of
    the change, and how likely it is noise. Each session gives one value per metric. Sessions without a usable
    timestamp are counted and left out.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.drift].
    """

    sources: options.Sources
    output_format: Annotated[VerdictFormat, format_option()] = VerdictFormat.TABLE
    fail_from: FailOn = FailOnVerdict.NEVER
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Judge the history and write the verdicts."""
        inputs = Inputs()
        with require_drift_extra():
            from clamp_analytics.analysis.drift import drift

            chosen = self.drift_options()
            values = self.read_values(self.sources, self.groups(), inputs)
            found = drift(values, options=chosen)
        from clamp_analytics.render.verdicts import DRIFT, count_verdicts, list_counts

        VerdictReport(
            found.verdicts,
            values.by,
            DRIFT,
            summary=_summary(found),
            counts={"sessions": found.sessions, "untimed": found.untimed, "tested": found.tested},
            failing=self.fail_from.verdicts(),
            series=found.series,
            tables={"changes": found.changes},
        ).write(self.output_format, self, inputs, limit=self.limit)
        counts = list_counts(count_verdicts(found.verdicts)) or "no series"
        sessions = plural(found.sessions, "session")
        tell(f"{counts}; {found.tested:,} tested; {sessions}, {found.untimed:,} untimed; files: {values.counts}")
        return ExitCode.CHECK_FAILED if any_fails(self.fail_from, found.verdicts) else ExitCode.FINE


def _summary(found: Drift) -> str:
    untimed = f" ({found.untimed:,} more have no usable timestamp)" if found.untimed else ""
    return f"{plural(found.sessions, 'session')}{untimed}, {found.tested:,} series tested."
