"""The metrics: names, scales, levels and effects."""

import math

import numpy as np
import pytest

from clamp_analytics.analysis.series import (
    METRICS,
    Scale,
    checked_by,
    checked_metrics,
)
from clamp_analytics.errors import UsageError


def test_an_unknown_metric_names_the_nearest_one():
    with pytest.raises(UsageError, match="there is no metric 'mean_stabilty'") as caught:
        checked_metrics("mean_stabilty")

    assert caught.value.hint == "did you mean mean_stability?"


def test_an_empty_list_of_metrics_is_refused():
    with pytest.raises(UsageError, match="no metric is given"):
        checked_metrics([])


def test_series_cannot_be_grouped_by_any_column():
    with pytest.raises(UsageError, match="'seed'") as caught:
        checked_by("seed")

    assert caught.value.hint == "one of context, backend, device_name, thread_id, or label:NAME for a label of sessions"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_scale_keeps_the_order_and_can_be_inverted(metric):
    values = np.array([0.0, 0.001, 0.25, 0.5, 0.999, 1.0])

    scaled = metric.to_scale(values)

    assert (np.diff(scaled) >= 0).all()
    assert metric.from_scale(scaled)[1:] == pytest.approx(values[1:])


def test_durations_that_are_zero_or_negative_count_as_a_microsecond_on_their_scale():
    scaled = METRICS["duration_p50_ms"].to_scale(np.array([-3.0, 0.0, 0.0005, 0.001]))

    assert scaled.tolist() == [math.log(0.001)] * 4


def test_the_scale_of_scores_is_finite_at_both_ends():
    assert METRICS["mean_stability"].to_scale(np.array([0.0, 0.5, 1.0])) == pytest.approx([0, math.pi / 4, math.pi / 2])


def test_the_level_of_durations_is_the_geometric_mean():
    assert METRICS["duration_p50_ms"].level(np.array([1.0, 4.0, 16.0])) == pytest.approx(4.0)


def test_the_level_of_scores_is_the_arithmetic_mean():
    assert METRICS["mean_stability"].level(np.array([1.0, 0.5, 0.0])) == 0.5


def test_halving_and_doubling_a_duration_have_the_same_size():
    metric = METRICS["hold_total_ms"]

    assert (metric.size(2.0, 4.0), metric.size(4.0, 2.0)) == (1.0, 1.0)


def test_the_effect_of_a_score_is_a_difference():
    assert METRICS["mean_stability"].size(1.0, 0.75) == 0.25


def test_every_metric_has_a_sentence():
    assert all(metric.sentence.endswith(".") and metric.unit for metric in METRICS.values())
    assert {metric.scale for metric in METRICS.values()} == set(Scale)
