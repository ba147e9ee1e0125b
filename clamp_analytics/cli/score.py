"""``clamp-analytics score``: TemporalScoring, by session and over all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.analysis.needed_columns import SCORES
from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import AnalysisSourceOptions, Format, OutputOptions, format_option
from clamp_analytics.cli.output import kind_of_document, kind_of_rows, write_result
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    from clamp_analytics.analysis.scoring import Scores
    from clamp_analytics.outputs import OutputKind

KIND = "a file of scores"

ALL_SESSIONS = "aggregated"
"""The value of ``source`` in the row of all sessions."""

OPTIONAL = {"samples": 0, "duration_variance": 0, "entropy_variance": 0}
"""Columns that a table on a narrow terminal leaves out, the first one first."""

SCORE_DECIMALS = {"stability_score": 6, "entropy_variance": 6, "duration_variance": 6, "drift_ms": 3}
"""Decimals in tables; the other formats have every digit."""

EXAMPLES = """
clamp-analytics score build/telemetry
clamp-analytics score build/telemetry --format json | jq .aggregated
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "score", ScoreCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class ScoreCommand(AnalysisSourceOptions, OutputOptions):
    """Show the TemporalScoring of sessions.

    The same figures as the producer computes: of each session, and aggregated over all. A score of 1 means that
    seeds and durations hardly vary and that acquisitions are close together in time.
    """

    sources: options.Sources
    output_format: Annotated[Format | None, format_option()] = None
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Score the sessions and write the scores."""
        output_format = choose_format(Format, self.output_format, self.output)
        inputs = Inputs()
        with open_sources(self.sources, self, inputs, columns=SCORES) as arguments:
            from clamp_analytics.analysis import scoring
            from clamp_analytics.reading import Reader

            reader = Reader(**arguments, columns=SCORES)
            scores = scoring.score(reader)
        data, kind = _render(scores, output_format, self.limit)
        write_result(data, self.output, kind, force=self.force, inputs=inputs)
        tell(f"files: {reader.counts}")
        return ExitCode.FINE


def _render(scores: Scores, output_format: Format, limit: int) -> tuple[str | bytes, OutputKind]:
    import polars as pl

    from clamp_analytics import render

    total = pl.DataFrame([{"source": ALL_SESSIONS, **scores.aggregated}], schema=scores.sessions.schema)
    if output_format is Format.JSON:
        sessions = render.as_json(scores.sessions).rstrip("\n")
        aggregated = render.as_jsonl(total.drop("source")).rstrip("\n")
        text = f'{{"sessions": {sessions},\n"aggregated": {aggregated}}}\n'
        return text, kind_of_document(KIND, ["sessions", "aggregated"])
    rows = pl.concat([scores.sessions, total])
    if output_format is Format.TABLE:
        shown = scores.sessions.head(limit) if limit else scores.sessions
        table = as_table(pl.concat([shown, total]), optional=OPTIONAL, decimals=SCORE_DECIMALS)
        left_out = plural(scores.sessions.height - shown.height, "more session")
        more = "" if shown.height == scores.sessions.height else f"… and {left_out}, which {ALL_SESSIONS} includes\n"
        data: str | bytes = table + more
    else:
        data = render.FORMATS[render.Format(output_format.value)](rows)
    return data, kind_of_rows(KIND, rows, output_format.value, data)
