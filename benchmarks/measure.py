"""Running contenders: one process each, in turn, with its time, its peak memory and what it printed.

This module, and whatever measures with it, imports nothing heavy: the system counts the peak memory of a process
from the fork on, so a large parent would show in every child.
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
"""Where processes run, so that they find this package."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What processes run with: an installed package has its bytecode, so a checkout keeps it after its first run, too."""

LIMIT_SECONDS = 600.0
"""A process that takes longer is ended, and counts as failed."""

SAMPLE_SECONDS = 0.005
REASON_CHARACTERS = 160
RELATIVE = 1e-9
"""How far a mean, a variance or a sum may be off, because tools add in different orders."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class FailedError(Exception):
    """A process failed or gave a wrong answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one process did.

    Attributes:
        seconds: wall time, from its start to its end.
        largest: peak resident memory of its largest process in megabytes.
        tree: peak of the resident memory of all its processes together in megabytes. Pages that processes share
            count in each, so it is an upper bound. None where it was not watched.
        output: what it wrote to standard output.
    """

    seconds: float
    largest: float
    tree: float | None
    output: str

    def line(self, number: int) -> Any:
        """A line of the output, which is JSON."""
        return json.loads(self.output.splitlines()[number])


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values with the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do a task.

    Attributes:
        name: what the tables call it.
        command: the program and its arguments.
        seconds: takes the time that counts from a run; by default that of the whole process.
        answer: takes what it found from a run.
        decimals: digits after the point that its answer has; None where it gives all.
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
        watch: whether to look at the memory of all its processes meanwhile. That costs a little time. It ends with
            the first line of output, so that checks after the work do not count.

    Raises:
        FailedError: it did not end well, or not in time.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begin = perf_counter()
        # A session of its own, so that whatever it started can be ended with it.
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
    # It may just have ended by itself.
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
    return f"exit code {code}: {lines[0].strip() if lines else 'it said nothing'}"


class _Watcher(threading.Thread):
    """Adds up the resident memory of a process and all that it started, again and again."""

    def __init__(self, pid: int, output: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._output = pid, output
        self._over = threading.Event()
        self._peak = 0.0
        self.start()

    @property
    def peak(self) -> float | None:
        """In megabytes; None where the system does not tell."""
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
    """Compare an answer with the truth: counts and sums of seeds exactly, other figures as far as adding is exact.

    Raises:
        FailedError: a figure differs; the text names each that does.
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


def checked(contender: Contender, truth: Mapping[str, Any], *, watch: bool = False) -> Run:
    """Run a contender once and compare its answer.

    Raises:
        FailedError: it failed, or is wrong.
    """
    done = run(contender.command, watch=watch)
    check(contender.answer(done), truth, contender.decimals)
    return done


def turns(contenders: Sequence[Contender], truths: Sequence[Mapping[str, Any]], runs: int) -> list[list[float]]:
    """The seconds of each contender in each turn: A B C, A B C, and so on. Every answer is compared.

    Raises:
        FailedError: one failed, or is wrong, though it was right before.
    """
    seconds: list[list[float]] = [[] for _ in contenders]
    for _ in range(runs):
        for contender, truth, times in zip(contenders, truths, seconds, strict=True):
            try:
                times.append(contender.seconds(checked(contender, truth)))
            except FailedError as error:
                raise FailedError(f"{contender.name}, which was right before: {error}") from error
    return seconds


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """The spread of ratios, turn by turn."""
    return Spread.of([one / other for one, other in zip(above, below, strict=True)])


def shortened(reason: str, *folders: Path) -> str:
    """A reason without the names of folders, cut to what a table holds."""
    for folder in folders:
        reason = reason.replace(str(folder), "…")
    reason = " ".join(reason.split())
    return reason if len(reason) <= REASON_CHARACTERS else reason[: REASON_CHARACTERS - 1] + "…"
