"""An ingest that is killed at any moment is completed by the next one, as if nothing had happened."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import numbered, write

ROUNDS = int(os.environ.get("CLAMP_KILL_ROUNDS", "1"))
KILLS = 10
"""The ingests that are killed in one round."""


@pytest.fixture
def heap(tmp_path):
    folder = write(tmp_path / "heap", {f"{number:02}.json": numbered(number) for number in range(1, 25)})
    write(folder, {"03-again.json": numbered(3), "05-cut.json": numbered(5)[:-4], "06-empty.json": b""})
    with zipfile.ZipFile(folder / "packed.zip", "w") as packed:
        for number in range(20, 32):
            packed.writestr(f"run/{number}.json", numbered(number))
        packed.writestr("run/notes.txt", "no session")
    return folder


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_ingest_that_is_killed_is_completed_by_the_next(heap, tmp_path, seed):
    work = tmp_path / "work"
    work.mkdir()

    done = subprocess.run(
        [sys.executable, "-m", "tests.archive.builders", heap, work, str(seed), str(KILLS)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["calls"] > 500
    assert {name: found[name] for name in ("killed", "wrong", "left")} == {"killed": KILLS, "wrong": [], "left": []}
