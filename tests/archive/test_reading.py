"""An archive as a source: the same tables, figures and bytes as the files that it was made from."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.summary import SummaryFold, artifact, summarize
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.database import connect, run_query
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Reader, ReadingOptions, iter_batches, load
from tests.archive.conftest import change
from tests.conftest import SHARED, numbered, record, session, write


def test_it_gives_the_tables_of_its_files(heap, archive):
    many = session(*(record(seed=seed, stability_score=2) for seed in range(1, 9)))
    write(heap, {"a.json": numbered(1), "b.json": many, "c.json": b"{", "d.json": session(), "notes.txt": b""})
    ingest(heap, archive)

    files, back = load(heap, session_ids=True), load(archive)

    assert_frame_equal(back.sessions, files.sessions)
    assert_frame_equal(back.records, files.records)
    assert_frame_equal(back.violations, files.violations)
    assert (back.counts, back.directory) == (files.counts, files.directory)


def test_it_gives_the_artifact_of_its_files_byte_for_byte(archive):
    sessions = SHARED / "interop" / "sessions"
    if not sessions.is_dir():
        pytest.skip("the C++ producer's sessions are not beside the repository")
    ingest(sessions, archive, IngestOptions(build_info='{"image": "rocm",  "digest": 1.50}'))

    texts = []
    for source in (sessions, archive):
        reader = Reader(source, columns=SummaryFold().columns)
        summary = summarize(reader)
        texts.append(
            artifact(summary.total, summary.directory, reader.build_info or '{"image": "rocm",  "digest": 1.50}')
        )

    assert texts[0] == texts[1]


def test_batches_hold_whole_sessions_with_their_violations(heap, archive):
    write(heap, {f"{name}.json": session(*(record(seed=0) for _ in range(3))) for name in "ab"})
    write(heap, {"c.json": session(*(record(seed=n) for n in range(1, 11))), "d.json": b"{"})
    ingest(heap, archive)

    batches = [
        (
            [source[-6:] for source in batch.sessions["source"]],
            batch.records.height,
            batch.violations["source"].n_unique(),
        )
        for batch in iter_batches(archive, options=ReadingOptions(archive_batch_rows=4))
    ]

    # The first two have the same bytes; the ten records of c do not fit in one batch.
    assert batches == [(["a.json"], 3, 1), (["c.json"], 4, 0), ([], 4, 0), ([], 2, 0), (["d.json"], 0, 1)]


def test_only_the_columns_that_are_wanted_are_read(heap, archive):
    write(heap, {"a.json": numbered(5)})
    ingest(heap, archive)

    assert load(archive, columns=["seed"]).records.to_dict(as_series=False) == {"seed": [5]}
    assert load(archive, columns=[]).records.shape == (0, 0)


def test_sessions_of_two_ingests_come_by_name(tmp_path, archive):
    write(tmp_path, {"z/a.json": numbered(1), "b/a.json": numbered(2)})
    ingest(tmp_path / "z", archive)
    ingest(tmp_path / "b", archive)

    both = load(archive)

    assert both.records["seed"].to_list() == [2, 1]
    assert both.directory == str(tmp_path)


def test_skipped_entries_are_those_of_the_last_ingest_of_each_folder(heap, archive):
    write(heap, {"a.json": numbered(1), "x.txt": b"", "y.txt": b""})
    ingest(heap, archive)
    (heap / "y.txt").unlink()
    write(heap, {"b.json": numbered(2)})
    ingest(heap, archive)

    assert str(load(archive).counts) == "3 seen = 2 loaded + 0 rejected + 1 skipped"


def test_snapshots_that_contradict_each_other_are_not_passed_on(heap, archive):
    infos = []
    for number, info in enumerate(["{}", "{}", '{"image": "other"}']):
        write(heap, {f"{number}.json": numbered(number)})
        ingest(heap, archive, IngestOptions(build_info=info))
        infos.append(Reader(archive).build_info)

    assert infos == ["{}", "{}", None]


def test_sql_reads_the_archive_where_it_is_and_cannot_write(heap, archive):
    write(heap, {"a.json": numbered(2**63 + 1)})
    ingest(heap, archive)
    before = archive.read_bytes()

    with connect(archive) as connection:
        found = run_query(connection, "SELECT seed FROM records")

    assert found["seed"].to_list() == [2**63 + 1]
    assert found["seed"].dtype == pl.UInt64
    assert archive.read_bytes() == before


def test_an_archive_whose_sessions_and_records_disagree_is_damaged(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    change(archive, "UPDATE sessions SET record_count = 2")

    with pytest.raises(SourceError, match="its sessions do not match its records"):
        load(archive)


def test_a_newer_archive_is_refused_with_a_hint(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    change(archive, "UPDATE meta SET value = '99' WHERE name = 'schema_version'")

    with pytest.raises(SourceError, match=r"version 99, and this package knows up to 5[^$]*pip install --upgrade"):
        load(archive)


def test_a_database_of_somebody_else_is_told_apart(archive):
    change(archive, "CREATE TABLE sessions AS SELECT 1 AS a")

    with pytest.raises(SourceError, match="not an archive of this package"):
        load(archive)
