"""Archives in the hands of those who name parts of containers, other files, and folders that move."""

import io
import os
import sys
import threading
import zipfile
from pathlib import Path

import duckdb
import pytest

from clamp_analytics.archive.check import check
from clamp_analytics.archive.compact import compact
from clamp_analytics.archive.forget import Forget, forget
from clamp_analytics.archive.info import info
from clamp_analytics.archive.ingest.options import IngestOptions
from clamp_analytics.archive.ingest.run import ingest
from clamp_analytics.archive.upgrade import upgrade
from clamp_analytics.archive.watch import follow
from clamp_analytics.errors import ClampError, OutputError, SourceError, UsageError
from clamp_analytics.reading import load
from tests.archive.conftest import change, rows
from tests.conftest import numbered, write


def counts(done):
    return done.new, done.known, done.rejected, done.skipped.total()


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "telemetry.duckdb"


@pytest.fixture
def three(tmp_path):
    """A zip with sessions in two folders."""
    return zipped(tmp_path / "a.zip", {"x/1.json": numbered(1), "x/2.json": numbered(2), "y/3.json": numbered(3)})


@pytest.fixture
def cut(tmp_path, three):
    """The first bytes of a zip, with its first member whole."""
    data = three.read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(data[: data.index(b"x/2.json") + 20])
    return path


def test_a_member_of_a_damaged_container_is_rejected_under_its_own_name(cut, archive):
    done = ingest([f"{cut}!/x/1.json", f"{cut}!/x/2.json"], archive)

    assert [path for path, _ in done.rejections] == [f"{cut}!/x/1.json", f"{cut}!/x/2.json"]
    assert counts(done) == (0, 0, 2, 0)


def test_of_members_that_are_named_the_whole_ones_are_salvaged(cut, archive):
    done = ingest([f"{cut}!/x/1.json", f"{cut}!/x/2.json"], archive, IngestOptions(salvage=True))

    assert counts(done) == (1, 0, 1, 0)
    assert done.rejections[0][0] == f"{cut}!/x/2.json"
    assert check(archive).rows() == []


def test_a_damaged_container_is_reported_for_the_member_that_was_named(cut):
    sessions = load(f"{cut}!/x/1.json").sessions

    assert sessions.select("source", "status").rows() == [(f"{cut}!/x/1.json", "rejected")]


def test_a_path_behind_a_compressed_session_is_not_a_member(tmp_path):
    write(tmp_path, {"a.json.gz": b"\x1f\x8b"})

    with pytest.raises(SourceError, match="there is no such file"):
        load(f"{tmp_path}/a.json.gz!/b.json")


def test_a_container_is_counted_whole_after_one_of_its_members_was_named(three, archive):
    ingest(f"{three}!/x/1.json", archive)
    whole = ingest(three, archive)

    again = ingest(three, archive)

    assert (counts(whole), counts(again)) == ((2, 1, 0, 0), (0, 3, 0, 0))


def test_a_part_of_a_container_is_counted_after_the_whole(three, archive):
    ingest(f"{three}!/x", archive)
    ingest(three, archive)

    part = ingest(f"{three}!/x", archive)

    assert (counts(part), part.changed) == ((0, 2, 0, 0), False)


def test_a_member_that_was_named_leaves_no_other_container_behind(three, archive):
    ingest([f"{three}!/x", f"{three}!/y/3.json"], archive)

    with duckdb.connect(str(archive), read_only=True) as connection:
        found = connection.execute("SELECT DISTINCT container FROM files").fetchall()

    assert found == [(str(three),)]


def test_a_dry_run_counts_what_cannot_be_read(tmp_path, archive, cut):
    options = IngestOptions(dry_run=True)

    looked = ingest([cut, write(tmp_path / "heap", {"a.json": numbered(1)})], archive, options)

    assert counts(looked) == (1, 0, 1, 0)


@pytest.mark.parametrize("pattern", ["*.zip!/*", "*x/1.json"])
def test_members_that_may_return_come_back_with_their_container(tmp_path, three, archive, pattern):
    heap = [three, write(tmp_path / "heap", {"plain.json": numbered(9)})]
    ingest(heap, archive)
    gone = forget(archive, Forget(source=pattern, allow_return=True)).height

    back = ingest(heap, archive)

    assert back.new == gone > 0
    assert check(archive).rows() == []


