"""``archive`` as a user runs it: what it prints, and its exit codes."""

import json

import duckdb
import pytest

from tests.conftest import numbered, write


@pytest.fixture
def kept(clamp, tmp_path):
    """An archive of two sessions and a rejected file."""
    write(tmp_path, {"runs/a.json": numbered(1), "runs/b.json": numbered(2), "runs/cut.json": b"{"})
    clamp("ingest", "runs", "-a", "t.duckdb")
    return tmp_path / "t.duckdb"


def test_info_shows_what_is_there(clamp, kept):
    done = clamp("archive", "info", "t.duckdb")

    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith(("sessions", "records")))
    assert (done.code, lines) == (0, {"sessions": "2 (and 1 rejected file, 0 forgotten)", "records": "2"})


def test_info_is_json_for_programs(clamp, kept):
    found = json.loads(clamp("archive", "info", "t.duckdb", "--format", "json").out)

    assert {name: found[name] for name in ("sessions", "rejected", "records", "version", "first_acquired_at")} == {
        "sessions": 2,
        "rejected": 1,
        "records": 2,
        "version": 5,
        "first_acquired_at": "2026-01-01T00:00:00+00:00",
    }
    assert [(row["number"], row["new"]) for row in found["ingests"]] == [(1, 2)]


def test_forget_lists_first_and_then_forgets(clamp, kept):
    listed = clamp("archive", "forget", "t.duckdb", "--source", "*/a.json", "--dry-run")
    done = clamp("archive", "forget", "t.duckdb", "--source", "*/a.json")
    again = clamp("ingest", "runs", "-a", "t.duckdb")

    assert "runs/a.json" in listed.out
    assert "t.duckdb: 1 session with 1 record would be removed" in listed.err
    assert "t.duckdb: 1 session with 1 record removed" in done.err
    assert "3 seen = 0 new + 2 known + 1 rejected + 0 skipped; nothing was written" in again.err


@pytest.mark.parametrize("options", [(), ("--older-than", "soon")])
def test_forget_refuses_to_guess(clamp, kept, options):
    assert clamp("archive", "forget", "t.duckdb", *options).code == 2


def test_check_is_content_with_a_sound_archive(clamp, kept):
    done = clamp("archive", "check", "t.duckdb", "--rehash")

    assert (done.code, done.out, done.err) == (0, "", "t.duckdb: nothing is wrong\n")


def test_check_fails_and_names_what_is_wrong(clamp, kept):
    with duckdb.connect(str(kept)) as connection:
        connection.execute("DELETE FROM records WHERE seed = 1")

    done = clamp("archive", "check", "t.duckdb", "--format", "json")

    assert (done.code, [row["check"] for row in json.loads(done.out)]) == (
        1,
        ["row-counts", "record-counts"],
    )
    assert [row["subject"] for row in json.loads(done.out)] == ["meta", "runs/a.json"]


def test_compact_tells_the_sizes(clamp, kept):
    done = clamp("archive", "compact", "t.duckdb")

    assert (done.code, done.err.endswith("MB now\n")) == (0, True)
    assert clamp("archive", "check", "t.duckdb").code == 0


def test_upgrade_of_a_present_archive_says_so(clamp, kept):
    done = clamp("archive", "upgrade", "t.duckdb")

    assert (done.code, done.err) == (0, "t.duckdb: version 5 before, version 5 now\n")


def test_a_newer_archive_is_refused_with_a_hint(clamp, kept):
    with duckdb.connect(str(kept)) as connection:
        connection.execute("UPDATE meta SET value = '9' WHERE name = 'schema_version'")

    done = clamp("summarize", "t.duckdb")

    assert done.code == 3
    assert "hint: upgrade clamp-analytics" in done.err


@pytest.mark.parametrize("task", ["info", "check", "compact", "upgrade"])
def test_a_missing_archive_is_named(clamp, task):
    done = clamp("archive", task, "nowhere.duckdb")

    assert (done.code, "nowhere.duckdb: there is no such archive" in done.err) == (3, True)
