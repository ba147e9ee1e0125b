"""``load``, ``summarize`` and SQL give the same figures, to the last digit."""

import tempfile
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.analysis.summary import summarize
from clamp_analytics.database import connect, run_query
from clamp_analytics.reading import load
from tests.conftest import record, session, write

SCORES = st.one_of(st.floats(0, 1), st.sampled_from([0.1, 0.2, 0.988, 1.0, 5e-324, 2.0, -1.0, None]))
SESSIONS = st.lists(
    st.lists(st.builds(lambda seed, score: {"seed": seed, "stability_score": score}, st.integers(1, 9), SCORES)),
    min_size=1,
    max_size=4,
)


def rounded_mean(values):
    return float(sum(map(Fraction, values)) / len(values)) if values else None


@given(sessions=SESSIONS)
@settings(max_examples=10)
def test_counts_and_means_of_tables_summary_and_sql_are_those_of_exact_arithmetic(sessions):
    usable = [[one["stability_score"] for one in records if is_usable(one["stability_score"])] for records in sessions]
    scores = [score for of_session in usable for score in of_session]
    with tempfile.TemporaryDirectory() as home:
        files = write(
            Path(home), {f"{n}.json": session(*(record(**one) for one in rows)) for n, rows in enumerate(sessions)}
        )
        telemetry = load(files, jobs=1)
        total = summarize(telemetry).total
        with connect(files, jobs=1) as connection:
            rows = run_query(connection, "SELECT scored_count, mean_stability FROM sessions ORDER BY source").rows()
            counted = run_query(connection, "SELECT count(*), count(stability_score), sum(seed) FROM records").rows()

    expected = [(len(values), rounded_mean(values)) for values in usable]
    assert telemetry.sessions.select("scored_count", "mean_stability").rows() == expected
    assert rows == expected
    seeds = [one["seed"] for records in sessions for one in records]
    assert counted == [(len(seeds), len(scores), sum(seeds) if seeds else None)]
    assert (total.scores.count, total.scores.mean) == (len(scores), rounded_mean(scores))


def is_usable(score):
    return score is not None and 0 <= score <= 1
