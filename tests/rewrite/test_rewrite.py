"""Alignment and merging: what changes in a session file, and that nothing else does."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clamp_analytics.atomic_files import publish
from clamp_analytics.errors import OutputError, SourceError, UsageError
from clamp_analytics.reading import Counts, load
from clamp_analytics.rewrite import align, align_files, instant, merge
from tests.conftest import GOOD, INTEROP, Raw, numbered, producer_session, record, session, write
from tests.reading.test_properties import documents
from tests.sources.container_builders import a_zip

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
STAMP = re.compile(rb'"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]*Z"')
HARMLESS = [HealthCheck.function_scoped_fixture]


def aligned(folder: Path, data: bytes, to: datetime = NEW_YEAR) -> bytes:
    """The bytes that aligning makes of a file."""
    write(folder, {"in/a.json": data})
    (path,) = align_files(folder / "in", to, folder / "out").written
    return path.read_bytes()


def fields(data: bytes, *names: str) -> list[tuple[Any, ...]]:
    """Some fields of each record of a file, by the standard library's parser."""
    return [tuple(entry[name] for name in names) for entry in json.loads(data)["records"]]


def merged(folder: Path, **files: bytes) -> bytes:
    """The bytes that merging makes of files."""
    return merge(write(folder, {f"{name}.json": data for name, data in files.items()})).data


# -- align ------------------------------------------------------------------------------------------------


def test_the_earliest_acquisition_becomes_the_reference_and_the_others_keep_their_distance(tmp_path):
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


def test_a_byte_order_mark_stays_and_does_not_move_anything(tmp_path):
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


def test_whole_seconds_stay_whole_where_the_shift_is(tmp_path):
    assert aligned(tmp_path, GOOD) == GOOD.replace(b"2026-01-01", b"2030-01-01")


def test_a_fraction_that_the_reference_brings_in_is_written_and_told(tmp_path):
    write(tmp_path, {"in/a.json": GOOD})

    done = align_files(tmp_path / "in", NEW_YEAR + timedelta(microseconds=250), tmp_path / "out")

    assert fields(done.written[0].read_bytes(), "acquired_at") == [("2030-01-01T00:00:00.000250Z",)]
    assert done.finer == [f"{tmp_path}/in/a.json"]


def test_a_session_without_a_usable_acquisition_is_copied_and_told(tmp_path):
    data = session(record(acquired_at=""))
    write(tmp_path, {"in/a.json": data})

    done = align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert (done.written[0].read_bytes(), done.unaligned) == (data, [f"{tmp_path}/in/a.json"])


def test_a_session_without_records_is_copied(tmp_path):
    assert aligned(tmp_path, session()) == session()


def test_a_key_that_is_spelled_with_an_escape_is_found(tmp_path):
    data = session(record()).replace(b'"acquired_at"', b'"\\u0061cquired_at"')

    assert aligned(tmp_path, data) == data.replace(b"2026-01-01", b"2030-01-01")


def test_entries_that_are_no_records_stay_in_their_place(tmp_path):
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


def test_files_keep_their_place_below_the_common_folder(tmp_path):
    write(tmp_path, {"in/x/a.json": GOOD, "in/y/a.json": numbered(9)})

    align_files([tmp_path / "in" / "x", tmp_path / "in" / "y" / "a.json"], NEW_YEAR, tmp_path / "out")

    assert sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.json")) == [
        "x/a.json",
        "y/a.json",
    ]


def test_a_name_cannot_leave_the_new_folder(tmp_path, monkeypatch):
    write(tmp_path, {"a.json": GOOD, "in/deep/b.json": numbered(9)})
    monkeypatch.chdir(tmp_path)

    done = align_files("in/*/../../a.json", NEW_YEAR, "new/out")

    assert done.written == [Path("new/out/a.json")]
    assert done.renamed == [("in/deep/../../a.json", "a.json")]


