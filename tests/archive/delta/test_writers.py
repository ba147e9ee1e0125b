"""Four writers at once, with overlapping input: the archive is that of one undisturbed ingest, whoever is killed."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import numbered, write

ROUNDS = int(os.environ.get("CLAMP_KILL_ROUNDS", "1"))
"""How often the writers are started and killed."""

SEED = int(os.environ.get("CLAMP_KILL_SEED", "0"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The report of the program."""
    work = tmp_path_factory.mktemp("work")
    heap = write(work / "heap", {f"{number:02}.json": numbered(number) for number in range(1, 17)})
    write(heap, {"cut.json": numbered(50)[:-4], "empty.json": b""})
    with zipfile.ZipFile(heap / "packed.zip", "w") as packed:
        for number in range(17, 21):
            packed.writestr(f"run/{number}.json", numbered(number))
        packed.writestr("run/notes.txt", "no session")
    done = subprocess.run(
        [sys.executable, "-m", "tests.archive.delta.writers", heap, work, str(ROUNDS), str(SEED)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=600 + 60 * ROUNDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_four_writers_add_each_session_once(found):
    assert sum(count["new"] for count in found["counts"]) == found["clean"]["new"] == 20
    assert "undisturbed" not in found["wrong"]


def test_writers_that_are_killed_are_completed_by_the_next(found):
    assert found["killed"] > 0
    assert found["wrong"] == []
