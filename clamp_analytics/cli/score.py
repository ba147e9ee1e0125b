"""``clamp-analytics score``: TemporalScoring, by session and over all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import command, put, reading, screen, tell

if TYPE_CHECKING:
    from clamp_analytics.analysis.scoring import Scores

EXAMPLES = """\b
Examples:
  clamp-analytics score build/telemetry
  clamp-analytics score build/telemetry --format json | jq .aggregated
"""

ALL_SESSIONS = "aggregated"
"""Stands for the name of a session in the row of all of them."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score", epilog=EXAMPLES)(score)


@command
def score(
    sources: options.Sources,
    output_format: Annotated[
        options.Format, typer.Option("--format", "-f", help="How the scores are shown.")
    ] = options.Format.TABLE,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="Where they go. [default: standard output]")
    ] = None,
    limit: options.Limit = 50,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Show the TemporalScoring of sessions.

    The same figures as the producer's: of each session, and aggregated over all.

    A score of 1 says that seeds and durations hardly vary and that acquisitions lie close together.
    """
    with reading(sources, jobs, recursive=not no_recursive) as given:
        from clamp_analytics.analysis import scoring
        from clamp_analytics.reading import Reader

        reader = Reader(**given, columns=scoring.COLUMNS)
        scores = scoring.score(reader)
    put(_rendered(scores, output_format, limit), output)
    tell(f"files: {reader.counts}")


def _rendered(scores: Scores, output_format: options.Format, limit: int) -> str | bytes:
    import polars as pl

    from clamp_analytics import render

    total = pl.DataFrame([{"source": ALL_SESSIONS, **scores.aggregated}], schema=scores.sessions.schema)
    if output_format is options.Format.TABLE:
        return screen(scores.sessions, limit) + "\n" + screen(total)
    if output_format is options.Format.JSON:
        sessions = render.as_json(scores.sessions).rstrip("\n")
        aggregated = render.as_jsonl(total.drop("source")).rstrip("\n")
        return f'{{"sessions": {sessions},\n"aggregated": {aggregated}}}\n'
    return render.FORMATS[render.Format(output_format.value)](pl.concat([scores.sessions, total]))
