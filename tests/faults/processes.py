"""Runs a command that gets a signal, and finds the processes that it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.commands import environment

WAIT_SECONDS = 120

# Closes a pipe when `main` has installed its handlers. Before, Python itself starts, which reports an interrupt in its
# own way.
REPORT_START = """
import os, sys

pipe = int(sys.argv[1])

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "clamp_analytics.cli":
            os.close(pipe)
            sys.meta_path.remove(self)
        return None

import clamp_analytics.__main__
sys.meta_path.insert(0, Finder())
sys.argv = ["clamp-analytics", *sys.argv[2:]]
clamp_analytics.__main__.main()
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: the exit code, negative for a signal.
        stderr: its standard error.
        seconds: the time from the start of ``main`` to the end.
    """

    code: int
    stderr: str
    seconds: float


def take_signals() -> None:
    """Let a child take the signals even where a shell started the tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def started(arguments: Sequence[str], work: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a command in a session of its own, wait until ``main`` runs in it, and kill what is left of it."""
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", REPORT_START, str(write_end), *arguments],
        cwd=work,
        env=environment(work),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        pass_fds=[write_end],
        preexec_fn=take_signals,
    )
    os.close(write_end)
    with process, os.fdopen(read_end, "rb") as pipe:
        try:
            assert pipe.read() == b""
            yield process
        finally:
            process.kill()
    wait_until_session_is_empty(process.pid)


def run(arguments: Sequence[str], work: Path, number: int | None = None, after_seconds: float = 0.0) -> Ended:
    """Run a command, and send it a signal some seconds after the start of ``main`` unless it ends before."""
    with started(arguments, work) as process:
        begin = time.monotonic()
        if number is not None and not has_ended(process, after_seconds):
            process.send_signal(number)
            if number == signal.SIGPIPE and "watch" in arguments:
                # It goes on, as it should.
                process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=WAIT_SECONDS)[1]
        return Ended(process.returncode, stderr, time.monotonic() - begin)


def run_until(arguments: Sequence[str], work: Path, output: Path) -> float:
    """Run a command that does not end until a file is there, and return the seconds that this took."""
    with started(arguments, work) as process:
        begin = time.monotonic()
        while not output.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
        return time.monotonic() - begin


def has_ended(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process ends within a time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def wait_until_session_is_empty(session: int) -> None:
    """Wait until no process of a session is left.

    Raises:
        AssertionError: one is left after two minutes.
    """
    end = time.monotonic() + WAIT_SECONDS
    while left := processes_of(session):
        assert time.monotonic() < end, f"still running: {left}"
        time.sleep(0.01)


def processes_of(session: int) -> list[str]:
    """The running processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(") ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, _, of_session, *_ = rest.split()
        if int(of_session) == session and state != "Z":
            found.append(name)
    return found
