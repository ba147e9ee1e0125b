"""``watch`` as a user runs it: a process, files that come, and a signal."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clamp_analytics.reading import load
from tests.conftest import numbered, write

LIMIT_SECONDS = 90


class Watch:
    """A running ``watch``; whoever waits for a line in vain is freed by the limit."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clamp_analytics", "watch", *arguments, "--unchanged-for", "0.05"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=home,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._timer = threading.Timer(LIMIT_SECONDS, self.process.kill)
        self._timer.start()

    def line(self) -> list[str]:
        """The next line of standard output, by its tabs."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n").split("\t")

    def until(self, words: str) -> None:
        """Wait for a line of standard error."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return
        raise AssertionError(f"it ended without saying {words!r}")

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode

    def close(self) -> None:
        self._timer.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    pytest.importorskip("watchfiles")
    write(tmp_path / "runs", {"old.json": numbered(1)})
    watching = Watch(tmp_path, "runs", "--archive", "t.duckdb")
    yield watching
    watching.close()


def move_into(folder: Path, name: str, data: bytes) -> None:
    """Put a file there as a careful program does: whole, under its name in one step."""
    (folder / f".{name}.tmp").write_bytes(data)
    (folder / f".{name}.tmp").rename(folder / name)


def test_what_is_there_is_added_first(watch):
    assert watch.line() == ["loaded", "1", "1.000000", "runs/old.json"]


def test_what_comes_is_added_with_a_line_a_session(watch):
    watch.until("watching runs")
    move_into(watch.home / "runs", "new.json", numbered(2))

    old, new = watch.line(), watch.line()

    assert old[3] == "runs/old.json"
    assert new == ["loaded", "1", "1.000000", "runs/new.json"]


def test_a_cut_file_is_tried_again_when_it_grows(watch):
    watch.line()
    watch.until("watching runs")
    data = numbered(2)
    growing = watch.home / "runs" / "growing.json"
    growing.write_bytes(data[:-9])
    cut = watch.line()
    with growing.open("ab") as file:
        file.write(data[-9:])

    whole = watch.line()

    assert (cut[0], whole[0]) == ("rejected", "loaded")
    assert watch.end() == 0
    counts = load(watch.home / "t.duckdb").counts
    assert (counts.loaded, counts.rejected) == (2, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_it_with_exit_code_0(watch, number):
    watch.until("watching runs")

    assert watch.end(number) == 0
    assert sorted(path.name for path in watch.home.iterdir()) == ["runs", "t.duckdb"]


def test_it_does_not_keep_readers_from_the_archive(watch):
    watch.until("watching runs")

    assert load(watch.home / "t.duckdb").counts.loaded == 1


def test_a_folder_that_is_missing_is_named(clamp):
    done = clamp("watch", "nowhere", "--archive", "t.duckdb")

    assert (done.code, "nowhere: it is not a folder" in done.err) == (3, True)
