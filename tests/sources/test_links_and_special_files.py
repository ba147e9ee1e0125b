"""Links and special files: reading them always ends, and does not affect other files."""

from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path

import pytest

from clamp_analytics.reading import Counts, Reader, load
from tests.conftest import GOOD, drain, faults, names, numbered, run_python, write

LOAD = "import sys; from clamp_analytics.reading import load; print(load(sys.argv[1:]).counts)"


def test_a_link_to_a_file_elsewhere_is_read_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.json": GOOD, "out/b.json": numbered(8)})
    (tmp_path / "in" / "link.json").symlink_to("../out/b.json")

    assert names(load(tmp_path / "in")) == ["a.json", "link.json"]


def test_a_link_to_a_file_that_is_read_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, {"z.json": GOOD})
    (tmp_path / "a.json").symlink_to("z.json")
    reader = Reader(tmp_path)
    drain(reader)

    assert reader.counts == Counts(1, 0, 1)
    assert reader.skipped == {"link to a file that is read": 1}


def test_a_dangling_link_is_an_unreadable_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD})
    (tmp_path / "b.json").symlink_to("gone.json")

    telemetry = load(tmp_path)

    assert telemetry.counts == Counts(1, 1, 0)
    assert [rule for rule, *_ in faults(telemetry)] == ["unreadable"]


def test_a_dangling_link_that_a_pattern_matches_harms_no_other_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD})
    (tmp_path / "b.json").symlink_to("gone.json")

    telemetry = load(str(tmp_path / "*.json"))

    assert telemetry.counts == Counts(1, 1, 0)


@pytest.mark.parametrize("name", ["loop.json", "loop"])
def test_a_link_to_itself_harms_no_other_file(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"a.json": GOOD, "below/b.json": numbered(8)})
    (tmp_path / name).symlink_to(name)

    assert load(tmp_path).counts.loaded == 2


def test_links_between_folders_end(tmp_path: Path) -> None:
    write(tmp_path, {"a/a.json": GOOD, "b/b.json": numbered(8)})
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to(".")
    (tmp_path / "a" / "other").symlink_to("../b")
    (tmp_path / "b" / "other").symlink_to("../a")

    found = load(tmp_path).sessions["source"].to_list()

    assert found == [str(tmp_path / "a" / "a.json"), str(tmp_path / "b" / "b.json")]


def test_links_between_folders_end_in_a_pattern_too(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD})
    for name in ("one", "two", "three"):
        (tmp_path / name).symlink_to(".")

    done = run_python(LOAD, f"{tmp_path}/**/*.json")

    assert done.stdout.startswith(b"1 seen = 1 loaded"), done.stderr.decode()


def test_a_folder_that_is_known_by_its_link_only_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.json": GOOD, "out/b.json": numbered(8)})
    (tmp_path / "in" / "link").symlink_to("../out")

    assert names(load(tmp_path / "in")) == ["a.json", "b.json"]


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "link to a device"])
@pytest.mark.parametrize("named", ["outright", "by its folder", "by a pattern"])
def test_an_entry_that_is_not_a_regular_file_is_skipped_and_never_opened(tmp_path: Path, kind: str, named: str) -> None:
    write(tmp_path, {"a.json": GOOD})
    special = tmp_path / "b.json"
    if kind == "fifo":
        os.mkfifo(special)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server, pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)  # the path of a socket may only be short
            server.bind("b.json")
    elif kind == "device":
        try:
            os.mknod(special, 0o600 | 0o020000, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("devices cannot be made here")
    else:
        special.symlink_to("/dev/zero")
    source = {"outright": [str(tmp_path / "a.json"), str(special)], "by its folder": [str(tmp_path)]}

    done = run_python(LOAD, *source.get(named, [f"{tmp_path}/*.json"]))

    assert done.stdout.decode() == "2 seen = 1 loaded + 0 rejected + 1 skipped\n", done.stderr.decode()


def test_a_fifo_that_replaced_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    code = "import sys; from clamp_analytics.sources import read_bytes; read_bytes(sys.argv[1])"

    done = run_python(code, str(tmp_path / "a.json"))

    assert b"UnreadableError: it is not a regular file" in done.stderr


def test_every_entry_of_a_mixed_folder_is_seen_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": b"", "c.txt": b"", ".d": b"", "e/f.json": numbered(8)})
    os.mkfifo(tmp_path / "g.json")
    (tmp_path / "h.json").symlink_to("a.json")

    telemetry = load(tmp_path)

    assert telemetry.counts == Counts(loaded=2, rejected=1, skipped=4)
    assert Counter(telemetry.sessions["status"]) == {"loaded": 2, "rejected": 1}
