"""``clamp-analytics plot``: metrics over the sessions as a picture."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import HistoryOptions, require_drift_extra
from clamp_analytics.cli.command import OUTPUT_PANEL, add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import output_option
from clamp_analytics.cli.output import check_output, kind_of_text, write_result
from clamp_analytics.cli.reading import Inputs
from clamp_analytics.errors import SourceError, UsageError

KINDS = ("png", "svg")
"""The formats of pictures, which are the endings of their names."""

PNG_HEADER_BYTES = 33
"""The signature of a PNG and its first chunk, after which the others follow in any order."""

MARKS = {"png": "Software\0clamp-analytics", "svg": "<!-- clamp-analytics -->"}
"""What is added to a picture of each kind, so that a later run recognizes it."""

EXAMPLES = """
clamp-analytics plot build/telemetry -o drift.png
clamp-analytics plot build/telemetry --metric duration_p95_ms -o p95.svg
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "plot", PlotCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class PlotCommand(HistoryOptions):
    """Draw metrics over the sessions, with change points.

    Series that changed come first. Without --metric, the picture has the stability, the 95th percentile of the
    durations, and every other metric that changed.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.drift].
    """

    sources: options.Sources
    output: Annotated[str, output_option("The picture to write; its name ends in .png or .svg.", "FILE")]
    force: options.Force = False
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=1, metavar="N", help="Most series that are drawn per metric.", rich_help_panel=OUTPUT_PANEL
        ),
    ] = 12

    def run(self) -> ExitCode:
        """Judge the history and write the picture."""
        picture_kind = Path(self.output).suffix.lower().removeprefix(".")
        if picture_kind not in KINDS:
            hint = "for example -o drift.png"
            raise UsageError("the name of a picture must end in .png or .svg", where=self.output, hint=hint)
        inputs = Inputs()
        kind = kind_of_text("a picture", MARKS[picture_kind])
        with require_drift_extra():
            from clamp_analytics import plots
            from clamp_analytics.analysis.drift import drift

            plots.require_charts()
            chosen = self.drift_options()
            values = self.read_values(self.sources, self.groups(), inputs)
            check_output(self.output, kind, force=self.force, inputs=inputs)
            found = drift(values, options=chosen)
        shelves = plots.shelves(found, values.by, self.metrics(), at_most=self.limit)
        if not shelves:
            raise SourceError(
                f"no session has a value to draw among {values.counts}",
                hint="name other metrics with --metric; an anchor without a release has no duration",
            )
        picture = plots.picture(plots.overview(shelves), picture_kind)
        write_result(_add_mark(picture, picture_kind), self.output, kind, force=self.force, inputs=inputs)
        drawn, left_out = (
            sum(counts) for counts in zip(*((len(one.panels), one.left_out) for one in shelves), strict=True)
        )
        tell(f"{drawn:,} series drawn, {left_out:,} left out; files: {values.counts}")
        return ExitCode.FINE


def _add_mark(picture: bytes, kind: str) -> bytes:
    """Add the name of this tool to a picture: a text chunk of a PNG, a comment in an SVG."""
    mark = MARKS[kind].encode()
    if kind == "svg":
        return picture.replace(b">", b">" + mark, 1)
    chunk = b"tEXt" + mark
    framed = struct.pack(">I", len(mark)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return picture[:PNG_HEADER_BYTES] + framed + picture[PNG_HEADER_BYTES:]
