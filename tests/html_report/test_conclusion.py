"""The opening sentence: what it says of the verdicts."""

from __future__ import annotations

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from clamp_analytics.analysis.drift import Drift
from clamp_analytics.html_report.conclusion import conclude
from tests.plots.builders import drift_result


def drift(*series: tuple[str, str, str, float, float], sessions: int = 90) -> Drift:
    """A drift result on series, each given by context, metric, verdict, level before and level after."""
    result = drift_result(
        *({"group": {"context": context}, "metric": metric, "values": [1.0]} for context, metric, *_ in series)
    )
    verdicts = pl.DataFrame(
        {
            "context": [context for context, *_ in series],
            "metric": [metric for _, metric, *_ in series],
            "verdict": [verdict for _, _, verdict, *_ in series],
            "before": [before for *_, before, _ in series],
            "after": [after for *_, after in series],
            "change_at": [datetime(2026, 10, 30, tzinfo=UTC)] * len(series),
            "change_source": ["runs/build-1134.json"] * len(series),
        }
    )
    return replace(result, verdicts=verdicts, sessions=sessions)


def test_a_regression_is_named_with_its_metrics_and_its_first_session():
    found = conclude(
        drift(
            ("gemm", "duration_p50_ms", "regressed", 1.0, 1.43),
            ("gemm", "mean_stability", "regressed", 0.98, 0.85),
            ("copy", "duration_p50_ms", "unchanged", 1.0, 1.0),
        )
    )

    assert (found.verdict, found.lead) == ("regressed", "Not stable")
    assert found.text == (
        "gemm since 30 Oct 2026 (runs/build-1134.json): mean_stability -0.13, duration_p50_ms +43 %. "
        "1 context of 2 regressed."
    )


def test_further_groups_are_named():
    found = conclude(drift(*((name, "duration_p50_ms", "regressed", 1.0, 2.0) for name in "abcdef")))

    assert found.text.endswith("6 contexts of 6 regressed, also b, c, d and 2 more.")


def test_no_change_is_stable():
    found = conclude(drift(("a", "duration_p50_ms", "unchanged", 1.0, 1.0), ("b", "in_flight", "unchanged", 0.0, 0.0)))

    assert (found.verdict, found.lead, found.text) == ("unchanged", "Stable", "no change in 90 sessions of 2 contexts.")


def test_series_with_too_few_sessions_are_counted_beside_the_stable_ones():
    found = conclude(
        drift(("a", "duration_p50_ms", "unchanged", 1.0, 1.0), ("b", "in_flight", "not enough data", 0.0, 0.0))
    )

    assert found.text.endswith("1 series has too few sessions for a verdict.")


def test_a_suspect_is_possibly_not_stable():
    found = conclude(drift(("a", "duration_p50_ms", "suspect", 1.0, 2.0)))

    assert (found.verdict, found.lead) == ("suspect", "Possibly not stable")


def test_an_improvement_is_stable():
    found = conclude(drift(("a", "duration_p50_ms", "improved", 2.0, 1.0)))

    assert found.lead == "Stable"
    assert found.text.startswith("no regression in 90 sessions. Improved: a since 30 Oct 2026")


def test_too_few_sessions_are_not_called_stable():
    found = conclude(drift(("a", "duration_p50_ms", "not enough data", 1.0, 1.0), sessions=3))

    assert (found.verdict, found.lead) == ("not enough data", "Not enough data")
