"""Merging: records in order of acquisition with their own text, and notes on what could not be kept."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clamp_analytics.errors import SourceError
from clamp_analytics.reading import Counts, load
from clamp_analytics.rewrite import merge
from tests.conftest import EXAMPLES, GOOD, INTEROP, Raw, numbered, producer_session, record, session, write
from tests.reading.test_properties import documents
from tests.rewrite.fields import fields
from tests.sources.container_builders import a_zip

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
HARMLESS = [HealthCheck.function_scoped_fixture]


def merged(folder: Path, **files: bytes) -> bytes:
    """The bytes of the session that files are merged into."""
    return merge(write(folder, {f"{name}.json": data for name, data in files.items()})).data


def at(second: int, seed: int, **more: Any) -> dict[str, Any]:
    return record(acquired_at=f"2026-01-01T00:00:{second:02d}Z", released_at=None, seed=seed, **more)


def test_records_are_in_order_of_acquisition(tmp_path):
    data = merged(tmp_path, a=session(at(3, 1), at(1, 2)), b=session(at(2, 3), at(0, 4)))

    assert fields(data, "seed") == [(4,), (2,), (3,), (1,)]


def test_the_progress_is_that_of_the_files(tmp_path):
    paths = write(tmp_path, {f"{name}.json": session(at(1, name)) for name in range(1, 4)})
    seen = []

    merge(paths, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_records_with_equal_times_keep_the_order_of_their_files(tmp_path):
    data = merged(tmp_path, b=session(at(1, 3), at(1, 4)), a=session(at(1, 2), at(1, 1)))

    assert fields(data, "seed") == [(2,), (1,), (3,), (4,)]


def test_timestamps_are_compared_as_times_and_not_as_texts(tmp_path):
    east = record(acquired_at="2026-01-01T09:00:00+09:00", seed=1)

    assert fields(merged(tmp_path, a=session(at(1, 2)), b=session(east)), "seed") == [(1,), (2,)]


def test_records_without_a_usable_acquisition_come_last(tmp_path):
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


def test_the_declared_mean_without_a_score_is_zero(tmp_path):
    assert merged(tmp_path, a=session()) == b'{"stability_score":0.0,"records": [] }\n'


def test_top_level_fields_with_the_same_text_in_all_files_are_kept(tmp_path):
    one = session(record(), backend="CPU", node=Raw("1.0"), run=Raw('{"id":7}'), host="a")
    two = session(at(2, 8), run=Raw('{"id":7}'), backend="CPU", node=Raw("1"))

    done = merge(write(tmp_path, {"a.json": one, "b.json": two}))

    assert done.data.startswith(b'{"backend":"CPU","run":{"id":7},"stability_score":1.0,"records": [')
    assert done.notes[0] == "dropped from the top level, because the files have different values: host, node"


def test_a_repeated_top_level_key_is_dropped(tmp_path):
    done = merge(write(tmp_path, {"a.json": b'{"backend":"x","backend":"x","stability_score":0,"records":[]}'}))

    assert done.data == b'{"stability_score":0.0,"records": [] }\n'
    assert done.notes == ["dropped from the top level, because the files have different values: backend"]


def test_equal_thread_ids_of_different_files_get_a_suffix(tmp_path):
    one = session(at(1, 1, thread_id="7"), at(2, 2, thread_id="8"))
    two = session(at(3, 3, thread_id="7"), at(4, 4, thread_id="9"))

    done = merge(write(tmp_path, {"a.json": one, "b.json": two}))

    assert fields(done.data, "thread_id") == [("7@1",), ("8",), ("7@2",), ("9",)]
    assert done.notes == [
        "1 thread id in more than one file, so each got the suffix of its file: "
        f"@1 = {tmp_path}/a.json, @2 = {tmp_path}/b.json"
    ]


def test_a_suffix_never_produces_an_existing_thread_id(tmp_path):
    one = session(at(1, 1, thread_id="7"), at(2, 2, thread_id="7@1"))
    two = session(at(3, 3, thread_id="7"), at(4, 4, thread_id="7@2"))

    data = merged(tmp_path, a=one, b=two)

    assert fields(data, "thread_id") == [("7@1'",), ("7@1",), ("7@2'",), ("7@2",)]


def test_thread_ids_are_compared_as_values_and_keep_their_spelling(tmp_path):
    one = session(at(1, 1, thread_id=Raw('"caf\\u00e9\\""')))
    two = session(at(2, 2, thread_id='café"'))

    data = merged(tmp_path, a=one, b=two)

    assert b'"thread_id":"caf\\u00e9\\"@1"' in data
    assert fields(data, "thread_id") == [('café"@1',), ('café"@2',)]


def test_a_rejected_file_stops_the_merge(tmp_path):
    write(tmp_path, {"a.json": GOOD, "cut.json": GOOD[:-3]})

    with pytest.raises(SourceError, match=r"cut\.json: it cannot be merged: The file ends inside"):
        merge(tmp_path)


def test_a_rejected_file_is_left_out_and_named_on_request(tmp_path):
    write(tmp_path, {"a.json": GOOD, "cut.json": GOOD[:-3]})

    done = merge(tmp_path, skip_rejected=True)

    assert fields(done.data, "seed") == [(7,)]
    assert [entry.source for entry in done.rejected] == [f"{tmp_path}/cut.json"]
    assert str(done.counts) == "2 seen = 1 loaded + 1 rejected + 0 skipped"


def test_merging_only_rejected_files_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no usable session among 1 seen"):
        merge(write(tmp_path, {"cut.json": b"{"}), skip_rejected=True)


def test_merging_a_folder_without_sessions_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="there is no session file"):
        merge(write(tmp_path, {"notes.txt": b""}))


def test_the_same_session_twice_is_merged_once(tmp_path):
    done = merge(write(tmp_path, {"a.json": GOOD, "b.json": numbered(9), "c.json": GOOD}))

    assert fields(done.data, "seed", "thread_id") == [(7, "1@1"), (9, "1@2")]
    assert done.notes[0] == f"merged once: {tmp_path}/c.json has the same bytes as {tmp_path}/a.json"


def test_a_seed_in_several_files_gives_a_note(tmp_path):
    done = merge(
        write(tmp_path, {"a.json": session(at(1, 7, thread_id="1")), "b.json": session(at(2, 7, thread_id="2"))})
    )

    assert done.notes == ["1 seed in more than one file; `validate` reports the repetition in the merged session"]


def test_entries_that_are_not_records_are_kept_at_the_end(tmp_path):
    assert merged(tmp_path, a=session(Raw("null"), at(1, 1))).endswith(b"}, null] }\n")


def test_merged_sessions_of_the_producer_have_the_same_records(tmp_path):
    (tmp_path / "run.json").write_bytes(merge(INTEROP / "*run*.json").data)
    parts, whole = load(INTEROP / "*run*.json"), load(tmp_path / "run.json")

    columns = ["context", "seed", "acquired_at", "released_at", "duration_ms", "stability_score", "device_name"]
    assert whole.records.select(columns).sort("seed").equals(parts.records.select(columns).sort("seed"))
    assert whole.records["acquired_at"].is_sorted()


def violations_of(telemetry: Any) -> Counter[tuple[str, str | None, str | None]]:
    of_record = telemetry.violations.filter(pl.col("record_index").is_not_null())
    return Counter(of_record.select("rule", "field", "value").rows())


@given(group=st.lists(documents(), min_size=1, max_size=4))
@settings(max_examples=30 * EXAMPLES, suppress_health_check=HARMLESS)
@example(group=[GOOD, numbered(8)])
@example(group=[producer_session({}), producer_session({"seed": 8}, device="node-b")])
def test_merging_adds_no_violation_except_repeated_seeds(tmp_path_factory, group):
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

    # A violation that is counted per file concerns several records.
    assert violations_of(whole) - violations_of(parts) == Counter()


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


def test_a_file_in_a_folder_that_is_named_like_a_member_of_a_container_is_merged_too(tmp_path):
    member, file = session(record(seed=1)), session(record(seed=2))
    write(tmp_path, {"a.zip": a_zip({"x.json": member}), "a.zip!/x.json": file})

    done = merge(tmp_path)

    assert [entry["seed"] for entry in json.loads(done.data)["records"]] == [1, 2]
