"""Charts: what is drawn of a series, and that names are data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift
from clamp_analytics.analysis.incidents.timeline import Timeline
from tests.plots.builders import START, box, drift_result, kinds, layers, panel, strings


def test_a_change_point_is_a_dashed_line_with_its_number():
    chart = plots.series_chart(panel(1, 1, 2, 2, changes=[(2, 1.0, 2.0)]), plots.PAGE)

    dashed = [layer for layer in layers(chart) if layer["mark"].get("strokeDash") == [6, 3]]
    assert len(dashed) == 1
    assert '"k": "1"' in json.dumps(plots.vega_lite_spec(chart))
    assert "text" in kinds(chart)


def test_a_series_without_a_change_has_no_mark_of_one():
    assert kinds(plots.series_chart(panel(1, 2, 3), plots.PAGE)) == ["line", "point"]


def test_bins_have_a_band():
    assert kinds(plots.series_chart(panel(*range(1, 301)), plots.PAGE))[0] == "area"


def test_the_tooltip_of_a_bin_names_its_first_and_last_session():
    given = panel(*range(1, 301))
    sources = [f"run_{number:03}.json" for number in range(300)]
    labels = [{"build": f"b{number}"} for number in range(300)]
    timeline = Timeline(sources, [START] * 300, labels, {})

    chart = plots.series_chart(replace(given, timeline=timeline), plots.PAGE)

    rows = [row for data in plots.vega_lite_spec(chart)["datasets"].values() for row in data if "n" in row]
    assert (rows[0]["s"], rows[-1]["s"]) == ("b0 to b4", "b295 to b299")
    assert '"field": "s"' in json.dumps(plots.vega_lite_spec(chart))


def test_levels_before_and_after_reach_from_change_to_change():
    chart = plots.series_chart(panel(*[1.0] * 4, changes=[(1, 5.0, 6.0), (2, 6.0, 7.0)]), plots.PAGE)

    data = plots.vega_lite_spec(chart)["datasets"].values()
    steps = next(rows for rows in data if "u" in rows[0])
    start = int(START.timestamp() * 1000)
    assert [(row["t"] - start, row["u"] - start, row["v"]) for row in steps] == [
        (0, 3_600_000, 5.0),
        (3_600_000, 7_200_000, 6.0),
        (7_200_000, 10_800_000, 7.0),
    ]


def test_an_outage_has_no_level_after_it() -> None:
    result = drift_result(
        {"group": {"context": "a"}, "values": [1.0] * 4, "changes": [(2, 1.0, 5.0)], "shape": "outage"}
    )
    ((one,),) = (metric.panels for metric in plots.select_panels(result, ["context"]))

    rows = [
        row for data in plots.vega_lite_spec(plots.series_chart(one, plots.PAGE))["datasets"].values() for row in data
    ]

    assert [row["v"] for row in rows if "u" in row] == [1.0]


def test_nothing_is_drawn_across_a_long_pause():
    early = list(range(1, 151))
    given = drift_result({"group": {"context": "a"}, "values": early + early})
    later = pl.when(pl.int_range(pl.len()) >= 150).then(pl.col("started_at") + timedelta(days=60))
    paused = given.series.with_columns(later.otherwise(pl.col("started_at")).alias("started_at"))

    (metric_panels,) = plots.select_panels(
        Drift(given.verdicts, paused, given.changes, given.by, 0, 0, 0, given.options), ["context"]
    )

    chart = plots.series_chart(metric_panels.panels[0], plots.PAGE)
    rows = plots.vega_lite_spec(chart)["datasets"][layers(chart)[0]["data"]["name"]]
    assert [row.keys() for row in rows].count({"t"}) == 1


def test_a_score_axis_never_goes_beyond_one():
    given = drift_result({"group": {"context": "a"}, "metric": "mean_stability", "values": [1.0, 0.9]})
    (metric_panels,) = plots.select_panels(given, ["context"])

    spec = layers(plots.series_chart(metric_panels.panels[0], plots.PAGE))

    assert spec[0]["encoding"]["y"]["scale"]["domain"][1] == 1.0


def test_hostile_names_are_data_and_never_fields_or_expressions():
    hostile = "datum['a.b[0]'] \"x\""
    spec = plots.vega_lite_spec(plots.series_chart(panel(1, 2, group=hostile), plots.PAGE))
    boxes = pl.DataFrame([box(hostile, 1.0, 1.0)])
    bars = plots.vega_lite_spec(plots.durations_chart(boxes, plots.PAGE))

    assert not [text for text in (*strings(spec), *strings(bars)) if "datum" in text]
    assert [row["c"] for rows in bars["datasets"].values() for row in rows] == [hostile]


def test_data_that_layers_share_stand_once_in_a_specification():
    spec = plots.vega_lite_spec(plots.series_chart(panel(*range(1, 301), changes=[(9, 1.0, 2.0)]), plots.PAGE))

    assert len(spec["datasets"]) == 3
    assert {layer["data"]["name"] for layer in spec["layer"]} == set(spec["datasets"])


def test_a_specification_names_no_address():
    text = json.dumps(plots.vega_lite_spec(plots.series_chart(panel(1, 2), plots.PAGE)))

    assert "http" not in text
    assert "$schema" not in text


@pytest.mark.parametrize("high, kind", [(99.0, "linear"), (100.0, "log")])
def test_durations_over_two_decades_are_drawn_on_a_logarithmic_axis(high, kind):
    boxes = pl.DataFrame([box("a", 1.0, 2.0), box("b", 50.0, high)])

    spec = layers(plots.durations_chart(boxes, plots.PAGE))

    assert spec[0]["encoding"]["x"]["scale"]["type"] == kind


def test_negative_durations_are_on_the_axis():
    spec = layers(plots.durations_chart(pl.DataFrame([box("a", -1.0, 200.0)]), plots.PAGE))

    assert spec[0]["encoding"]["x"]["scale"]["domain"] == [-1.0, 200.0]


def test_contexts_with_one_name_on_show_keep_their_own_bars():
    boxes = pl.DataFrame([box("same", 1.0, 2.0), box("same", 3.0, 4.0)])

    (rows,) = plots.vega_lite_spec(plots.durations_chart(boxes, plots.PAGE))["datasets"].values()

    assert [row["c"] for row in rows] == ["same", "same (2)"]


def test_an_anchor_in_flight_has_a_shape_of_its_own():
    bars = pl.DataFrame(
        {
            "lane": ["T1 a", "T1 a"],
            "start": [0.0, 1.0],
            "end": [0.5, 1.0],
            "anchor": ["1", "2"],
            "in_flight": [False, True],
        }
    )

    spec = layers(plots.timeline_chart(bars, plots.PAGE, "seconds"))

    assert [(layer["mark"]["type"], layer["mark"].get("shape")) for layer in spec] == [
        ("bar", None),
        ("point", "triangle-right"),
    ]


def test_an_outlier_is_a_diamond_with_a_letter():
    normal = [1.0, 1.1, 0.9, 1.05, 0.95] * 4
    chart = plots.series_chart(panel(*normal, 9.0, *normal), plots.PAGE)

    diamonds = [layer for layer in layers(chart) if layer["mark"].get("shape") == "diamond"]
    assert len(diamonds) == 1
    data = plots.vega_lite_spec(chart)["datasets"][diamonds[0]["data"]["name"]]
    assert [(row["k"], row["s"], row["v"]) for row in data] == [("a", "run_020.json", 9.0)]


def test_a_name_axis_has_the_names_as_its_domain_in_order():
    names = ["constructor", "__proto__", "a"]
    boxes = pl.DataFrame([box(name, 1.0, 2.0) for name in names])

    scales = [layer["encoding"]["y"]["scale"] for layer in layers(plots.durations_chart(boxes, plots.PAGE))]

    assert scales == [{"domain": names}] * 3


def test_an_interactive_series_can_be_zoomed_in_time_only():
    spec = plots.vega_lite_spec(plots.series_chart(panel(1, 2, 3), plots.PAGE, interactive=True))

    (param,) = spec["params"]
    assert (param["name"], param["bind"], param["select"]["encodings"]) == (plots.ZOOM, "scales", ["x"])


def test_the_strip_counts_the_sessions_of_each_bar():
    times = [START + timedelta(hours=hours) for hours in (0, 1, 2, 9, 10)]

    (rows,) = plots.vega_lite_spec(plots.sessions_chart(times, plots.PAGE, 2))["datasets"].values()

    assert [row["n"] for row in rows] == [3, 2]
