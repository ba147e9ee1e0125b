"""One writer at a time, readers between commits, and full disks: nothing is lost or half there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from clamp_analytics.archive.compact import compact
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.lock import writer_lock
from clamp_analytics.archive.paths import lock_path
from clamp_analytics.errors import OutputError, SourceError
from clamp_analytics.reading import ReadingOptions, load
from clamp_analytics.reading.archive_connection import open_archive
from tests.archive.conftest import rows
from tests.conftest import numbered, write

AT_ONCE = IngestOptions(wait_seconds=0)

HOLD_LOCK = """
import sys
from pathlib import Path
from clamp_analytics.archive.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "ingest", 0):
    print("held", flush=True)
    sys.stdin.read()
"""
HOLD_FILE = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.read()
connection.close()
"""
READ = """
import sys
from clamp_analytics.reading import ReadingOptions, load
print(load(sys.argv[1], options=ReadingOptions(archive_wait_seconds=0)).counts.loaded)
"""
WRITE_AND_DIE = """
import duckdb, os, signal, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("INSERT INTO meta VALUES ('note', 'kept')")
os.kill(os.getpid(), signal.SIGKILL)
"""
FILL_UP = """
import resource, sys
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.errors import OutputError
size = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    ingest(sys.argv[1], sys.argv[2])
except OutputError as error:
    print(error)
"""


@contextmanager
def other(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has what it wants and keeps it to the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.communicate()


def python(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fill(path: Path) -> None:
    """Take all the room that is left on a disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while os.write(descriptor, bytes(4096)):
            pass
    os.close(descriptor)


def test_a_second_ingest_ends_with_the_name_of_the_holder(heap, archive):
    write(heap, {"a.json": numbered(1)})
    with (
        other(HOLD_LOCK, archive) as holder,
        pytest.raises(OutputError, match=f"another writer holds the archive: ingest of process {holder.pid} on "),
    ):
        ingest(heap, archive, AT_ONCE)

    assert not archive.exists()


def test_a_second_ingest_waits_as_long_as_its_option_says(heap, archive):
    write(heap, {"a.json": numbered(1)})
    with other(HOLD_LOCK, archive) as holder:
        waiting = subprocess.Popen(
            [sys.executable, "-m", "clamp_analytics", "ingest", heap, "-a", archive, "--wait", "60"],
            stderr=subprocess.PIPE,
            text=True,
        )
        holder.communicate()
        _, said = waiting.communicate(timeout=90)

    assert (waiting.returncode, "1 seen = 1 new" in said) == (0, True)


def test_two_ingests_that_start_together_lose_nothing(tmp_path, archive):
    write(
        tmp_path,
        {f"{side}/{number}.json": numbered(number + 100 * (side == "b")) for side in "ab" for number in range(30)},
    )
    command = [sys.executable, "-m", "clamp_analytics", "ingest", "--wait", "60", "-a", str(archive)]
    both = [subprocess.Popen([*command, str(tmp_path / side)], stderr=subprocess.DEVNULL) for side in "ab"]

    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert rows(archive, "SELECT count(*), count(DISTINCT seed) FROM records") == [(60, 60)]


def test_the_lock_of_a_process_that_died_does_not_block(heap, archive):
    write(heap, {"a.json": numbered(1)})
    with other(HOLD_LOCK, archive) as holder:
        holder.kill()
        holder.wait()
        left = json.loads(lock_path(archive).read_text())

        done = ingest(heap, archive, AT_ONCE)

    assert (left["pid"], done.new) == (holder.pid, 1)
    assert not lock_path(archive).exists()


def test_the_lock_is_gone_after_an_error(heap, archive):
    with pytest.raises(ZeroDivisionError), writer_lock(archive, "a test", 0):
        raise ZeroDivisionError

    assert os.listdir(heap.parent) == ["heap"]


def test_readers_read_between_the_commits_of_an_ingest(heap, archive):
    file_by_file = IngestOptions(commit_files=1, reading=ReadingOptions(batch_files=1))
    write(heap, {f"{number}.json": numbered(number) for number in range(1, 4)})
    seen = []

    ingest(heap, archive, file_by_file, added=lambda _: seen.append(python(READ, archive).strip()))

    assert seen == ["1", "2", "3"]


def test_a_reader_learns_who_writes(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    with other(HOLD_FILE, archive, "write") as holder, pytest.raises(SourceError, match=f"process {holder.pid}"):
        open_archive(archive, wait_seconds=0)


def test_a_reader_that_keeps_the_archive_open_is_named(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    write(heap, {"b.json": numbered(2)})
    with other(HOLD_FILE, archive, "read") as holder, pytest.raises(OutputError, match=f"process {holder.pid}"):
        ingest(heap, archive, AT_ONCE)

    assert ingest(heap, archive).new == 1


def test_compacting_waits_for_nobody_who_writes(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    with other(HOLD_LOCK, archive), pytest.raises(OutputError, match="another writer"):
        compact(archive, wait_seconds=0)


def test_the_log_of_a_killed_writer_is_taken_in(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, archive], check=False)
    log = archive.with_name(archive.name + ".wal")
    assert log.stat().st_size > 0

    write(heap, {"b.json": numbered(2)})
    ingest(heap, archive)

    assert rows(archive, "SELECT value FROM meta WHERE name = 'note'") == [("kept",)]
    assert (load(archive).counts.loaded, log.exists()) == (2, False)


def test_a_full_disk_leaves_the_archive_as_it_was(tmp_path, archive):
    write(tmp_path / "one", {"a.json": numbered(1)})
    write(tmp_path / "more", {f"{number}.json": numbered(number) for number in range(2, 400)})
    ingest(tmp_path / "one", archive)
    before = archive.read_bytes()

    said = python(FILL_UP, tmp_path / "more", archive, len(before))

    assert "the archive cannot be written and is unchanged" in said
    assert "free space on its disk" in said
    assert archive.read_bytes()[: len(before)] == before
    assert load(archive).counts.loaded == 1
    assert ingest(tmp_path / "more", archive).new == 398


def test_a_disk_too_full_for_a_new_archive_leaves_none(heap, archive):
    write(heap, {"a.json": numbered(1)})

    said = python(FILL_UP, heap, archive, 50_000)

    assert "the archive cannot be created" in said
    assert os.listdir(heap.parent) == ["heap"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_really_full(tmp_path, heap):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this system lets nobody mount a small disk")
    try:
        archive = disk / "t.duckdb"
        write(heap, {"a.json": numbered(1)})
        ingest(heap, archive)
        write(heap, {f"{number}.json": numbered(number) for number in range(2, 50)})
        filler = disk / "filler"
        fill(filler)

        with pytest.raises(OutputError, match="No space left"):
            ingest(heap, archive)

        assert load(archive).counts.loaded == 1
        filler.unlink()
        assert ingest(heap, archive).new == 48
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_lock_lies_beside_the_archive(archive: Path):
    assert lock_path(archive) == archive.with_name("telemetry.duckdb.lock")
