"""Every session once: by its hash, whatever its name, time or container."""

import hashlib
import io
import os
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.tables import View
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.reading import ReadingOptions
from tests.archive.conftest import rows
from tests.conftest import numbered, record, session, write


def counts(done):
    return done.new, done.known, done.rejected, done.skipped.total()


def test_a_session_is_there_with_its_hash_and_its_exact_seed(heap, archive):
    data = session(record(seed=2**64 - 1))
    write(heap, {"a.json": data})

    ingest(heap, archive)

    assert rows(archive, "SELECT session_id, seed, typeof(seed) FROM records") == [
        (hashlib.sha256(data).hexdigest(), 18446744073709551615, "UBIGINT")
    ]


def test_a_second_ingest_changes_nothing(heap, archive):
    write(heap, {"a.json": numbered(1), "b.json": numbered(2), "cut.json": numbered(3)[:-5]})
    first = ingest(heap, archive)
    before = archive.read_bytes()

    second = ingest(heap, archive)

    assert (counts(first), counts(second)) == ((2, 0, 1, 0), (0, 2, 1, 0))
    assert (first.changed, second.changed) == (True, False)
    assert archive.read_bytes() == before


@pytest.mark.usefixtures("without_kernel")
def test_known_files_are_not_opened(heap, archive, monkeypatch):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    (heap / "a.json").chmod(0)

    def opened(*_):
        raise AssertionError("a known file was opened")

    monkeypatch.setattr("clamp_analytics.reading.task.read_bytes", opened)
    monkeypatch.setattr("clamp_analytics.reading.repeated_sessions.file_digest", opened)

    assert counts(ingest(heap, archive)) == (0, 1, 0, 0)