@pytest.mark.parametrize("name", ["t.json", "t.zip", "t.tar.gz"])
def test_an_archive_cannot_have_the_ending_of_a_session_or_container(tmp_path, name):
    heap = write(tmp_path / "heap", {"a.json": numbered(1)})

    with pytest.raises(UsageError, match="the ending of a session file or container would be read as one"):
        ingest(heap, tmp_path / name)

    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("data", [b"", b"{}", bytes(5000)])
@pytest.mark.parametrize("name", ["x.duckdb", "x.json", "x.csv"])
def test_a_file_that_is_not_a_database_is_named(tmp_path, name, data):
    write(tmp_path, {name: data})

    with pytest.raises(SourceError, match="it is not a DuckDB database"):
        info(tmp_path / name)

    assert (tmp_path / name).read_bytes() == data


@pytest.mark.parametrize("table", ["sessions", "records", "files", "containers", "ingests", "forgotten"])
def test_a_missing_table_is_named(tmp_path, archive, table):
    heap = write(tmp_path / "heap", {"a.json": numbered(1)})
    ingest(heap, archive)
    with duckdb.connect(str(archive)) as connection:
        connection.execute(f"DROP TABLE {table} CASCADE")
    write(heap, {"b.json": numbered(2)})

    failed = []
    for act in (info, check, load, lambda path: ingest(heap, path)):
        try:
            act(archive)
        except (SourceError, OutputError) as error:
            failed.append(str(error))

    assert failed
    assert all(f"Table with name {table} does not exist" in text for text in failed)


def test_standard_input_is_read_where_a_file_is_called_like_it(tmp_path, archive, monkeypatch):
    monkeypatch.chdir(write(tmp_path / "here", {"-": numbered(1)}))
    for seed in (2, 3):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(numbered(seed))))
        done = ingest("-", archive)

    assert counts(done) == (1, 0, 0, 0)


class Followed:
    """A folder that is followed in a thread, whose events are waited for."""

    def __init__(self, folder: Path, archive: Path) -> None:
        self.sources: list[str] = []
        self.error: ClampError | None = None
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(folder, archive))
        self._thread.start()
        assert self._started.wait(60)

    def _follow(self, folder: Path, archive: Path) -> None:
        from clamp_analytics.archive.watch import Events

        events = Events(added=self._added, watching=self._started.set)
        try:
            follow([str(folder)], archive, self._stop, events=events, quiet_seconds=0.05)
        except ClampError as error:
            self.error = error
        self._started.set()

    def _added(self, sessions):
        with self._news:
            self.sources.extend(sessions["source"].to_list())
            self._news.notify()

    def until(self, count: int) -> list[str]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.sources) >= count, 20), self.sources
        return sorted(self.sources)

    def until_it_ends(self) -> ClampError | None:
        self._thread.join(60)
        return self.error

    def end(self) -> None:
        self._stop.set()
        self._thread.join(60)


@pytest.fixture
def followed(tmp_path, archive):
    pytest.importorskip("watchfiles")
    (tmp_path / "runs").mkdir()
    following = Followed(tmp_path / "runs", archive)
    yield following
    following.end()


def test_a_folder_that_is_moved_into_a_followed_one_is_read_with_all_below(tmp_path, followed):
    write(tmp_path / "made", {"a.json": numbered(1), "deep/b.json": numbered(2), ".c.json": numbered(3)})

    os.rename(tmp_path / "made", tmp_path / "runs" / "one")

    assert followed.until(2) == [f"{tmp_path}/runs/one/a.json", f"{tmp_path}/runs/one/deep/b.json"]


def test_what_lies_beside_sessions_is_not_taken_for_one_while_following(tmp_path, followed):
    write(tmp_path / "runs", {"telemetry_summary.json": b"{}", "rocm_snapshot.json": b"{}"})
    write(tmp_path / "runs", {"z.json": numbered(1)})
    followed.until(1)
    write(tmp_path / "runs", {"zz.json": numbered(2)})

    assert followed.until(2) == [f"{tmp_path}/runs/z.json", f"{tmp_path}/runs/zz.json"]


@pytest.mark.parametrize("again", [False, True])
def test_a_followed_folder_that_is_renamed_ends_the_following(tmp_path, followed, again):
    os.rename(tmp_path / "runs", tmp_path / "old")
    if again:
        (tmp_path / "runs").mkdir()

    assert "the folder is gone" in str(followed.until_it_ends())


