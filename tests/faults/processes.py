"""Runs a command that gets a signal, and finds the processes that it leaves."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.commands import environment

WAIT_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """How a process ended: the exit code, negative for a signal, and its standard error."""

    code: int
    stderr: str
    seconds: float


def take_signals() -> None:
    """Let a child take the signals even where a shell started the tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def run(command: list[str], work: Path, number: int | None = None, after_seconds: float = 0.0) -> Ended:
    """Run a command in a session of its own, and send it a signal unless it ends before."""
    begin = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=work,
        env=environment(work),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=take_signals,
    )
    try:
        if number is not None and not has_ended(process, after_seconds):
            process.send_signal(number)
            if number == signal.SIGPIPE and "watch" in command:
                # It goes on, as it should.
                process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=WAIT_SECONDS)[1]
    finally:
        process.kill()
        process.wait()
    wait_until_session_is_empty(process.pid)
    return Ended(process.returncode, stderr, time.monotonic() - begin)


def run_until(command: list[str], work: Path, output: Path) -> float:
    """Run a command that does not end until a file is there, and return the seconds that this took."""
    begin = time.monotonic()
    process = subprocess.Popen(
        command, cwd=work, env=environment(work), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not output.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    process.wait(WAIT_SECONDS)
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
