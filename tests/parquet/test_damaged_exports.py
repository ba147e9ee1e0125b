"""Damaged exports are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from clamp_analytics.analysis.summary import summarize
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Reader, load
from clamp_analytics.sources import MANIFEST
from tests.conftest import record, session, write
from tests.parquet.helpers import exported


def change_manifest(out: Path, **changes: Any) -> None:
    manifest = json.loads((out / MANIFEST).read_bytes())
    (out / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def test_a_file_that_was_changed_without_changing_its_size_is_noticed(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out", partition_by="none")
    part = out / "records/part-000000.parquet"
    data = bytearray(part.read_bytes())
    data[40] ^= 1
    part.write_bytes(data)

    with pytest.raises(SourceError, match="was changed"):
        load(out)


def test_a_missing_file_is_noticed_before_anything_is_read(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    (out / "sessions/part-000000.parquet").unlink()

    with pytest.raises(SourceError, match="missing or was changed"):
        Reader(out)


def test_a_newer_export_is_refused_with_the_way_out_even_where_its_manifest_differs(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    (out / MANIFEST).write_text('{"format": "clamp-analytics-export", "version": 2, "files": "elsewhere"}')

    with pytest.raises(SourceError) as caught:
        Reader(out)

    assert caught.value.what == "the export has version 2, and this package reads up to 1"
    assert caught.value.hint == "upgrade clamp-analytics, or export again"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"format": "clamp-analytics-export"}', '{"format": "clamp-analytics-export", "version": 1}'],
)
def test_a_manifest_that_is_none_is_refused(days: Path, tmp_path: Path, text: str) -> None:
    out = exported(days, tmp_path / "out")
    (out / MANIFEST).write_text(text)

    with pytest.raises(SourceError, match="cannot be read"):
        Reader(out)


@pytest.mark.parametrize("changes", [{"format": "other"}, {"version": 0}, {"version": -1}])
def test_a_manifest_of_another_kind_is_refused(days: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    out = exported(days, tmp_path / "out")
    change_manifest(out, **changes)

    with pytest.raises(SourceError):
        Reader(out)


@pytest.mark.parametrize("path", ["../runs/a.json", "/etc/hostname", "records/../../x", "a\0b"])
def test_a_manifest_that_points_outside_of_its_export_is_refused(days: Path, tmp_path: Path, path: str) -> None:
    out = exported(days, tmp_path / "out")
    entry = {"table": "records", "path": path, "rows": 1, "size_bytes": 1, "sha256": ""}
    change_manifest(out, files=[entry])

    with pytest.raises(SourceError, match="outside of itself"):
        Reader(out)


@pytest.mark.parametrize("data", [b"no Parquet", None])
def test_a_file_that_does_not_hold_its_table_is_refused(days: Path, tmp_path: Path, data: bytes | None) -> None:
    out = exported(days, tmp_path / "out")
    part = out / "violations/part-000000.parquet"
    if data is None:
        pq.write_table(pa.table({"rule": ["x"]}), part)
    else:
        part.write_bytes(data)
    written = part.read_bytes()
    entry = {"rows": 1, "size_bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}
    change_manifest(out, files=[{"table": "violations", "path": "violations/part-000000.parquet", **entry}])

    with pytest.raises(SourceError, match="export"):
        load(out)


def test_a_summary_of_an_export_names_the_rejected_files_as_that_of_the_files_does(tmp_path: Path) -> None:
    write(tmp_path / "in", {"good.json": session(record()), "bad.json": b"not JSON"})
    target = exported(tmp_path / "in", tmp_path / "out")

    of_files, of_export = (summarize(source) for source in (tmp_path / "in", target))

    assert [source for source, _ in of_export.rejected] == [str(tmp_path / "in" / "bad.json")]
    assert of_export.rejected == of_files.rejected
