from __future__ import annotations

import fcntl
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.summary import artifact, summarize
from clamp_analytics.analysis.summary.fold import SummaryFold
from clamp_analytics.errors import OutputError, SourceError, UsageError
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.parquet.partitions import Piece, hive_key, hive_value
from clamp_analytics.parquet.writer import Writer
from clamp_analytics.reading import Reader, ReadingOptions, Telemetry, load
from clamp_analytics.schema import RECORDS, TABLES, arrow_schema
from clamp_analytics.sources import MANIFEST
from tests.conftest import record, session, write

MAX = 2**64 - 1
TINY = {"row_group_rows": 3, "rows_per_file": 5, "buffer_bytes": 1}
"""Bounds that a handful of records exceeds."""


def exported(source: Path, target: Path, **options: Any) -> Path:
    export(Reader(source, session_ids=True, jobs=1), target, ExportOptions(**options))
    return target


def assert_equal(found: Telemetry, expected: Telemetry) -> None:
    for table in TABLES:
        assert_frame_equal(getattr(found, table), getattr(expected, table), check_exact=True)
    assert (found.counts, found.directory) == (expected.counts, expected.directory)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Two sessions whose records lie on two days, and seeds that neither a double nor an int64 can hold."""
    first = [
        record(seed=MAX, acquired_at="2026-11-21T23:59:59Z", released_at="2026-11-22T00:00:00Z"),
        record(seed=2**63 + 1, context="beta", acquired_at="2026-11-22T00:00:00Z", released_at=None),
    ]
    second = [record(seed=2**53 + number, acquired_at=f"2026-11-2{1 + number % 2}T12:00:00Z") for number in range(7)]
    return write(tmp_path / "runs", {"a.json": session(*first), "b.json": session(*second)})


# --- read back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition_by", ["day", "none", "context", "thread_id,day", "backend,device_name,source"])
def test_an_export_gives_back_the_three_tables_of_the_producers_files_in_every_cell(
    interop: Path, tmp_path: Path, partition_by: str
) -> None:
    out = exported(interop, tmp_path / "out", partition_by=partition_by, **TINY)

    assert_equal(load(out), load(interop, session_ids=True))


@pytest.mark.parametrize("partition_by", ["day", "context"])
def test_the_summary_artifact_of_an_export_has_the_bytes_of_the_one_of_its_sources(
    interop: Path, tmp_path: Path, partition_by: str
) -> None:
    def artifact_of(source: Path) -> str:
        reader = Reader(source, columns=SummaryFold().columns)
        return artifact(summarize(reader).total, reader.directory, reader.build_info)

    out = exported(interop, tmp_path / "out", partition_by=partition_by, **TINY)

    assert artifact_of(out) == artifact_of(interop)


def test_an_export_keeps_what_was_rejected_skipped_and_found_wrong(tmp_path: Path) -> None:
    faulty = session(record(seed=0, note="x"), record(seed=7, acquired_at=""), record(seed=7))
    files = {"a.json": faulty, "b.json": b'{"records": [', "notes.txt": b"", ".hidden": b"", "c.json": faulty}
    source = write(tmp_path / "runs", files)

    found = load(exported(source, tmp_path / "out"))

    assert_equal(found, load(source, session_ids=True))
    assert str(found.counts) == "5 seen = 2 loaded + 1 rejected + 2 skipped"


def test_columns_that_are_picked_come_in_the_order_of_the_sessions(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")

    assert_frame_equal(load(out, columns=["seed"]).records, load(days, columns=["seed"]).records)


def test_an_export_beside_session_files_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    early = write(tmp_path / "early", {"a.json": session(record(seed=1))})
    late = write(tmp_path / "late", {"b.json": session(record(seed=2))})
    out = exported(early, tmp_path / "out")

    found = load([late, out])

    assert found.sessions["source"].to_list() == [str(early / "a.json"), str(late / "b.json")]
    assert found.records["seed"].to_list() == [1, 2]


def test_the_provenance_snapshot_comes_back_with_the_export(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out", build_info='{"image": "é"}')

    assert Reader(out).build_info == '{"image": "é"}'


def test_an_export_of_an_export_gives_the_same_tables_and_provenance(days: Path, tmp_path: Path) -> None:
    once = exported(days, tmp_path / "once", build_info="{}")
    twice = exported(once, tmp_path / "twice", partition_by="none")

    assert_equal(load(twice), load(days, session_ids=True))
    assert Reader(twice).build_info == "{}"


def test_an_export_may_be_replaced_by_an_export_of_itself(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    exported(out, out, overwrite=True, partition_by="none")

    assert_equal(load(out), load(days, session_ids=True))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
STAMP = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
RECORD = st.fixed_dictionaries(
    {"context": TEXT, "seed": st.integers(0, MAX), "thread_id": TEXT, "acquired_at": STAMP | st.just("")},
    optional={
        "released_at": STAMP | st.none(),
        "duration_ms": st.floats(allow_nan=False, allow_infinity=False),
        "stability_score": st.floats(0, 1) | st.just("bad"),
        "backend": TEXT | st.none(),
        "device_name": TEXT,
        "note": st.recursive(st.none() | st.booleans() | TEXT, st.lists, max_leaves=3),
    },
)
PARTITIONS = st.sampled_from(["day", "none", "context", "thread_id,backend", "device_name,day,source"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sessions=st.lists(st.lists(RECORD, max_size=6), max_size=3), partition_by=PARTITIONS, tiny=st.booleans())
def test_whatever_sessions_hold_comes_back(
    tmp_path: Path, sessions: list[list[dict[str, Any]]], partition_by: str, tiny: bool
) -> None:
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)
    (tmp_path / "runs").mkdir()
    files = {f"{number}.json": session(*records) for number, records in enumerate(sessions)}
    source = write(tmp_path / "runs", files)
    bounds = TINY if tiny else {}

    out = exported(source, tmp_path / "out", partition_by=partition_by, overwrite=True, **bounds)

    assert_equal(load(out), load(source, session_ids=True))


# --- plain tools -----------------------------------------------------------------------------------------------------

KEYS = ["source", "record_index", "context", "seed", "acquired_at", "released_at"]


def _duckdb(out: Path) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        where = str(out / "records/**/*.parquet").replace("'", "''")
        return connection.sql(f"SELECT * FROM read_parquet('{where}', hive_partitioning = true)").pl()


def _polars_glob(out: Path) -> pl.DataFrame:
    return pl.scan_parquet(out / "records/**/*.parquet").collect()


def _polars_folder(out: Path) -> pl.DataFrame:
    return pl.scan_parquet(out / "records").collect()


def _pyarrow(out: Path) -> pl.DataFrame:
    return pl.DataFrame(pyarrow.dataset.dataset(out / "records", partitioning="hive").to_table())


TOOLS = pytest.mark.parametrize("tool", [_duckdb, _polars_glob, _polars_folder, _pyarrow])
HOSTILE = [
    *("", ".", "..", "../../x", "/etc/x", "a/b", "a\\b", "\n\r\t", "%2F", "a=b", "~", "é\u202e\U0001f600"),
    *("7", "007", "null", "__HIVE_DEFAULT_PARTITION__", "'; --", "*?[a]", "x" * 300, "é" * 100, "x" * 299 + "y"),
]


@TOOLS
@pytest.mark.parametrize("partition_by", ["day", "none", "context", "thread_id,day"])
def test_plain_tools_find_the_same_rows_and_exact_seeds(
    days: Path, tmp_path: Path, tool: Callable[[Path], pl.DataFrame], partition_by: str
) -> None:
    out = exported(days, tmp_path / "out", partition_by=partition_by, **TINY)

    found = tool(out).select(KEYS).sort("source", "record_index")

    assert_frame_equal(found, load(days).records.select(KEYS))
    assert found["seed"].to_list()[:3] == [18446744073709551615, 9223372036854775809, 9007199254740992]


@TOOLS
def test_plain_tools_read_contexts_that_are_hostile_as_folder_names(
    tmp_path: Path, tool: Callable[[Path], pl.DataFrame]
) -> None:
    source = write(tmp_path / "runs", {"a.json": session(*(record(context=text) for text in [*HOSTILE, None]))})
    out = exported(source, tmp_path / "out", partition_by="context")

    assert tool(out).sort("record_index")["context"].to_list() == [*HOSTILE, None]


def test_plain_tools_see_the_day_as_a_column(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")

    assert sorted(_duckdb(out)["day"].unique().cast(pl.String)) == ["2026-11-21", "2026-11-22"]


@pytest.mark.parametrize("table", list(TABLES))
def test_every_table_can_be_opened_where_there_is_not_one_row(tmp_path: Path, table: str) -> None:
    (tmp_path / "runs").mkdir()
    out = exported(tmp_path / "runs", tmp_path / "out")

    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT * FROM read_parquet('{out}/{table}/**/*.parquet', hive_partitioning = true)")
        assert rows.columns == TABLES[table].names
        assert rows.fetchall() == []


# --- the files -------------------------------------------------------------------------------------------------------


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


# --- partitions ------------------------------------------------------------------------------------------------------


def test_a_folder_name_never_leaves_its_folder_nor_exceeds_what_file_systems_take() -> None:
    names = [f"{hive_key('device_name')}={hive_value(text)}" for text in HOSTILE]

    assert max(len(name.encode()) for name in names) <= 255
    assert all(name.isascii() and name.isprintable() and not set(name) & set("/\\*?[]'") for name in names)
    assert not {".", ".."} & set(names)


def test_different_values_have_different_folder_names() -> None:
    cut = hive_value("x" * 300)
    values = [*HOSTILE, None, "null", cut, "%7E"]

    assert len({hive_value(value) for value in values}) == len(set(values))


def test_a_long_value_is_cut_between_characters() -> None:
    name = hive_value("x" + "é" * 100)

    assert name.startswith("x" + "%C3%A9" * 27 + "~")
    assert len(name) == 1 + 6 * 27 + 1 + 16


@pytest.mark.parametrize(
    "wanted, where",
    [
        ("day,hour", "partition_by"),
        ("none,day", "partition_by"),
        ("", "partition_by"),
        ("day,day", "partition_by day,day"),
        (["day", "seed"], "partition_by"),
    ],
)
def test_partitions_that_cannot_be_are_refused(wanted: str | list[str], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        ExportOptions(partition_by=wanted)

    assert caught.value.where == where


def test_a_mistyped_partition_gets_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        ExportOptions(partition_by="contxt")

    assert caught.value.hint == "did you mean context?"


@pytest.mark.parametrize(
    "bound", [{"rows_per_file": 0}, {"row_group_rows": -1}, {"compression_level": 23}, {"buffer_bytes": 0}]
)
def test_bounds_out_of_range_are_refused(bound: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        ExportOptions(**bound)


# --- bounds ----------------------------------------------------------------------------------------------------------


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


@contextmanager
def limit(kind: int, value: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


def test_many_partitions_need_few_open_files(tmp_path: Path) -> None:
    records = [record(context=f"c{number}") for number in range(200)]
    source = write(tmp_path / "runs", {"a.json": session(*records)})

    with limit(resource.RLIMIT_NOFILE, max(map(int, os.listdir("/proc/self/fd"))) + 40):
        out = exported(source, tmp_path / "out", partition_by="context")

    assert len(visible(out / "records")) == 200


# --- the target ------------------------------------------------------------------------------------------------------


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
def test_what_is_no_export_of_ours_is_never_replaced(days: Path, tmp_path: Path, there: dict[str, bytes]) -> None:
    out = write(tmp_path / "out", there)

    with pytest.raises(OutputError, match="no export of ours"):
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

    with pytest.raises(OutputError, match="no folder"):
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


# --- failure ---------------------------------------------------------------------------------------------------------


def test_a_write_that_the_system_cuts_short_leaves_the_old_export_and_no_remains(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)

    with limit(resource.RLIMIT_FSIZE, 100), pytest.raises(OutputError, match="could not be written: file too large"):
        exported(days, out, overwrite=True, partition_by="none")

    assert contents(out) == before
    assert hidden(tmp_path) == []


def test_a_full_disk_is_named_with_a_way_out(days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OutputError) as caught:
        exported(days, tmp_path / "out")

    assert caught.value.what == "the export could not be written: no space left on device"
    assert "free space" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_a_read_only_disk_is_named_before_anything_is_read(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    read: list[object] = []
    monkeypatch.setattr(Path, "mkdir", read_only)
    reader = Reader(days, progress=lambda *_: read.append(0))

    with pytest.raises(OutputError, match="read-only file system"):
        export(reader, tmp_path / "out", ExportOptions())

    assert read == []


def test_a_target_below_a_file_cannot_be_written(days: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(OutputError, match="could not be written"):
        exported(days, tmp_path / "file/out")


def test_a_failed_last_step_brings_the_old_export_back(
    days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if source.name == "new":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)

    with pytest.raises(OutputError, match="input/output error"):
        exported(days, out, overwrite=True, partition_by="none")

    assert contents(out) == before
    assert hidden(tmp_path) == []


CHILD = """
import os, signal, sys
from clamp_analytics.parquet import ExportOptions, export
from clamp_analytics.reading import Reader

