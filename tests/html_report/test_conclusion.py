"""The opening sentence: what it says of the incidents of a history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

import numpy as np
import polars as pl

from clamp_analytics.analysis.compare import compare
from clamp_analytics.analysis.drift import Drift, drift
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.html_report.conclusion import conclude
from clamp_analytics.html_report.markup import MINUS
from tests.analysis.drift.conftest import attributes_of, session_frame

SESSIONS = 60


def level(*segments: float, seed: int = 1) -> list[float]:
    """The values of 60 sessions with a little noise, in segments of equal length and of these levels."""
    noise = np.random.default_rng(seed).normal(1, 0.02, SESSIONS)
    levels = np.repeat(segments, SESSIONS // len(segments))
    return [float(value) for value in levels * noise]


def history(builds: bool = False, **contexts: Sequence[float]) -> SessionValues:
    values = session_frame(contexts)
    if not builds:
        return values
    labels = [json.dumps({"build": f"build-{1100 + number}"}) for number in range(SESSIONS)]
    return replace(values, attributes=attributes_of(values.values, labels=labels))


def found(builds: bool = False, **contexts: Sequence[float]) -> Drift:
    return drift(history(builds, **contexts))


def test_a_regression_is_named_with_its_first_session_and_the_contexts_that_are_fine():
    sentence = conclude(found(builds=True, gemm=level(1, 2), copy=level(1, seed=2), load=level(1, seed=3)))

    assert (sentence.verdict, sentence.lead) == ("regressed", "Not stable")
    assert sentence.text.startswith("gemm since 2 Jan, build-1130: p50 +")
    assert sentence.text.endswith("(1 incident, 2 contexts fine)")


def test_a_session_without_a_label_has_the_name_of_its_file():
    assert "since 2 Jan, run_00030:" in conclude(found(gemm=level(1, 2))).text


def test_further_contexts_of_an_incident_are_counted():
    contexts = {name: level(1, 2, seed=number) for number, name in enumerate("abc")}

    assert conclude(found(**contexts)).text.startswith("a and 2 more contexts since ")


def test_no_change_is_stable_and_says_which_shift_would_have_shown():
    sentence = conclude(found(a=level(1), b=level(1, seed=2)))

    assert (sentence.verdict, sentence.lead) == ("unchanged", "Stable")
    largest = found(a=level(1), b=level(1, seed=2)).verdicts["detectable"].max()
    assert sentence.text == f"no change in 60 sessions; a shift of {100 * largest:.2g} % would have shown."


def test_series_with_too_few_sessions_are_counted_beside_the_stable_ones():
    assert conclude(found(a=level(1), b=[1.0, 1.0])).text.endswith("1 series has too few sessions for a verdict.")


def test_a_newest_session_out_of_range_is_possibly_not_stable():
    sentence = conclude(found(a=[*level(1)[:-1], 9.0]))

    assert (sentence.verdict, sentence.lead) == ("suspect", "Possibly not stable")
    assert sentence.text.endswith("(1 incident, 0 contexts fine)")


def test_an_improvement_is_stable():
    sentence = conclude(found(a=level(2, 1)))

    assert sentence.lead == "Stable"
    assert sentence.text.startswith("no regression in 60 sessions. Improved: a since 2 Jan, run_00030: p50 " + MINUS)


def test_a_known_change_is_stable():
    values = history(gemm=level(1, 2))
    since = values.values["started_at"][30]
    accepted = KnownChange({"context": "gemm"}, "duration_p50_ms", "worse", since, {}, "run_00030", "checks", "Ada")

    sentence = conclude(drift(values, known_changes=[accepted]))

    assert (sentence.lead, sentence.text) == ("Stable", "nothing new in 60 sessions; 1 known incident.")


def test_too_few_sessions_are_not_called_stable():
    sentence = conclude(found(a=[1.0, 1.0, 1.0]))

    assert (sentence.verdict, sentence.lead) == ("not enough data", "Not enough data")


def test_a_regression_against_the_baseline_comes_first():
    before, after = (
        replace(side, values=side.values.with_columns(records=pl.lit(5, pl.UInt32)))
        for side in (history(a=level(1), b=level(1)), history(a=level(2, seed=2), b=level(1, seed=3)))
    )

    sentence = conclude(drift(after), compare(before, after))

    assert (sentence.verdict, sentence.lead) == ("regressed", "Not stable")
    assert sentence.text.startswith("against the baseline, a: p50 +")
    assert sentence.text.endswith("(1 of 2 contexts regressed)")
