"""The exit codes of the command line, and the exit code of each kind of error."""

from __future__ import annotations

from enum import IntEnum

from clamp_analytics.errors import ClampError, OutputError, QueryError, SourceError, UsageError, WorkerError


class ExitCode(IntEnum):
    """How a command ended."""

    FINE = 0
    CHECK_FAILED = 1
    """Violations, a regression or a problem: what the command was asked to fail on."""
    USAGE = 2
    """A wrong option, setting or query."""
    UNUSABLE = 3
    """There was nothing usable to read, or the output could not be written."""
    INTERRUPTED = 130
    """Ctrl-C: 128 plus the number of the signal, as shells have it."""


_BY_KIND: tuple[tuple[type[ClampError], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (QueryError, ExitCode.USAGE),
    (SourceError, ExitCode.UNUSABLE),
    (OutputError, ExitCode.UNUSABLE),
    (WorkerError, ExitCode.UNUSABLE),
)


def exit_code_of(error: ClampError) -> ExitCode:
    """The exit code of an error; a subclass has the one of its nearest class in the table."""
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), ExitCode.UNUSABLE)
