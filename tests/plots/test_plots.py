"""What is drawn of series: never too much, nothing hidden, and nothing of telemetry as code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

pytest.importorskip("altair", reason="the charts extra is not installed")
pytest.importorskip("vl_convert", reason="the charts extra is not installed")
pytest.importorskip("scipy", reason="the drift extra is not installed")

from clamp_analytics import plots
from clamp_analytics.analysis.drift import Drift, DriftOptions
from clamp_analytics.analysis.series import METRICS
from clamp_analytics.errors import UsageError

START = datetime(2026, 3, 1, tzinfo=UTC)
P95, STABILITY = METRICS["duration_p95_ms"], METRICS["mean_stability"]


def values(*given: float, hours: float = 1) -> pl.DataFrame:
    """A series with a session every so many hours."""
    times = [START + timedelta(hours=hours * number) for number in range(len(given))]
    return pl.DataFrame(
        {"started_at": times, "value": list(given)},
        schema={"started_at": pl.Datetime("us", "UTC"), "value": pl.Float64},
    )


def found(*series: dict[str, Any], by: tuple[str, ...] = ("context",)) -> Drift:
    """Findings of series, each given by its group, metric, values, verdict and changes (place, before, after)."""
    verdicts, points, changes = [], [], []
    for one in series:
        key = {**dict.fromkeys(by), **one["group"], "metric": one.get("metric", "duration_p95_ms")}
        frame = values(*one["values"])
        shift = one.get("changes", [])
        verdicts.append(
            {
                **key,
                "verdict": one.get("verdict", "unchanged"),
                "reason": "said why",
                "sessions": frame.height,
                "effect_sd": one.get("effect_sd"),
            }
        )
        points.append(frame.select(*(pl.lit(value, pl.String).alias(name) for name, value in key.items()), pl.all()))
        changes += [
            {
                **key,
                "change_at": frame["started_at"][place],
                "change_source": "s.json",
                "before": before,
                "after": after,
            }
            for place, before, after in shift
        ]
    names = dict.fromkeys((*by, "metric"), pl.String())
    change_schema = {
        **names,
        "change_at": pl.Datetime("us", "UTC"),
        "change_source": pl.String(),
        "before": pl.Float64(),
        "after": pl.Float64(),
    }
    return Drift(
        verdicts=pl.DataFrame(verdicts, schema_overrides={**names, "effect_sd": pl.Float64}),
        series=pl.concat(points),
        changes=pl.DataFrame(changes, schema=change_schema),
        by=by,
        sessions=0,
        untimed=0,
        tested=0,
        options=DriftOptions(),
    )


def panel(*given: float, changes: list[tuple[int, float, float]] | None = None, group: str = "alpha") -> plots.Panel:
    (shelf,) = plots.shelves(
        found({"group": {"context": group}, "values": given, "changes": changes or []}), ["context"]
    )
    return shelf.panels[0]


def layers(chart: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = plots.specification(chart)["layer"]
    return made


def kinds(chart: Any) -> list[str]:
    return [layer["mark"]["type"] for layer in layers(chart)]


def strings(part: Any) -> Iterator[str]:
    """Every text in a specification but for data and the order of names."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key not in {"datasets", "sort"}:
                yield key
                yield from strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value)
    elif isinstance(part, str):
        yield part


def test_few_sessions_are_each_a_point():
    drawn = plots.binned(values(3.0, 1.0, 2.0), P95)

    assert drawn["value"].to_list() == [3.0, 1.0, 2.0]
    assert drawn["low"].to_list() == [None, None, None]
    assert drawn["sessions"].to_list() == [1, 1, 1]


def test_many_sessions_become_bins_of_equal_time():
    drawn = plots.binned(values(*range(1000)), P95, most=120, bins=10)

    assert drawn["sessions"].to_list() == [100] * 10
    assert drawn["at"][0] == START + timedelta(hours=49.5)


def test_a_bin_of_durations_is_their_median_with_the_5th_and_the_95th_percentile():
    drawn = plots.binned(values(*range(101)), P95, most=10, bins=1)

    assert drawn.select("value", "low", "high").rows() == [(50.0, 5.0, 95.0)]


def test_a_bin_of_scores_is_their_mean_so_that_few_failures_show():
    drawn = plots.binned(values(1, 1, 1, 0), STABILITY, most=1, bins=1)

    assert drawn["value"].to_list() == [0.75]


def test_sessions_at_one_moment_are_one_bin():
    drawn = plots.binned(values(*range(200), hours=0), P95)

    assert drawn["sessions"].to_list() == [200]


def test_a_span_without_a_session_gives_no_bin():
    pause = pl.concat([values(1, 2), values(3, 4).with_columns(pl.col("started_at") + timedelta(days=30))])

    drawn = plots.binned(pause, P95, most=1, bins=10)

    assert drawn["sessions"].to_list() == [2, 2]


