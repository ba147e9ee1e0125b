"""What every command has in common: its options are fields, ``run`` does the work, and errors become exit codes.

A command is a dataclass. Typer makes an argument or an option of each field, and options that several commands share
are base classes. Typer calls the class with the values from the command line, and hands the object to ``execute``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption
from typer.models import OptionInfo

from clamp_analytics.cli.exit_codes import ExitCode, exit_code_of
from clamp_analytics.cli.messages import tell
from clamp_analytics.errors import ClampError, OutputError

OPTIONS_PANEL = "Options"
OUTPUT_PANEL = "Output"
JUDGING_PANEL = "Which changes count"
SOURCES_PANEL = "Reading sources"
CONTAINERS_PANEL = "Limits of zip, tar and compressed sources"
PANELS = ("Arguments", OPTIONS_PANEL, JUDGING_PANEL, OUTPUT_PANEL, SOURCES_PANEL, CONTAINERS_PANEL)
"""The sections of a help page, in their order."""


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """Base class of all commands."""

    @abstractmethod
    def run(self) -> ExitCode:
        """Do the work.

        Raises:
            ClampError: it cannot be done; ``execute`` prints the error.
        """


class HelpfulCommand(TyperCommand):
    """A command whose help page has a section per panel, and whose usage line has no braces."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the arguments and options, each in its section."""
        panels: dict[str, list[tuple[str, str]]] = {title: [] for title in PANELS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            title = PANELS[0] if param.param_type_name == "argument" else OPTIONS_PANEL
            if isinstance(param, TyperOption) and param.rich_help_panel:
                title = param.rich_help_panel
            panels[title].append(record)
        for title, records in panels.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The parts of the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


def add_command(app: typer.Typer, name: str, command: type[Command], examples: str) -> None:
    """Add a command to a group.

    Args:
        app: the group.
        name: the name of the command.
        command: the class; its docstring is the description on the help page.
        examples: lines that show how it is called.
    """
    # Click keeps the line ends of a paragraph that begins with \b.
    lines = "".join(f"  {line}\n" for line in examples.strip().splitlines())
    app.command(name, epilog=f"\b\nExamples:\n{lines}", cls=HelpfulCommand)(command)


def execute(command: Command, **_: object) -> None:
    """Run a command; the result callback of the whole command line.

    Raises:
        typer.Exit: always, with the exit code.
    """
    try:
        if sys.stdout is None:
            raise OutputError("standard output is closed")
        with _interruptible():
            code = command.run()
            sys.stdout.flush()
    except ClampError as error:
        tell(f"error: {_name_flags(str(error), flags(type(command)))}")
        code = exit_code_of(error)
    except BrokenPipeError:
        # The reader of the output, such as `head`, has ended. Without this, Python complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.UNUSABLE
    except KeyboardInterrupt:
        tell("interrupted")
        code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, unless it is ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield
        return
    with signal_as_exception(signal.SIGINT, KeyboardInterrupt):
        yield


@contextmanager
def signal_as_exception(number: int, exception: Callable[[], BaseException]) -> Iterator[None]:
    """Let a signal raise an exception, so that files, workers and locks are cleaned up.

    DuckDB turns the exception into one of its own where the signal comes during one of its calls.
    """
    is_received = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_received
        is_received = True
        raise exception()

    before = signal.signal(number, handle)
    try:
        yield
    except Exception as error:
        if is_received:
            raise exception() from error
        raise
    finally:
        signal.signal(number, before)


def flags(command: type[Command]) -> dict[str, str]:
    """The flag of each option of a command, by the name of its field: ``{"dry_run": "--dry-run"}``."""
    found = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        for info in getattr(hint, "__metadata__", ()):
            if isinstance(info, OptionInfo):
                declared = [info.default, *(info.param_decls or ())]
                long = [flag for flag in declared if isinstance(flag, str) and flag.startswith("--")]
                found[name] = long[0] if long else f"--{name.replace('_', '-')}"
    return found


def _name_flags(message: str, known: Mapping[str, str]) -> str:
    """A message of the library with its parameters, such as ``dry_run=True``, written as flags of the command."""

    def flag(match: re.Match[str]) -> str:
        name, value = match.groups()
        if name not in known:
            return match[0]
        return known[name] if value == "True" else f"{known[name]} {value}"

    return re.sub(r"\b([a-z_]+)=([^\s,;)]+)", flag, message)
