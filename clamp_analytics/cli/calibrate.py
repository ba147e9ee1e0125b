"""``clamp-analytics calibrate``: how far the verdicts of ``drift`` can be trusted on a given history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.analysis_options import DEFAULTS, HistoryOptions, require_drift_extra
from clamp_analytics.cli.command import JUDGING_PANEL, add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import Format, OutputOptions, format_option
from clamp_analytics.cli.output import document, kind_of_document, kind_of_rows, write_result
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.progress import step
from clamp_analytics.cli.reading import Inputs
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.wording import percent, plural

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.drift import Calibration
    from clamp_analytics.outputs import OutputKind

FIGURES = ("replays", "false_alarms", "false_changes", "gates", "alarms", "unfounded", "untested")
"""The figures of the history as a whole."""

LESS_IMPORTANT = {"unfounded": 0, "alarms": 0, "sessions": 0}
"""Columns that are left out on a narrow terminal, the first one first."""

KIND = "a file of calibration figures"

EXAMPLES = """
clamp-analytics calibrate build/telemetry
clamp-analytics calibrate build/telemetry --metric duration_p95_ms
clamp-analytics calibrate build/telemetry --alpha 0.01 --format json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "calibrate", CalibrateCommand, EXAMPLES)


@dataclass(frozen=True, kw_only=True)
class CalibrateCommand(HistoryOptions, OutputOptions):
    """Show how far drift can be trusted on this history.

    Simulates histories with the noise of yours but without a change: how often does drift report a regression that
    is not there? Shows the smallest shift that drift finds in about 80 of 100 histories. Finally judges the history
    again and again while it grows, as CI would have done.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.drift].
    """

    sources: options.Sources
    replays: Annotated[
        int | None,
        typer.Option(
            "--replays",
            metavar="N",
            help=f"Histories that are simulated. [default: {DEFAULTS.replays}]",
            rich_help_panel=JUDGING_PANEL,
        ),
    ] = None
    output_format: Annotated[Format | None, format_option()] = None
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Replay the history and write the figures."""
        output_format = choose_format(Format, self.output_format, self.output)
        inputs = Inputs()
        with require_drift_extra():
            from clamp_analytics.analysis.drift import calibrate

            chosen = self.drift_options(replays=self.replays)
            values = self.read_values(self.sources, self.groups(), inputs, strata=chosen.strata)
            with step("replaying the history") as progress:
                found = calibrate(values, options=chosen, progress=progress)
        by = found.figures.columns[: found.figures.columns.index("metric")]
        text, kind = _render(found, by, output_format, self.limit)
        write_result(text, self.output, kind, force=self.force, inputs=inputs)
        for sentence in _sentences(found):
            tell(sentence)
        return ExitCode.FINE


def _render(found: Calibration, by: Sequence[str], output_format: Format, limit: int) -> tuple[str, OutputKind]:
    from clamp_analytics import render
    from clamp_analytics.render.natural_order import in_natural_order

    if output_format is Format.JSON:
        figures = {name: getattr(found, name) for name in FIGURES}
        return document(figures, {"series": found.figures}), kind_of_document(KIND, [*FIGURES, "series"])
    if output_format is Format.CSV:
        frame = found.figures
        text = render.as_csv(frame)
    else:
        frame = _text_frame(in_natural_order(found.figures, by), by)
        is_markdown = output_format is Format.MARKDOWN
        text = render.as_markdown(frame) if is_markdown else as_table(frame, limit, optional=LESS_IMPORTANT, kept=by)
    return text, kind_of_rows(KIND, frame, output_format.value, text)


def _text_frame(figures: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The most important figures as text for a person."""
    import polars as pl

    from clamp_analytics.analysis.metrics import METRICS
    from clamp_analytics.figures import figure

    def amount(metric: str, value: float | None) -> str | None:
        if value is None:
            return None
        return percent(value) if METRICS[metric].is_relative else figure(value)

    rows = [
        {
            **{column: row[column] for column in by},
            "metric": row["metric"],
            "sessions": row["sessions"],
            "false_alarms": None if row["false_alarms"] is None else percent(row["false_alarms"]),
            "alarms": f"{row['alarms']} of {row['gates']}",
            "unfounded": row["unfounded"],
            "detectable": amount(row["metric"], row["detectable"]),
        }
        for row in figures.iter_rows(named=True)
    ]
    names = (*by, "metric", "sessions", "false_alarms", "alarms", "unfounded", "detectable")
    kinds = dict.fromkeys(names, pl.String()) | {"sessions": pl.Int64(), "unfounded": pl.Int64()}
    return pl.DataFrame(rows, schema=kinds)


def _sentences(found: Calibration) -> list[str]:
    sentences = []
    if found.untested < found.figures.height:
        sentences = [
            f"{percent(found.false_alarms)} of {found.replays:,} histories without a change had a false regression, "
            f"{percent(found.false_changes)} any false verdict",
            f"while the history grew, it was judged {plural(found.gates, 'time')}: "
            f"{found.alarms:,} found a regression, {found.unfounded:,} where the whole history shows none",
        ]
    if found.untested:
        sentences.append(f"{found.untested:,} of {found.figures.height:,} series have too few sessions to be tested")
    return sentences