def test_what_changed_comes_first():
    given = found(
        {"group": {"context": "a"}, "values": [1, 2]},
        {"group": {"context": "b"}, "values": [1, 2], "verdict": "improved", "effect_sd": -2.0},
        {"group": {"context": "c"}, "values": [1, 2], "verdict": "regressed", "effect_sd": 1.0},
        {"group": {"context": "d"}, "values": [1, 2], "verdict": "regressed", "effect_sd": -3.0},
    )

    (shelf,) = plots.shelves(given, ["context"])

    assert [one.group for one in shelf.panels] == ["d", "c", "b", "a"]


def test_no_more_series_are_drawn_than_allowed_and_the_others_are_counted():
    given = found(*({"group": {"context": name}, "values": [1]} for name in "abcde"))

    (shelf,) = plots.shelves(given, ["context"], at_most=2)

    assert ([one.group for one in shelf.panels], shelf.left_out) == (["a", "b"], 3)


def test_of_other_metrics_only_what_changed_is_drawn():
    given = found(
        {"group": {"context": "a"}, "metric": "hold_total_ms", "values": [1]},
        {"group": {"context": "b"}, "metric": "hold_total_ms", "values": [1], "verdict": "warning"},
        {"group": {"context": "a"}, "metric": "mean_stability", "values": [1]},
    )

    made = plots.shelves(given, ["context"])

    assert [(one.metric.name, [each.group for each in one.panels]) for one in made] == [
        ("mean_stability", ["a"]),
        ("hold_total_ms", ["b"]),
    ]


def test_metrics_that_were_asked_for_are_drawn_and_no_others():
    given = found(
        {"group": {"context": "a"}, "metric": "in_flight", "values": [1]},
        {"group": {"context": "a"}, "metric": "violations", "values": [1], "verdict": "regressed"},
    )

    made = plots.shelves(given, ["context"], ["in_flight"])

    assert [one.metric.name for one in made] == ["in_flight"]


def test_groups_of_several_columns_and_groups_without_a_name_have_one():
    given = found(
        {"group": {"context": "a", "backend": "HIP"}, "values": [1]},
        {"group": {"context": "b", "backend": None}, "values": [1]},
        by=("context", "backend"),
    )

    (shelf,) = plots.shelves(given, ["context", "backend"])

    assert [one.group for one in shelf.panels] == ["a · HIP", "b · (none)"]
    assert plots.group_name([]) == "all records"


@pytest.mark.parametrize(
    "name, shown",
    [
        (None, "(none)"),
        ("", '""'),
        ("plain", "plain"),
        ("\u202eover", "\\u202eover"),
        ("a\x00b", "a\\x00b"),
        ("x" * 10_000, "x" * 79 + "…"),
    ],
)
def test_a_name_shows_whole_bounded_and_with_nothing_hidden(name, shown):
    assert plots.shown(name) == shown


def test_names_that_cutting_made_equal_are_told_apart():
    assert plots.distinct(["a", "b", "a", "a (2)", "a"]) == ["a", "b", "a (2)", "a (2) (2)", "a (3)"]


@pytest.mark.parametrize(
    "longest, shown",
    [
        (22, "runs/2026/session.json"),
        (21, "…/2026/session.json"),
        (18, "…/session.json"),
        (13, "…session.json"),
        (10, "…sion.json"),
    ],
)
def test_of_a_long_path_the_end_is_kept(longest, shown):
    assert plots.end_of("runs/2026/session.json", longest) == shown


def test_a_change_point_is_a_dashed_line_with_its_number():
    chart = plots.over_time(panel(1, 1, 2, 2, changes=[(2, 1.0, 2.0)]), plots.PAGE)

    dashed = [layer for layer in layers(chart) if layer["mark"].get("strokeDash") == [6, 3]]
    assert len(dashed) == 1
    assert '"k": "1"' in json.dumps(plots.specification(chart))
    assert "text" in kinds(chart)


def test_a_series_without_a_change_has_no_mark_of_one():
    assert kinds(plots.over_time(panel(1, 2, 3), plots.PAGE)) == ["line", "point"]


def test_bins_have_a_band():
    assert kinds(plots.over_time(panel(*range(1, 301)), plots.PAGE))[0] == "area"


def test_levels_before_and_after_reach_from_change_to_change():
    chart = plots.over_time(panel(*[1.0] * 4, changes=[(1, 5.0, 6.0), (2, 6.0, 7.0)]), plots.PAGE)

    data = plots.specification(chart)["datasets"].values()
    steps = next(rows for rows in data if "u" in rows[0])
    start = int(START.timestamp() * 1000)
    assert [(row["t"] - start, row["u"] - start, row["v"]) for row in steps] == [
        (0, 3_600_000, 5.0),
        (3_600_000, 7_200_000, 6.0),
        (7_200_000, 10_800_000, 7.0),
    ]


def test_nothing_is_drawn_across_a_long_pause():
    early = list(range(1, 151))
    given = found({"group": {"context": "a"}, "values": early + early})
    later = pl.when(pl.int_range(pl.len()) >= 150).then(pl.col("started_at") + timedelta(days=60))
    paused = given.series.with_columns(later.otherwise(pl.col("started_at")).alias("started_at"))

    (shelf,) = plots.shelves(
        Drift(given.verdicts, paused, given.changes, given.by, 0, 0, 0, given.options), ["context"]
    )

    (rows,) = plots.specification(plots.over_time(shelf.panels[0], plots.PAGE))["datasets"].values()
    assert [row.keys() for row in rows].count({"t"}) == 1


