"""The command line: parse, call, write.

Only this package knows exit codes, and the difference between standard output and standard error. Commands import
what they need when they run, so that help pages and errors of usage appear at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from clamp_analytics import __version__
from clamp_analytics.cli.command import execute
from clamp_analytics.decode.kernel import describe_decoder

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
"""The commands in the order of the help; each has a module of its name."""


EPILOG = (
    "Exit codes: 0 fine, 1 a check failed, 2 wrong usage, 3 nothing usable to read or output not written, "
    "130 interrupted."
)


def make_app(first: str = "") -> typer.Typer:
    """Build the command line.

    Args:
        first: the first argument, if it is known: if it is a command, only this one is set up, to save time.
    """
    app = typer.Typer(
        help="Read, judge and summarize Clamp telemetry.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        result_callback=execute,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    for name in [first] if first in COMMANDS else COMMANDS:
        import_module(f"{__name__}.{name}").register(app)
    return app


def _show_version(context: typer.Context, value: bool) -> None:
    if value:
        typer.echo(f"clamp-analytics {__version__}")
        if context.params["verbose"]:
            typer.echo(f"decoder: {describe_decoder()}")
        raise typer.Exit


def _root(
    # Eager, so that its value is known when the version is shown.
    verbose: Annotated[
        bool, typer.Option("--verbose", help="With --version: show which decoder is used, too.", is_eager=True)
    ] = False,
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version.", callback=_show_version)] = False,
) -> None:
    """Read, judge and summarize Clamp telemetry."""
