"""The commands forget, compact, check, upgrade and info."""

import os
from datetime import UTC, datetime

import pytest

from clamp_analytics.archive.check import check
from clamp_analytics.archive.compact import compact
from clamp_analytics.archive.copy import copy
from clamp_analytics.archive.forget import Forget, forget
from clamp_analytics.archive.info import info
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.tables import View
from clamp_analytics.archive.upgrade import upgrade
from clamp_analytics.errors import OutputError, SourceError, UsageError
from clamp_analytics.reading import load
from clamp_analytics.schema import ddl
from tests.archive.conftest import change, rows
from tests.conftest import numbered, record, session, write

TABLES = ("sessions", "records", "violations", "files", "containers", "ingests", "forgotten", "meta")


def dated(seed: int, day: str) -> bytes:
    at = {"acquired_at": f"{day}T00:00:00Z", "released_at": f"{day}T00:00:01Z"}
    return session(record(seed=seed, **at))


@pytest.fixture
def kept(heap, archive):
    """An archive of three sessions, one of them rejected, and one name that came twice."""
    write(heap, {"a.json": dated(1, "2026-01-01"), "b.json": dated(2, "2026-03-01"), "cut.json": b"{"})
    ingest(heap, archive)
    return archive


def seeds(archive):
    return [seed for (seed,) in rows(archive, "SELECT seed FROM records ORDER BY seed")]


def test_sessions_are_forgotten_by_source(kept, heap):
    gone = forget(kept, Forget(source="*/a.json"))

    assert gone["source"].to_list() == [f"{heap}/a.json"]
    assert seeds(kept) == [2]
    assert check(kept).is_empty()


@pytest.mark.parametrize("age, left", [("2026-03-01", [2]), ("2026-03-02", []), ("31", [2]), ("9", []), ("90", [1, 2])])
def test_sessions_are_forgotten_by_age(kept, age, left):
    forget(kept, Forget(source="*/[ab].json", older_than=age), now=datetime(2026, 3, 11, tzinfo=UTC))

    assert seeds(kept) == left


def test_a_session_without_a_time_is_as_old_as_its_ingest(heap, archive):
    write(heap, {"a.json": session()})
    ingest(heap, archive)

    assert forget(archive, Forget(older_than="2026-01-01"), dry_run=True).height == 0
    assert forget(archive, Forget(older_than="9999-01-01"), dry_run=True).height == 1


def test_a_dry_run_forgets_nothing(kept):
    before = kept.read_bytes()

    assert forget(kept, Forget(source="*"), dry_run=True).height == 3
    assert kept.read_bytes() == before


def test_what_was_forgotten_stays_forgotten(kept, heap):
    forget(kept, Forget(source="*/a.json"))
    write(heap, {"again.json": dated(1, "2026-01-01")})

    done = ingest(heap, kept)

    assert (done.new, done.known, done.rejected) == (0, 3, 1)
    assert seeds(kept) == [2]
    assert ingest(heap, kept, IngestOptions(rehash=True)).changed is False


def test_what_was_forgotten_may_be_allowed_to_return(kept, heap):
    forget(kept, Forget(source="*/a.json", allow_return=True))

    assert ingest(heap, kept).new == 1
    assert seeds(kept) == [1, 2]


@pytest.mark.parametrize("what", [Forget(), Forget(older_than="soon"), Forget(older_than="2026-02-31")])
def test_forgetting_needs_to_know_what(kept, what):
    with pytest.raises(UsageError):
        forget(kept, what)


def test_compacting_keeps_every_row_and_gives_room_back(heap, archive):
    write(heap, {f"{number}.json": session(*(record(seed=n) for n in range(1, 500))) for number in range(1)})
    write(heap, {f"more-{n}.json": session(*(record(seed=n * 10_000 + k) for k in range(1, 400))) for n in range(40)})
    ingest(heap, archive)
    forget(archive, Forget(source="*/more-*"))
    before = {table: rows(archive, f"SELECT COLUMNS(*)::VARCHAR FROM {table}") for table in TABLES}

    progress = []
    done = compact(archive, progress=lambda done, total: progress.append((done, total)))

    assert progress[-1] == (sum(map(len, before.values())),) * 2
    assert {table: rows(archive, f"SELECT COLUMNS(*)::VARCHAR FROM {table}") for table in TABLES} == before
    assert done.after == archive.stat().st_size < done.before
    assert sorted(path.name for path in archive.parent.iterdir()) == ["heap", "telemetry.duckdb"]


def test_compacting_keeps_comments_and_brings_the_views(kept):
    compact(kept, [View("v", "One row.", {"n": "A number."}, "SELECT 1 AS n")])

    assert rows(kept, "SELECT n FROM v") == [(1,)]
    assert rows(kept, "SELECT comment FROM duckdb_tables() WHERE table_name = 'files'") != [(None,)]


def test_a_sound_archive_has_no_problem(kept, heap):
    write(heap, {"a.json": dated(7, "2026-05-01")})
    ingest(heap, kept)

    assert check(kept, rehash=True).rows() == []


