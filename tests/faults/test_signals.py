"""Signals at random moments of every command: the exit code, no traceback, no process, and only whole files."""

import functools
import random
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from clamp_analytics.cli.exit_codes import ExitCode
from tests.faults.commands import CALLS, command_arguments
from tests.faults.conftest import ROUNDS
from tests.faults.outputs import assert_entry_whole, assert_whole
from tests.faults.processes import run, run_until

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE)
KILLING = (signal.SIGTERM, signal.SIGKILL)
"""Signals after which there is no time to clean up."""

MOMENTS = [
    (name, number, round_number)
    for index, name in enumerate(CALLS)
    for number in (SIGNALS if ROUNDS > 1 else [SIGNALS[index % len(SIGNALS)]])
    for round_number in range(ROUNDS)
]


SHORT = "validate"
"""A command whose duration is the unit of moments, where the duration of each is not measured."""


@functools.cache
def seconds_of(name: str, sources: Path) -> float:
    """How long a command takes on this machine, now; without a fault it ends well and leaves whole files."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "work")
        work.mkdir()
        arguments, output = command_arguments(name, sources, work), CALLS[name].output
        if not CALLS[name].ends:
            return run_until(arguments, work, work / output)
        ended = run(arguments, work)
        assert (ended.code, "Traceback" in ended.stderr) == (0, False)
        assert not output or (work / output).exists()
        assert_whole(work)
        assert not list(Path(folder, "work-tmp").iterdir())
        return ended.seconds


def moment_of(name: str, sources: Path, draw: random.Random) -> float:
    """A moment during a command, in seconds from its start.

    With one round, only a short command is measured. Moments that get ever rarer meet commands of any duration.
    """
    if ROUNDS > 1:
        return draw.uniform(0, 1.1) * seconds_of(name, sources)
    return draw.expovariate(1) * seconds_of(SHORT, sources)


def allowed_codes(name: str, number: int) -> set[int]:
    """The exit codes of a command that gets a signal: that of the signal, and 0 where it was too late."""
    if number == signal.SIGINT:
        # When Python ends, it removes the handlers before the process ends. A shell shows both codes as 130.
        return {0, ExitCode.INTERRUPTED, -signal.SIGINT}
    return {0, -number} | ({-signal.SIGTERM} if not CALLS[name].ends else set())


@pytest.mark.parametrize("name, number, round_number", MOMENTS)
def test_a_signal_at_any_moment_leaves_whole_files_and_no_process(name, number, round_number, sources, work, draw):
    arguments = command_arguments(name, sources, work)

    ended = run(arguments, work, number, moment_of(name, sources, draw))

    assert ended.code in allowed_codes(name, number), ended.stderr
    assert "Traceback" not in ended.stderr
    if number not in KILLING:
        assert_whole(work)
        assert not list((work.parent / "work-tmp").iterdir())
    else:
        assert_completed_by_the_next_run(name, sources, work)


def assert_completed_by_the_next_run(name, sources, work):
    """Check that visible files are whole, and that the next run removes the others and goes on with an archive."""
    for path in work.iterdir():
        if not path.name.startswith("."):
            assert_entry_whole(path)
        is_continued = path.suffix in (".duckdb", ".wal") and name != "archive copy"
        if not is_continued and not path.name.startswith("."):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not any(work.iterdir()):
        return
    if CALLS[name].ends:
        assert run(command_arguments(name, sources, work), work).code == 0
    else:
        run_until(command_arguments(name, sources, work), work, work / CALLS[name].output)
    assert_whole(work)
