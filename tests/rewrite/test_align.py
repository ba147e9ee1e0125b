"""Alignment: the timestamps of a session file are shifted, and nothing else changes."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clamp_analytics.errors import OutputError, UsageError
from clamp_analytics.reading import load
from clamp_analytics.rewrite import align_files, align_records, parse_timestamp
from tests.conftest import EXAMPLES, GOOD, INTEROP, Raw, numbered, record, session, write
from tests.reading.test_properties import documents
from tests.rewrite.fields import NEW_YEAR, fields
from tests.sources.container_builders import a_zip

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
HARMLESS = [HealthCheck.function_scoped_fixture]
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
STAMP = re.compile(rb'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]*Z"')


def aligned(folder: Path, data: bytes, to: datetime = NEW_YEAR) -> bytes:
    """The bytes of the aligned copy of a file."""
    write(folder, {"in/a.json": data})
    (path,) = align_files(folder / "in", to, folder / "out").written
    return path.read_bytes()


def test_the_progress_is_that_of_the_files(tmp_path):
    write(tmp_path / "in", {"a.json": session(record(seed=1)), "b.json": session(record(seed=2))})
    seen = []

    align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))

    assert seen == [(1, 2), (2, 2)]


def test_the_earliest_acquisition_becomes_the_reference_and_differences_are_kept(tmp_path):
    data = session(
        record(acquired_at="2026-01-01T10:00:05.250000Z", released_at="2026-01-01T10:00:06.250000Z"),
        record(acquired_at="2026-01-01T10:00:00.000001Z", released_at=None, seed=8),
    )

    assert fields(aligned(tmp_path, data), "acquired_at", "released_at") == [
        ("2030-01-01T00:00:05.249999Z", "2030-01-01T00:00:06.249999Z"),
        ("2030-01-01T00:00:00.000000Z", None),
    ]


def test_nothing_but_the_timestamps_changes(tmp_path):
    data = (
        b'\n{ "records" : [ {"seed" :18446744073709551615, "context":"caf\\u00e9","thread_id":"1" ,'
        b'"acquired_at": "2026-01-01T00:00:00.000000Z","released_at":"2026-01-01T00:00:01.000000Z",'
        b'"duration_ms":1.000e3,"stability_score":0.50,"node":{"acquired_at":"2026-01-01T00:00:00Z","n":[1.0]}}],'
        b'"stability_score":0.500000}\r\n'
    )

    assert aligned(tmp_path, data) == data.replace(
        b"2026-01-01T00:00:00.000000Z", b"2030-01-01T00:00:00.000000Z"
    ).replace(b"2026-01-01T00:00:01.000000Z", b"2030-01-01T00:00:01.000000Z")


def test_a_byte_order_mark_is_kept(tmp_path):
    data = b"\xef\xbb\xbf" + session(record(acquired_at="2026-01-01T00:00:00.5Z"))

    assert aligned(tmp_path, data) == (
        data.replace(b"2026-01-01T00:00:00.5Z", b"2030-01-01T00:00:00.0Z").replace(
            b"2026-01-01T00:00:01Z", b"2030-01-01T00:00:00.500000Z"
        )
    )


def test_every_form_of_timestamp_becomes_utc(tmp_path):
    data = session(
        record(acquired_at="2026-01-01T00:00:00.000000+01:00", released_at="2025-12-31 23:00:01.5"),
        record(acquired_at="2025-12-31t23:00:02,123456789z", released_at="2026-01-01T00:00:03.25-00:30", seed=8),
    )

    assert fields(aligned(tmp_path, data), "acquired_at", "released_at") == [
        ("2030-01-01T00:00:00.000000Z", "2030-01-01T00:00:01.5Z"),
        ("2030-01-01T00:00:02.123456Z", "2030-01-01T01:30:03.25Z"),
    ]


def test_unset_and_unreadable_timestamps_stay_as_they_are(tmp_path):
    data = session(
        record(acquired_at="", released_at="soon"),
        record(acquired_at="2026-02-30T00:00:00Z", released_at=Raw("7"), seed=8),
        record(
            acquired_at="2026-01-01T00:00:00Z", released_at=Raw('"2026-01-01T00:00:00Z","released_at":null'), seed=9
        ),
    )

    assert aligned(tmp_path, data) == data.replace(
        b'"acquired_at":"2026-01-01T00:00:00Z"', b'"acquired_at":"2030-01-01T00:00:00Z"'
    )


def test_whole_seconds_keep_their_form_when_the_shift_is_whole(tmp_path):
    assert aligned(tmp_path, GOOD) == GOOD.replace(b"2026-01-01", b"2030-01-01")


def test_decimals_that_the_reference_adds_are_written_and_reported(tmp_path):
    write(tmp_path, {"in/a.json": GOOD})

    done = align_files(tmp_path / "in", NEW_YEAR + timedelta(microseconds=250), tmp_path / "out")

    assert fields(done.written[0].read_bytes(), "acquired_at") == [("2030-01-01T00:00:00.000250Z",)]
    assert done.finer == [f"{tmp_path}/in/a.json"]


def test_a_session_without_a_usable_acquisition_is_copied_and_reported(tmp_path):
    data = session(record(acquired_at=""))
    write(tmp_path, {"in/a.json": data})

    done = align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert (done.written[0].read_bytes(), done.unaligned) == (data, [f"{tmp_path}/in/a.json"])


def test_a_session_without_records_is_copied(tmp_path):
    assert aligned(tmp_path, session()) == session()


def test_a_key_that_is_spelled_with_an_escape_is_found(tmp_path):
    data = session(record()).replace(b'"acquired_at"', b'"\\u0061cquired_at"')

    assert aligned(tmp_path, data) == data.replace(b"2026-01-01", b"2030-01-01")


def test_entries_that_are_not_records_are_unchanged(tmp_path):
    data = session(Raw("null"), record(), Raw('"2026-01-01T00:00:00Z"'))

    assert aligned(tmp_path, data) == session(
        Raw("null"),
        record(acquired_at="2030-01-01T00:00:00Z", released_at="2030-01-01T00:00:01Z"),
        Raw('"2026-01-01T00:00:00Z"'),
    )


def test_each_session_is_shifted_by_itself(tmp_path):
    files = {
        "in/a.json": session(record(acquired_at="2026-01-01T00:00:00Z")),
        "in/b.json": session(record(acquired_at="2027-05-05T05:05:05Z")),
    }
    write(tmp_path, files)

    done = align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert [fields(path.read_bytes(), "acquired_at") for path in done.written] == [[("2030-01-01T00:00:00Z",)]] * 2


def test_a_rejected_file_is_named_and_the_others_are_written(tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/cut.json": GOOD[:-5], "in/z.json": numbered(9)})

    done = align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert sorted(os.listdir(tmp_path / "out")) == ["a.json", "z.json"]
    assert [entry.source for entry in done.rejected] == [f"{tmp_path}/in/cut.json"]
    assert done.rejected[0].why.startswith("The file ends inside its JSON document.")


def test_a_session_that_would_leave_the_calendar_is_not_written(tmp_path):
    write(tmp_path, {"in/a.json": session(record(released_at="9000-01-01T00:00:00Z"))})

    done = align_files(tmp_path / "in", datetime(9000, 1, 1, tzinfo=UTC), tmp_path / "out")

    assert (done.written, done.rejected[0].why) == ([], "aligned, a timestamp would leave the years 1 to 9999")


def test_files_keep_their_path_below_the_common_folder(tmp_path):
    write(tmp_path, {"in/x/a.json": GOOD, "in/y/a.json": numbered(9)})

    align_files([tmp_path / "in" / "x", tmp_path / "in" / "y" / "a.json"], NEW_YEAR, tmp_path / "out")

    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.json")) == [
        "x/a.json",
        "y/a.json",
    ]


def test_an_output_path_is_always_inside_the_output_folder(tmp_path, monkeypatch):
    write(tmp_path, {"a.json": GOOD, "in/deep/b.json": numbered(9)})
    monkeypatch.chdir(tmp_path)

    done = align_files("in/*/../../a.json", NEW_YEAR, "new/out")

    assert done.written == [Path("new/out/a.json")]
    assert done.renamed == [("in/deep/../../a.json", "a.json")]


def test_two_sources_with_one_name_get_different_names(tmp_path, monkeypatch):
    write(tmp_path, {"a.json": GOOD, "in/a.json": numbered(9), "in/deep/b.json": numbered(10)})
    monkeypatch.chdir(tmp_path)

    done = align_files(["in/*/../../a.json", "in/*/../a.json"], NEW_YEAR, "out")

    assert sorted(os.listdir("out")) == ["a (2).json", "a.json"]
    assert len({fields(path.read_bytes(), "seed")[0] for path in done.written}) == 2


def test_an_existing_file_is_never_replaced_and_nothing_is_written(tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/b.json": numbered(9), "out/b.json": b"mine"})

    with pytest.raises(OutputError, match=r"b\.json: it exists already"):
        align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"b.json": b"mine"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not Unicode")
def test_a_file_name_that_is_not_unicode_is_kept(tmp_path):
    name = os.fsdecode(b"caf\xe9.json")
    write(tmp_path, {f"in/{name}": GOOD})

    align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9.json"]


def test_an_export_cannot_be_aligned(tmp_path):
    write(tmp_path, {"in/clamp_export.json": b"{}"})

    with pytest.raises(UsageError, match="holds tables"):
        align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")


def test_a_reference_without_a_zone_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no time zone"):
        align_records(load(write(tmp_path, {"a.json": GOOD})).records, datetime(2026, 1, 1))

    with pytest.raises(UsageError, match="no time zone"):
        align_files(tmp_path, datetime(2026, 1, 1), tmp_path / "out")


def test_a_reference_of_another_zone_is_the_same_instant(tmp_path):
    records = load(write(tmp_path, {"a.json": GOOD})).records

    east = align_records(records, datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))

    assert east.equals(align_records(records, NEW_YEAR))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01 01:00:00,5+01:00", datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_reference_is_read_as_the_reader_reads_timestamps(text, expected):
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "1700000000"])
def test_a_text_that_is_not_a_timestamp_is_refused_as_reference(text):
    with pytest.raises(UsageError, match="is not an ISO 8601 date and time"):
        parse_timestamp(text)


def test_each_session_of_a_frame_is_aligned_in_its_rows():
    records = pl.DataFrame(
        {
            "source": ["b", "a", "b", "c"],
            "acquired_at": [datetime(2026, 1, 2), datetime(2026, 1, 1), datetime(2026, 1, 1), None],
            "released_at": [None, datetime(2026, 1, 3), datetime(2025, 1, 1), datetime(2026, 1, 1)],
        }
    ).with_columns(pl.col("acquired_at", "released_at").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))

    assert align_records(records, NEW_YEAR).rows() == [
        ("b", datetime(2030, 1, 2, tzinfo=UTC), None),
        ("a", NEW_YEAR, datetime(2030, 1, 3, tzinfo=UTC)),
        ("b", NEW_YEAR, datetime(2029, 1, 1, tzinfo=UTC)),
        ("c", None, datetime(2026, 1, 1, tzinfo=UTC)),
    ]


@given(group=st.lists(documents(), min_size=1, max_size=3))
@settings(max_examples=30 * EXAMPLES, suppress_health_check=HARMLESS)
@example(group=[GOOD])
def test_files_and_frames_agree_and_the_text_between_timestamps_stays(tmp_path_factory, group):
    folder = tmp_path_factory.mktemp("run")
    write(folder / "in", {f"{number}.json": data for number, data in enumerate(group)})
    before = load(folder / "in")

    done = align_files(folder / "in", NEW_YEAR, folder / "out")

    if not done.written:
        return
    by_path = {path.relative_to(folder / "out"): path for path in done.written}
    written = [str(folder / "in" / relative) for relative in by_path]
    expected = align_records(before.records.filter(pl.col("source").is_in(written)), NEW_YEAR)
    after = load(folder / "out").records.with_columns(pl.col("source").str.replace("/out/", "/in/", literal=True))
    assert after.equals(expected)
    usable = before.records.select("acquired_at", "released_at").unpivot()["value"].drop_nulls().len()
    for relative, path in by_path.items():
        old, new = (folder / "in" / relative).read_bytes(), path.read_bytes()
        pieces = STAMP.split(new)
        assert len(pieces) <= usable + 1 + len(STAMP.findall(old))
        assert old.count(b"{") == new.count(b"{")
        assert STRING.sub(b"", old) == STRING.sub(b"", new)


def test_the_recorder_aligns_to_the_same_timestamps(tmp_path):
    recorder = pytest.importorskip("clamp_analytics.recorder", exc_type=ImportError)
    telemetry = recorder.EntropyTelemetry(tmp_path / "in")
    first = telemetry.record_acquire("a", 7)
    telemetry.record_release(telemetry.record_acquire("b", 8), 0.5)
    telemetry.record_release(first)
    telemetry.record_acquire("c", 9)
    before = telemetry.write_json()
    telemetry.align_to_reference(NEW_YEAR)
    after = telemetry.write_json(tmp_path / "expected")

    (ours,) = align_files(before, NEW_YEAR, tmp_path / "out").written

    # The recorder shifts nanoseconds, of which a file shows whole microseconds.
    columns = pl.col("acquired_at", "released_at").dt.epoch("us")
    found, expected = (load(path).records.select(columns) for path in (ours, after))
    assert all(abs(gap or 0) <= 1 for row in (found - expected).rows() for gap in row)
    assert found.select(pl.all().null_count()).equals(expected.select(pl.all().null_count()))


def test_aligning_files_of_the_producer_adds_no_violation(tmp_path):
    align_files(INTEROP / "*run*.json", NEW_YEAR, tmp_path / "out")

    before, after = (
        load(folder)
        .violations.filter(pl.col("rule") != "session-repeated")["rule"]
        .value_counts(sort=True)
        .sort("rule")
        for folder in (INTEROP / "*run*.json", tmp_path / "out")
    )
    assert after.equals(before)


def test_sessions_in_containers_are_aligned_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip({"t/x.json": session(record())}))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(session(record(seed=2))))

    done = align_files(tmp_path, NEW_YEAR, tmp_path / "out")

    assert [str(path.relative_to(tmp_path)) for path in done.written] == ["out/a.zip!/t/x.json", "out/b.json"]
    assert load(tmp_path / "out").records["acquired_at"].to_list() == [NEW_YEAR] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_failed_write_leaves_no_file_and_no_folder(tmp_path):
    large = session(*(record(acquired_at=f"2026-01-01T00:00:{n % 60:02}Z", seed=n + 1) for n in range(2_000)))
    write(tmp_path, {"in/a.json": GOOD, "in/b.json": numbered(9), "in/c.json": large})
    limited = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from clamp_analytics.rewrite import align_files, parse_timestamp\n"
        "align_files('in', parse_timestamp('2030-01-01T00:00:00Z'), 'out/deep')\n"
    )

    done = subprocess.run([sys.executable, "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "OutputError: out/deep/c.json: cannot be written: file too large" in done.stderr
    assert os.listdir(tmp_path) == ["in"]


def test_a_file_in_a_folder_that_is_named_like_a_member_of_a_container_is_aligned_too(tmp_path):
    sessions = write(tmp_path / "in", {"a.zip": a_zip({"x.json": numbered(1)}), "a.zip!/x.json": numbered(2)})

    align_files(sessions, NEW_YEAR, tmp_path / "out")

    assert sorted(load(tmp_path / "out").records["seed"]) == [1, 2]
