"""Charts of results for notebooks: what they show, and that they can be restyled."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

import altair as alt

import clamp_analytics as clamp
from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift, drift
from clamp_analytics.errors import SourceError
from tests.analysis.drift.conftest import session_frame
from tests.html_report.conftest import HOSTILE, SAMPLES


@pytest.fixture(scope="module")
def found() -> Drift:
    return drift(session_frame({"slower": [1.0, 1.01] * 15 + [2.0, 2.02] * 15, "steady": [1.0, 1.01] * 30}))


def data_of(chart: Any) -> list[dict[str, Any]]:
    return [row for rows in plots.vega_lite_spec(chart)["datasets"].values() for row in rows]


def test_the_package_hands_out_the_charts() -> None:
    assert clamp.plots is plots


def test_a_series_of_one_group_is_a_chart_of_layers(found: Drift) -> None:
    chart = plots.series(found, "duration_p50_ms", group="slower")

    assert chart.to_dict()["title"]["text"] == "slower: Median of the durations of the released anchors"
    assert [row["v"] for row in data_of(chart) if "i" in row][:2] == [1.0, 1.01]


def test_all_groups_are_drawn_with_those_that_changed_first(found: Drift) -> None:
    strip, grid = plots.series(found, "duration_p50_ms").to_dict()["vconcat"]

    assert [one["title"]["text"].partition(":")[0] for one in grid["concat"]] == ["slower", "steady"]
    assert strip["title"] == "Drag to select a time span"


def test_a_series_follows_the_selection_of_another_chart(found: Drift) -> None:
    brush = alt.selection_interval(name="span", encodings=["x"])

    spec = plots.series(found, "duration_p50_ms", group="slower", brush=brush).to_dict()

    assert '"domain": {"param": "span"' in json.dumps(spec)


def test_an_unknown_group_is_named(found: Drift) -> None:
    with pytest.raises(SourceError, match="no session has a value"):
        plots.series(found, "duration_p50_ms", group="other")


def test_a_matrix_has_a_cell_with_a_mark_for_each_series(found: Drift) -> None:
    cells = [(row["group"], row["label"], row["mark"]) for row in data_of(plots.matrix(found))]

    assert cells == [("slower", "p50", "✗"), ("steady", "p50", "=")]


def test_a_matrix_takes_a_selection(found: Drift) -> None:
    chart = plots.matrix(found, selection=alt.selection_point(name="cell", fields=["group"]))

    assert [param["name"] for param in chart.to_dict()["params"]] == ["cell"]


def test_a_timeline_shows_the_anchors_of_the_latest_session() -> None:
    telemetry = clamp.load(SAMPLES / "drifting")
    latest = telemetry.records.sort("acquired_at")["source"].item(-1)

    bars = data_of(plots.timeline(telemetry))

    assert len(bars) == telemetry.records.filter(pl.col("source") == latest).height


def test_a_timeline_of_an_unknown_session_is_refused() -> None:
    with pytest.raises(SourceError, match="no session of this name"):
        plots.timeline(clamp.load(SAMPLES / "clean"), "nothing.json")


def test_names_are_data_in_a_matrix() -> None:
    hostile = drift(session_frame({name: [1.0] * 12 for name in HOSTILE}))

    domain = plots.matrix(hostile).to_dict()["layer"][0]["encoding"]["y"]["scale"]["domain"]

    assert {"__proto__", "constructor", "a.b", "a[0]", "${x}"} <= set(domain)


def test_charts_can_be_restyled(found: Drift) -> None:
    chart = plots.matrix(found).properties(title="mine").configure_axis(labelFontSize=20)

    assert chart.to_dict()["config"]["axis"]["labelFontSize"] == 20
