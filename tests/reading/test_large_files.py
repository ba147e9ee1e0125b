"""A large file gives the same tables whether it is read window by window or in one piece."""

import json
import random
import subprocess
import sys

import polars as pl
import pytest

from clamp_analytics.analysis.summary import summarize
from clamp_analytics.reading import Reader, ReadingOptions, Telemetry, iter_batches, load
from tests.conftest import Raw, json_text, record

pytestmark = pytest.mark.usefixtures("decoder")

RECORD_TEXT = json_text(record(seed=Raw("SEED"), context="x" * 100, note="y" * 200))
PEAK = """
import re, sys
from clamp_analytics.analysis.summary import summarize
from clamp_analytics.reading import Reader, ReadingOptions
from clamp_analytics.analysis.summary import SummaryFold
options = ReadingOptions(large_bytes=1, window_bytes=1_000_000)
summarize(Reader(sys.argv[1], columns=SummaryFold().columns, jobs=1, options=options))
print(1024 * int(re.search(r"VmHWM:\\s*([0-9]+)", open("/proc/self/status").read())[1]))
"""
"""Prints the peak of memory of a summary in windows of 1 MB."""

IN_WINDOWS = ReadingOptions(large_bytes=1, window_bytes=1000)


def records(count: int, **changes: dict[str, object]) -> list[dict[str, object]]:
    rng = random.Random(count)
    rows: list[dict[str, object]] = [
        {
            "context": f"anchor, {n % 7}",
            "seed": rng.getrandbits(64) or 1,
            "thread_id": str(n % 3),
            "acquired_at": "2026-11-22T17:17:56Z",
            "released_at": "2026-11-22T17:17:57Z",
            "duration_ms": 0.5 + n,
            "stability_score": round(rng.random(), 3),
        }
        for n in range(count)
    ]
    for key, change in changes.items():
        rows[int(key.removeprefix("at_"))].update(change)
    return rows


def document(rows: list[dict[str, object]], **top: object) -> dict[str, object]:
    return {
        "stability_score": sum(float(str(row["stability_score"])) for row in rows) / len(rows),
        "records": rows,
        **top,
    }


@pytest.fixture
def read_both(tmp_path):
    """Reads a file as a whole and in windows of about 1 kB, and says whether there were several windows."""

    def read(text: str | bytes) -> tuple[Telemetry, Telemetry, bool]:
        path = tmp_path / "large.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        batches = sum(1 for batch in iter_batches(path, options=IN_WINDOWS) if not batch.records.is_empty())
        return load(path), load(path, options=IN_WINDOWS), batches > 3

    return read


def assert_same(whole: Telemetry, windows: Telemetry) -> None:
    assert whole.sessions.equals(windows.sessions)
    assert whole.records.equals(windows.records)
    assert whole.violations.equals(windows.violations)
    assert whole.counts == windows.counts


def test_a_sound_file_gives_the_same_tables_in_windows(read_both, decoder):
    whole, windows, was_cut = read_both(json.dumps(document(records(100))))

    assert was_cut == (decoder == "native")
    assert windows.records.height == 100
    assert_same(whole, windows)


def test_top_level_fields_after_the_records_are_kept(read_both, decoder):
    rows = records(100)
    text = json.dumps({"records": rows, **document(rows, backend="HIP", node={"id": 7})})

    whole, windows, was_cut = read_both(text)

    assert was_cut == (decoder == "native")
    assert windows.sessions["backend"].to_list() == ["HIP"]
    assert windows.sessions["extra"].to_list() == ['{"node": {"id": 7}}']
    assert_same(whole, windows)


def test_faults_keep_their_offset_in_the_file(read_both):
    rows = records(
        100,
        at_0={"seed": 0},
        at_50={"stability_score": "0.5"},
        at_70={"duration_ms": -1.0},
        at_99={"released_at": None},
    )
    text = json.dumps({"stability_score": 0.5, "records": rows})

    whole, windows, _ = read_both(text)

    assert_same(whole, windows)
    for offset, value in windows.violations.drop_nulls("byte_offset").select("byte_offset", "value").iter_rows():
        assert text[offset:].startswith(value)


def test_a_rule_that_is_broken_very_often_has_the_same_rows_and_count_in_windows(read_both):
    rows = records(2_500)
    for row in rows:
        row["duration_ms"] = 1000
    for row in rows[3:]:
        row["seed"] = 0
    for row in rows[::2]:
        row.update(stability_score=2, released_at=None)
    del rows[2000]["context"]

    whole, windows, _ = read_both(json.dumps({"stability_score": 0.5, "records": rows}))

    assert whole.violations.group_by("rule").agg(pl.col("count").sum()).sort("rule").rows() == [
        ("in-flight", 1250),
        ("missing-field", 1),
        ("score-range", 1250),
        ("seed-zero", 2497),
    ]
    assert_same(whole, windows)


