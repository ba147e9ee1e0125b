"""``clamp-analytics summarize``: the statistics of all sources, and the summary artifact."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import STDOUT, command, fail_on, in_color, progress, put, screen_width, tell

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.load import Reader
    from clamp_analytics.summary import Summary

ARTIFACT = "telemetry_summary.json"
"""Name of the artifact beside the folder that it summarizes."""

SNAPSHOT = "rocm_snapshot.json"
"""Name of the provenance snapshot beside the folder."""

REJECTED_SHOWN = 10
"""Rejected files that are named; `validate` names all."""

DECIMALS = 6
"""Decimals that a screen shows of a mean or a sample variance; the other formats give all digits."""


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
    """Mean stability, sample variance, drift index and violations of all sources.

    For a folder, the summary artifact is written beside it: build/telemetry gives build/telemetry_summary.json.
    """
    from clamp_analytics.load import Reader
    from clamp_analytics.summary import artifact
    from clamp_analytics.summary import summarize as summary_of
    from clamp_analytics.summary.fold import Fold

    fold = Fold(by.value if by else None, released_only)
    with progress() as report:
        reader = Reader(sources, columns=fold.columns, recursive=not no_recursive, jobs=jobs, progress=report)
        build_info = provenance(snapshot, reader)
        summary = summary_of(reader, fold)
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


def beside(folder: str, name: str) -> Path:
    """A file of this name in the folder that holds ``folder``."""
    return Path(folder).resolve().parent / name


def provenance(snapshot: Path | None, reader: Reader) -> str | None:
    """The JSON text for build_info: the snapshot that was named, else the sources' own, else none.

    Raises:
        UsageError: the snapshot cannot be used.
    """
    from clamp_analytics.summary import read_snapshot

    if snapshot is not None:
        return read_snapshot(snapshot)
    if reader.build_info is not None:
        return reader.build_info
    found = beside(reader.single_folder, SNAPSHOT) if reader.single_folder else None
    return read_snapshot(found) if found and found.is_file() else None


def _shown(summary: Summary, output_format: options.Format, limit: int) -> str:
    from clamp_analytics import render

    if output_format is options.Format.TABLE:
        groups = "" if summary.groups is None else "\n" + _table(_rounded(summary.groups), limit)
        return _overview(summary) + groups
    frame = summary.frame() if summary.groups is None else summary.groups
    if output_format is options.Format.MARKDOWN:
        frame = _rounded(frame)
    return render.frame.as_text(frame, output_format.value)


def _table(frame: pl.DataFrame, limit: int) -> str:
    from clamp_analytics import render

    return render.frame.table(frame, width=screen_width(), limit=limit or None, color=in_color())


def _rounded(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.with_columns(pl.col("mean_stability", "sample_variance").round(DECIMALS))


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
        "drift index": f"{total.drift_index_ms:,.3f} ms",
        "violations": ", ".join(violations),
        "files": str(summary.counts),
    }
    return "".join(f"{name:<17}{text}\n" for name, text in lines.items())


def _name_rejected(summary: Summary) -> None:
    for source, message in summary.rejected[:REJECTED_SHOWN]:
        tell(f"rejected: {source}: {message}")
    if len(summary.rejected) > REJECTED_SHOWN:
        tell(f"… and {len(summary.rejected) - REJECTED_SHOWN:,} more rejected; `validate` names them all")