def test_two_sources_of_one_name_do_not_collide(tmp_path, monkeypatch):
    write(tmp_path, {"a.json": GOOD, "in/a.json": numbered(9), "in/deep/b.json": numbered(10)})
    monkeypatch.chdir(tmp_path)

    done = align_files(["in/*/../../a.json", "in/*/../a.json"], NEW_YEAR, "out")

    assert sorted(os.listdir("out")) == ["a (2).json", "a.json"]
    assert len({fields(path.read_bytes(), "seed")[0] for path in done.written}) == 2


def test_a_file_that_is_there_is_never_replaced_and_nothing_is_written(tmp_path):
    write(tmp_path, {"in/a.json": GOOD, "in/b.json": numbered(9), "out/b.json": b"mine"})

    with pytest.raises(OutputError, match=r"b\.json: it exists already"):
        align_files(tmp_path / "in", NEW_YEAR, tmp_path / "out")

    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"b.json": b"mine"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no Unicode")
def test_a_name_that_is_no_unicode_is_kept(tmp_path):
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
        align(load(write(tmp_path, {"a.json": GOOD})).records, datetime(2026, 1, 1))

    with pytest.raises(UsageError, match="no time zone"):
        align_files(tmp_path, datetime(2026, 1, 1), tmp_path / "out")


def test_a_reference_of_another_zone_is_the_same_instant(tmp_path):
    records = load(write(tmp_path, {"a.json": GOOD})).records

    east = align(records, datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))

    assert east.equals(align(records, NEW_YEAR))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01 01:00:00,5+01:00", datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01T00:00:00", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_reference_is_read_as_the_reader_reads_timestamps(text, expected):
    assert instant(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30T00:00:00Z", "2026-01-01", "1700000000"])
def test_what_is_no_timestamp_is_no_reference(text):
    with pytest.raises(UsageError, match="is no ISO 8601 date and time"):
        instant(text)


def test_sessions_of_a_frame_are_aligned_one_by_one_in_place():
    records = pl.DataFrame(
        {
            "source": ["b", "a", "b", "c"],
            "acquired_at": [datetime(2026, 1, 2), datetime(2026, 1, 1), datetime(2026, 1, 1), None],
            "released_at": [None, datetime(2026, 1, 3), datetime(2025, 1, 1), datetime(2026, 1, 1)],
        }
    ).with_columns(pl.col("acquired_at", "released_at").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))

    assert align(records, NEW_YEAR).rows() == [
        ("b", datetime(2030, 1, 2, tzinfo=UTC), None),
        ("a", NEW_YEAR, datetime(2030, 1, 3, tzinfo=UTC)),
        ("b", NEW_YEAR, datetime(2029, 1, 1, tzinfo=UTC)),
        ("c", None, datetime(2026, 1, 1, tzinfo=UTC)),
    ]


@given(group=st.lists(documents(), min_size=1, max_size=3))
@settings(max_examples=60, suppress_health_check=HARMLESS)
@example(group=[GOOD])
def test_files_and_frames_agree_and_the_text_between_timestamps_stays(tmp_path_factory, group):
    folder = tmp_path_factory.mktemp("run")
    write(folder / "in", {f"{number}.json": data for number, data in enumerate(group)})
    before = load(folder / "in")

    done = align_files(folder / "in", NEW_YEAR, folder / "out")

    if not done.written:
        return
    by_place = {path.relative_to(folder / "out"): path for path in done.written}
    written = [str(folder / "in" / place) for place in by_place]
    expected = align(before.records.filter(pl.col("source").is_in(written)), NEW_YEAR)
    after = load(folder / "out").records.with_columns(pl.col("source").str.replace("/out/", "/in/", literal=True))
    assert after.equals(expected)
    usable = before.records.select("acquired_at", "released_at").unpivot()["value"].drop_nulls().len()
    for place, path in by_place.items():
        old, new = (folder / "in" / place).read_bytes(), path.read_bytes()
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


def test_aligned_files_of_the_producer_break_no_rule_that_they_did_not_break_before(tmp_path):
    align_files(INTEROP / "*run*.json", NEW_YEAR, tmp_path / "out")

    before, after = (
        load(folder)
        .violations.filter(pl.col("rule") != "session-repeated")["rule"]
        .value_counts(sort=True)
        .sort("rule")
        for folder in (INTEROP / "*run*.json", tmp_path / "out")
    )
    assert after.equals(before)