source, target, name, count = sys.argv[1:]
left = int(count)
function = getattr(os, name)

def stop(*args):
    global left
    left -= 1
    if left == 0:
        print("here", flush=True)
        signal.pause()
    return function(*args)

setattr(os, name, stop)
export(Reader(source, jobs=1), target, ExportOptions(partition_by="none", overwrite=True))
"""


def kill_at(source: Path, target: Path, function: str, count: int) -> None:
    """Kill an export just before its n-th call of a system function."""
    command = [sys.executable, "-c", CHILD, str(source), str(target), function, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize(
    "function, count",
    [
        ("fsync", 1),  # the first Parquet file
        ("fsync", 3),  # the last one
        ("fsync", 4),  # the manifest
        ("fsync", 6),  # the folders
        ("rename", 1),  # the last step
    ],
)
def test_a_killed_export_leaves_nothing_to_see_and_the_next_one_clears_up(
    days: Path, tmp_path: Path, function: str, count: int
) -> None:
    kill_at(days, tmp_path / "out", function, count)

    assert visible(tmp_path) == ["runs"]
    assert len(hidden(tmp_path)) == 1
    assert_equal(load(exported(days, tmp_path / "out")), load(days, session_ids=True))
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("function, count", [("fsync", 1), ("fsync", 4), ("rename", 1)])
def test_an_export_that_is_killed_while_it_replaces_leaves_the_old_one(
    days: Path, tmp_path: Path, function: str, count: int
) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)

    kill_at(days, out, function, count)

    assert contents(out) == before


def test_an_export_that_was_moved_away_when_its_replacement_was_killed_is_put_back(days: Path, tmp_path: Path) -> None:
    out = exported(days, tmp_path / "out")
    before = contents(out)
    kill_at(days, out, "rename", 2)
    assert visible(tmp_path) == ["runs"]

    with pytest.raises(OutputError, match="exists already"):
        exported(days, out)

    assert contents(out) == before
    assert hidden(tmp_path) == []


def test_an_export_that_is_killed_after_the_last_step_is_whole(days: Path, tmp_path: Path) -> None:
    kill_at(days, tmp_path / "out", "fsync", 9)

    assert_equal(load(tmp_path / "out", columns=["seed"]), load(days, columns=["seed"]))


def test_the_hidden_folder_of_a_running_export_is_left_alone(days: Path, tmp_path: Path) -> None:
    running = tmp_path / ".out.clamp-export-0123456789abcdef"
    running.mkdir()
    lock = os.open(running, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)

    exported(days, tmp_path / "out")

    assert hidden(tmp_path) == [running.name]
    os.close(lock)


def test_hidden_folders_of_others_are_left_alone(days: Path, tmp_path: Path) -> None:
    names = [".out.clamp-export-mine", ".out", ".outer.clamp-export-0123456789abcdef"]
    for name in names:
        (tmp_path / name).mkdir()

    exported(days, tmp_path / "out")

    assert hidden(tmp_path) == sorted(names)


# --- damaged exports -------------------------------------------------------------------------------------------------


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

    of_files, of_export = (summarize(place) for place in (tmp_path / "in", target))

    assert [source for source, _ in of_export.rejected] == [str(tmp_path / "in" / "bad.json")]
    assert of_export.rejected == of_files.rejected