@pytest.mark.parametrize(
    "damage, found",
    [
        ("DELETE FROM records WHERE seed = 1", {"row-counts", "record-counts"}),
        ("UPDATE records SET source = 'x' WHERE seed = 1", {"record-counts", "orphan-records"}),
        ("UPDATE records SET session_id = 'x' WHERE seed = 1", {"record-counts", "orphan-records"}),
        ("DELETE FROM sessions WHERE status = 'rejected'", {"row-counts", "orphan-violations", "orphan-files"}),
        ("UPDATE files SET session_id = 'x' WHERE status = 'loaded'", {"orphan-files"}),
        ("UPDATE files SET status = 'lost' WHERE status = 'loaded'", {"statuses"}),
        ("INSERT INTO files SELECT * FROM files WHERE status = 'loaded'", {"repeated-files"}),
        ("INSERT INTO sessions SELECT * FROM sessions WHERE status = 'rejected'",
         {"row-counts", "repeated-names", "repeated-sessions"}),
        ("INSERT INTO forgotten SELECT session_id, now() FROM sessions", {"forgotten-sessions"}),
        ("UPDATE records SET acquired_at = '2020-01-01 00:00:00+00' WHERE seed = 1", {"aggregates"}),
        ("ALTER TABLE records ALTER seed TYPE DOUBLE", {"columns"}),
        ("INSERT INTO records SELECT * FROM records",
         {"row-counts", "record-counts", "repeated-indexes", "order", "aggregates"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(kept, damage, found):
    change(kept, damage)

    assert set(check(kept)["check"]) == found


def test_bytes_that_changed_without_a_trace_are_found(kept, heap):
    path = heap / "a.json"
    stat = path.stat()
    path.write_bytes(dated(3, "2026-01-01"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert check(kept).is_empty()
    assert check(kept, rehash=True).select("check", "subject").rows() == [("hashes", str(path))]


def test_an_archive_outlives_its_sources(kept, heap):
    (heap / "a.json").unlink()

    assert check(kept, rehash=True).is_empty()


def test_info_tells_what_is_there(kept, heap):
    found = info(kept)

    assert (found.sessions, found.rejected, found.records, found.files, found.version) == (2, 1, 2, 3, 5)
    assert found.json_bytes == sum((heap / name).stat().st_size for name in ("a.json", "b.json"))
    assert found.first_acquired_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.last_acquired_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.ingests.select("number", "new", "rejected").rows() == [(1, 2, 1)]


@pytest.fixture
def version_1(archive):
    """An archive of version 1, written by hand: it knew plain files only."""
    change(
        archive,
        ddl(),
        "ALTER TABLE sessions DROP COLUMN labels",
        "CREATE TABLE meta (name VARCHAR NOT NULL, value VARCHAR NOT NULL)",
        "INSERT INTO meta VALUES ('format', 'clamp-analytics-archive'), ('schema_version', '1')",
        "CREATE TABLE files (path VARCHAR NOT NULL, size_bytes UBIGINT, mtime_ns BIGINT, session_id VARCHAR, "
        "status VARCHAR NOT NULL, reason VARCHAR, ingest UINTEGER NOT NULL)",
        "CREATE TABLE ingests (number UINTEGER NOT NULL, started_at TIMESTAMPTZ NOT NULL, finished_at TIMESTAMPTZ, "
        "tool_version VARCHAR NOT NULL, directory VARCHAR NOT NULL, build_info VARCHAR, new UINTEGER NOT NULL, "
        "known UINTEGER NOT NULL, rejected UINTEGER NOT NULL, skipped UINTEGER NOT NULL, "
        "skipped_reasons VARCHAR NOT NULL)",
        "INSERT INTO sessions BY NAME SELECT 'ab' AS session_id, 'old.json' AS source, 'loaded' AS status, "
        "1 AS record_count, 1 AS scored_count, 0 AS in_flight_count",
        "INSERT INTO records BY NAME SELECT 'ab' AS session_id, 'old.json' AS source, 0 AS record_index, 5 AS seed, "
        "1.0 AS stability_score",
        "INSERT INTO files VALUES ('/runs/old.json', 10, 20, 'ab', 'loaded', NULL, 1)",
        "INSERT INTO ingests VALUES (1, '2026-01-01 00:00:00+00', NULL, '0.0.9', '/runs', NULL, 1, 0, 0, 0, '{}')",
    )
    return archive


def test_an_older_archive_is_read_as_it_is(version_1):
    assert load(version_1).records["seed"].to_list() == [5]
    assert info(version_1).version == 1


def test_an_older_archive_is_not_written_to_before_its_upgrade(version_1, heap):
    write(heap, {"a.json": numbered(1)})
    before = version_1.read_bytes()

    with pytest.raises(OutputError, match=r"version 1, and only version 5(.|\n)*archive upgrade"):
        ingest(heap, version_1)

    assert version_1.read_bytes() == before


def test_an_upgrade_brings_an_older_archive_up_to_date(version_1, heap):
    write(heap, {"a.json": numbered(1)})

    done = upgrade(version_1)

    assert (done.before, done.after) == (1, 5)
    assert check(version_1).is_empty()
    assert rows(version_1, "SELECT path, container, source FROM files") == [("/runs/old.json", None, "old.json")]
    assert ingest(heap, version_1).new == 1


def test_an_upgrade_that_fails_changes_nothing(version_1):
    with pytest.raises(OutputError):
        upgrade(version_1, [View("broken", "x", {}, "SELECT * FROM nowhere")])

    assert info(version_1).version == 1


def test_an_upgrade_of_a_newer_archive_is_refused(kept):
    change(kept, "UPDATE meta SET value = '6' WHERE name = 'schema_version'")

    with pytest.raises(SourceError, match="version 6"):
        upgrade(kept)


@pytest.mark.parametrize("task", [info, check, compact, upgrade])
def test_every_command_needs_an_archive(archive, task):
    with pytest.raises(SourceError, match="no such archive"):
        task(archive)


def test_a_copy_removes_what_a_killed_one_has_left(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    left = archive.with_name(f".copy.duckdb.clamp-{'0' * 16}.tmp")
    left.touch()

    copy(archive, archive.with_name("copy.duckdb"))

    assert sorted(path.name for path in archive.parent.iterdir()) == ["copy.duckdb", "heap", archive.name]
