"""Files and folders that cannot be read, and files that change while they are read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clamp_analytics.reading import Counts, Reader, load
from clamp_analytics.sources import UnreadableError, read_bytes
from tests.conftest import GOOD, drain, itself, numbered, only, run_python, statuses, write

AS_NOBODY = (
    "import os, sys; from clamp_analytics.reading import load; load('-')\n"
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    "t = load(sys.argv[1:]); print(t.counts, t.violations.select('rule', 'message').rows())"
)
"""Reads without root's right to read everything; the faulty session before it imports all that is needed."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may search; those that pytest makes are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_that_vanishes_before_it_is_read_is_reported(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": numbered(8), "c.json": numbered(9)})
    reader = Reader(tmp_path)
    (tmp_path / "b.json").unlink()

    (batch,) = reader.fold(itself)

    assert reader.counts == Counts(2, 1, 0)
    assert statuses(batch) == ["loaded", "rejected", "loaded"]
    row = only(batch.violations)
    assert (row["source"], row["rule"]) == (str(tmp_path / "b.json"), "unreadable")
    assert "it vanished" in row["message"]
    assert batch.sessions[1, "size_bytes"] is None


def test_a_file_that_vanishes_between_reading_and_comparing_harms_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": GOOD})
    reader = Reader(tmp_path)

    for _ in reader.fold(itself):
        (tmp_path / "b.json").unlink(missing_ok=True)

    assert reader.counts == Counts(2, 0, 0)


def test_a_folder_that_replaced_a_file_is_reported(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": numbered(8)})
    reader = Reader(tmp_path)
    (tmp_path / "b.json").unlink()
    (tmp_path / "b.json").mkdir()
    drain(reader)

    assert reader.counts == Counts(1, 1, 0)


@pytest.mark.usefixtures("without_kernel")
def test_an_error_while_reading_is_reported_and_affects_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.json": GOOD, "b.json": numbered(8)})
    real_open, real_read = os.open, os.read
    broken: set[int] = set()

    def open_file(path: str, *arguments: int) -> int:
        descriptor = real_open(path, *arguments)
        if path.endswith("b.json"):
            broken.add(descriptor)
        return descriptor

    def read_file(descriptor: int, count: int) -> bytes:
        if descriptor in broken:
            raise OSError(5, "Input/output error")
        return real_read(descriptor, count)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_file)
        patch.setattr(os, "read", read_file)
        telemetry = load(tmp_path, jobs=1)

    assert telemetry.counts == Counts(1, 1, 0)
    assert "input/output error" in only(telemetry.violations)["message"]


@needs_root
def test_a_file_without_the_right_to_read_it_is_unreadable(public_folder: Path) -> None:
    write(public_folder, {"a.json": GOOD, "b.json": numbered(8)})
    (public_folder / "b.json").chmod(0)

    done = run_python(AS_NOBODY, str(public_folder), data=b"[]")

    assert done.stdout.decode().startswith("2 seen = 1 loaded + 1 rejected + 0 skipped"), done.stderr.decode()
    assert b"unreadable" in done.stdout
    assert b"permission denied" in done.stdout


@needs_root
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_folder_below_without_the_right_to_list_it_harms_no_file(public_folder: Path, mode: int) -> None:
    write(public_folder, {"a.json": GOOD, "below/b.json": numbered(8), "c.json": numbered(9)})
    (public_folder / "below").chmod(mode)

    done = run_python(AS_NOBODY, str(public_folder), data=b"[]")

    assert b"2 loaded + 1 rejected" in done.stdout, done.stderr.decode()
    assert b"unreadable" in done.stdout


@needs_root
def test_a_link_to_where_one_may_not_look_harms_no_file(public_folder: Path) -> None:
    write(public_folder, {"in/a.json": GOOD, "out/b.json": numbered(8)})
    (public_folder / "in" / "link.json").symlink_to("../out/b.json")
    (public_folder / "out").chmod(0)

    done = run_python(AS_NOBODY, str(public_folder / "in"), data=b"[]")

    assert b"1 loaded + 1 rejected" in done.stdout, done.stderr.decode()


@needs_root
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_source_without_the_right_to_search_it_is_an_error_that_names_it(public_folder: Path, mode: int) -> None:
    write(public_folder, {"in/a.json": GOOD})
    (public_folder / "in").chmod(mode)

    done = run_python(AS_NOBODY, str(public_folder / "in"), data=b"[]")

    lines = done.stderr.decode().splitlines()
    is_named = any(line.startswith(f"clamp_analytics.errors.SourceError: {public_folder}/in: ") for line in lines)
    # Where the folder can be listed, its only file may be reported as unreadable instead.
    assert is_named or b"0 loaded + 1 rejected" in done.stdout


def test_a_file_that_grows_while_it_is_read_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.json": GOOD})
    real = os.fstat

    def earlier(descriptor: int) -> os.stat_result:
        status = list(real(descriptor))
        status[6] = 10
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", earlier)

    assert read_bytes(str(tmp_path / "a.json")) == GOOD


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    write(tmp_path, {f"{n}.json": numbered(n) for n in range(1, 20)} | {"x.json": b""})
    (tmp_path / "f.json").mkdir()
    before = len(os.listdir("/proc/self/fd"))

    load(tmp_path, jobs=1)
    with pytest.raises(UnreadableError):
        read_bytes(str(tmp_path / "f.json"))

    assert len(os.listdir("/proc/self/fd")) == before
