"""The Parquet files and the manifest of an export."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader, ReadingOptions
from clamp_analytics.schema import RECORDS, TABLES
from clamp_analytics.sources import MANIFEST
from tests.conftest import record, session, write
from tests.parquet.helpers import TINY, contents, exported, visible


def test_records_lie_in_a_folder_for_each_utc_day_of_their_acquisition(tmp_path: Path) -> None:
    stamps = ["2026-11-22T00:30:00+01:00", "2026-11-22T00:00:00Z", ""]
    source = write(tmp_path / "runs", {"a.json": session(*(record(acquired_at=stamp) for stamp in stamps))})

    out = exported(source, tmp_path / "out")

    assert visible(out / "records") == ["day=2026-11-21", "day=2026-11-22", "day=__HIVE_DEFAULT_PARTITION__"]


@pytest.mark.parametrize("table", list(TABLES))
def test_the_files_carry_the_sentence_and_unit_of_each_column(days: Path, tmp_path: Path, table: str) -> None:
    out = exported(days, tmp_path / "out")

    for path in (out / table).rglob("*.parquet"):
        schema = pq.read_schema(path)
        for column in TABLES[table].columns:
            notes = {b"meaning": column.meaning.encode()} | ({b"unit": column.unit.encode()} if column.unit else {})
            found = schema.field(column.name).metadata
            assert {key: found[key] for key in notes} == notes


def test_seeds_are_uint64_timestamps_utc_and_columns_zstd_in_the_files(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out", partition_by="none")

    file = pq.ParquetFile(out / "records/part-000000.parquet")

    assert str(file.schema.column(4).logical_type) == "Int(bitWidth=64, isSigned=false)"
    assert file.schema_arrow.field("acquired_at").type == pa.timestamp("us", "UTC")
    group = file.metadata.row_group(0)
    assert {group.column(number).compression for number in range(group.num_columns)} == {"ZSTD"}
    assert "RLE_DICTIONARY" in group.column(RECORDS.names.index("context")).encodings


def test_files_and_row_groups_keep_their_bounds(tmp_path: Path) -> None:
    source = write(tmp_path / "runs", {"a.json": session(*(record(seed=1 + number) for number in range(12)))})

    out = exported(source, tmp_path / "out", partition_by="none", row_group_rows=3, rows_per_file=5)

    files = [pq.ParquetFile(path).metadata for path in sorted((out / "records").iterdir())]
    groups = [[file.row_group(number).num_rows for number in range(file.num_row_groups)] for file in files]
    assert groups == [[3, 2], [3, 2], [2]]


def test_the_manifest_lists_every_file_with_its_rows_size_and_hash(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out", **TINY)

    manifest = json.loads((out / MANIFEST).read_bytes())

    assert (manifest["format"], manifest["version"]) == ("clamp-analytics-export", 1)
    assert manifest["partition_by"] == ["day"]
    listed = {entry.pop("path"): entry for entry in manifest["files"]}
    assert listed == {
        path: {
            "table": path.split("/")[0],
            "rows": pq.read_metadata(out / path).num_rows,
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for path, data in contents(out).items()
        if path != MANIFEST
    }


def test_equal_input_gives_equal_bytes_for_any_number_of_workers(interop: Path, tmp_path: Path) -> None:
    options = ReadingOptions(batch_files=2, workers_from_bytes=0)
    for jobs in (1, 2):
        export(
            Reader(interop, session_ids=True, jobs=jobs, options=options), tmp_path / str(jobs), ExportOptions(**TINY)
        )

    assert contents(tmp_path / "1") == contents(tmp_path / "2")
