"""``clamp-analytics plot``: draw series over time as a picture."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import HistoryOptions
from clamp_analytics.cli.command import OUTPUT_PANEL, add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import output_option
from clamp_analytics.cli.output import check_output, kind_of_text, write_result
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.reading import Inputs
from clamp_analytics.errors import UsageError
from clamp_analytics.extras import require_extras

FORMATS = ("png", "svg", "pdf")
"""The picture formats, which are also the file name endings."""

PNG_HEADER_BYTES = 33
"""The signature of a PNG and its first chunk, after which the others follow in any order."""

MARKS = {"png": "Software\0clamp-analytics", "svg": "<!-- clamp-analytics -->", "pdf": "%clamp-analytics"}
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

    Series that changed come first. Without --metric these are stability, the 95th percentile of durations, and
    all series that changed. The picture has at most 1,600 x 1,200 points, unless --limit is given.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.drift].
    """

    sources: options.Sources
    output: Annotated[str, output_option("The picture to write: a .png, .svg or .pdf file.", "FILE")]
    force: options.Force = False
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            metavar="N",
            help="Draw up to N series per metric, in a picture of any size.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None

    def run(self) -> ExitCode:
        """Judge the history and write the picture."""
        picture_format = Path(self.output).suffix.lower().removeprefix(".")
        if picture_format not in FORMATS:
            hint = "for example -o drift.png"
            raise UsageError("the name of a picture must end in .png, .svg or .pdf", where=self.output, hint=hint)
        require_extras("charts", "drift")
        from clamp_analytics import plots

        inputs = Inputs()
        kind = kind_of_text("a picture", MARKS[picture_format])
        chosen = self.drift_options()
        values = self.read_values(self.sources, self.groups(), inputs, strata=chosen.strata)
        check_output(self.output, kind, force=self.force, inputs=inputs)
        # The library that draws the picture does not say how far it is.
        with step("judging the series", then="drawing the picture") as progress:
            picture = plots.plot(values, metrics=self.metrics(), options=chosen, limit=self.limit, progress=progress)
            image = _add_mark(plots.render_image(picture.chart, picture_format), picture_format)
        write_result(image, self.output, kind, force=self.force, inputs=inputs)
        tell(f"{picture.drawn:,} series drawn, {picture.left_out:,} left out; files: {values.counts}")
        return ExitCode.FINE


def _add_mark(picture: bytes, picture_format: str) -> bytes:
    """Add the name of this tool to a picture: a text chunk of a PNG, a comment in an SVG or at the end of a PDF."""
    mark = MARKS[picture_format].encode()
    if picture_format == "svg":
        return picture.replace(b">", b">" + mark, 1)
    if picture_format == "pdf":
        return picture.rstrip() + b"\n" + mark + b"\n"
    chunk = b"tEXt" + mark
    framed = struct.pack(">I", len(mark)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return picture[:PNG_HEADER_BYTES] + framed + picture[PNG_HEADER_BYTES:]
