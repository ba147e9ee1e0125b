"""Paths that are not UTF-8 or too long: every command that reads ends with a result or a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GOOD

FOLDER = b"f\xff"
LONG = b"a" * 5000


def run(tmp_path: Path, *arguments: bytes | str) -> tuple[int, str]:
    """Exit code and standard error of a command that runs in ``tmp_path``."""
    done = subprocess.run(
        [sys.executable, "-m", "clamp_analytics", *arguments],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr.decode()


@pytest.fixture
def heap(tmp_path: Path) -> Path:
    """A folder and a session file with names that are not UTF-8."""
    folder = tmp_path / os.fsdecode(FOLDER)
    folder.mkdir()
    Path(folder, os.fsdecode(b"a\xfe.json")).write_bytes(GOOD)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [["summarize"], ["validate"], ["trace", "-o", "t.json"], ["report", "-o", "r.html"], ["score"], ["seeds"]],
    ids=lambda command: command[0],
)
def test_a_command_reads_a_folder_whose_name_is_not_utf8(heap: Path, command: list[str]) -> None:
    code, stderr = run(heap, command[0], FOLDER, *command[1:])

    assert "Traceback" not in stderr
    assert code == 0


def test_the_artifact_names_a_folder_that_is_not_utf8(heap: Path) -> None:
    run(heap, "summarize", FOLDER, "-o", "summary.json")

    assert f'"source_directory": "{heap}/f\\\\xff"' in (heap / "summary.json").read_text()


def test_an_export_is_read_from_a_path_that_is_not_utf8(heap: Path) -> None:
    run(heap, "export", FOLDER, "-o", b"e\xff")

    code, stderr = run(heap, "validate", b"e\xff")

    assert "1 loaded" in stderr
    assert code == 0


@pytest.mark.parametrize("command", [["summarize"], ["trace", "-o", "t.json"], ["report", "-o", "r.html"]])
@pytest.mark.parametrize("name", [LONG, LONG + b".json", LONG + b".zip!/x.json", LONG + b"/*.json"])
def test_a_path_that_is_too_long_is_an_error_with_a_sentence(tmp_path: Path, command: list[str], name: bytes) -> None:
    code, stderr = run(tmp_path, command[0], name, *command[1:])

    assert "Traceback" not in stderr
    assert stderr.startswith("error: aaa")
    assert code == 3


@pytest.mark.parametrize(
    "command",
    [
        ["summarize", FOLDER, "-o", FOLDER + b".json"],
        ["export", FOLDER, "-o", FOLDER + b".export"],
        ["align", FOLDER, "--to", "2026-01-01T00:00:00Z", "-o", FOLDER + b".aligned"],
    ],
    ids=lambda command: command[0],
)
def test_a_message_about_an_output_shows_the_bytes_of_its_path(heap: Path, command: list[bytes | str]) -> None:
    code, stderr = run(heap, *command)

    assert "f\\xff." in stderr
    assert "udcff" not in stderr
    assert code == 0


def test_an_error_shows_the_bytes_of_a_path(heap: Path) -> None:
    code, stderr = run(heap, "summarize", FOLDER, "--snapshot", FOLDER)

    assert stderr == "error: f\\xff: the snapshot cannot be used: is a directory\n"
    assert code == 2


def test_an_export_whose_path_is_not_utf8_is_queried(heap: Path) -> None:
    run(heap, "export", FOLDER, "-o", b"e\xff")

    code, stderr = run(heap, "sql", b"e\xff", "SELECT count(*) FROM records")

    assert "1 loaded" in stderr
    assert code == 0


@pytest.mark.parametrize(
    "command",
    [
        ["ingest", FOLDER, "-a", LONG],
        ["ingest", FOLDER, "-a", LONG + b"/"],
        ["watch", LONG, "-a", "t.duckdb"],
    ],
)
def test_a_path_that_is_too_long_for_an_archive_or_a_watched_folder_is_an_error(
    heap: Path, command: list[bytes | str]
) -> None:
    code, stderr = run(heap, *command)

    assert "Traceback" not in stderr
    assert "error: " in stderr
    assert code == 3