def test_a_score_axis_never_goes_beyond_one():
    given = found({"group": {"context": "a"}, "metric": "mean_stability", "values": [1.0, 0.9]})
    (shelf,) = plots.shelves(given, ["context"])

    made = layers(plots.over_time(shelf.panels[0], plots.PAGE))

    assert made[0]["encoding"]["y"]["scale"]["domain"][1] == 1.0


def test_hostile_names_are_data_and_never_fields_or_expressions():
    hostile = "datum['a.b[0]'] \"x\""
    made = plots.specification(plots.over_time(panel(1, 2, group=hostile), plots.PAGE))
    boxes = pl.DataFrame([box(hostile, 1.0, 1.0)])
    bars = plots.specification(plots.durations(boxes, plots.PAGE))

    assert not [text for text in (*strings(made), *strings(bars)) if "datum" in text]
    assert [row["c"] for rows in bars["datasets"].values() for row in rows] == [hostile]


def test_data_that_layers_share_stand_once_in_a_specification():
    made = plots.specification(plots.over_time(panel(*range(1, 301), changes=[(9, 1.0, 2.0)]), plots.PAGE))

    assert len(made["datasets"]) == 3
    assert {layer["data"]["name"] for layer in made["layer"]} == set(made["datasets"])


def test_a_specification_names_no_address():
    text = json.dumps(plots.specification(plots.over_time(panel(1, 2), plots.PAGE)))

    assert "http" not in text
    assert "$schema" not in text


def box(name: str, low: float, high: float) -> dict[str, Any]:
    middle = (low + high) / 2
    return {"name": name, "p5": low, "p25": low, "p50": middle, "p75": high, "p95": high, "anchors": 5}


@pytest.mark.parametrize("high, kind", [(99.0, "linear"), (100.0, "log")])
def test_durations_over_two_decades_are_drawn_on_a_logarithmic_axis(high, kind):
    boxes = pl.DataFrame([box("a", 1.0, 2.0), box("b", 50.0, high)])

    made = layers(plots.durations(boxes, plots.PAGE))

    assert made[0]["encoding"]["x"]["scale"]["type"] == kind


def test_negative_durations_are_on_the_axis():
    made = layers(plots.durations(pl.DataFrame([box("a", -1.0, 200.0)]), plots.PAGE))

    assert made[0]["encoding"]["x"]["scale"]["domain"] == [-1.0, 200.0]


def test_contexts_with_one_name_on_show_keep_their_own_bars():
    boxes = pl.DataFrame([box("same", 1.0, 2.0), box("same", 3.0, 4.0)])

    (rows,) = plots.specification(plots.durations(boxes, plots.PAGE))["datasets"].values()

    assert [row["c"] for row in rows] == ["same", "same (2)"]


def test_an_anchor_in_flight_is_told_by_its_shape():
    bars = pl.DataFrame(
        {
            "lane": ["T1 a", "T1 a"],
            "start": [0.0, 1.0],
            "end": [0.5, 1.0],
            "anchor": ["1", "2"],
            "in_flight": [False, True],
        }
    )

    made = layers(plots.timeline(bars, plots.PAGE, "seconds"))

    assert [(layer["mark"]["type"], layer["mark"].get("shape")) for layer in made] == [
        ("bar", None),
        ("point", "triangle-right"),
    ]


def test_a_bar_of_violations_says_its_number_and_severity_in_words():
    counts = pl.DataFrame({"rule": ["seed-zero"], "severity": ["warning"], "count": [1234]})

    (rows,) = plots.specification(plots.violations(counts, plots.PAGE))["datasets"].values()

    assert rows == [{"r": "seed-zero", "s": "warning", "n": 1234, "k": "1,234 warning"}]


def test_pictures_are_png_and_svg_and_always_the_same():
    chart = plots.overview(plots.shelves(found({"group": {"context": "größe <b>"}, "values": [1, 2, 3]}), ["context"]))

    png, svg = plots.picture(chart, "png"), plots.picture(chart, "svg")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert svg.startswith(b"<svg")
    assert "größe &lt;b&gt;".encode() in svg
    assert (plots.picture(chart, "png"), plots.picture(chart, "svg")) == (png, svg)


def test_a_picture_says_how_many_series_it_leaves_out():
    given = found(*({"group": {"context": name}, "values": [1, 2]} for name in "abc"))

    svg = plots.picture(plots.overview(plots.shelves(given, ["context"], at_most=1)), "svg").decode()

    assert "… and 2 more series of duration_p95_ms" in svg


@pytest.mark.parametrize("name", ["altair", "vl_convert"])
def test_without_the_charting_libraries_the_error_says_what_to_install(monkeypatch, name):
    monkeypatch.setattr("clamp_analytics.plots.image.find_spec", lambda wanted: None if wanted == name else wanted)

    with pytest.raises(UsageError, match=f"charts need {name}") as caught:
        plots.require_charts()

    assert caught.value.hint == "pip install 'clamp-analytics[charts]'"
