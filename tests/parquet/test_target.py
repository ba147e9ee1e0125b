"""What an export may replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, load
from clamp_analytics.sources import MANIFEST
from tests.conftest import write
from tests.parquet.helpers import assert_equal, contents, exported, visible


def test_an_export_that_exists_is_not_replaced_unasked(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)

    with pytest.raises(OutputError) as caught:
        exported(days, out, partition_by="none")

    assert caught.value.what == "an export exists already"
    assert "overwrite" in caught.value.hint
    assert contents(out) == before


def test_overwriting_replaces_an_export_and_leaves_nothing_of_it(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")

    exported(days, out, partition_by="none", overwrite=True)

    assert visible(out / "records") == ["part-000000.parquet"]
    assert_equal(load(out), load(days, session_ids=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "runs"]


@pytest.mark.parametrize(
    "there",
    [
        {"notes.txt": b"mine"},
        {MANIFEST: b"mine"},
        {MANIFEST: b'{"format": "other", "version": 1}'},
        {"records/part-000000.parquet": b"mine"},
    ],
)
def test_a_folder_that_is_not_an_export_is_never_replaced(days: Path, tmp_path: Path, there: dict[str, bytes]) -> None:
    out = write(tmp_path / "out", there)

    with pytest.raises(OutputError, match="not an export of this package"):
        exported(days, out, overwrite=True)

    assert contents(out) == there


def test_an_export_with_a_strangers_file_in_it_is_not_replaced(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    write(out, {"records/notes.txt": b"mine"})

    with pytest.raises(OutputError, match="records/notes"):
        exported(days, out, overwrite=True)

    assert (out / "records/notes.txt").read_bytes() == b"mine"


def test_a_file_at_the_target_is_left_alone(days: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")

    with pytest.raises(OutputError, match="not a folder"):
        exported(days, tmp_path / "out", overwrite=True)

    assert (tmp_path / "out").read_bytes() == b"mine"


def test_an_empty_folder_and_missing_parents_are_fine_as_a_target(days: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for target in (tmp_path / "empty", tmp_path / "x/y/out"):
        assert load(exported(days, target)).records.height == 9


def test_a_link_to_an_export_stays_a_link_when_the_export_is_replaced(days: Path, tmp_path: Path) -> None:
    real = exported(days, tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to(real)

    exported(days, link, overwrite=True, partition_by="none")

    assert link.is_symlink()
    assert visible(real / "records") == ["part-000000.parquet"]


def test_a_reader_without_all_columns_is_refused(days: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="extra"):
        export(Reader(days, columns=["seed"]), tmp_path / "out", ExportOptions())

    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]