@pytest.mark.parametrize("table", ["sessions", "records", "violations"])
def test_a_table_without_its_rows_is_reported_when_the_archive_is_opened(tmp_path, archive, table):
    ingest(write(tmp_path / "heap", {"a.json": numbered(1), "b.json": b"{"}), archive)
    change(archive, f"DELETE FROM {table}")

    with pytest.raises(SourceError, match=rf"{table} has 0 rows, and the archive records [12](.|\n)*archive check"):
        load(archive)


def test_a_session_without_a_status_makes_reading_an_error(tmp_path, archive):
    ingest(write(tmp_path / "heap", {"1.json": numbered(1)}), archive)
    change(archive, "ALTER TABLE sessions ALTER status DROP NOT NULL", "UPDATE sessions SET status = NULL")

    with pytest.raises(SourceError, match="1 session without a value that every session has"):
        load(archive)
    assert "missing-values" in check(archive)["check"].to_list()


@pytest.mark.parametrize("act", [lambda path: forget(path, Forget(source="*a.json")), compact, upgrade])
def test_commands_that_write_keep_the_recorded_counts(tmp_path, archive, act):
    ingest(write(tmp_path / "heap", {"a.json": numbered(1), "b.json": numbered(2)}), archive)

    act(archive)

    assert load(archive).counts.loaded == check(archive).height + rows(archive, "SELECT count(*) FROM sessions")[0][0]


@pytest.mark.parametrize("table", ["sessions", "records", "files", "containers", "ingests", "forgotten"])
def test_check_reads_every_table_and_reports_a_damaged_block(tmp_path, archive, three, table):
    ingest([three, write(tmp_path / "heap", {"a.json": numbered(9)})], archive)
    forget(archive, Forget(source="*a.json"))
    change(archive, "CHECKPOINT")
    ((block, size),) = rows(
        archive,
        f"SELECT first(block_id), first((SELECT block_size FROM pragma_database_size())) "
        f"FROM pragma_storage_info('{table}') WHERE persistent AND segment_type = 'VARCHAR'",
    )
    headers = 3 * 4096
    data = bytearray(archive.read_bytes())
    data[headers + block * size + 100] ^= 1
    archive.write_bytes(data)

    with pytest.raises(SourceError, match="checksum"):
        check(archive)


def test_an_archive_with_missing_rows_is_not_written_to(tmp_path, archive):
    heap = write(tmp_path / "heap", {"a.json": numbered(1)})
    ingest(heap, archive)
    change(archive, "DELETE FROM records")
    before = archive.read_bytes()
    write(heap, {"b.json": numbered(2)})

    with pytest.raises(SourceError, match="records has 0 rows"):
        ingest(heap, archive)
    assert archive.read_bytes() == before


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 0.0, -1.0, 1e300])
def test_a_quiet_time_that_is_not_a_number_of_seconds_is_refused(tmp_path, archive, seconds):
    with pytest.raises(UsageError, match="is not a number of seconds"):
        follow([str(tmp_path)], archive, threading.Event(), quiet_seconds=seconds)


NOT_UTF8 = os.fsdecode(b"\xff.duckdb")


@pytest.mark.parametrize("name", [NOT_UTF8, "x" * 300 + ".duckdb"], ids=["not UTF-8", "too long"])
@pytest.mark.parametrize("act", [info, check, compact, upgrade, load], ids=lambda act: act.__name__)
def test_a_path_that_cannot_be_opened_is_an_error_with_a_sentence(tmp_path, archive, name, act):
    ingest(write(tmp_path / "heap", {"a.json": numbered(1)}), archive)
    if name is NOT_UTF8:
        os.rename(archive, tmp_path / name)

    with pytest.raises(ClampError):
        act(tmp_path / name)


@pytest.mark.parametrize("name", [NOT_UTF8, "x" * 300 + ".duckdb"], ids=["not UTF-8", "too long"])
def test_an_archive_with_an_impossible_path_is_refused(tmp_path, name):
    heap = write(tmp_path / "heap", {"a.json": numbered(1)})

    with pytest.raises(ClampError):
        ingest(heap, tmp_path / name)


def test_session_files_in_folders_that_are_not_utf8_are_ingested(tmp_path, archive):
    folder = write(tmp_path / os.fsdecode(b"caf\xe9"), {"a.json": numbered(1)})

    done = ingest(folder, archive)

    assert (counts(done), load(archive).counts.loaded) == ((1, 0, 0, 0), 1)
