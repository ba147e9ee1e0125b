"""How often the verdicts on simulated sessions are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.compare import CompareOptions, compare
from tests.analysis.compare.conftest import P50, one, side


def autoregressive(generator: np.random.Generator, size: int) -> np.ndarray:
    shocks = generator.normal(size=size + 50)
    series = [0.0]
    for shock in shocks:
        series.append(0.5 * series[-1] + shock)
    return np.array(series[51:])


NULL = {
    "normal": lambda generator: (P50, 10 + generator.normal(size=100)),
    "lognormal": lambda generator: (P50, generator.lognormal(0, 0.5, 100)),
    "beta": lambda generator: ("mean_stability", generator.beta(5, 1, 100)),
    "autoregressive": lambda generator: (P50, np.exp(0.3 * autoregressive(generator, 100))),
}
PAIRS = 140
"""``benchmarks/verdicts`` simulates more of them, with confidence intervals."""
ANY_EFFECT = {P50: 0.0, "mean_stability": 0.0}


@pytest.mark.parametrize("kind", NULL)
def test_noise_raises_at_most_alpha_false_alarms(kind):
    generator = np.random.default_rng(7)
    alarms = 0
    for _ in range(PAIRS):
        metric, values = NULL[kind](generator)
        # Without a floor, so that the tests alone decide.
        row = one(values[:50], values[50:], metric, floors=ANY_EFFECT)
        alarms += row["verdict"] in {"regressed", "improved"}

    assert alarms <= 0.05 * PAIRS


def test_fifty_contexts_of_noise_together_raise_at_most_alpha_false_alarms():
    alarms = 0
    for number in range(20):
        generator = np.random.default_rng(number)
        contexts = [f"c{index:02}" for index in range(50)]
        before = side({name: generator.lognormal(0, 0.5, 20) for name in contexts})
        after = side({name: generator.lognormal(0, 0.5, 20) for name in contexts}, name="t")
        found = compare(before, after, options=CompareOptions(floors=ANY_EFFECT))
        alarms += found.worst in {"regressed", "suspect"}

    # 5 % of 20 is 1; more than 4 happen once in 400 times.
    assert alarms <= 4


def test_a_shift_of_two_standard_deviations_is_detected_nine_times_in_ten():
    hits = 0
    for number in range(200):
        generator = np.random.default_rng(number)
        before, after = np.exp(generator.normal(0, 0.2, 20)), np.exp(generator.normal(0.4, 0.2, 20))
        hits += one(before, after)["verdict"] == "regressed"

    assert hits >= 180