# -- merge ------------------------------------------------------------------------------------------------


def at(second: int, seed: int, **more: Any) -> dict[str, Any]:
    return record(acquired_at=f"2026-01-01T00:00:{second:02d}Z", released_at=None, seed=seed, **more)


def test_records_stand_in_order_of_acquisition(tmp_path):
    data = merged(tmp_path, a=session(at(3, 1), at(1, 2)), b=session(at(2, 3), at(0, 4)))

    assert fields(data, "seed") == [(4,), (2,), (3,), (1,)]


def test_records_of_one_instant_stay_in_the_order_of_their_files(tmp_path):
    data = merged(tmp_path, b=session(at(1, 3), at(1, 4)), a=session(at(1, 2), at(1, 1)))

    assert fields(data, "seed") == [(2,), (1,), (3,), (4,)]


def test_instants_are_compared_and_not_their_texts(tmp_path):
    east = record(acquired_at="2026-01-01T09:00:00+09:00", seed=1)

    assert fields(merged(tmp_path, a=session(at(1, 2)), b=session(east)), "seed") == [(1,), (2,)]


def test_records_without_a_usable_acquisition_come_last_in_order_of_files(tmp_path):
    data = merged(
        tmp_path,
        a=session(record(acquired_at="", seed=1), at(5, 2)),
        b=session(record(acquired_at="soon", seed=3), at(4, 4)),
    )

    assert fields(data, "seed") == [(4,), (2,), (1,), (3,)]


def test_records_keep_their_text(tmp_path):
    one = (
        b'{"seed":18446744073709551615 , "context":"caf\\u00e9","thread_id":"1","acquired_at":"2026-01-01T00:00:00Z",'
        + (b'"released_at":null,"duration_ms":0.000,"stability_score":5e-1,"node":{"a":[1.0, 1e400]}}')
    )
    two = (
        one.replace(b"00:00:00Z", b"00:00:01Z")
        .replace(b'"thread_id":"1"', b'"thread_id":"2"')
        .replace(b"5615", b"5614")
    )
    file = b'{"stability_score":0.5,"records":[%b]}'

    data = merged(tmp_path, a=file % two, b=file % one)

    assert data == b'{"stability_score":0.5,"records": [' + one + b", " + two + b"] }\n"


def test_the_declared_mean_is_the_exact_mean_of_the_usable_scores(tmp_path):
    scores = [0.1, 0.2, 0.3, 1e-300, 1.0, 1 / 3, 0.1]
    records = [record(seed=seed, stability_score=score) for seed, score in enumerate(scores, 1)]

    data = merged(tmp_path, a=session(*records[:3], record(seed=99, stability_score="1")), b=session(*records[3:]))

    assert json.loads(data)["stability_score"] == float(sum(map(Fraction, scores)) / len(scores))


def test_a_session_of_nothing_has_the_mean_that_producers_write(tmp_path):
    assert merged(tmp_path, a=session()) == b'{"stability_score":0.0,"records": [] }\n'


def test_top_level_fields_stay_where_all_files_have_the_same(tmp_path):
    one = session(record(), backend="CPU", node=Raw("1.0"), run=Raw('{"id":7}'), host="a")
    two = session(at(2, 8), run=Raw('{"id":7}'), backend="CPU", node=Raw("1"))

    done = merge(write(tmp_path, {"a.json": one, "b.json": two}))

    assert done.data.startswith(b'{"backend":"CPU","run":{"id":7},"stability_score":1.0,"records": [')
    assert done.notes[0] == "dropped from the top level, because the files do not agree on it: host, node"


def test_a_top_level_key_that_stands_twice_is_dropped(tmp_path):
    done = merge(write(tmp_path, {"a.json": b'{"backend":"x","backend":"x","stability_score":0,"records":[]}'}))

    assert done.data == b'{"stability_score":0.0,"records": [] }\n'
    assert done.notes == ["dropped from the top level, because the files do not agree on it: backend"]


