"""What every command does around its work: errors to exit codes, progress, data to its place."""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import typer

from clamp_analytics.cli.options import FailOn, container_settings, with_container_options
from clamp_analytics.errors import ClampError, OutputError, QueryError, SourceError, UsageError, WorkerError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import polars as pl

    from clamp_analytics.sources import ContainerLimits, Listing

Command = TypeVar("Command", bound=Callable[..., None])

FINE, CHECK_FAILED, USAGE, UNUSABLE, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES: dict[type[ClampError], int] = {
    UsageError: USAGE,
    QueryError: USAGE,
    SourceError: UNUSABLE,
    OutputError: UNUSABLE,
    WorkerError: UNUSABLE,
}
"""The exit code of each kind of error."""

STDOUT = "-"
"""The name of standard output as an option's value."""

SCREEN_DIGITS = 9
"""Significant digits that a table shows of a float."""

_READ: ContextVar[list[tuple[Sequence[str], Sequence[str]]]] = ContextVar("_READ")
"""What the command that runs has read so far: sources as they were named, and the files that they came to."""

PROGRESS_FROM_FILES = 2000
"""With fewer files than this, reading ends before a bar could be read."""


def command(function: Command) -> Command:
    """A command whose errors end it with a sentence and an exit code; one that reads has the options on containers."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> None:
        token = _READ.set([])
        try:
            if sys.stdout is None:
                raise OutputError("standard output is closed")
            function(*args, **kwargs)
            sys.stdout.flush()
        except ClampError as error:
            tell(f"error: {error}")
            raise typer.Exit(EXIT_CODES[type(error)]) from error
        except BrokenPipeError as error:
            # Whoever read the output has enough of it; Python must not complain when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(UNUSABLE) from error
        except KeyboardInterrupt as error:
            tell("interrupted")
            raise typer.Exit(INTERRUPTED) from error
        finally:
            _READ.reset(token)

    # Whatever searches folders may come upon containers.
    reads = "no_recursive" in inspect.signature(function).parameters
    return with_container_options(guarded) if reads else guarded  # type: ignore[return-value]


def tell(text: str) -> None:
    """Say something to the person in front of the terminal, on standard error."""
    from clamp_analytics.render.escape import for_terminal

    lines = (for_terminal(line) for line in text.split("\n"))
    sys.stderr.write("\n".join(lines) + "\n")


def put(data: str | bytes, to: str | None = None) -> None:
    """Write a result to standard output, or to a file, which is then named on standard error.

    Raises:
        OutputError: it could not be written.
        UsageError: it would take the place of what the command has read.
    """
    raw = data.encode() if isinstance(data, str) else data
    if to is None or to == STDOUT:
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(raw)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror}", where="standard output") from error
        return
    from clamp_analytics.atomic_files import publish

    check_output(to)
    publish(Path(to), [raw], overwrite=True)
    tell(f"wrote {to}")


def check_output(to: str) -> None:
    """Check that a result does not take the place of what the command has read so far.

    Raises:
        UsageError: it would.
    """
    from clamp_analytics.atomic_files import check_no_source

    for named, files in _READ.get():
        check_no_source(Path(to), named, files)


def fail_on(level: FailOn, severities: Mapping[str, int]) -> None:
    """End with the exit code of a failed check where violations are as bad as ``level``, or worse."""
    if level is FailOn.NEVER:
        return
    from clamp_analytics.rules import Severity

    ranks = [severity.value for severity in Severity]
    bad = sum(severities.get(name, 0) for name in ranks[: ranks.index(level.value) + 1])
    if bad:
        raise typer.Exit(CHECK_FAILED)


class Reading(TypedDict):
    """What every reading command hands to its reader."""

    sources: Listing
    jobs: int | None
    executor: Executor | None
    progress: Callable[[int, int], None] | None
    limits: ContainerLimits
    salvage: bool


@contextmanager
def reading(sources: Sequence[str], jobs: int | None, *, recursive: bool) -> Iterator[Reading]:
    """List the sources, start workers where there is much to read, and show how far it has come.

    Raises:
        SourceError: a source does not exist, matches nothing, or may not be listed.
    """
    from clamp_analytics.reading.executors import early_workers
    from clamp_analytics.sources import list_sources

    named = [source for source in sources if source != STDOUT]
    listing = list_sources(sources, recursive=recursive)
    _READ.get().append((named, listing.files))
    with early_workers(listing, jobs) as executor, progress_bar(len(listing.files)) as report:
        yield {
            "sources": listing,
            "jobs": jobs,
            "executor": executor,
            "progress": report,
            **container_settings(),
        }


@contextmanager
def progress_bar(files: int) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error while many files are read; None where nobody watches or it is over in a moment."""
    if files < PROGRESS_FROM_FILES or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("reading", total=files)
        yield lambda done, files: bar.update(task, completed=done, total=files)


def screen(frame: pl.DataFrame, limit: int = 0) -> str:
    """A frame as a table for a person: at most ``limit`` rows, folded to the terminal where there is one.

    Floats show nine significant digits, which hides the last bits of interpolated percentiles and nothing of what
    is measured. The other formats give every digit.
    """
    import polars as pl

    from clamp_analytics.render import table

    rounded = frame.with_columns(pl.selectors.float().round_sig_figs(SCREEN_DIGITS))
    return table(rounded, width=terminal_width(), limit=limit or None, color=_in_color())


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None where it is none, so that nothing is folded."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _in_color() -> bool:
    """Whether standard output is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
