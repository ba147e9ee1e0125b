"""``ingest`` as a user runs it, and plain DuckDB on what it leaves."""

import json
import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from tests.conftest import numbered, write

PLAIN = """
import duckdb, sys
archive = duckdb.connect("t.duckdb", read_only=True)
for query in (
    "SELECT count(*), typeof(max(seed)) FROM records",
    "SELECT sum(lock_count)::INTEGER FROM lock_durations",
    "SELECT count(*) FROM duckdb_columns() WHERE table_name = 'sessions' AND comment IS NULL",
    "SELECT count(*) FROM duckdb_views() WHERE NOT internal AND comment IS NULL",
):
    print(archive.execute(query).fetchall())
assert not any(name.startswith("clamp") for name in sys.modules)
"""


@pytest.fixture
def telemetry(tmp_path, clean):
    shutil.copytree(clean, tmp_path / "telemetry")
    return tmp_path / "telemetry"


def test_it_counts_what_it_saw(clamp, telemetry):
    write(telemetry, {"cut.json": b"{", "notes.txt": b""})

    first = clamp("ingest", "telemetry", "--archive", "t.duckdb")
    second = clamp("ingest", "telemetry", "--archive", "t.duckdb")

    assert (first.code, first.out, second.code, second.out) == (0, "", 0, "")
    assert "t.duckdb: 12 seen = 10 new + 0 known + 1 rejected + 1 skipped\n" in first.err
    assert "t.duckdb: 12 seen = 0 new + 10 known + 1 rejected + 1 skipped; nothing was written\n" in second.err


def test_it_names_what_it_rejects(clamp, telemetry):
    write(telemetry, {"cut.json": b"{"})

    done = clamp("ingest", "telemetry", "-a", "t.duckdb")

    assert f"rejected: {telemetry}/cut.json: The file ends inside its JSON document." in done.err


def test_plain_duckdb_reads_it_without_us(clamp, telemetry, tmp_path):
    clamp("ingest", "telemetry", "-a", "t.duckdb")

    done = subprocess.run([sys.executable, "-c", PLAIN], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == ["[(240, 'UBIGINT')]", "[(240,)]", "[(0,)]", "[(0,)]"], done.stderr


@pytest.mark.parametrize("options", [("-o", "-"), ("--by", "context", "--format", "json", "-o", "artifact.json")])
def test_the_summary_is_that_of_the_files(clamp, telemetry, options):
    clamp("ingest", "telemetry", "-a", "t.duckdb")

    files, archive = clamp("summarize", "telemetry", *options), clamp("summarize", "t.duckdb", *options)

    assert (archive.code, archive.out) == (0, files.out)


def test_the_snapshot_beside_the_folder_is_kept(clamp, telemetry, tmp_path):
    (tmp_path / "rocm_snapshot.json").write_text('{"image": "rocm",\n "digest": 1.50}')
    clamp("ingest", "telemetry", "-a", "t.duckdb")
    (tmp_path / "rocm_snapshot.json").unlink()

    done = clamp("summarize", "t.duckdb", "-o", "-")

    assert '"build_info": {"image": "rocm",\n "digest": 1.50}' in done.out


@pytest.mark.parametrize(
    "command",
    [
        ("validate", "--fail-on", "never", "--format", "json"),
        ("score", "--format", "json"),
        ("sql", "--format", "json", "--name", "stability_by_context"),
        ("trace", "-o", "-"),
        ("drift", "--format", "json"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_says_of_the_archive_what_it_says_of_the_files(clamp, telemetry, command):
    clamp("ingest", "telemetry", "-a", "t.duckdb")
    name, *options = command

    files, archive = clamp(name, "telemetry", *options), clamp(name, "t.duckdb", *options)

    assert (archive.code, archive.out) == (files.code, files.out)


def test_an_archive_is_exported(clamp, telemetry):
    clamp("ingest", "telemetry", "-a", "t.duckdb")
    clamp("export", "t.duckdb", "-o", "from-archive")

    files, exported = clamp("summarize", "telemetry", "-o", "-"), clamp("summarize", "from-archive", "-o", "-")

    assert exported.out == files.out


def test_sql_reads_the_archive_and_not_more(clamp, telemetry):
    clamp("ingest", "telemetry", "-a", "t.duckdb")

    seen = clamp("sql", "t.duckdb", "SELECT count(*) AS n FROM archive.files", "--format", "json")
    refused = clamp("sql", "t.duckdb", "DELETE FROM archive.files")

    assert (json.loads(seen.out), refused.code) == ([{"n": 10}], 2)


def test_a_dry_run_lists_what_would_be_new(clamp, tmp_path):
    write(tmp_path, {"runs/a.json": numbered(1)})
    clamp("ingest", "runs", "-a", "t.duckdb")
    write(tmp_path, {"runs/b.json": numbered(2), "runs/c\x1b[31m.json": numbered(3)})

    done = clamp("ingest", "runs", "-a", "t.duckdb", "--dry-run")

    assert (done.code, done.out) == (0, "runs/b.json\nruns/c\\x1b[31m.json\n")
    assert "3 seen = 2 new + 1 known + 0 rejected + 0 skipped (dry run: nothing was written)" in done.err


def test_nothing_usable_ends_with_exit_code_3(clamp, tmp_path):
    write(tmp_path, {"runs/a.json": b"{"})

    done = clamp("ingest", "runs", "-a", "t.duckdb")

    assert done.code == 3
    assert "1 seen = 0 new + 0 known + 1 rejected + 0 skipped" in done.err


def test_a_folder_that_is_missing_makes_no_archive(clamp, tmp_path):
    done = clamp("ingest", "nowhere", "-a", "t.duckdb")

    assert (done.code, os.listdir(tmp_path)) == (3, [])


def test_the_archive_must_be_named(clamp):
    assert clamp("ingest", "nowhere").code == 2


def test_what_is_there_and_no_archive_is_refused(clamp, telemetry, tmp_path):
    with duckdb.connect(str(tmp_path / "mine.duckdb")) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
    before = (tmp_path / "mine.duckdb").read_bytes()

    done = clamp("ingest", "telemetry", "-a", "mine.duckdb")

    assert (done.code, "not an archive of this package" in done.err) == (3, True)
    assert (tmp_path / "mine.duckdb").read_bytes() == before
