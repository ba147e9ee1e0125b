"""An export gives back the tables of its sources."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.summary import artifact, summarize
from clamp_analytics.analysis.summary.fold import SummaryFold
from clamp_analytics.reading import Reader, load
from tests.conftest import EXAMPLES, record, session, write
from tests.parquet.helpers import MAX, TINY, assert_equal, exported


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


@settings(max_examples=20 * EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
