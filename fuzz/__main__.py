"""Run the fuzz targets one at a time, then the long tests, for a number of minutes in all: ``python -m fuzz``."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fuzz.target import INSTRUMENTED

FOLDER = Path(__file__).parent
OUTPUT = Path("build/fuzz")
SHARES = {"decode": 4, "containers": 2, "tests": 2}
"""Parts of the time; all others have one."""

STATISTICS = ("number_of_executed_units", "average_exec_per_sec")
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""Where files are written that live as long as one execution."""

ROUND_SECONDS = 600
LONG_TESTS = (
    "tests/properties",
    "tests/faults",
    "tests/reading/test_properties.py",
    "tests/reading/test_parallel.py",
    "tests/decode/test_column_faults.py",
    "tests/decode/test_pieces.py",
    "tests/sources/test_containers.py",
    "tests/sources/test_damaged_containers.py",
)
LONG_VARIABLES = {"CLAMP_FAULT_ROUNDS": "2", "CLAMP_EXAMPLES": "5"}
"""They make these tests try more than in a usual run."""


def run_target(name: str, seconds: float) -> bool:
    """Fuzz one target, print how much was executed, and return whether nothing was found."""
    found, given, findings = OUTPUT / "corpus" / name, FOLDER / "corpus" / name, OUTPUT / "findings" / name
    for needed in (found, given, findings):
        needed.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    log = OUTPUT / f"{name}.log"
    command = [sys.executable, "-m", "fuzz.engine", name, str(findings.absolute())]
    command += [str(found.absolute()), str(given.absolute()), f"-max_total_time={max(int(seconds), 1)}"]
    command.append("-print_final_stats=1")
    # The engine ends without cleaning up.
    with log.open("wb") as file, tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        environment = {**os.environ, "TMPDIR": folder}
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False).returncode
    text = log.read_text(errors="replace")
    executions, speed = (re.findall(rf"stat::{key}:\s+(\d+)", text) for key in STATISTICS)
    new = sorted(path for path in set(findings.iterdir()) - before if not path.name.startswith("slow-unit-"))
    executed = f"{int(executions[-1]):,} executions, {int(speed[-1]):,} per second" if executions else "no executions"
    print(f"{name}: {executed}, {len(new)} findings", flush=True)
    for path in new:
        print(f"  {path}")
    if code or not executions:
        print(f"  it ended with exit code {code}; see {log}")
    return not new and not code and bool(executions)


def run_tests(seconds: float) -> bool:
    """Run the differential properties and the fault injection again and again, each time with another seed."""
    if seconds < ROUND_SECONDS:
        print(f"tests: not run, because a round of them takes about {ROUND_SECONDS // 60} minutes")
        return True
    end = time.monotonic() + seconds
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    for round_number in range(1, 1_000_000):
        seed = int.from_bytes(os.urandom(4))
        command = [sys.executable, "-m", "pytest", "-q", "-x", f"--hypothesis-seed={seed}", *LONG_TESTS]
        result = subprocess.run(
            command, env=environment | LONG_VARIABLES | {"CLAMP_FAULT_SEED": str(seed)}, check=False
        )
        if result.returncode:
            print(f"tests: round {round_number} failed with the seed {seed}")
            return False
        if time.monotonic() > end:
            print(f"tests: {round_number} rounds")
            break
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="time for all targets and tests together")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"{', '.join(INSTRUMENTED)} or tests; all by default"
    )
    arguments = parser.parse_args()
    names = arguments.targets or [*INSTRUMENTED, "tests"]
    if unknown := sorted(set(names) - {*INSTRUMENTED, "tests"}):
        parser.error(f"there is no target {unknown[0]}")
    unit = arguments.minutes * 60 / sum(SHARES.get(name, 1) for name in names)
    results = [
        run_tests(unit * SHARES["tests"]) if name == "tests" else run_target(name, unit * SHARES.get(name, 1))
        for name in names
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
