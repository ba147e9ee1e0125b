"""The wheel: the package that is installed from it works without a checkout, and carries its types."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORD = {
    "context": "lock",
    "seed": 2**64 - 1,
    "thread_id": "7",
    "acquired_at": "2026-03-01T12:00:00Z",
    "released_at": "2026-03-01T12:00:01Z",
    "duration_ms": 1000.0,
    "stability_score": 0.5,
}
CODE = """
import json, sys
import clamp_analytics.database
from clamp_analytics.database import connect, named, run_query
from clamp_analytics.database.library import directory

frame = run_query(connect(sys.argv[1]), *named("stability_by_context"))
print(json.dumps({"package": clamp_analytics.__file__, "sql": str(directory()), "rows": frame.rows()}))
"""


USER_SCRIPT = """
import clamp_analytics as clamp
from clamp_analytics import AnchoredLock, ClampError, DriftOptions, EntropyTelemetry


def slowest(folder: str) -> list[str]:
    try:
        found = clamp.drift(folder, by="context", metrics=["duration_p95_ms"], options=DriftOptions(last=100))
    except ClampError as error:
        return [error.what]
    return found.to_polars()["reason"].to_list()


telemetry = clamp.load("runs")
seen: int = telemetry.counts.seen
mean: float | None = clamp.summarize(telemetry).total.scores.mean
with clamp.connect("archive.duckdb") as connection:
    rows: int = clamp.query(connection, "SELECT 1").height
    clamp.validate(connection, select="seed-zero").write  # error: no such attribute
clamp.score("runs", 4)  # error: options are keyword-only
clamp.compare("main", candidate=7)  # error: not a source
reveal_type(clamp.reproducibility("runs"))
reveal_type(EntropyTelemetry)
reveal_type(AnchoredLock)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_library(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name for name in names if name.endswith(".sql")} == {
        f"clamp_analytics/sql/{path.name}" for path in (ROOT / "sql").glob("*.sql")
    }


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The Python of an environment with the installed wheel, and the folder of its packages."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    fresh = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    # Tests have no index to install from: the wheel is installed without its dependencies, and those come from the
    # environment of the tests by a path file. That puts its modules behind the wheel's own, and runs none of its path
    # files, by which an editable install would come in.
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (fresh / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python, fresh


def test_a_named_query_runs_from_the_installed_wheel(installed: tuple[Path, Path], tmp_path: Path) -> None:
    python, fresh = installed
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "session.json").write_text(json.dumps({"stability_score": 0.5, "records": [RECORD]}))

    result = subprocess.run(
        [str(python), "-I", "-c", CODE, "session.json"], cwd=elsewhere, check=True, capture_output=True, text=True
    )

    answer = json.loads(result.stdout)
    assert answer == {
        "package": str(fresh / "clamp_analytics" / "__init__.py"),
        "sql": str(fresh / "clamp_analytics" / "sql"),
        "rows": [["lock", 1, 1, 1, 0, 0.5, None, 0.5, 0.5]],
    }


def test_a_script_is_type_checked_against_the_installed_wheel(installed: tuple[Path, Path], tmp_path: Path) -> None:
    python, _ = installed
    (tmp_path / "script.py").write_text(USER_SCRIPT)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), "--cache-dir", "cache"]

    result = subprocess.run([*mypy, "script.py"], cwd=tmp_path, check=False, capture_output=True, text=True)

    lines = USER_SCRIPT.splitlines()
    errors = [line.split(":") for line in result.stdout.splitlines() if ": error:" in line]
    assert {lines[int(number) - 1] for _, number, *_ in errors} == {line for line in lines if "# error" in line}
    notes = [line.split("note: ")[1] for line in result.stdout.splitlines() if "Revealed type" in line]
    assert len(notes) == 3
    assert not any("Any" in note.split("def ")[0] for note in notes)
