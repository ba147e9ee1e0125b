"""Exports that fail or are killed leave complete exports only."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.errors import OutputError
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, load
from tests.parquet.helpers import assert_equal, contents, exported, hidden, limit, visible


def test_a_write_that_the_system_cuts_short_leaves_the_old_export_and_no_remains(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)

    with limit(resource.RLIMIT_FSIZE, 100), pytest.raises(OutputError, match="could not be written: file too large"):
        exported(days, out, overwrite=True, partition_by="none")

    assert contents(out) == before
    assert hidden(tmp_path) == []


def test_a_full_disk_is_named_with_a_way_out(days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OutputError) as caught:
        exported(days, tmp_path / "out")

    assert caught.value.what == "the export could not be written: no space left on device"
    assert "free space" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_a_read_only_disk_is_named_before_anything_is_read(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    read: list[object] = []
    monkeypatch.setattr(Path, "mkdir", read_only)
    reader = Reader(days, progress=lambda *_: read.append(0))

    with pytest.raises(OutputError, match="read-only file system"):
        export(reader, tmp_path / "out", ExportOptions())

    assert read == []


def test_a_target_below_a_file_cannot_be_written(days: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OutputError, match="could not be written"):
        exported(days, tmp_path / "file/out")


def test_a_failed_last_step_brings_the_old_export_back(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if source.name == "new":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)

    with pytest.raises(OutputError, match="input/output error"):
        exported(days, out, overwrite=True, partition_by="none")

    assert contents(out) == before
    assert hidden(tmp_path) == []


CHILD = """
import os, signal, sys
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader

source, target, name, count = sys.argv[1:]
left = int(count)
function = getattr(os, name)

def stop(*args):
    global left
    left -= 1
    if left == 0:
        print("here", flush=True)
        signal.pause()
    return function(*args)

setattr(os, name, stop)
export(Reader(source, jobs=1), target, ExportOptions(partition_by="none", overwrite=True))
"""


def kill_at(source: Path, target: Path, function: str, count: int) -> None:
    """Kill an export just before its n-th call of a system function."""
    command = [sys.executable, "-c", CHILD, str(source), str(target), function, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize(
    "function, count",
    [
        ("fsync", 1),  # the first Parquet file
        ("fsync", 3),  # the last one
        ("fsync", 4),  # the manifest
        ("fsync", 6),  # the folders
        ("rename", 1),  # the last step
    ],
)
def test_a_killed_export_leaves_nothing_to_see_and_the_next_one_clears_up(
    days: Path, tmp_path: Path, function: str, count: int
) -> None:
    kill_at(days, tmp_path / "out", function, count)

    assert visible(tmp_path) == ["runs"]
    assert len(hidden(tmp_path)) == 1
    assert_equal(load(exported(days, tmp_path / "out")), load(days, session_ids=True))
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("function, count", [("fsync", 1), ("fsync", 4), ("rename", 1)])
def test_an_export_that_is_killed_while_it_replaces_leaves_the_old_one(
    days: Path, tmp_path: Path, function: str, count: int
) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)

    kill_at(days, out, function, count)

    assert contents(out) == before


def test_an_export_that_was_moved_away_when_its_replacement_was_killed_is_put_back(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)
    kill_at(days, out, "rename", 2)
    assert visible(tmp_path) == ["runs"]

    with pytest.raises(OutputError, match="exists already"):
        exported(days, out)

    assert contents(out) == before
    assert hidden(tmp_path) == []


def test_an_export_that_is_killed_after_the_last_step_is_whole(days: Path, tmp_path: Path) -> None:
    kill_at(days, tmp_path / "out", "fsync", 9)

    assert_equal(load(tmp_path / "out", columns=["seed"]), load(days, columns=["seed"]))


def test_the_hidden_folder_of_a_running_export_is_left_alone(days: Path, tmp_path: Path) -> None:
    running = tmp_path / ".out.clamp-export-0123456789abcdef"
    running.mkdir()
    lock = os.open(running, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)

    exported(days, tmp_path / "out")

    assert hidden(tmp_path) == [running.name]
    os.close(lock)


def test_hidden_folders_of_others_are_left_alone(days: Path, tmp_path: Path) -> None:
    names = [".out.clamp-export-mine", ".out", ".outer.clamp-export-0123456789abcdef"]
    for name in names:
        (tmp_path / name).mkdir()

    exported(days, tmp_path / "out")

    assert hidden(tmp_path) == sorted(names)
