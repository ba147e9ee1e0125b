"""The command line: parse, call, write.

The only place that knows exit codes, and standard output from standard error. Commands import what they need
when they run, so that help and errors of usage come at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from clamp_analytics import __version__
from clamp_analytics.cli import align, export, merge, schema, score, sql, summarize, trace, validate

app = typer.Typer(
    help="Read, judge and summarize Clamp telemetry.",
    epilog="Exit codes: 0 fine, 1 a check failed, 2 wrong usage, 3 nothing to read or not written, 130 interrupted.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(value: bool) -> None:  # the callback's shape is given
    if value:
        typer.echo(f"clamp-analytics {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and end.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Read, judge and summarize Clamp telemetry."""


for module in (summarize, validate, score, export, sql, align, merge, trace, schema):
    module.register(app)
