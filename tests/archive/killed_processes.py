"""Processes that count the calls of the archive's code and report the moment at which they are to be killed."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import clamp_analytics.archive

HOME = os.path.dirname(clamp_analytics.archive.__file__)


@contextmanager
def counted_calls(moment: int | None, report: int) -> Iterator[Callable[[], int]]:
    """Count the calls of the archive's code within a block; ``report`` gets a byte at the call of this number.

    Yields:
        A function that gives the number of calls so far.
    """
    calls = 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal calls
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(HOME):
            if calls == moment:
                os.write(report, b".")
            calls += 1

    sys.setprofile(count)
    try:
        yield lambda: calls
    finally:
        sys.setprofile(None)


def start(run: Callable[[int], object]) -> tuple[int, int]:
    """Run a function in a fork: its process, and the end of the pipe to which the function writes its report."""
    end, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        code = 1
        try:
            run(report)
            code = 0
        finally:
            os._exit(code)
    os.close(report)
    return child, end


def in_child(read: Callable[[], object]) -> str:
    """The result of a function as JSON, from a process of its own: threads of engines do not survive a fork."""
    end, report = os.pipe()
    if os.fork() == 0:
        with os.fdopen(report, "w") as file:
            json.dump(read(), file)
        os._exit(0)
    os.close(report)
    with os.fdopen(end) as file:
        text = file.read()
    os.wait()
    return text
