"""Memory and open files of an export stay within bounds."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

from clamp_analytics.parquet import ExportOptions
from clamp_analytics.parquet.partitions import Piece
from clamp_analytics.parquet.writer import Writer
from clamp_analytics.schema import RECORDS, arrow_schema
from tests.conftest import record, session, write
from tests.parquet.helpers import exported, limit, visible


def test_what_waits_in_memory_stays_below_the_buffer(tmp_path: Path) -> None:
    writer = Writer(tmp_path, ExportOptions(buffer_bytes=100_000))
    held = []
    rows = _records_table(100)

    for number in range(200):
        writer.add(Piece("records", [(f"records/day={number % 50}", 30), ("records/day=x", 70)], rows))
        held.append(writer._held)

    assert max(held) <= 100_000
    assert sum(file.rows for file in writer.finish() if file.table == "records") == 20_000


def test_rows_keep_their_order_within_a_folder_however_tight_the_memory(tmp_path: Path) -> None:
    writer = Writer(tmp_path, ExportOptions(buffer_bytes=60_000, row_group_rows=90))
    for number in range(50):
        writer.add(Piece("records", [("records/a", 30), (f"records/{number % 7}", 70)], _records_table(100, number)))
    files = [file for file in writer.finish() if file.table == "records" and "/a/" in file.path]

    rows = pa.concat_tables(pq.read_table(tmp_path / file.path) for file in files)

    assert rows["record_index"].to_pylist() == [100 * number + row for number in range(50) for row in range(30)]


def _records_table(count: int, block: int = 0) -> pa.Table:
    schema = arrow_schema(RECORDS)
    given = {"source": ["a.json"] * count, "record_index": list(range(block * count, block * count + count))}
    return pa.table(
        [pa.array(given.get(name, [None] * count), schema.field(name).type) for name in RECORDS.names], schema
    )


def test_many_partitions_need_few_open_files(tmp_path: Path) -> None:
    records = [record(context=f"c{number}") for number in range(200)]
    source = write(tmp_path / "runs", {"a.json": session(*records)})

    with limit(resource.RLIMIT_NOFILE, max(map(int, os.listdir("/proc/self/fd"))) + 40):
        out = exported(source, tmp_path / "out", partition_by="context")

    assert len(visible(out / "records")) == 200
