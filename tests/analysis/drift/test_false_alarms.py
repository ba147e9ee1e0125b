"""The gate's promises: how often it cries wolf, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.drift import DriftOptions
from clamp_analytics.analysis.drift.findings import judge_all
from clamp_analytics.analysis.stats import robust_sd
from clamp_analytics.analysis.verdicts import Verdict
from tests.analysis.drift.conftest import NULLS, of_values

LENGTH = 100
CHANGED = {Verdict.REGRESSED, Verdict.IMPROVED, Verdict.WARNING}


@pytest.mark.parametrize("name", NULLS)
def test_at_most_one_in_twenty_series_without_a_change_raises_anything(name):
    """Each series is judged alone, and an improvement or a warning counts as an alarm, too."""
    metric, draw = NULLS[name]
    generator = np.random.default_rng(20260110)

    verdicts = [
        judge_all([of_values(draw(generator, LENGTH), metric)], DriftOptions())[0][0].judgement.verdict
        for _ in range(400)
    ]

    assert sum(verdict in CHANGED for verdict in verdicts) <= 20


def alarming_sets(name: str, alarm: set[Verdict]) -> int:
    """Of a hundred sets of fifty contexts that are judged together, those in which any one gets such a verdict."""
    metric, draw = NULLS[name]
    generator = np.random.default_rng(20260111)
    sets = 0
    for _ in range(100):
        contexts = [of_values(draw(generator, LENGTH), metric, f"context {number}") for number in range(50)]
        findings, _ = judge_all(contexts, DriftOptions())
        sets += any(finding.judgement.verdict in alarm for finding in findings)
    return sets


@pytest.mark.parametrize("name", ["normal", "lognormal", "beta"])
def test_at_most_one_in_twenty_sets_of_fifty_contexts_raises_anything(name):
    """An improvement or a warning of one among the fifty counts as an alarm, too."""
    assert alarming_sets(name, CHANGED) <= 5


def test_at_most_one_in_twenty_sets_of_fifty_correlated_contexts_fails_the_gate():
    """Only what fails a gate counts here; a warning is what correlated sessions are meant to get."""
    assert alarming_sets("autoregressive", {Verdict.REGRESSED}) <= 5


@pytest.mark.parametrize("name", ["normal", "lognormal", "beta"])
def test_a_shift_of_two_robust_deviations_in_the_middle_is_found_where_it_is(name):
    metric, draw = NULLS[name]
    generator = np.random.default_rng(20260112)
    places = []

    for _ in range(400):
        series = of_values(draw(generator, LENGTH), metric)
        worse = -1 if series.metric.higher_is_better else 1
        scaled = series.scaled.copy()
        scaled[LENGTH // 2 :] += worse * 2 * robust_sd(scaled)
        (finding,), _ = judge_all([of_values(series.metric.from_scale(scaled), metric)], DriftOptions())
        if finding.judgement.verdict is Verdict.REGRESSED:
            places.append(finding.changes[-1].place)

    assert len(places) >= 0.9 * 400
    assert sum(abs(place - LENGTH // 2) <= 2 for place in places) >= 0.9 * len(places)


def test_a_shift_of_one_context_is_found_among_fifty():
    generator = np.random.default_rng(20260113)
    found = 0

    for _ in range(50):
        contexts = [generator.lognormal(2, 0.3, LENGTH) for _ in range(50)]
        contexts[17][LENGTH // 2 :] *= np.exp(2 * 0.3)
        findings, _ = judge_all([of_values(values, "duration_p50_ms") for values in contexts], DriftOptions())
        found += findings[17].judgement.verdict is Verdict.REGRESSED

    assert found >= 45


def test_correlated_sessions_never_regress_by_more_than_a_warning():
    generator = np.random.default_rng(20260114)
    metric, draw = NULLS["autoregressive"]
    verdicts = set()

    for _ in range(50):
        values = draw(generator, 200)
        values[100:] *= np.exp(6)
        (finding,), _ = judge_all([of_values(values, metric)], DriftOptions())
        verdicts.add(finding.judgement.verdict)

    assert Verdict.WARNING in verdicts
    assert Verdict.REGRESSED not in verdicts