def test_another_name_or_time_is_not_another_session(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    write(heap, {"sub/b.json": numbered(1)})
    os.utime(heap / "a.json", ns=(1, 1))

    again = ingest(heap, archive)

    assert counts(again) == (0, 2, 0, 0)
    assert rows(archive, "SELECT status, mtime_ns = 1, source FROM files ORDER BY path") == [
        ("loaded", True, f"{heap}/a.json"),
        ("duplicate", False, f"{heap}/a.json"),
    ]
    assert rows(archive, "SELECT count(*) FROM records") == [(1,)]


def test_the_same_bytes_twice_in_one_ingest_are_one_session(heap, archive):
    write(heap, {"a.json": numbered(1), "b.json": numbered(1), "c.json": numbered(2)})

    done = ingest(heap, archive)

    assert counts(done) == (2, 1, 0, 0)
    assert rows(archive, "SELECT source, count(*) FROM records GROUP BY ALL ORDER BY 1") == [
        (f"{heap}/a.json", 1),
        (f"{heap}/c.json", 1),
    ]


def test_a_container_brings_only_what_is_new(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    with zipfile.ZipFile(heap / "run.zip", "w") as packed:
        packed.writestr("x/a.json", numbered(1))
        packed.writestr("x/b.json", numbered(2))

    assert counts(ingest(heap, archive)) == (1, 2, 0, 0)
    assert counts(ingest(heap, archive)) == (0, 3, 0, 0)
    assert rows(archive, "SELECT path, status FROM files WHERE container IS NOT NULL ORDER BY path") == [
        (f"{heap}/run.zip!/x/a.json", "duplicate"),
        (f"{heap}/run.zip!/x/b.json", "loaded"),
    ]


def test_a_container_with_another_time_is_not_read_again(heap, archive, monkeypatch):
    with zipfile.ZipFile(heap / "run.zip", "w") as packed:
        packed.writestr("a.json", numbered(1))
    ingest(heap, archive)
    os.utime(heap / "run.zip", ns=(5, 5))
    monkeypatch.setattr(
        "clamp_analytics.sources.containers.contents.open_container", lambda *_, **__: pytest.fail("it was opened")
    )

    assert counts(ingest(heap, archive)) == (0, 1, 0, 0)
    assert rows(archive, "SELECT mtime_ns FROM containers") == [(5,)]


def test_files_and_containers_of_another_name_are_hashed_by_the_workers(heap, archive):
    write(heap, {"a.json": numbered(1)})
    with zipfile.ZipFile(heap / "b.zip", "w") as packed:
        packed.writestr("c.json", numbered(2))
    ingest(heap, archive)
    os.rename(heap / "a.json", heap / "z.json")
    os.utime(heap / "b.zip", ns=(5, 5))

    with ThreadPoolExecutor(1) as executor:
        tasks = []
        executor.submit, submit = lambda *call: tasks.append(call[1].paths) or submit(*call), executor.submit
        done = ingest(heap, archive, executor=executor)

    assert tasks == [(str(heap / "z.json"),), (str(heap / "b.zip"),)]
    assert counts(done)[:2] == (0, 2)


def test_a_rejected_container_is_tried_with_other_options_when_rehash_is_given(heap, archive):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as packed:
        for number in range(1, 4):
            member = tarfile.TarInfo(f"{number}.json")
            member.size = len(numbered(number))
            packed.addfile(member, io.BytesIO(numbered(number)))
    (heap / "run.tar").write_bytes(data.getvalue()[:2200])
    salvage = IngestOptions(salvage=True)

    done = [ingest(heap, archive, how) for how in (IngestOptions(), salvage, replace(salvage, rehash=True))]

    assert [counts(each) for each in done] == [(0, 0, 1, 0), (0, 0, 1, 0), (2, 0, 1, 0)]
    assert [seed for (seed,) in rows(archive, "SELECT seed FROM records ORDER BY seed")] == [1, 2]


def test_members_that_left_a_container_leave_the_ledger_and_their_sessions_stay(heap, archive):
    for names in (("a", "b"), ("b", "c")):
        with zipfile.ZipFile(heap / "run.zip", "w") as packed:
            for name in names:
                packed.writestr(f"{name}.json", numbered(ord(name)))
        ingest(heap, archive)

    assert [path[-6:] for (path,) in rows(archive, "SELECT path FROM files ORDER BY path")] == ["b.json", "c.json"]
    assert rows(archive, "SELECT seed FROM records ORDER BY seed") == [(97,), (98,), (99,)]


def test_new_bytes_under_a_known_name_are_a_session_beside_the_old_one(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    write(heap, {"a.json": numbered(22)})

    done = ingest(heap, archive)

    tag = hashlib.sha256(numbered(22)).hexdigest()[:12]
    assert counts(done) == (1, 0, 0, 0)
    assert rows(archive, "SELECT source, seed FROM records ORDER BY seed") == [
        (f"{heap}/a.json", 1),
        (f"{heap}/a.json#{tag}", 22),
    ]
    assert rows(archive, "SELECT source FROM files") == [(f"{heap}/a.json#{tag}",)]


def test_a_rejected_file_is_tried_again_when_it_changes(heap, archive):
    write(heap, {"a.json": numbered(1)[:-5]})
    first = ingest(heap, archive)
    reason = rows(archive, "SELECT reason FROM files")
    write(heap, {"a.json": numbered(1)})

    second = ingest(heap, archive)

    assert (counts(first), counts(second)) == ((0, 0, 1, 0), (1, 0, 0, 0))
    assert reason[0][0].startswith("The file ends inside its JSON document.")
    assert rows(archive, "SELECT source, status FROM sessions") == [(f"{heap}/a.json", "loaded")]
    assert rows(archive, "SELECT rule FROM violations WHERE severity = 'error'") == []


def test_a_file_that_could_not_be_read_is_tried_again_without_a_change(heap, archive, tmp_path):
    (heap / "a.json").symlink_to(tmp_path / "later")
    first = ingest(heap, archive)
    second = ingest(heap, archive)
    (tmp_path / "later").write_bytes(numbered(1))

    third = ingest(heap, archive)

    assert [counts(done) for done in (first, second, third)] == [(0, 0, 1, 0), (0, 0, 1, 0), (1, 0, 0, 0)]
    assert second.changed is False


def test_rehash_reads_files_that_seem_known(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    stat = (heap / "a.json").stat()
    write(heap, {"a.json": numbered(2)})
    os.utime(heap / "a.json", ns=(stat.st_atime_ns, stat.st_mtime_ns))

    without, with_it = ingest(heap, archive), ingest(heap, archive, IngestOptions(rehash=True))

    assert (counts(without), counts(with_it)) == ((0, 1, 0, 0), (1, 0, 0, 0))


def test_rehash_of_unchanged_files_writes_nothing(heap, archive):
    write(heap, {"a.json": numbered(1), "cut.json": b"{"})
    ingest(heap, archive)
    before = archive.read_bytes()

    done = ingest(heap, archive, IngestOptions(rehash=True))

    assert (counts(done), done.changed) == ((0, 1, 1, 0), False)
    assert archive.read_bytes() == before


def test_a_dry_run_tells_what_would_be_new_and_writes_nothing(heap, archive):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)
    write(heap, {"b.json": numbered(2), "c.json": numbered(2), "d.json": numbered(1)})
    before = archive.read_bytes()
    sources = []

    done = ingest(heap, archive, IngestOptions(dry_run=True), added=lambda new: sources.extend(new["source"]))

    assert (counts(done), sources) == ((1, 3, 0, 0), [f"{heap}/b.json"])
    assert archive.read_bytes() == before


def test_a_dry_run_makes_no_archive(heap, archive):
    write(heap, {"a.json": numbered(1)})

    done = ingest(heap, archive, IngestOptions(dry_run=True))

    assert (counts(done), archive.exists()) == ((1, 0, 0, 0), False)


def test_what_is_seen_is_new_known_rejected_or_skipped(heap, archive):
    write(heap, {"a.json": numbered(1), "b.json": numbered(1), "cut.json": b"{", "notes.txt": b""})

    done = ingest(heap, archive)

    assert str(done) == "4 seen = 1 new + 1 known + 1 rejected + 1 skipped"


def test_small_transactions_give_what_one_gives(heap, archive, tmp_path):
    write(heap, {f"{number:02}.json": numbered(number % 7) for number in range(20)})
    ingest(heap, tmp_path / "one.duckdb")

    ingest(heap, archive, IngestOptions(commit_files=3, reading=ReadingOptions(batch_files=2)))

    for table in ("sessions", "records", "files"):
        query = f"SELECT COLUMNS(*)::VARCHAR FROM {table}"
        assert rows(archive, query) == rows(tmp_path / "one.duckdb", query)


def test_a_file_larger_than_memory_may_hold_is_one_transaction(heap, archive):
    write(heap, {"a.json": session(*(record(seed=seed) for seed in range(1, 3001))), "b.json": numbered(9)})
    windows = ReadingOptions(large_bytes=10_000, window_bytes=100_000)

    done = ingest(heap, archive, IngestOptions(commit_records=100, memory_records=100, reading=windows))

    assert counts(done) == (2, 0, 0, 0)
    assert rows(
        archive,
        "SELECT source[-6:], count(*), count(DISTINCT seed), max(record_index) FROM records GROUP BY 1 ORDER BY 1",
    ) == [
        ("a.json", 3000, 3000, 2999),
        ("b.json", 1, 1, 0),
    ]


def test_the_archive_carries_the_views_with_their_comments(heap, archive):
    write(heap, {"a.json": numbered(1)})
    view = View("seeds", "One row per seed.", {"seed": "The user's seed."}, "SELECT seed FROM records")

    ingest(heap, archive, views=[view])

    assert rows(archive, "SELECT * FROM seeds") == [(1,)]
    assert rows(archive, "SELECT comment FROM duckdb_views() WHERE view_name = 'seeds'") == [("One row per seed.",)]
    assert rows(archive, "SELECT comment FROM duckdb_tables() WHERE table_name = 'records'") == [
        ("One row per anchor event.",)
    ]


def test_names_that_are_not_unicode_remain_different(heap, archive):
    write(heap, {"a.json": numbered(1)})
    (heap / os.fsdecode(b"\xff.json")).write_bytes(numbered(2))
    (heap / os.fsdecode(b"\xfe.json")).write_bytes(numbered(3))

    assert counts(ingest(heap, archive)) == (3, 0, 0, 0)
    assert counts(ingest(heap, archive)) == (0, 3, 0, 0)


def test_an_archive_cannot_be_ingested(heap, archive, tmp_path):
    write(heap, {"a.json": numbered(1)})
    ingest(heap, archive)

    with pytest.raises(UsageError, match="cannot be ingested"):
        ingest(archive, tmp_path / "other.duckdb")


@pytest.mark.parametrize("data", [b"", b"no database" * 1000], ids=["empty", "text"])
def test_a_file_that_is_not_a_database_is_unchanged(heap, archive, data):
    write(heap, {"a.json": numbered(1)})
    archive.write_bytes(data)

    with pytest.raises(SourceError, match="cannot be opened"):
        ingest(heap, archive)

    assert archive.read_bytes() == data


def test_progress_counts_what_was_found(heap, archive):
    file_by_file = IngestOptions(reading=ReadingOptions(batch_files=1))
    write(heap, {"a.json": numbered(1), "b.json": numbered(2)})
    calls = []

    ingest(heap, archive, file_by_file, progress=lambda done, total: calls.append((done, total)))

    assert calls == [(1, 2), (2, 2)]
