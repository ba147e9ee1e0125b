"""TemporalScoring: the producer's figures, session by session."""

import json
from pathlib import Path

import pytest

from clamp_analytics.analysis.needed_columns import SCORES
from clamp_analytics.analysis.scoring import score
from clamp_analytics.reading import Reader

INTEROP = Path(__file__).parents[1] / "data" / "interop"
EXPECTED = json.loads((INTEROP / "expected.json").read_text())["temporal_scoring"]


@pytest.fixture(scope="module")
def scores():
    return score(Reader(sorted(INTEROP.glob("*_*.json")), columns=SCORES))


def six_digits(figures: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in figures.items()}


@pytest.mark.parametrize("name", EXPECTED["per_session"])
def test_each_session_scores_what_the_producer_computes(scores, name):
    rows = {Path(row.pop("source")).name: row for row in scores.sessions.iter_rows(named=True)}

    assert six_digits(rows[name]) == EXPECTED["per_session"][name]


def test_the_sessions_together_score_what_the_producer_computes(scores):
    assert six_digits(scores.aggregated) == EXPECTED["aggregated"]


def test_rejected_files_are_not_scored(tmp_path):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "empty.json").write_text('{"stability_score": 0, "records": []}')

    scores = score(Reader(tmp_path, columns=SCORES))

    assert scores.sessions["stability_score"].to_list() == [1.0]


def test_wrong_seeds_and_durations_are_skipped(tmp_path):
    rows = [
        {
            "context": "a",
            "seed": seed,
            "thread_id": "t",
            "acquired_at": "2026-11-22T10:00:00Z",
            "released_at": "2026-11-22T10:00:00Z",
            "duration_ms": duration,
            "stability_score": 1,
        }
        for seed, duration in ((1, 1.0), ("x", None), (1, 1.0))
    ]
    (tmp_path / "a.json").write_text(json.dumps({"stability_score": 1, "records": rows}))

    session = score(Reader(tmp_path, columns=SCORES)).sessions.row(0, named=True)

    assert (session["stability_score"], session["samples"]) == (1.0, 3)