def test_threads_of_different_files_get_a_suffix_where_their_ids_are_the_same(tmp_path):
    one = session(at(1, 1, thread_id="7"), at(2, 2, thread_id="8"))
    two = session(at(3, 3, thread_id="7"), at(4, 4, thread_id="9"))

    done = merge(write(tmp_path, {"a.json": one, "b.json": two}))

    assert fields(done.data, "thread_id") == [("7@1",), ("8",), ("7@2",), ("9",)]
    assert done.notes == [
        "thread ids that stand in more than one file: 1; each got the suffix of its file: "
        f"@1 = {tmp_path}/a.json, @2 = {tmp_path}/b.json"
    ]


def test_a_suffix_never_makes_an_id_that_is_there_already(tmp_path):
    one = session(at(1, 1, thread_id="7"), at(2, 2, thread_id="7@1"))
    two = session(at(3, 3, thread_id="7"), at(4, 4, thread_id="7@2"))

    data = merged(tmp_path, a=one, b=two)

    assert fields(data, "thread_id") == [("7@1'",), ("7@1",), ("7@2'",), ("7@2",)]


def test_an_id_is_the_same_in_every_spelling_and_keeps_its_own(tmp_path):
    one = session(at(1, 1, thread_id=Raw('"caf\\u00e9\\""')))
    two = session(at(2, 2, thread_id='café"'))

    data = merged(tmp_path, a=one, b=two)

    assert b'"thread_id":"caf\\u00e9\\"@1"' in data
    assert fields(data, "thread_id") == [('café"@1',), ('café"@2',)]


def test_a_rejected_file_stops_the_merge(tmp_path):
    write(tmp_path, {"a.json": GOOD, "cut.json": GOOD[:-3]})

    with pytest.raises(SourceError, match=r"cut\.json: it cannot be merged: The file ends inside"):
        merge(tmp_path)


def test_a_rejected_file_is_left_out_and_named_where_that_is_wanted(tmp_path):
    write(tmp_path, {"a.json": GOOD, "cut.json": GOOD[:-3]})

    done = merge(tmp_path, skip_rejected=True)

    assert fields(done.data, "seed") == [(7,)]
    assert [entry.source for entry in done.rejected] == [f"{tmp_path}/cut.json"]
    assert str(done.counts) == "2 seen = 1 loaded + 1 rejected + 0 skipped"


def test_only_rejected_files_are_nothing_to_merge(tmp_path):
    with pytest.raises(SourceError, match="no usable session among 1 seen"):
        merge(write(tmp_path, {"cut.json": b"{"}), skip_rejected=True)


def test_a_folder_without_sessions_is_nothing_to_merge(tmp_path):
    with pytest.raises(SourceError, match="there is no session file"):
        merge(write(tmp_path, {"notes.txt": b""}))


def test_the_same_session_twice_is_merged_once(tmp_path):
    done = merge(write(tmp_path, {"a.json": GOOD, "b.json": numbered(9), "c.json": GOOD}))

    assert fields(done.data, "seed", "thread_id") == [(7, "1@1"), (9, "1@2")]
    assert done.notes[0] == f"merged once: {tmp_path}/c.json has the same bytes as {tmp_path}/a.json"


def test_seeds_that_stand_in_several_files_are_told(tmp_path):
    done = merge(
        write(tmp_path, {"a.json": session(at(1, 7, thread_id="1")), "b.json": session(at(2, 7, thread_id="2"))})
    )

    assert done.notes == ["seeds that stand in more than one file: 1; `validate` flags them in the merged session"]


def test_entries_that_are_no_records_are_kept_at_the_end(tmp_path):
    assert merged(tmp_path, a=session(Raw("null"), at(1, 1))).endswith(b"}, null] }\n")


def test_a_merged_session_of_the_producer_says_what_its_parts_said(tmp_path):
    (tmp_path / "run.json").write_bytes(merge(INTEROP / "*run*.json").data)
    parts, whole = load(INTEROP / "*run*.json"), load(tmp_path / "run.json")

    columns = ["context", "seed", "acquired_at", "released_at", "duration_ms", "stability_score", "device_name"]
    assert whole.records.select(columns).sort("seed").equals(parts.records.select(columns).sort("seed"))
    assert whole.records["acquired_at"].is_sorted()


