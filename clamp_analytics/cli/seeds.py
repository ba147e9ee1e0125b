"""``clamp-analytics seeds``: whether the same seed and context had the same outcome in every session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.analysis.needed_columns import SEEDS
from clamp_analytics.analysis.options import SeedOptions
from clamp_analytics.cli import options
from clamp_analytics.cli.command import add_command
from clamp_analytics.cli.exit_codes import ExitCode
from clamp_analytics.cli.messages import tell
from clamp_analytics.cli.options import AnalysisSourceOptions, Format, OutputOptions, format_option
from clamp_analytics.cli.output import document, kind_of_document, kind_of_rows, write_result
from clamp_analytics.cli.output_format import choose_format
from clamp_analytics.cli.reading import Inputs, open_sources
from clamp_analytics.cli.settings import layer_options
from clamp_analytics.cli.terminal import as_table
from clamp_analytics.wording import plural

if TYPE_CHECKING:
    import polars as pl

    from clamp_analytics.analysis.reproducibility import Reproducibility
    from clamp_analytics.outputs import OutputKind

KIND = "a file of seeds"

SHARE_DECIMALS = 3

LESS_IMPORTANT = {"not_repeated": 0, "seeds": 0, "scores": 0, "score_min": 0, "score_max": 0, "first_source": 0}
"""Columns that are left out on a narrow terminal, the first one first."""

EXAMPLES = """
clamp-analytics seeds build/telemetry
clamp-analytics seeds build/telemetry --details --format csv -o seeds.csv
clamp-analytics seeds build/telemetry --format json | jq .seeds
clamp-analytics seeds build/telemetry --fail-on differs
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    add_command(app, "seeds", SeedsCommand, EXAMPLES)


class FailOnSeeds(StrEnum):
    """When the command fails."""

    DIFFERS = "differs"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class SeedsCommand(AnalysisSourceOptions, OutputOptions):
    """Show whether the same seed gave the same outcome again.

    For every seed that occurs in several sessions in one context: was the score the same, and the position in the
    order of acquisition? Seeds that differ come first, with the first session in which they do.

    Defaults of these options can be set in pyproject.toml, in the table [tool.clamp-analytics.seeds].
    """

    sources: options.Sources
    details: Annotated[
        bool, typer.Option("--details", help="One row per repeated seed and context, instead of one per context.")
    ] = False
    score_tolerance: Annotated[
        float | None,
        typer.Option(
            "--score-tolerance",
            metavar="SIZE",
            help=f"Scores that differ by no more than this are the same. [default: {SeedOptions().score_tolerance}]",
        ),
    ] = None
    fail_from: Annotated[
        FailOnSeeds, typer.Option("--fail-on", help="End with exit code 1 if a seed differs in score or order.")
    ] = FailOnSeeds.NEVER
    output_format: Annotated[
        Format | None,
        format_option("Format of the output; json has both tables. [default: by the name in --output, else table]"),
    ] = None
    limit: options.Limit = 50

    def run(self) -> ExitCode:
        """Compare the cycles of each seed and write the figures."""
        output_format = choose_format(Format, self.output_format, self.output)
        chosen = layer_options("seeds", SeedOptions, {"score_tolerance": self.score_tolerance})
        inputs = Inputs()
        with open_sources(self.sources, self, inputs, columns=SEEDS) as arguments:
            from clamp_analytics.analysis.reproducibility import reproducibility
            from clamp_analytics.reading import Reader

            reader = Reader(**arguments, columns=SEEDS)
            found = reproducibility(reader, options=chosen)
        data, kind = self._render(found, output_format)
        write_result(data, self.output, kind, force=self.force, inputs=inputs)
        tell(f"{_summary(found)}; files: {reader.counts}")
        return ExitCode.CHECK_FAILED if found.differing and self.fail_from is FailOnSeeds.DIFFERS else ExitCode.FINE

    def _render(self, found: Reproducibility, output_format: Format) -> tuple[str | bytes, OutputKind]:
        from clamp_analytics import render
        from clamp_analytics.render.natural_order import in_natural_order

        if output_format is Format.JSON:
            counts = {
                "sessions": found.sessions,
                "comparable": found.comparable,
                "differing": found.differing,
                "copies": found.copies,
                "zero_seeds": found.zero_seeds,
                "unusable_seeds": found.unusable_seeds,
            }
            tables = {"contexts": found.contexts, "seeds": found.seeds}
            return document(counts, tables), kind_of_document(KIND, [*counts, *tables])
        rows = found.seeds if self.details else found.contexts
        if not self.details and output_format in (Format.TABLE, Format.MARKDOWN):
            rows = in_natural_order(rows, ["context"])
        is_table = output_format is Format.TABLE
        format_ = render.Format(output_format.value)
        data = _table(rows, self.limit) if is_table else render.FORMATS[format_](rows)
        return data, kind_of_rows(KIND, rows, output_format.value, data)


def _table(rows: pl.DataFrame, limit: int) -> str:
    counts = [name for name, kind in rows.schema.items() if kind.is_integer() and name != "seed"]
    shares = [name for name in rows.columns if name.endswith("_share")]
    decimals = dict.fromkeys(counts, 0) | dict.fromkeys(shares, SHARE_DECIMALS)
    return as_table(rows, limit, optional=LESS_IMPORTANT, kept=("seed", "context"), decimals=decimals)


def _summary(found: Reproducibility) -> str:
    repeated = found.seeds.height
    text = f"{plural(repeated, 'seed')} repeated in {plural(found.sessions, 'session')}"
    text += f"; {found.outcome}" if repeated else ""
    left_out = [
        plural(number, what)
        for number, what in (
            (found.copies, "repeated session"),
            (found.zero_seeds, "zero seed"),
            (found.unusable_seeds, "unusable seed"),
        )
        if number
    ]
    return f"{text}; left out: {', '.join(left_out)}" if left_out else text
