"""The command line: parse, call, write.

The only place that knows exit codes, and standard output from standard error. Commands import what they need
when they run, so that help and errors of usage come at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from clamp_analytics import __version__

COMMANDS = (
    "summarize",
    "validate",
    "score",
    "drift",
    "compare",
    "calibrate",
    "seeds",
    "report",
    "plot",
    "export",
    "sql",
    "ingest",
    "archive",
    "watch",
    "align",
    "merge",
    "trace",
    "schema",
)
"""The commands in the order of the help; each is the module of its name."""


EXIT_CODES = "Exit codes: 0 fine, 1 a check failed, 2 wrong usage, 3 nothing to read or not written, 130 interrupted."


def make_app(first: str = "") -> typer.Typer:
    """The command line.

    Args:
        first: the first argument, where it is known: a command needs no other one, and each takes time to set up.
    """
    app = typer.Typer(
        help="Read, judge and summarize Clamp telemetry.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    for name in [first] if first in COMMANDS else COMMANDS:
        import_module(f"{__name__}.{name}").register(app)
    return app


def _version(value: bool) -> None:  # the callback's shape is given
    if value:
        typer.echo(f"clamp-analytics {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and end.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Read, judge and summarize Clamp telemetry."""
