"""Run the tests of one target against a sample of its mutants: ``python -m mutation TARGET``.

Every mutant is tested in a fork of this process, which has imported the libraries already, by the tests that call the
mutated function, the quickest first. The sample depends on its size and the seed alone. A mutant on which a test takes
far more time than on the original counts as killed. Mutants that behave as the original does are left out:
``mutation.equivalent`` lists them with the reason.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import math
import os
import random
import resource
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from mutation.equivalent import is_equivalent
from mutation.mutants import Mutant, mutants
from mutation.selection import Chosen, Recorder, read
from mutation.targets import TARGETS

LIBRARIES = ("pytest", "hypothesis", "polars", "duckdb", "pyarrow", "msgspec", "numpy", "scipy.stats")
"""Imported before the forks; none of them starts a thread when it is imported."""

PROFILE = "mutation"
"""The profile of hypothesis: the same examples for all mutants, and no time for the smallest one that fails."""

SELECTION = Path("build/mutation-tests.json")
"""What the tests do on the original."""

NO_TESTS = 5
"""The exit code of pytest where it has run no test."""

CPU_SECONDS = 900
"""The processor time of all tests of a mutant; each test has its own limit, too."""


class _MutantFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the source of a mutant in place of its module."""

    def __init__(self, path: str, source: str) -> None:
        self._name = path.removesuffix(".py").replace("/", ".")
        self._path = os.path.abspath(path)
        self._source = source

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, self._path, "exec"), module.__dict__)


def _run_tests(tests: Iterable[str], plugin: object, finder: _MutantFinder | None = None) -> int:
    """Run tests in a fork, and return the exit code of pytest, or the negative number of the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if finder is not None:
        sys.meta_path.insert(0, finder)
    code = 1
    try:
        import pytest

        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--hypothesis-profile={PROFILE}"]
        # pytest would import the package itself to rewrite its assertions, and pass over the finder.
        arguments += ["--assert=plain"]
        code = pytest.main([*arguments, *tests], plugins=[plugin])
        if isinstance(plugin, Recorder):
            plugin.write(SELECTION)
    finally:
        os._exit(code)


def interval(killed: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share, by Wilson's formula."""
    z, share = 1.96, killed / total
    middle = share + z * z / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (middle - half) / (1 + z * z / total), (middle + half) / (1 + z * z / total)


def sample(target: str, size: int, seed: int) -> tuple[list[tuple[str, Mutant]], int]:
    """A sample of the mutants of a target with their modules, and the number of all; without equivalent ones."""
    every = [
        (path, mutant)
        for path in TARGETS[target].modules
        for mutant in mutants(Path(path).read_text("utf-8"))
        if not is_equivalent(path, mutant)
    ]
    chosen = random.Random(seed).sample(every, min(size, len(every)))
    return chosen, len(every)


def _files(tests: Iterable[str]) -> list[str]:
    """The files of tests, which are given by their ids."""
    return sorted({test.partition("::")[0] for test in tests})


def _prepare() -> None:
    # Several threads do not survive a fork.
    os.environ |= {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CI": "1"}
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp(prefix="mutation-")
    SELECTION.parent.mkdir(exist_ok=True)
    for library in LIBRARIES:
        importlib.import_module(library)
    from hypothesis import HealthCheck, Phase, settings

    phases = [Phase.explicit, Phase.generate]
    checks = [HealthCheck.too_slow]
    settings.register_profile(PROFILE, deadline=None, derandomize=True, phases=phases, suppress_health_check=checks)


def main() -> int:
    """Test the mutants, and print each that survives; the exit code is 1 where too few are killed."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--size", type=int, default=100, help="how many mutants are drawn [default: 100]")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn [default: 1]")
    parser.add_argument("--least", type=float, default=0.9, help="share that must be killed [default: 0.9]")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="how long the tests of one mutant may take [default: no limit]"
    )
    given = parser.parse_args()
    _prepare()
    target = TARGETS[given.target]
    if code := _run_tests(target.tests, Recorder(target.modules)):
        sys.stderr.write(f"the tests fail on the original with exit code {code}\n")
        return 2
    selection = read(SELECTION)
    chosen, of = sample(given.target, given.size, given.seed)
    total = sum(selection.seconds.values())
    sys.stdout.write(f"{given.target}: {len(chosen)} of {of} mutants; the tests take {total:.0f} s\n")
    killed = 0
    for path, mutant in chosen:
        tests = selection.tests_of(path, mutant.line, given.seconds)
        code = _run_tests(_files(tests), Chosen(tests), _MutantFinder(path, mutant.source))
        if code == NO_TESTS:
            raise RuntimeError(f"none of the tests of {path}:{mutant.line} was run")
        killed += code != 0
        if code == 0:
            sys.stdout.write(f"survived: {path}:{mutant.line}: {mutant.change}\n")
        sys.stdout.flush()
    low, high = interval(killed, len(chosen))
    share = killed / len(chosen)
    sys.stdout.write(
        f"{given.target}: {killed} of {len(chosen)} killed ({share:.0%}, 95 % interval {low:.0%} to {high:.0%})\n"
    )
    return 0 if share >= given.least else 1


if __name__ == "__main__":
    sys.exit(main())
