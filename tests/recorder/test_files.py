"""Session files: names, folders, and what is left after a failed write."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clamp_analytics.errors import OutputError
from clamp_analytics.recorder import ClampAnchor, EntropyTelemetry, files

NAME = re.compile(r"clamp_run_\d{8}T\d{6}\.\d{6}Z-\d+-[0-9a-f]{8}\.json")


def test_a_file_is_named_after_the_hint_the_time_and_the_process(telemetry):
    path = telemetry.write_json()

    assert NAME.fullmatch(path.name)
    assert f"-{os.getpid()}-" in path.name


def test_a_folder_that_does_not_exist_is_created(tmp_path):
    path = EntropyTelemetry(tmp_path / "a" / "b").write_json()

    assert path.parent == tmp_path / "a" / "b"


def test_directory_and_hint_can_be_given_for_one_file(telemetry, tmp_path):
    path = telemetry.write_json(tmp_path / "other", "nightly")

    assert path.parent == tmp_path / "other"
    assert path.name.startswith("nightly_")


@pytest.mark.parametrize(
    ("hint", "begin"),
    [
        ("../../etc/x", "_.._etc_x_"),
        ("..", "clamp_run_"),
        (".hidden", "hidden_"),
        ("", "clamp_run_"),
        ("a b\x00\n\\", "a_b____"),
        ("é\ud800", "__"),
        ("x" * 5000, "x" * 100 + "_"),
    ],
)
def test_no_hint_leaves_the_folder_or_hides_the_file(tmp_path, hint, begin):
    path = EntropyTelemetry(tmp_path, hint).write_json()

    assert path.parent == tmp_path
    assert path.name.startswith(begin)


def test_no_two_writes_share_a_name_and_nothing_else_is_left(tmp_path):
    telemetry = EntropyTelemetry(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: telemetry.write_json(), range(100)))

    assert len(set(paths)) == 100
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_an_existing_file_is_never_replaced(tmp_path):
    (tmp_path / "taken.json").write_text("mine")
    path = files.publish_new(tmp_path, ["taken.json", "free.json"], [b"new"])

    assert (path.name, path.read_text()) == ("free.json", "new")
    assert (tmp_path / "taken.json").read_text() == "mine"


def test_a_file_system_without_hard_links_is_supported(tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "taken.json").write_text("mine")
    path = files.publish_new(tmp_path, ["taken.json", "free.json"], [b"new"])

    assert (path.name, path.read_text()) == ("free.json", "new")
    assert (tmp_path / "taken.json").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_relative_folder_is_resolved_when_the_telemetry_is_created(tmp_path, monkeypatch):
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path)
    telemetry = EntropyTelemetry("out")
    monkeypatch.chdir(tmp_path / "later")

    assert telemetry.write_json().parent == tmp_path / "out"


@pytest.mark.parametrize("folder", ["file/below", "file"])
def test_a_folder_that_cannot_be_created_is_an_output_error_and_the_records_stay(tmp_path, folder):
    (tmp_path / "file").write_text("")
    telemetry = EntropyTelemetry(tmp_path / folder)
    with ClampAnchor("x", telemetry):
        pass
    with pytest.raises(OutputError, match="not written"):
        telemetry.write_json()

    assert len(telemetry.records()) == 1
    assert telemetry.write_json(tmp_path / "good").exists()


def test_a_file_system_that_refuses_new_files_is_an_output_error(telemetry):
    with pytest.raises(OutputError, match="not written"):
        telemetry.write_json("/proc/self")


def test_a_removed_folder_is_an_output_error_until_it_exists_again(tmp_path):
    folder = tmp_path / "out"
    telemetry = EntropyTelemetry(folder)
    telemetry.write_json().unlink()
    folder.rmdir()
    with ClampAnchor("x", telemetry):
        pass
    with pytest.raises(OutputError, match="removed"):
        telemetry.write_json()

    folder.mkdir()
    assert len(telemetry.records()) == 1
    assert telemetry.write_json().exists()


def test_a_folder_that_is_removed_during_a_write_is_an_output_error(tmp_path, monkeypatch):
    telemetry = EntropyTelemetry(tmp_path / "out")
    fsync = os.fsync

    def remove_then_fsync(descriptor):
        for path in (tmp_path / "out").iterdir():
            path.unlink()
        Path(tmp_path / "out").rmdir()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", remove_then_fsync)
    with pytest.raises(OutputError, match="no such file"):
        telemetry.write_json()


def test_every_call_of_write_json_writes_all_records_in_memory(telemetry, sessions):
    for _ in range(2):
        with ClampAnchor("x", telemetry):
            pass
        telemetry.write_json()

    counts = [len(session["records"]) for session in sessions(telemetry.write_json().parent)]
    assert sorted(counts) == [1, 2, 2]


def test_a_large_session_is_written_in_few_system_calls(telemetry, monkeypatch):
    # Each system call gives up the interpreter lock, which busy threads return late.
    sizes = []
    write = os.write

    def counted(descriptor, data):
        sizes.append(len(data))
        return write(descriptor, data)

    anchor = ClampAnchor("x", telemetry)
    for _ in range(40_000):
        with anchor:
            pass
    monkeypatch.setattr(os, "write", counted)
    path = telemetry.write_json()

    assert sum(sizes) == path.stat().st_size
    assert len(sizes) <= 3
