"""Large files are read in parts, and nobody can tell."""

import json
import random

import polars as pl
import pytest

from clamp_analytics.analysis.summary import summarize
from clamp_analytics.reading import Reader, ReadingOptions, Telemetry, load
from clamp_analytics.reading.large_file import plan_parts
from clamp_analytics.reading.task import ReadRequest

pytestmark = pytest.mark.usefixtures("decoder")

IN_PARTS = ReadingOptions(large_bytes=1, part_bytes=1000, cut_window_bytes=400)


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
    """Reads a file as a whole and in parts of about 1 kB, and says whether there were several parts."""

    def read(text: str | bytes) -> tuple[Telemetry, Telemetry, bool]:
        path = tmp_path / "large.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        planned = plan_parts(str(path), path.stat().st_size, ReadRequest(frozenset()), IN_PARTS)
        return load(path), load(path, options=IN_PARTS), bool(planned and len(planned.spans) > 3)

    return read


def assert_same(whole: Telemetry, parts: Telemetry) -> None:
    assert whole.sessions.equals(parts.sessions)
    assert whole.records.equals(parts.records)
    assert whole.violations.equals(parts.violations)
    assert whole.counts == parts.counts


def test_a_sound_file_gives_the_same_tables_in_parts(read_both):
    whole, parts, was_cut = read_both(json.dumps(document(records(100))))

    assert was_cut
    assert parts.records.height == 100
    assert_same(whole, parts)


def test_top_level_fields_after_the_records_are_kept(read_both):
    text = json.dumps({"records": records(100), "stability_score": 0.25, "backend": "HIP", "node": {"id": 7}})

    whole, parts, was_cut = read_both(text)

    assert was_cut
    assert parts.sessions["backend"].to_list() == ["HIP"]
    assert parts.sessions["extra"].to_list() == ['{"node": {"id": 7}}']
    assert_same(whole, parts)


def test_faults_keep_their_offset_in_the_file(read_both):
    rows = records(
        100,
        at_0={"seed": 0},
        at_50={"stability_score": "0.5"},
        at_70={"duration_ms": -1.0},
        at_99={"released_at": None},
    )
    text = json.dumps({"stability_score": 0.5, "records": rows})

    whole, parts, was_cut = read_both(text)

    assert was_cut
    assert_same(whole, parts)
    for offset, value in parts.violations.drop_nulls("byte_offset").select("byte_offset", "value").iter_rows():
        assert text[offset:].startswith(value)


def test_a_rule_that_is_broken_very_often_has_the_same_rows_and_count_in_parts(read_both):
    rows = records(2_500)
    for row in rows:
        row["duration_ms"] = 1000
    for row in rows[3:]:
        row["seed"] = 0
    for row in rows[::2]:
        row.update(stability_score=2, released_at=None)
    del rows[2000]["context"]

    whole, parts, was_cut = read_both(json.dumps({"stability_score": 0.5, "records": rows}))

    assert was_cut
    assert whole.violations.group_by("rule").agg(pl.col("count").sum()).sort("rule").rows() == [
        ("in-flight", 1250),
        ("missing-field", 1),
        ("score-range", 1250),
        ("seed-zero", 2497),
    ]
    assert_same(whole, parts)


def test_a_seed_that_occurs_very_often_has_the_same_rows_and_count_in_parts(read_both):
    rows = [{**row, "seed": 1 + n % 3} for n, row in enumerate(records(1_500))]

    whole, parts, was_cut = read_both(json.dumps(document(rows)))

    assert was_cut
    assert whole.violations["count"].sum() == 1_497
    assert_same(whole, parts)


def test_what_a_whole_file_shares_is_counted_over_all_parts(read_both):
    rows = [{**row, "backend": "CPU", "acquired_at": "2026-11-22T17:17:56", "node": 1} for row in records(100)]

    whole, parts, was_cut = read_both(json.dumps(document(rows, backend="CPU")))

    assert was_cut
    counts = dict(parts.violations.select("rule", "count").iter_rows())
    assert counts == {"timestamp-no-zone": 100, "deprecated-field": 101, "unknown-field": 100}
    assert_same(whole, parts)


def test_a_seed_that_occurs_in_two_parts_is_found(read_both):
    rows = records(100)
    rows[95]["seed"] = rows[3]["seed"]

    _, parts, was_cut = read_both(json.dumps(document(rows)))

    assert was_cut
    assert parts.violations.select("rule", "record_index", "value").rows() == [
        ("seed-reused", 95, str(rows[3]["seed"]))
    ]


def test_a_declared_mean_is_judged_over_all_parts(read_both):
    whole, parts, was_cut = read_both(json.dumps({"records": records(100), "stability_score": 0.9}))

    assert was_cut
    assert parts.violations["rule"].to_list() == ["mean-contradicts-records"]
    assert_same(whole, parts)


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
def test_a_file_that_cannot_be_read_in_parts_is_read_whole(read_both, text):
    whole, parts, _ = read_both(text)

    assert_same(whole, parts)


def test_a_context_that_looks_like_a_cut_does_no_harm(read_both):
    rows = [{**row, "context": "}, {" * 30} for row in records(40)]

    whole, parts, _ = read_both(json.dumps(document(rows)))

    assert_same(whole, parts)


def test_a_summary_is_the_same_from_parts(tmp_path):
    path = tmp_path / "large.json"
    path.write_text(json.dumps(document(records(100))))
    whole = summarize(path, by="context")

    parts = summarize(Reader(path, options=IN_PARTS), by="context")

    assert parts.total == whole.total
    assert parts.groups is not None
    assert parts.groups.equals(whole.groups)
