"""``--unique``: sessions that the sources hold more than once are read once, by every command that analyses them."""

from __future__ import annotations

import json

import pytest

from tests.conftest import numbered, write

SESSIONS = 3


@pytest.fixture
def sources(clamp, tmp_path):
    """A folder, an export of it, and an archive of it."""
    write(tmp_path / "heap", {f"{seed}.json": numbered(seed) for seed in range(1, SESSIONS + 1)})
    clamp("export", "heap", "-o", "exported")
    clamp("ingest", "heap", "-a", "t.duckdb")
    return ["heap", "exported", "t.duckdb"]


COMMANDS = {
    "summarize": ("--no-artifact",),
    "validate": (),
    "seeds": (),
    "export": ("-o", "out"),
    "drift": (),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_repeated_session_is_skipped(clamp, sources, command):
    done = clamp(command, *sources, "--unique", *COMMANDS[command])

    assert f"{3 * SESSIONS} seen = {SESSIONS} loaded + 0 rejected + {2 * SESSIONS} skipped" in done.err + done.out


@pytest.mark.parametrize("named", [["exported"], ["exported", "heap"], ["t.duckdb"], ["exported", "t.duckdb"]])
def test_sql_sees_each_session_once(clamp, sources, named):
    done = clamp("sql", *named, "--unique", "SELECT count(*) AS n FROM sessions", "-f", "json")

    assert json.loads(done.out) == [{"n": SESSIONS}], done.err


def test_sql_sees_a_session_once_that_one_export_holds_twice(clamp, tmp_path):
    write(tmp_path / "heap", {"a.json": numbered(1), "b.json": numbered(1)})
    clamp("export", "heap", "-o", "exported")

    done = clamp("sql", "exported", "--unique", "SELECT count(*) AS n FROM sessions", "-f", "json")

    assert json.loads(done.out) == [{"n": 1}], done.err
