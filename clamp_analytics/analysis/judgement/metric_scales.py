"""How the series of a metric are judged: its scale, and which side is better."""

from __future__ import annotations

from collections.abc import Mapping

from clamp_analytics.analysis.judgement.judge import Better
from clamp_analytics.analysis.judgement.scales import Scale
from clamp_analytics.analysis.metrics import Metric
from clamp_analytics.analysis.metrics import Scale as MetricScale

SCALES: Mapping[MetricScale, Scale] = {
    MetricScale.LOG: "log",
    MetricScale.ARCSINE: "arcsine",
    MetricScale.IDENTITY: "linear",
}
"""The scale on which each scale of metrics is judged."""


def better_side(metric: Metric) -> Better:
    """Which side of a metric is better."""
    if metric.higher_is_better is None:
        return "neither"
    return "higher" if metric.higher_is_better else "lower"
