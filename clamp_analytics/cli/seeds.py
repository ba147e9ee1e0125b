"""``clamp-analytics seeds``: whether the same seed and context gave the same in every session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clamp_analytics.cli import options
from clamp_analytics.cli.run import command, put, reading, screen, tell
from clamp_analytics.cli.settings import layered, with_defaults

if TYPE_CHECKING:
    from clamp_analytics.analysis.reproducibility import Reproducibility

EXAMPLES = """\b
Examples:
  clamp-analytics seeds build/telemetry
  clamp-analytics seeds build/telemetry --details --format csv -o seeds.csv
  clamp-analytics seeds build/telemetry --score-tolerance 0.001 --format json | jq .seeds
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("seeds", epilog=EXAMPLES, cls=with_defaults("seeds"))(seeds)


@command
def seeds(
    sources: options.Sources,
    details: Annotated[
        bool, typer.Option("--details", help="Show a row for each repeated seed and context, not for each context.")
    ] = False,
    score_tolerance: Annotated[
        float | None,
        typer.Option("--score-tolerance", metavar="SIZE", help="Difference of scores that are still the same."),
    ] = None,
    output_format: Annotated[
        options.Format, typer.Option("--format", "-f", help="How the figures are shown; JSON has both tables.")
    ] = options.Format.TABLE,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="PATH", help="Where they go. [default: standard output]")
    ] = None,
    limit: options.Limit = 50,
    no_recursive: options.NoRecursive = False,
    jobs: options.Jobs = None,
) -> None:
    """Show whether the same seed gave the same again.

    Of every seed that several sessions hold in one context: did it come to the same score, and at the same place in
    the order of acquisition? Those that differ come first, with the first session in which they do.

    Options that are not given come from [tool.clamp-analytics.seeds] in pyproject.toml.
    """
    from clamp_analytics.analysis.reproducibility import COLUMNS, SeedOptions, reproducibility

    chosen = layered("seeds", SeedOptions, {"score_tolerance": score_tolerance})
    with reading(sources, jobs, recursive=not no_recursive) as given:
        from clamp_analytics.reading import Reader

        reader = Reader(**given, columns=COLUMNS)
        found = reproducibility(reader, options=chosen)
    put(_rendered(found, output_format, limit, details=details), output)
    tell(f"{_closing(found)}; files: {reader.counts}")


def _rendered(found: Reproducibility, output_format: options.Format, limit: int, *, details: bool) -> str | bytes:
    from clamp_analytics import render

    if output_format is options.Format.JSON:
        contexts, each = render.as_json(found.contexts).rstrip(), render.as_json(found.seeds).rstrip()
        figures = f'"sessions": {found.sessions},\n"copies": {found.copies},\n'
        figures += f'"zero_seeds": {found.zero_seeds},\n"unusable_seeds": {found.unusable_seeds},\n'
        return f'{{{figures}"contexts": {contexts},\n"seeds": {each}}}\n'
    frame = found.seeds if details else found.contexts
    if output_format is options.Format.TABLE:
        return screen(frame, limit)
    return render.FORMATS[render.Format(output_format.value)](frame)


def _closing(found: Reproducibility) -> str:
    repeated = found.seeds.height
    text = f"{_count(repeated, 'seed')} came again in {_count(found.sessions, 'session')}"
    differing = int(found.seeds["differing_source"].is_not_null().sum())
    text += f", {differing:,} of them with another score or order" if repeated else ""
    left_out = [
        _count(number, what)
        for number, what in (
            (found.copies, "repeated session"),
            (found.zero_seeds, "zero seed"),
            (found.unusable_seeds, "unusable seed"),
        )
        if number
    ]
    return f"{text}; left out: {', '.join(left_out)}" if left_out else text


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
