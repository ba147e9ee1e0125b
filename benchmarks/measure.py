"""Run contenders as processes, and record time, peak memory and output.

This module and its callers import nothing heavy: the system counts the peak memory of a process from the fork on, so
the memory of a large parent would be added to that of every child.
"""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).parents[1]
"""The working directory of the processes, so that they find this package."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""The environment of the processes. An installed package has bytecode, so a checkout may cache it, too."""

LIMIT_SECONDS = 600.0
"""A process that takes longer is killed and counts as failed."""

SAMPLE_SECONDS = 0.005
REASON_CHARACTERS = 160
RELATIVE = 1e-9
"""Relative tolerance of means, variances and sums, because tools add in different orders."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class FailedError(Exception):
    """A process failed or gave a wrong answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """The measurements of one process.

    Attributes:
        seconds: wall time, from its start to its end.
        largest: peak resident memory of its largest process in megabytes.
        tree: peak of the resident memory of all its processes together in megabytes. Shared
            pages count in each process, so this is an upper bound. None if memory was not sampled.
        output: its standard output.
    """

    seconds: float
    largest: float
    tree: float | None
    output: str

    def line(self, number: int) -> Any:
        """One line of the output, parsed as JSON."""
        return json.loads(self.output.splitlines()[number])


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, minimum and maximum of some values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Contender:
    """A command that does a task, and how to read its time and its answer.

    Attributes:
        name: the name in the tables.
        command: the program and its arguments.
        seconds: returns the time that counts; by default that of the whole process.
        answer: returns the answer of a run.
        decimals: number of decimals in its answer; None if it gives all digits.
    """

    name: str
    command: Sequence[str]
    seconds: Callable[[Run], float] = lambda run: run.seconds
    answer: Callable[[Run], Mapping[str, Any]] = lambda run: run.line(-1)["answer"]
    decimals: int | None = None


def run(command: Sequence[str], *, watch: bool = False) -> Run:
    """Run a process to its end.

    Args:
        command: the program and its arguments.
        watch: whether to sample the memory of the whole process tree, which costs a little time. Sampling stops at
            the first line of output, so that checks after the work do not count.

    Raises:
        FailedError: it failed or did not finish in time.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begin = perf_counter()
        # A session of its own, so that its children can be killed with it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        timer = threading.Timer(LIMIT_SECONDS, _end, [process])
        timer.start()
        watcher = _Watcher(process.pid, output.fileno()) if watch else None
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            timer.cancel()
            if process.returncode is None:
                _end(process)
                process.wait()
            if watcher:
                watcher.stop()
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise FailedError(_reason(errors.read().decode(errors="replace"), process.returncode, seconds))
        tree = watcher.peak if watcher else None
        return Run(seconds, usage.ru_maxrss / 1024, tree, output.read().decode())


def _end(process: subprocess.Popen[bytes]) -> None:
    # The process may have ended a moment ago.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _reason(errors: str, code: int, seconds: float) -> str:
    if seconds >= LIMIT_SECONDS:
        return f"it took longer than {LIMIT_SECONDS:.0f} s"
    lines = [line for line in errors.splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        # Frames are indented; the first line after the last of them says what went wrong.
        last = max(number for number, line in enumerate(lines) if line.startswith('  File "'))
        lines = [line for line in lines[last:] if not line.startswith(" ")]
    return f"exit code {code}: {lines[0].strip() if lines else 'no message'}"


class _Watcher(threading.Thread):
    """Samples the resident memory of a process and its descendants."""

    def __init__(self, pid: int, output: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._output = pid, output
        self._over = threading.Event()
        self._peak = 0.0
        self.start()

    @property
    def peak(self) -> float | None:
        """In megabytes; None if the system does not provide it."""
        return self._peak or None

    def run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS) and not os.fstat(self._output).st_size:
            self._peak = max(self._peak, sum(map(_resident, _family(self._pid))))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        try:
            threads = os.listdir(f"/proc/{member}/task")
            for thread in threads:
                found += map(int, Path(f"/proc/{member}/task/{thread}/children").read_text().split())
        except OSError:
            # It ended a moment ago.
            continue
    return found


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1024**2
    except (OSError, IndexError):
        return 0.0


def check(answer: Mapping[str, Any], truth: Mapping[str, Any], decimals: int | None = None) -> None:
    """Compare an answer with the expected one: integers exactly, floats within the tolerance.

    Raises:
        FailedError: at least one figure differs; the message names each of them.
    """
    wrong = []
    for name, value in answer.items():
        right = truth[name]
        if isinstance(right, int):
            same = value == right
        elif not isinstance(value, (int, float)):
            same = False
        elif decimals is None:
            same = math.isclose(value, right, rel_tol=RELATIVE)
        else:
            same = abs(value - right) <= 10**-decimals
        if not same:
            wrong.append(f"{name} {value} instead of {right}")
    if wrong:
        raise FailedError("wrong answer: " + ", ".join(wrong))


def run_checked(contender: Contender, truth: Mapping[str, Any], *, watch: bool = False) -> Run:
    """Run a contender once and check its answer.

    Raises:
        FailedError: it failed or gave a wrong answer.
    """
    done = run(contender.command, watch=watch)
    check(contender.answer(done), truth, contender.decimals)
    return done


def run_turns(contenders: Sequence[Contender], truths: Sequence[Mapping[str, Any]], runs: int) -> list[list[float]]:
    """Run contenders in turn (A B C, A B C, …), check every answer, and return the seconds of each turn by contender.

    Raises:
        FailedError: one failed or gave a wrong answer.
    """
    seconds: list[list[float]] = [[] for _ in contenders]
    for _ in range(runs):
        for contender, truth, times in zip(contenders, truths, seconds, strict=True):
            try:
                times.append(contender.seconds(run_checked(contender, truth)))
            except FailedError as error:
                raise FailedError(f"{contender.name}, which was right before: {error}") from error
    return seconds


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The spread of the ratios within each turn."""
    return Spread.of([one / other for one, other in zip(above, below, strict=True)])


def shorten_reason(reason: str, *folders: Path) -> str:
    """A message without folder names, cut to the width of a table cell."""
    for folder in folders:
        reason = reason.replace(str(folder), "…")
    reason = " ".join(reason.split())
    return reason if len(reason) <= REASON_CHARACTERS else reason[: REASON_CHARACTERS - 1] + "…"
