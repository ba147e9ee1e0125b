"""Validation against a baseline of accepted violations."""

import json
import shutil

import pytest

BASELINE = ("--baseline", "known.jsonl")


@pytest.fixture
def sessions(tmp_path, faulty):
    """A copy of the faulty samples below the folder in which commands run."""
    shutil.copytree(faulty, tmp_path / "sessions")
    return tmp_path / "sessions"


def test_a_check_passes_once_its_violations_are_accepted(clamp, sessions):
    written = clamp("validate", "sessions", *BASELINE, "--write-baseline")
    checked = clamp("validate", "sessions", *BASELINE, "--fail-on", "warning")

    assert written.code == 0
    assert written.err == "wrote known.jsonl: 15 accepted entries, by file, rule and field\n"
    assert (checked.code, checked.out.splitlines()[0]) == (0, "No new error or warning in 16 files.")
    assert "15 violations accepted by known.jsonl" in checked.err


def test_only_a_new_violation_is_shown_and_fails(clamp, sessions):
    clamp("validate", "sessions", *BASELINE, "--write-baseline")
    shutil.copy(sessions / "cut.json", sessions / "new.json")

    done = clamp("validate", "sessions", *BASELINE, "-f", "json", "--ignore", "session-repeated")

    assert done.code == 1
    errors = [row for row in json.loads(done.out) if row["severity"] == "error"]
    assert [(row["source"], row["rule"]) for row in errors] == [("sessions/new.json", "truncated")]


def test_the_baseline_of_the_settings_is_relative_to_their_file(clamp, sessions, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.clamp-analytics.validate]\nbaseline = "known.jsonl"\n')

    written = clamp("validate", "sessions", "--write-baseline")
    checked = clamp("validate", "sessions")

    assert (written.code, checked.code) == (0, 0)
    assert (tmp_path / "known.jsonl").exists()


def test_a_file_that_is_not_a_baseline_is_neither_read_nor_replaced(clamp, sessions, tmp_path):
    (tmp_path / "known.jsonl").write_text("notes")

    read = clamp("validate", "sessions", *BASELINE)
    written = clamp("validate", "sessions", *BASELINE, "--write-baseline")

    assert (read.code, written.code) == (2, 3)
    assert "is not a baseline of violations" in read.err
    assert (tmp_path / "known.jsonl").read_text() == "notes"


def test_writing_a_baseline_needs_a_file(clamp, sessions):
    done = clamp("validate", "sessions", "--write-baseline")

    assert done.code == 2
    assert "name it with --baseline FILE" in done.err
