"""``seeds`` as a user runs it."""

import csv
import io
import json

import pytest

from tests.conftest import record, session, write

LARGE = 2**64 - 1


@pytest.fixture
def runs(tmp_path):
    """Two sessions with the same two seeds, of which one gave another score."""
    first = session(
        record(seed=LARGE, acquired_at="2026-01-01T00:00:00Z"),
        record(seed=LARGE - 1, acquired_at="2026-01-01T00:00:01Z", released_at="2026-01-01T00:00:02Z"),
    )
    second = session(
        record(seed=LARGE, acquired_at="2026-01-02T00:00:00Z", released_at="2026-01-02T00:00:01Z"),
        record(
            seed=LARGE - 1,
            acquired_at="2026-01-02T00:00:01Z",
            released_at="2026-01-02T00:00:02Z",
            stability_score=0.75,
        ),
    )
    write(tmp_path / "runs", {"a.json": first, "b.json": second})
    return "runs"


def test_the_table_has_a_row_a_context(clamp, runs):
    done = clamp("seeds", runs)

    head, _, row = done.out.splitlines()
    assert dict(zip(head.split(), row.split(), strict=True)) == {
        "context": "alpha",
        "seeds": "2",
        "not_repeated": "0",
        "repeated": "2",
        "same_score": "1",
        "same_order": "2",
        "same_score_share": "0.500",
        "same_order_share": "1.000",
    }
    assert done.err.startswith("2 seeds repeated in 2 sessions; 1 of 2 differ in score or order; files: 2 seen")


def test_details_are_a_row_a_seed_with_what_differs_first(clamp, runs):
    rows = list(csv.DictReader(io.StringIO(clamp("seeds", runs, "--details", "-f", "csv").out)))

    assert [(row["seed"], row["same_score"], row["differing_source"]) for row in rows] == [
        (str(LARGE - 1), "false", "runs/b.json"),
        (str(LARGE), "true", ""),
    ]


def test_json_has_both_tables_with_exact_seeds(clamp, runs):
    found = json.loads(clamp("seeds", runs, "-f", "json").out)

    assert [row["seed"] for row in found["seeds"]] == [LARGE - 1, LARGE]
    assert found["contexts"][0]["same_score"] == 1
    assert found["sessions"] == 2


def test_a_tolerance_makes_near_scores_the_same(clamp, runs, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.clamp-analytics.seeds]\nscore_tolerance = 0.25\n")

    from_file = json.loads(clamp("seeds", runs, "-f", "json").out)["contexts"][0]
    given = json.loads(clamp("seeds", runs, "-f", "json", "--score-tolerance", "0.2").out)["contexts"][0]

    assert (from_file["same_score"], given["same_score"]) == (2, 1)


def test_records_that_are_left_out_are_counted(clamp, tmp_path):
    write(tmp_path / "runs", {"a.json": session(record(seed=0), record(seed=-1))})

    done = clamp("seeds", "runs")

    assert done.err.startswith("0 seeds repeated in 1 session; left out: 1 zero seed, 1 unusable seed; files: ")


@pytest.mark.parametrize("level, code", [("never", 0), ("differs", 1)])
def test_the_check_fails_on_seeds_that_differ(clamp, runs, level, code):
    assert clamp("seeds", runs, "--fail-on", level).code == code


def test_seeds_that_all_agree_have_an_upper_bound_of_their_difference(clamp, runs, tmp_path):
    (tmp_path / "runs" / "b.json").write_bytes((tmp_path / "runs" / "a.json").read_bytes() + b" ")

    done = clamp("seeds", runs, "--fail-on", "differs")

    assert done.code == 0
    assert "0 of 2 differ in score or order: below 78 % with 95 % confidence" in done.err
