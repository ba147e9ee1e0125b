"""Labels of sessions in Parquet exports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from clamp_analytics.database import connect
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, load
from clamp_analytics.sources import MANIFEST
from tests.conftest import record, session, write


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """An export of one session with a label of its own and one of a rule."""
    folder = write(tmp_path / "build-7", {"a.json": session(record(), labels={"commit": "0f3c"})})
    reader = Reader(folder, session_ids=True, jobs=1, labels=[r"build=build-(\d+)"])
    export(reader, tmp_path / "out", ExportOptions())
    return tmp_path / "out"


def remove_labels(folder: Path) -> None:
    """Make the export one of a version without the column."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for file in manifest["files"]:
        if file["table"] == "sessions":
            path = folder / file["path"]
            pl.read_parquet(path).drop("labels").write_parquet(path)
            data = path.read_bytes()
            file.update(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_an_export_carries_the_labels(exported: Path) -> None:
    assert load(exported).sessions["labels"].to_list() == ['{"build": "7", "commit": "0f3c"}']


def test_an_export_without_the_column_is_read_with_nulls(exported: Path) -> None:
    remove_labels(exported)

    assert load(exported).sessions["labels"].to_list() == [None]
    assert load(exported, labels=["a=1"]).sessions["labels"].to_list() == ['{"a": "1"}']


def test_sql_on_an_export_without_the_column_finds_nulls(exported: Path) -> None:
    remove_labels(exported)

    with connect(exported) as connection:
        assert connection.execute("SELECT labels FROM sessions").fetchall() == [(None,)]
