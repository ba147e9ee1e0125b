"""Evidence for changes in series of which most values are equal, such as stabilities of 1."""

from __future__ import annotations

import numpy as np
import pytest

from clamp_analytics.analysis.stats.arrays import Floats
from clamp_analytics.analysis.stats.evidence import weigh


def rare_events(rates: Floats, seed: int) -> Floats:
    """Series of 0, with a 1 at the given rates."""
    generator = np.random.default_rng(seed)
    events: Floats = (generator.random(rates.size) < rates).astype(np.float64)
    return events[None]


@pytest.mark.parametrize("n", [400, 3000])
def test_a_lasting_rise_of_rare_events_is_significant(n: int) -> None:
    rates = np.where(np.arange(n) < n // 2, 0.01, 0.2)

    assert weigh(rare_events(rates, seed=1)).p_values[0] < 0.01


def test_rare_events_at_one_rate_are_seldom_significant() -> None:
    p_values = [weigh(rare_events(np.full(1000, 0.03), seed)).p_values[0] for seed in range(12)]

    # Three or more of twelve have a probability of 2 % where 5 % are significant; the seeds are fixed.
    assert sum(p <= 0.05 for p in p_values) < 3


def test_the_order_of_events_alone_decides_about_their_p_value() -> None:
    clustered, scattered = np.zeros(3000), np.zeros(3000)
    clustered[2000:2030] = 1
    scattered[::100] = 1

    assert weigh(clustered[None]).p_values[0] < 0.01 < 0.5 < weigh(scattered[None]).p_values[0]
