"""Builders of series and drift results for the tests of charts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift, DriftOptions
from clamp_analytics.analysis.metrics import METRICS

START = datetime(2026, 3, 1, tzinfo=UTC)
P95, STABILITY = METRICS["duration_p95_ms"], METRICS["mean_stability"]


def values(*given: float, hours: float = 1) -> pl.DataFrame:
    """A series with one session every few hours."""
    times = [START + timedelta(hours=hours * number) for number in range(len(given))]
    sources = [f"run_{number:03}.json" for number in range(len(given))]
    return pl.DataFrame(
        {"started_at": times, "value": list(given), "source": sources},
        schema={"started_at": pl.Datetime("us", "UTC"), "value": pl.Float64, "source": pl.String},
    )


def drift_result(*series: dict[str, Any], by: tuple[str, ...] = ("context",)) -> Drift:
    """A drift result on series, each given by group, metric, values, verdict and changes (index, before, after)."""
    verdicts, points, changes = [], [], []
    for one in series:
        key = {**dict.fromkeys(by), **one["group"], "metric": one.get("metric", "duration_p95_ms")}
        frame = values(*one["values"])
        shift = one.get("changes", [])
        verdicts.append(
            {
                **key,
                "verdict": one.get("verdict", "unchanged"),
                "reason": "the reason",
                "sessions": frame.height,
                "effect_relative": one.get("effect_relative"),
            }
        )
        points.append(frame.select(*(pl.lit(value, pl.String).alias(name) for name, value in key.items()), pl.all()))
        changes += [
            {
                **key,
                "change_at": frame["started_at"][index],
                "change_source": "s.json",
                "shape": one.get("shape", "step"),
                "before": before,
                "after": after,
            }
            for index, before, after in shift
        ]
    names = dict.fromkeys((*by, "metric"), pl.String())
    change_schema = {
        **names,
        "change_at": pl.Datetime("us", "UTC"),
        "change_source": pl.String(),
        "shape": pl.String(),
        "before": pl.Float64(),
        "after": pl.Float64(),
    }
    return Drift(
        verdicts=pl.DataFrame(verdicts, schema_overrides={**names, "effect_relative": pl.Float64}),
        series=pl.concat(points),
        changes=pl.DataFrame(changes, schema=change_schema),
        by=by,
        sessions=0,
        untimed=0,
        tested=0,
        options=DriftOptions(),
    )


def panel(*given: float, changes: list[tuple[int, float, float]] | None = None, group: str = "alpha") -> plots.Panel:
    (metric_panels,) = plots.select_panels(
        drift_result({"group": {"context": group}, "values": given, "changes": changes or []}), ["context"]
    )
    return metric_panels.panels[0]


def layers(chart: Any) -> list[dict[str, Any]]:
    specifications: list[dict[str, Any]] = plots.vega_lite_spec(chart)["layer"]
    return specifications


def kinds(chart: Any) -> list[str]:
    return [layer["mark"]["type"] for layer in layers(chart)]


def strings(part: Any) -> Iterator[str]:
    """Every text in a specification, except data and the domains of names."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key not in {"datasets", "domain"}:
                yield key
                yield from strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value)
    elif isinstance(part, str):
        yield part


def box(name: str, low: float, high: float) -> dict[str, Any]:
    middle = (low + high) / 2
    return {"name": name, "p5": low, "p25": low, "p50": middle, "p75": high, "p95": high, "anchors": 5}
