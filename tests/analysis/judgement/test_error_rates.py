"""A small and fast version of the benchmark of error rates; `python -m benchmarks.verdicts` is the full one.

Limits are where a binomial count with the target share is exceeded once in a million runs.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.verdicts.cells import are_placed, is_changed, judge_each, shifted
from benchmarks.verdicts.noise import NOISE, autoregressive, normal
from clamp_analytics.analysis.judgement import Verdict, judge_many

SERIES = 120


def at_most(share: float, trials: int) -> int:
    return int(binom.ppf(1 - 1e-6, trials, share))


def at_least(share: float, trials: int) -> int:
    return int(binom.ppf(1e-6, trials, share))


@pytest.mark.parametrize("name", NOISE)
@pytest.mark.parametrize("n", [30, 100])
def test_noise_alone_is_rarely_called_a_change(name: str, n: int) -> None:
    noise, target = NOISE[name]
    if n == 30 and target == 0.10:
        pytest.skip("no target below 50 sessions")

    judged = judge_each(noise(np.random.default_rng(n), SERIES, n))

    assert sum(map(is_changed, judged)) <= at_most(target, SERIES)


@pytest.mark.parametrize("size, phi", [(2.5, 0.0), (5.0, 0.5), (5.0, 0.7)])
def test_a_large_step_is_found_where_it_is(size: float, phi: float) -> None:
    noise = autoregressive(phi) if phi else normal

    judged = judge_each(shifted(noise(np.random.default_rng(3), SERIES, 100), ((50, size),)))

    found = sum(one.verdict is Verdict.REGRESSED and are_placed(one, ((50, size),), 2) for one in judged)
    assert found >= at_least(0.95, SERIES)


def test_innocent_contexts_stay_innocent_beside_one_that_changed() -> None:
    generator = np.random.default_rng(8)
    blamed = 0
    for _ in range(20):
        series = normal(generator, 24, 100)
        series[:2, 50:] += 5
        judged = judge_many(list(series), groups=np.repeat(np.arange(12), 2).tolist(), scale="linear")
        assert all(one.verdict is Verdict.REGRESSED for one in judged[:2])
        blamed += any(map(is_changed, judged[2:]))

    assert blamed <= at_most(0.05, 20)
