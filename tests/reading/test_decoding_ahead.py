"""What the native decoder decodes while an engine is imported is what the reader asks for afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clamp_analytics.cli import make_app
from clamp_analytics.decode.kernel import Kernel, load_kernel
from clamp_analytics.reading.division import first_plain_groups
from clamp_analytics.reading.options import ReadingOptions
from clamp_analytics.sources import list_sources
from tests.conftest import numbered
from tests.sources.container_builders import a_tar

pytestmark = pytest.mark.skipif(load_kernel() is None, reason="clamp-analytics-kernel is not installed")

SMALL_BATCHES = ReadingOptions(batch_files=3)


class RecordingKernel:
    """The native decoder; remembers what was announced, and what was asked for."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.INTERFACE = kernel.INTERFACE
        self.__version__ = kernel.__version__
        self.announced: list[tuple[Any, ...]] = []
        self.asked: list[tuple[Any, ...]] = []

    def decode_ahead(self, groups: Sequence[tuple[Sequence[str], int | None]], *request: Any) -> None:
        self.announced += [(list(paths), *request) for paths, _ in groups]
        self._kernel.decode_ahead(groups, *request)

    def decode_files(self, files: Sequence[Any], *request: Any) -> Any:
        self.asked.append((list(files), *request))
        return self._kernel.decode_files(files, *request)

    def open_large_file(self, *request: Any) -> Any:
        return self._kernel.open_large_file(*request)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> RecordingKernel:
    found = load_kernel()
    assert found is not None
    recording = RecordingKernel(found)
    for module in ("clamp_analytics.reading.executors", "clamp_analytics.reading.task"):
        monkeypatch.setattr(f"{module}.load_kernel", lambda: recording)
    return recording


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 8):
        (tmp_path / f"{number}.json").write_bytes(numbered(number))
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["summarize", "--no-artifact"],
        ["summarize", "--no-artifact", "--by", "context", "--by", "day"],
        ["summarize", "--no-artifact", "--by", "label:build", "--label", "build=7"],
        ["validate"],
        ["score"],
        ["seeds"],
        ["drift"],
        ["drift", "--by", "none", "--metric", "hold_total_ms"],
        ["calibrate"],
        ["sql"],
        ["export", "-o", "out"],
    ],
    ids=" ".join,
)
def test_a_command_asks_for_what_it_has_announced(
    kernel: RecordingKernel, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    query = ["select 1"] if arguments == ["sql"] else []

    make_app(arguments[0])([*arguments, str(folder), *query], standalone_mode=False)

    assert kernel.announced
    assert kernel.asked == kernel.announced


def test_groups_are_those_of_the_reader(folder: Path) -> None:
    found = first_plain_groups(list_sources(folder), 100, 10**6, SMALL_BATCHES)

    assert [[Path(path).name for path in group.paths] for group in found] == [
        ["1.json", "2.json", "3.json"],
        ["4.json", "5.json", "6.json"],
        ["7.json"],
    ]


@pytest.mark.parametrize(("most_files", "most_bytes"), [(5, 10**6), (100, 4 * len(numbered(1)))])
def test_a_group_that_may_have_further_files_is_left_out(folder: Path, most_files: int, most_bytes: int) -> None:
    found = first_plain_groups(list_sources(folder), most_files, most_bytes, SMALL_BATCHES)

    assert [len(group.paths) for group in found] == [3]


def test_groups_end_before_the_first_container(folder: Path) -> None:
    (folder / "3.tar").write_bytes(a_tar({"x.json": numbered(9)}))

    found = first_plain_groups(list_sources(folder), 100, 10**6, ReadingOptions(batch_files=1))

    assert [Path(group.paths[0]).name for group in found] == ["1.json", "2.json"]
