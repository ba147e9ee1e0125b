"""Limits of queries: memory, time, and the folder for temporary files; and archives that are damaged."""

from __future__ import annotations

import fcntl
import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.database import connect, run_query
from clamp_analytics.database.limits import SpillFolder, run_interruptible, size_in_bytes
from clamp_analytics.errors import ClampError, QueryError, SourceError, UsageError
from tests.conftest import GOOD, numbered, record, session, write

ENDLESS = "SELECT count(*) FROM range(1000000000000) a, range(100000) b WHERE a.range * b.range % 7 = 3"
QUERIES = ("SELECT count(*), sum(seed), max(context), max(extra) FROM records", "FROM sessions", "FROM violations")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "sessions", {"a.json": GOOD})


def test_a_query_that_takes_too_long_is_stopped(source: Path) -> None:
    connection = connect(source)

    with pytest.raises(QueryError, match=r"stopped after 0\.2 seconds"):
        run_query(connection, ENDLESS, timeout_seconds=0.2)


def test_a_connection_can_be_used_after_a_query_was_stopped(source: Path) -> None:
    connection = connect(source)
    with pytest.raises(QueryError):
        run_query(connection, ENDLESS, timeout_seconds=0.1)

    assert run_query(connection, "SELECT count(*) AS n FROM records")["n"].to_list() == [1]


def test_the_progress_of_a_query_is_reported_while_it_runs() -> None:
    connection = SimpleNamespace(query_progress=lambda: 42.6)
    seen, reported = [], threading.Event()

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        reported.set()

    assert run_interruptible(connection, lambda: reported.wait(60), None, progress)
    assert set(seen) == {(42, 100)}


def test_unknown_progress_is_not_reported() -> None:
    connection = SimpleNamespace(query_progress=lambda: -1.0)
    seen: list[tuple[int, int]] = []

    run_interruptible(connection, lambda: None, None, lambda done, total: seen.append((done, total)))

    assert seen == []


def test_a_query_that_needs_too_much_memory_is_an_error(source: Path) -> None:
    connection = connect(source, memory_limit="100MB")

    with pytest.raises(QueryError, match="needs more memory or disk space"):
        run_query(connection, "SELECT list(range) FROM range(50000000)")


def test_a_result_larger_than_the_memory_limit_is_an_error(source: Path) -> None:
    connection = connect(source, memory_limit="100MB")

    with pytest.raises(QueryError, match="result is larger than the memory limit"):
        run_query(connection, "SELECT range FROM range(100000000000)")


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2_000_000_000), ("512 MiB", 536_870_912), ("1.5kb", 1500), ("190.7 MiB", 199_963_443)]
)
def test_sizes_have_decimal_and_binary_units(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "2", "many", "-1GB", "0GB", "nan GB", "1e9GB"])
def test_what_is_not_a_size_is_refused(source: Path, text: str) -> None:
    with pytest.raises(UsageError, match="is not a size of memory"):
        connect(source, memory_limit=text)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def old_folder(parent: Path) -> Path:
    """A folder without a lock, as a killed process leaves it."""
    folder = parent / "clamp-analytics-abc"
    folder.mkdir()
    (folder / "rows.tmp").write_bytes(b"x")
    os.utime(folder, (0, 0))
    return folder


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one(temporary: Path) -> None:
    left = old_folder(temporary)

    new = SpillFolder()

    assert (left.exists(), Path(new.path).exists()) == (False, True)


def test_the_folder_exists_as_long_as_its_connection(source: Path, temporary: Path) -> None:
    connection = connect(source)
    before = len(list(temporary.iterdir()))

    del connection
    gc.collect()

    assert (before, len(list(temporary.iterdir()))) == (1, 0)


def test_the_folder_can_be_read_by_its_user_only(source: Path, temporary: Path) -> None:
    connection = connect(source)

    modes = [path.stat().st_mode & 0o777 for path in temporary.iterdir()]
    connection.close()
    assert modes == [0o700]


def test_the_folder_of_a_running_process_is_kept(temporary: Path) -> None:
    held = old_folder(temporary)
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    SpillFolder()
    os.close(descriptor)

    assert held.exists()


def wait_for_the_locked_folder(process: subprocess.Popen[bytes], temporary: Path) -> None:
    """Wait until a command has locked its folder: from then on it removes the folder, however it ends."""
    while process.poll() is None:
        locks = Path("/proc/locks").read_text()
        if any(f":{folder.stat().st_ino} " in locks for folder in temporary.glob("clamp-analytics-*")):
            return
    pytest.fail("the command ended before its query")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_a_running_query_and_leaves_no_folder(
    number: int, code: int, source: Path, temporary: Path
) -> None:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "clamp_analytics", "sql", str(source), ENDLESS]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    wait_for_the_locked_folder(process, temporary)

    process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode == code
    assert list(temporary.iterdir()) == []


def test_ctrl_c_at_any_moment_of_a_query_leaves_a_connection_that_works(source: Path) -> None:
    script = f"""
import random, signal, threading, time
from clamp_analytics.database import connect, run_query
connection = connect({str(source)!r})
moments = random.Random(5)
for _ in range(15):
    delay = moments.uniform(0, 0.02)
    ctrl_c = threading.Timer(delay, signal.raise_signal, [signal.SIGINT])
    try:
        ctrl_c.start()
        run_query(connection, "SELECT count(*) FROM range(1000000000000)")
        print("it ended without Ctrl-C")
    except KeyboardInterrupt:
        ctrl_c.join()
    print(run_query(connection, "SELECT 1 AS one").rows())
"""

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[(1,)]\n" * 15


def test_every_damage_to_an_archive_is_a_source_error(tmp_path: Path) -> None:
    rows = [session(*(record(seed=n * 100 + k, context=f"c{k}") for k in range(1, 30))) for n in range(40)]
    archive = tmp_path / "t.duckdb"
    ingest(write(tmp_path / "heap", {f"{n}.json": rows[n] for n in range(40)}), archive)
    data, rng = archive.read_bytes(), random.Random(1)
    errors: list[ClampError] = []
    for number in range(60):
        damaged, copy = bytearray(data), tmp_path / f"{number}.duckdb"
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        copy.write_bytes(damaged)
        try:
            connection = connect(copy)
            for sql in QUERIES:
                run_query(connection, sql)
        except ClampError as error:
            errors.append(error)

    assert errors
    assert {type(error) for error in errors} == {SourceError}


def test_a_damaged_archive_ends_the_command_with_exit_code_3(tmp_path: Path) -> None:
    archive = tmp_path / "t.duckdb"
    ingest(write(tmp_path / "heap", {"a.json": numbered(1)}), archive)
    archive.write_bytes(archive.read_bytes()[:-20_000])

    command = [sys.executable, "-m", "clamp_analytics", "sql", str(archive), "FROM records"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert "the archive cannot be" in done.stderr
    assert "Traceback" not in done.stderr
