"""Atomic writes: complete files or none, and nothing left by processes that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from clamp_analytics.atomic_files import FileGroup, publish, remove_abandoned
from clamp_analytics.errors import OutputError
from tests.conftest import write


def test_a_failed_write_leaves_nothing(tmp_path):
    def chunks():
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish(tmp_path / "a", chunks())

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appeared_meanwhile_is_not_replaced(tmp_path):
    def chunks():
        (tmp_path / "a").write_bytes(b"theirs")
        yield b"ours"

    with pytest.raises(OutputError, match="it exists already"):
        publish(tmp_path / "a", chunks())

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"theirs"}


def test_a_file_is_replaced_on_request(tmp_path):
    write(tmp_path, {"a": b"old"})

    publish(tmp_path / "a", [b"ne", b"w"], overwrite=True)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new"}


def test_a_missing_folder_is_an_error_of_output(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: no such file or directory"):
        publish(tmp_path / "none" / "a", [b""])


def test_a_file_name_that_is_too_long_is_an_error_of_output(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: file name too long"):
        publish(tmp_path / ("x" * 300), [b""])


KILLED = """
import os, signal, sys
from pathlib import Path
from clamp_analytics.atomic_files import FileGroup, publish

def chunks():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "file":
    publish(Path("a"), chunks())
else:
    with FileGroup(Path(".")) as group:
        group.add(Path("a"), b"whole")
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and file locks")
@pytest.mark.parametrize("kind", ["file", "group"])
def test_the_next_write_removes_what_a_killed_process_left(tmp_path, kind):
    done = subprocess.run([sys.executable, "-c", KILLED, kind], cwd=tmp_path, check=False)
    left = [path.name for path in tmp_path.iterdir()]

    publish(tmp_path / "b", [b"new"])

    assert done.returncode == -signal.SIGKILL
    assert len(left) == 1
    assert os.listdir(tmp_path) == ["b"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs file locks")
def test_the_temporary_file_of_a_running_write_is_kept(tmp_path):
    def chunks():
        yield b"ours"
        remove_abandoned(tmp_path)

    publish(tmp_path / "a", chunks())

    assert (tmp_path / "a").read_bytes() == b"ours"


def test_the_files_of_a_group_appear_together(tmp_path):
    with FileGroup(tmp_path / "out") as group:
        group.add(tmp_path / "out" / "a", b"1")
        group.add(tmp_path / "out" / "deep" / "b", b"2")
        before = [path.name for path in tmp_path.rglob("[ab]")]
        group.publish()

    assert before == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "deep", "out"]


def test_a_group_that_fails_leaves_neither_files_nor_folders(tmp_path):
    write(tmp_path, {"out/b": b"mine"})

    def write_group():
        with FileGroup(tmp_path / "out") as group:
            group.add(tmp_path / "out" / "new" / "a", b"1")
            group.add(tmp_path / "out" / "b", b"2")
            group.publish()

    with pytest.raises(OutputError, match="it exists already"):
        write_group()

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]
    assert (tmp_path / "out" / "b").read_bytes() == b"mine"


def test_a_group_in_a_folder_that_cannot_be_made_is_an_error_of_output(tmp_path):
    write(tmp_path, {"file": b""})

    with pytest.raises(OutputError, match="the folder cannot be made"), FileGroup(tmp_path / "file" / "out"):
        pass
