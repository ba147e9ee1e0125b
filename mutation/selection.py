"""Which tests run on a mutant: those that call the mutated function, the quickest first."""

from __future__ import annotations

import ast
import json
import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from types import FrameType

import pytest

CPU_FACTOR, CPU_SECONDS = 3, 5
"""The processor time of a test: its duration on the original times a factor, and some seconds more."""

WALL_FACTOR = 20
"""How many times longer than its processor time a test may wait."""

Function = tuple[str, int]
"""A module and the first line of a function in it, with its decorators."""


@dataclass(frozen=True)
class Selection:
    """What each test of a target does on the original.

    Attributes:
        seconds: how long each test takes.
        callers: the tests that call each function.
    """

    seconds: dict[str, float]
    callers: dict[Function, set[str]]

    def tests_of(self, path: str, line: int, seconds: float) -> dict[str, float]:
        """The tests that may notice a change of a line with their durations, the quickest first.

        All tests, where the line is outside of functions or no test calls its function: it may run during an import.
        Of these, as many as take a number of seconds together, and at least one.
        """
        function = function_at(Path(path).read_text("utf-8"), line)
        called = self.callers.get((path, function), set()) if function else set()
        tests = sorted(called or self.seconds, key=self.seconds.__getitem__)
        ends = accumulate(self.seconds[test] for test in tests)
        return {
            test: self.seconds[test]
            for test, end in zip(tests, ends, strict=True)
            if end <= seconds or test == tests[0]
        }


def function_at(source: str, line: int) -> int | None:
    """The first line of the innermost function that contains a line, or None."""
    found = [
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _body_contains(node, line)
    ]
    return max(found, default=None)


def _body_contains(node: ast.FunctionDef | ast.AsyncFunctionDef, line: int) -> bool:
    """Whether a line is in the body of a function; its defaults are evaluated outside of it."""
    return node.body[0].lineno <= line <= (node.end_lineno or node.lineno)


@dataclass
class Recorder:
    """A plugin of pytest that records the duration of each test and the functions of some modules that it calls."""

    modules: Iterable[str]
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    callers: dict[Function, set[str]] = field(default_factory=lambda: defaultdict(set))
    _test: str = ""

    def __post_init__(self) -> None:
        self._paths = {os.path.abspath(path): path for path in self.modules}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Record the calls of one test, with those of its fixtures."""
        self._test = item.nodeid
        self._clear_caches()
        with _tracing(self._record):
            return (yield)

    def _clear_caches(self) -> None:
        """Forget the results of cached functions, so that a test that needs one calls the function."""
        for path in self.modules:
            module = sys.modules.get(path.removesuffix(".py").replace("/", "."))
            for value in vars(module).values() if module else ():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the duration of a fixture or of a test."""
        self.seconds[report.nodeid] += report.duration

    def _record(self, frame: FrameType, event: str, argument: object) -> None:
        if path := self._paths.get(frame.f_code.co_filename):
            self.callers[path, frame.f_code.co_firstlineno].add(self._test)

    def write(self, path: Path) -> None:
        """Write what was recorded, for ``read``."""
        callers = [[module, line, sorted(tests)] for (module, line), tests in self.callers.items()]
        path.write_text(json.dumps([self.seconds, callers]))


@contextmanager
def _tracing(record: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    sys.settrace(record)
    threading.settrace(record)
    try:
        yield
    finally:
        sys.settrace(None)
        threading.settrace(None)


def read(path: Path) -> Selection:
    """What a recorder has written."""
    seconds, callers = json.loads(path.read_text())
    return Selection(seconds, {(module, line): set(tests) for module, line, tests in callers})


@dataclass(frozen=True)
class Chosen:
    """A plugin of pytest that runs some tests in a given order, and ends the process where one takes too long.

    Attributes:
        seconds: the tests in their order, and how long each takes on the original.
    """

    seconds: dict[str, float]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests alone."""
        order = {test: index for index, test in enumerate(self.seconds)}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Limit the processor time and the time of one test; the signals of both timers end the process."""
        seconds = self.seconds[item.nodeid] * CPU_FACTOR + CPU_SECONDS
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds * WALL_FACTOR)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