def test_a_seed_that_occurs_very_often_has_the_same_rows_and_count_in_windows(read_both):
    rows = [{**row, "seed": 1 + n % 3} for n, row in enumerate(records(1_500))]

    whole, windows, _ = read_both(json.dumps(document(rows)))

    assert whole.violations["count"].sum() == 1_497
    assert_same(whole, windows)


def test_information_is_counted_over_all_windows(read_both, decoder):
    rows = [{**row, "backend": "CPU", "node": 1} for row in records(100, at_30={"released_at": None})]
    rows[95]["released_at"] = None

    whole, windows, was_cut = read_both(json.dumps(document(rows, backend="CPU")))

    assert was_cut == (decoder == "native")
    assert windows.violations.select("rule", "record_index", "count").rows() == [
        ("deprecated-field", None, 101),
        ("unknown-field", None, 100),
        ("in-flight", 30, 1),
        ("in-flight", 95, 1),
    ]
    assert_same(whole, windows)


def test_what_a_whole_file_shares_is_counted_over_all_windows(read_both):
    rows = [{**row, "backend": "CPU", "acquired_at": "2026-11-22T17:17:56", "node": 1} for row in records(100)]

    whole, windows, _ = read_both(json.dumps(document(rows, backend="CPU")))

    counts = dict(windows.violations.select("rule", "count").iter_rows())
    assert counts == {"timestamp-no-zone": 100, "deprecated-field": 101, "unknown-field": 100}
    assert_same(whole, windows)


def test_a_seed_that_occurs_in_two_windows_is_found(read_both):
    rows = records(100)
    rows[95]["seed"] = rows[3]["seed"]

    _, windows, _ = read_both(json.dumps(document(rows)))

    assert windows.violations.select("rule", "record_index", "value").rows() == [
        ("seed-reused", 95, str(rows[3]["seed"]))
    ]


def test_a_declared_mean_is_judged_over_all_windows(read_both):
    whole, windows, _ = read_both(json.dumps({"records": records(100), "stability_score": 0.9}))

    assert windows.violations["rule"].to_list() == ["mean-contradicts-records"]
    assert_same(whole, windows)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(document(records(100)))[:-200],
        json.dumps(document(records(100))).replace('"seed": ', '"seed": -nan, "s": ', 1),
        json.dumps(document(records(100))) + "x",
        json.dumps({"records": records(60), "other": records(60), "stability_score": 0.5}),
        json.dumps({"meta": {"records": records(60)}, "records": records(60), "stability_score": 0.5}),
        json.dumps(document([{**row, "nested": [{"a": 1}, {"a": 2}] * 40} for row in records(20)])),
        json.dumps(document(records(100))).replace('"records"', '"records": [], "records"'),
    ],
    ids=["cut", "not JSON", "something behind", "two arrays", "records in records", "objects in records", "twice"],
)
def test_a_file_that_is_not_accepted_is_read_whole(read_both, text):
    whole, windows, _ = read_both(text)

    assert_same(whole, windows)


def test_a_record_that_is_longer_than_a_window_is_read(read_both):
    rows = [{**row, "context": "}, {" * (30 + 300 * (n == 20))} for n, row in enumerate(records(40))]

    whole, windows, _ = read_both(json.dumps(document(rows)))

    assert windows.records["context"].str.len_bytes().max() == 330 * 4
    assert_same(whole, windows)


@pytest.mark.parametrize("column", ["session_id", "source"])
def test_records_in_windows_have_the_columns_of_their_file(tmp_path, column):
    path = tmp_path / "large.json"
    path.write_text(json.dumps(document(records(100))))

    found = load(path, columns=[column], session_ids=True, options=IN_WINDOWS)

    assert found.records.columns == [column]
    assert found.records[column].unique().to_list() == found.sessions[column].to_list()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_memory_of_the_native_decoder_does_not_grow_with_the_size_of_a_file(tmp_path, decoder):
    if decoder != "native":
        pytest.skip("the decoder in Python reads a file in one piece")
    peaks = {}
    for name, count in ("small", 1), ("large", 80_000):
        path = tmp_path / f"{name}.json"
        seeds = ",".join(RECORD_TEXT.replace("SEED", str(seed)) for seed in range(1, count + 1))
        path.write_text(f'{{"stability_score":1,"records":[{seeds}]}}')
        done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
        peaks[name] = int(done.stdout)

    assert peaks["large"] - peaks["small"] < path.stat().st_size / 2


def test_a_summary_is_the_same_from_windows(tmp_path):
    path = tmp_path / "large.json"
    path.write_text(json.dumps(document(records(100))))
    whole = summarize(path, by="context")

    windows = summarize(Reader(path, options=IN_WINDOWS), by="context")

    assert windows.total == whole.total
    assert windows.groups is not None
    assert windows.groups.equals(whole.groups)
