"""A Delta archive as a source: the same tables, figures and bytes as from the DuckDB archive of the same files."""

import shutil

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.database import connect, run_query
from clamp_analytics.errors import SourceError
from clamp_analytics.reading import ReadingOptions, iter_batches, load
from clamp_analytics.reading.delta_archive import open_snapshot
from tests.archive.delta.conftest import clamp, rows
from tests.conftest import numbered, record, session, write

COMMANDS = [
    ["summarize", "-o", "-"],
    ["validate", "-f", "csv"],
    ["drift", "-f", "json"],
    ["score", "-f", "csv"],
    ["seeds", "-f", "json"],
]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder with the archives ``lake`` and ``telemetry.duckdb`` of the same files, in batches of two files."""
    folder = tmp_path_factory.mktemp("both")
    days = [f"2026-01-{day:02}T00:00:00Z" for day in range(1, 9)]
    heap = write(
        folder / "heap",
        {
            f"{number}.json": session(
                *(
                    record(seed=2**64 - number, acquired_at=day, released_at=day, context=context, duration_ms=0)
                    for context in "ab"
                ),
                record(seed=0, acquired_at=day, stability_score=2),
            )
            for number, day in enumerate(days, 1)
        },
    )
    write(heap, {"cut.json": b"{", "large.json": session(*(record(seed=seed) for seed in range(1, 11)))})
    small = IngestOptions(jobs=1, commit_files=6, reading=ReadingOptions(batch_files=2))
    for target in ("lake/", "telemetry.duckdb"):
        ingest(heap, folder / target if target.endswith("b") else f"{folder}/{target}", small)
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_commands_give_the_same_bytes_as_from_a_duckdb_archive(both, command):
    results = [clamp(command[0], str(both / name), *command[1:]) for name in ("lake", "telemetry.duckdb")]

    assert len(results[0]) > 100
    assert results[0] == results[1]


OUTPUTS = {
    "report": ["--by", "backend", "--metric", "mean_stability", "-o", "report.html"],
    "export": ["-o", "exported"],
    "compare": ["telemetry.duckdb", "--by", "backend", "-f", "json", "-o", "comparison.json"],
}
"""Commands that write files, with their further arguments."""


@pytest.mark.parametrize("command", OUTPUTS)
def test_outputs_have_the_bytes_of_those_from_the_files(both, monkeypatch, command):
    monkeypatch.chdir(both)
    written = []
    for name in ("heap", "lake"):
        clamp(command, both / name, *OUTPUTS[command])
        output = both / OUTPUTS[command][-1]
        files = [output] if output.is_file() else [path for path in sorted(output.rglob("*")) if path.is_file()]
        written.append({path.relative_to(both): path.read_bytes() for path in files})
        shutil.rmtree(output) if output.is_dir() else output.unlink()

    assert written[0] == written[1] != {}


def test_it_gives_the_tables_of_its_files(both):
    files, back = load(both / "heap", session_ids=True), load(both / "lake")

    assert_frame_equal(back.sessions, files.sessions)
    assert_frame_equal(back.records, files.records)
    assert_frame_equal(back.violations, files.violations)
    assert (back.counts, back.directory) == (files.counts, files.directory)


def test_batches_hold_whole_sessions_with_their_violations(both):
    options = ReadingOptions(archive_batch_rows=4)

    batches = [
        [
            ([source[-9:] for source in batch.sessions["source"]], batch.records["seed"].to_list(), batch.violations)
            for batch in iter_batches(both / name, options=options)
        ]
        for name in ("lake", "telemetry.duckdb")
    ]

    assert [part[:2] for part in batches[0]] == [part[:2] for part in batches[1]]
    for lake, archive in zip(*batches, strict=True):
        assert_frame_equal(lake[2], archive[2])


def test_only_the_columns_that_are_wanted_are_read(both):
    assert load(both / "lake", columns=["seed"]).records.columns == ["seed"]
    assert load(both / "lake", columns=[]).records.shape == (0, 0)


def test_sql_reads_exact_seeds_and_cannot_leave_the_archive(both):
    connection = connect(both / "lake")

    found = run_query(connection, "SELECT max(seed) AS seed FROM records WHERE context = 'a'")

    assert found.to_dicts() == [{"seed": 2**64 - 1}]
    assert found.schema == {"seed": pl.UInt64}
    assert run_query(connection, "SELECT count(*) FROM records WHERE seed = 18446744073709551615").item() == 2


def test_plain_polars_reads_the_tables(both):
    sessions = pl.read_delta(str(both / "lake" / "sessions"))
    records = pl.read_delta(str(both / "lake" / "records")).join(sessions, on=["batch", "batch_row"], how="semi")

    assert (sessions.height, records.height) == (10, 34)
    assert records["seed"].cast(pl.UInt64).max() == 2**64 - 1


def test_files_of_other_batches_are_not_opened(both):
    snapshot = open_snapshot(str(both / "lake"), ("sessions", "records"))
    batch = rows(both / "lake", "SELECT min(batch) FROM delta_sessions")[0][0]

    assert len(snapshot.dataset("records").files) == 2
    assert len(snapshot.dataset("records", (batch, batch)).files) == 1


def test_an_archive_below_a_folder_is_skipped(both):
    found = load(both, columns=[])

    assert found.counts.loaded == 9
    assert found.counts.skipped == 2


def test_records_of_no_session_are_not_read(heap, lake, tmp_path):
    ingest(write(heap, {"a.json": numbered(1)}), lake)
    table = pl.read_delta(f"{lake}records")

    table.with_columns(batch=pl.lit("f" * 32)).write_delta(f"{lake}records", mode="append")

    assert load(lake).records["seed"].to_list() == [1]
    assert rows(lake, "SELECT count(*) FROM records") == [(1,)]


def test_an_archive_whose_records_are_missing_is_damaged(heap, lake):
    ingest(write(heap, {"a.json": numbered(1)}), lake)
    DeltaTable(f"{lake}records").delete()

    with pytest.raises(SourceError, match="its sessions do not match its records"):
        load(lake)


def test_a_damaged_log_is_one_sentence(heap, lake, tmp_path):
    ingest(write(heap, {"a.json": numbered(1)}), lake)
    (tmp_path / "lake" / "records" / "_delta_log" / "00000000000000000000.json").write_text("{")

    with pytest.raises(SourceError, match="the archive cannot be opened"):
        load(lake)
