"""``clamp-analytics summarize``: the statistics of all sources, and the summary artifact."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.provenance import ARTIFACT, beside, provenance
from clamp_analytics.cli.run import STDOUT, command, fail_on, put, reading, screen, tell

if TYPE_CHECKING:
    from clamp_analytics.analysis.summary import Summary

REJECTED_SHOWN = 10
"""Rejected files that are named; `validate` names all."""

DECIMALS = 6
"""Decimals of the mean and the sample variance of all records; the other formats give every digit."""


class Grouping(StrEnum):
    """What records can be grouped by."""

    CONTEXT = "context"
    THREAD_ID = "thread_id"
    BACKEND = "backend"
    DEVICE_NAME = "device_name"
    SOURCE = "source"
    DAY = "day"


EXAMPLES = """\b
Examples:
  clamp-analytics summarize build/telemetry
  clamp-analytics summarize build/telemetry --by context --format markdown
  clamp-analytics summarize 'runs/*/telemetry' -o summary.json --fail-on error
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("summarize", epilog=EXAMPLES)(summarize)


@command
def summarize(
    sources: options.Sources,
    by: Annotated[
        Grouping | None, typer.Option("--by", help="Give the statistics, and duration percentiles, of each group.")
    ] = None,
    output_format: Annotated[
        options.Format, typer.Option("--format", "-f", help="How the figures are shown.")
    ] = options.Format.TABLE,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Where the artifact goes; - prints it alone. [default: telemetry_summary.json beside a folder]",
        ),
    ] = None,
    snapshot: options.Snapshot = None,
    released_only: options.ReleasedOnly = False,
    fail_from: Annotated[
        options.FailOn, typer.Option("--fail-on", help="End with exit code 1 where there are violations this bad.")
    ] = options.FailOn.NEVER,
    limit: options.Limit = 50,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Show statistics and write the artifact.

    Mean stability, sample variance, drift index and violations of all sources. For a folder, the summary artifact
    is written beside it: build/telemetry gives build/telemetry_summary.json.
    """
    with reading(sources, jobs, recursive=not no_recursive) as given:
        from clamp_analytics.analysis.summary import SummaryFold, artifact
        from clamp_analytics.analysis.summary import summarize as summary_of
        from clamp_analytics.reading import Reader

        fold = SummaryFold(by.value if by else None, released_only)
        reader = Reader(**given, columns=fold.columns)
        build_info = provenance(snapshot, reader)
        summary = summary_of(reader, by=fold.by, released_only=fold.released_only)
    text = artifact(summary.total, summary.directory, build_info)
    if output == STDOUT:
        put(text)
    else:
        put(_shown(summary, output_format, limit))
    _name_rejected(summary)
    place = output or (str(beside(reader.single_folder, ARTIFACT)) if reader.single_folder else None)
    if place and place != STDOUT:
        put(text, place)
    fail_on(fail_from, summary.severities)


def _shown(summary: Summary, output_format: options.Format, limit: int) -> str | bytes:
    from clamp_analytics import render

    if output_format is options.Format.TABLE:
        return _overview(summary) + ("" if summary.groups is None else "\n" + screen(summary.groups, limit))
    frame = summary.frame() if summary.groups is None else summary.groups
    return render.FORMATS[render.Format(output_format.value)](frame)


def _plural(severity: str, count: int) -> str:
    return severity if severity == "info" or count == 1 else f"{severity}s"


def _overview(summary: Summary) -> str:
    total = summary.total

    def fixed(number: float | None) -> str:
        return "-" if number is None else f"{number:.{DECIMALS}f}"

    violations = [
        f"{count:,} {name}{'s' * (name != 'info' and count != 1)}" for name, count in summary.severities.items()
    ]
    lines = {
        "sessions": f"{summary.counts.loaded:,}",
        "records": f"{total.records:,}",
        "in flight": f"{total.in_flight:,}",
        "mean stability": fixed(total.scores.mean),
        "sample variance": fixed(total.scores.sample_variance),
        "drift index": f"{total.drift_index_ms:,.3f} ms{_in_words(total.drift_index_ms)}",
        "violations": ", ".join(violations),
        "files": str(summary.counts),
    }
    return "".join(f"{name:<17}{text}\n" for name, text in lines.items())


def _in_words(milliseconds: float) -> str:
    """A long span once more in days, hours and minutes."""
    minutes = int(milliseconds // 60_000)
    if not minutes:
        return ""
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " (" + " ".join(f"{count} {unit}" for count, unit in parts if count) + ")"


def _name_rejected(summary: Summary) -> None:
    for source, message in summary.rejected[:REJECTED_SHOWN]:
        tell(f"rejected: {source}: {message}")
    if len(summary.rejected) > REJECTED_SHOWN:
        tell(f"… and {len(summary.rejected) - REJECTED_SHOWN:,} more rejected; `validate` names them all")