def violations_of(telemetry: Any) -> Counter[tuple[str, str | None, str | None]]:
    of_record = telemetry.violations.filter(pl.col("record_index").is_not_null())
    return Counter(of_record.select("rule", "field", "value").rows())


@given(group=st.lists(documents(), min_size=1, max_size=4))
@settings(max_examples=60, suppress_health_check=HARMLESS)
@example(group=[GOOD, numbered(8)])
@example(group=[producer_session({}), producer_session({"seed": 8}, device="node-b")])
def test_a_merged_session_breaks_the_rules_that_its_parts_break_and_no_others(tmp_path_factory, group):
    folder = tmp_path_factory.mktemp("run")
    write(folder / "in", {f"{number}.json": data for number, data in enumerate(dict.fromkeys(group))})
    try:
        done = merge(folder / "in", skip_rejected=True)
    except SourceError:
        assert load(folder / "in").counts.loaded == 0
        return
    (folder / "run.json").write_bytes(done.data)
    parts, whole = load(folder / "in"), load(folder / "run.json")
    left_out = parts.sessions.filter(status="rejected")["source"]
    parts_violations = parts.violations.filter(~pl.col("source").is_in(left_out.implode()))

    assert whole.counts.loaded == 1
    assert set(whole.violations["rule"]) - {"seed-reused"} <= set(parts_violations["rule"])
    assert whole.records.height == parts.records.height
    same = ["context", "seed", "acquired_at", "released_at", "duration_ms", "stability_score", "extra"]
    assert sorted(whole.records.select(same).rows(), key=repr) == sorted(parts.records.select(same).rows(), key=repr)
    ids = parts.records.drop_nulls("thread_id").select("source", "thread_id").n_unique()
    assert whole.records["thread_id"].drop_nulls().n_unique() == ids
    at_once = whole.records["acquired_at"].drop_nulls()
    assert at_once.is_sorted()
    assert whole.records["acquired_at"].head(len(at_once)).null_count() == 0


@pytest.mark.parametrize("folder", ["clean", "drifting", "faulty"])
def test_the_samples_merge_without_new_violations(tmp_path, folder):
    (tmp_path / "run.json").write_bytes(merge(SAMPLES / folder, skip_rejected=True).data)
    parts, whole = load(SAMPLES / folder), load(tmp_path / "run.json")

    # A number that stands for a whole file is about several records there.
    assert violations_of(whole) - violations_of(parts) == Counter()


# -- publish ----------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_nothing(tmp_path):
    def chunks():
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        publish(tmp_path / "a", chunks())

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path):
    def chunks():
        (tmp_path / "a").write_bytes(b"theirs")
        yield b"ours"

    with pytest.raises(OutputError, match="it exists already"):
        publish(tmp_path / "a", chunks())

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"theirs"}


def test_a_file_is_replaced_only_where_that_is_wanted(tmp_path):
    write(tmp_path, {"a": b"old"})

    publish(tmp_path / "a", [b"ne", b"w"], overwrite=True)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new"}


def test_a_missing_folder_is_an_error_of_output(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: no such file or directory"):
        publish(tmp_path / "none" / "a", [b""])


def test_sessions_in_containers_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip({"x.json": session(record(seed=1)), "y.txt": b""}))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(session(record(seed=2))))
    (tmp_path / "c.json").write_bytes(session(record(seed=3)))

    merged = merge(tmp_path)

    assert [entry["seed"] for entry in json.loads(merged.data)["records"]] == [1, 2, 3]
    assert merged.counts == Counts(3, 0, 1)


def test_a_damaged_container_cannot_be_merged(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip({"x.json": session(record())})[:-1])

    with pytest.raises(SourceError, match="cut or damaged"):
        merge(tmp_path)


def test_sessions_in_containers_are_aligned_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(a_zip({"t/x.json": session(record())}))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(session(record(seed=2))))

    done = align_files(tmp_path, NEW_YEAR, tmp_path / "out")

    assert [str(path.relative_to(tmp_path)) for path in done.written] == ["out/a.zip!/t/x.json", "out/b.json"]
    assert load(tmp_path / "out").records["acquired_at"].to_list() == [NEW_YEAR] * 2
