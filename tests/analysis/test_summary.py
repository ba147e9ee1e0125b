"""Statistics: exact, mergeable, and the artifact that comes of them."""

import json
import math
import statistics
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clamp_analytics.analysis.summary import artifact, read_snapshot, summarize
from clamp_analytics.analysis.summary.fold import Group, percentiles
from clamp_analytics.database import connect
from clamp_analytics.errors import SourceError, UsageError
from clamp_analytics.moments import SUM_NAMES, Moments, from_sums, limb_sums, limbs
from clamp_analytics.reading import load

INTEROP = Path(__file__).parents[1] / "data" / "interop"
SCORES = st.floats(min_value=0, max_value=1, allow_subnormal=True)


def moments_of(values: list[float]) -> Moments:
    """The way a batch takes: limbs by column, and what is below them one by one."""
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64}).with_columns(limbs(pl.col("x")))
    total = from_sums(frame.filter(pl.col("below") == 0).select(limb_sums()).select(SUM_NAMES).row(0))
    for value in frame.filter(pl.col("below") != 0)["x"]:
        total += Moments.of_value(value)
    return total


def summary_of(source: Path | list[Path], **options: object):
    return summarize(source, **options)  # type: ignore[arg-type]


def write(folder: Path, name: str, *records: dict[str, object]) -> Path:
    defaults = {
        "context": "a",
        "seed": 1,
        "thread_id": "t",
        "acquired_at": "2026-11-22T10:00:00Z",
        "released_at": "2026-11-22T10:00:00Z",
        "duration_ms": 0.0,
        "stability_score": 1.0,
    }
    rows = [{**defaults, "seed": n + 1, **record} for n, record in enumerate(records)]
    path = folder / name
    path.write_text(json.dumps({"stability_score": 1.0, "records": rows}))
    return path


@given(st.lists(SCORES, min_size=1, max_size=50))
def test_the_mean_is_the_rounded_exact_mean(values):
    exact = sum(map(Fraction, values)) / len(values)

    assert moments_of(values).mean == float(exact)


@given(st.lists(SCORES, min_size=2, max_size=50))
def test_the_sample_variance_is_the_rounded_exact_one(values):
    mean = sum(map(Fraction, values)) / len(values)
    exact = sum((Fraction(value) - mean) ** 2 for value in values) / (len(values) - 1)

    assert moments_of(values).sample_variance == float(exact)


@given(st.lists(SCORES, min_size=2, max_size=30))
def test_the_sample_variance_agrees_with_the_standard_library(values):
    assert math.isclose(moments_of(values).sample_variance, statistics.variance(values), rel_tol=1e-9, abs_tol=1e-300)


@given(st.lists(SCORES, max_size=30), st.lists(SCORES, max_size=30))
def test_merging_gives_the_moments_of_all_values(left, right):
    assert moments_of(left) + moments_of(right) == moments_of(left + right) == moments_of(right + left)


def test_no_value_has_no_mean_and_one_value_has_no_sample_variance():
    assert Moments().mean is None
    assert Moments.of_value(0.5).sample_variance is None


def test_sums_of_many_ones_do_not_overflow():
    values = [1.0] * 600_000

    frame = pl.DataFrame({"x": values}).with_columns(limbs(pl.col("x")))
    halves = [from_sums(half.select(limb_sums()).select(SUM_NAMES).row(0)) for half in frame.iter_slices(300_000)]

    assert halves[0] + halves[1] == Moments(600_000, 600_000 << 1074, 600_000 << 2148)


def test_the_producers_files_give_the_producers_figures():
    expected = json.loads((INTEROP / "expected.json").read_text())["temporal_aggregator"]

    summary = summary_of(sorted(INTEROP.glob("*_*.json")))

    figures = json.loads(artifact(summary.total, summary.directory))
    assert {name: figures[name] for name in expected} == expected


def test_the_artifact_has_the_fields_of_the_specification_in_both_casings():
    snapshot = '{"image": "rocm/dev:6.4", "digest": "sha256:12", "extra": [1, 2]}'

    figures = json.loads(artifact(Group(), "/ci", snapshot))

    assert list(figures) == [
        "source_directory",
        "sourceDirectory",
        "session_count",
        "sessionCount",
        "mean_stability",
        "meanStability",
        "stability_variance",
        "stabilityVariance",
        "drift_index",
        "driftIndex",
        "build_info",
        "buildInfo",
    ]
    assert figures["build_info"] == json.loads(snapshot)


def test_the_artifact_has_no_build_info_without_a_snapshot():
    assert "build" not in artifact(Group(), "/ci")


def test_the_artifact_prints_the_mean_with_six_decimals():
    total = Group(scores=Moments.of_value(1.0))

    assert '"mean_stability": 1.000000,\n' in artifact(total, "/ci")


def test_the_artifact_has_a_sample_variance_of_zero_of_one_score():
    assert '"stability_variance": 0.000000,\n' in artifact(Group(scores=Moments.of_value(1.0)), "/ci")


def test_a_sample_variance_too_small_for_six_decimals_is_still_not_zero():
    total = Group(scores=Moments.of_value(0.5) + Moments.of_value(0.5002))

    # (0.0002)^2 / 2 = 2e-8
    assert json.loads(artifact(total, "/ci"))["stability_variance"] == pytest.approx(2e-8, rel=1e-5)


def test_a_folder_with_quotes_in_its_name_gives_valid_json():
    assert json.loads(artifact(Group(), 'a "folder"\n'))["source_directory"] == 'a "folder"\n'


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": NaN}', ""])
def test_a_snapshot_that_is_not_a_json_object_is_refused(tmp_path, text):
    path = tmp_path / "rocm_snapshot.json"
    path.write_text(text)

    with pytest.raises(UsageError, match="snapshot"):
        read_snapshot(path)


def test_the_drift_index_is_latest_minus_earliest_acquisition_in_milliseconds(tmp_path):
    write(tmp_path, "b.json", {"acquired_at": "2026-11-22T10:00:01.500000Z"}, {"acquired_at": "2026-11-22T10:00:03Z"})
    write(tmp_path, "a.json", {"acquired_at": "2026-11-22T10:00:02Z"})

    assert summary_of(tmp_path).total.drift_index_ms == 1500.0


def test_a_record_without_a_usable_acquisition_leaves_the_drift_index_alone(tmp_path):
    write(tmp_path, "a.json", {}, {"acquired_at": ""}, {"acquired_at": "2026-02-30T00:00:00Z"})

    assert summary_of(tmp_path).total.drift_index_ms == 0.0


def test_anchors_in_flight_count_with_the_score_that_the_file_gives(tmp_path):
    write(tmp_path, "a.json", {}, {"released_at": None, "stability_score": 0.0})

    total = summary_of(tmp_path).total

    assert (total.records, total.in_flight, total.scores.mean) == (2, 1, 0.5)


def test_anchors_in_flight_can_be_left_out(tmp_path):
    write(tmp_path, "a.json", {}, {"released_at": None, "stability_score": 0.0})

    total = summary_of(tmp_path, released_only=True).total

    assert (total.records, total.in_flight, total.scores.mean) == (1, 0, 1.0)


def test_unusable_scores_are_skipped(tmp_path):
    write(tmp_path, "a.json", {}, {"stability_score": "0.5"}, {"stability_score": 1.5}, {"stability_score": 0.5})

    total = summary_of(tmp_path).total

    assert (total.records, total.scores.count, total.scores.mean) == (4, 2, 0.75)


def test_groups_by_context_have_their_own_statistics(tmp_path):
    write(tmp_path, "a.json", {"context": "x", "stability_score": 0.5}, {"context": "y", "duration_ms": 0.5})
    write(tmp_path, "b.json", {"context": "x", "duration_ms": 1.0})

    groups = summary_of(tmp_path, by="context").groups

    columns = ["context", "sessions", "records", "mean_stability", "sample_variance", "duration_p50_ms"]
    assert groups.select(columns).rows() == [("x", 2, 2, 0.75, 0.125, 0.5), ("y", 1, 1, 1.0, None, 0.5)]


def test_groups_by_day_are_utc_days_and_the_unknown_day_comes_last(tmp_path):
    late = {"acquired_at": "2026-11-22T23:30:00-01:00"}
    write(tmp_path, "a.json", {}, late, {"acquired_at": ""})

    groups = summary_of(tmp_path, by="day").groups

    assert [str(day) for day in groups["day"]] == ["2026-11-22", "2026-11-23", "None"]


def test_a_week_is_named_by_its_monday_and_an_hour_by_its_start(tmp_path):
    # 2026-11-22 is a Sunday.
    write(tmp_path, "a.json", {"acquired_at": "2026-11-22T10:59:59Z"}, {"acquired_at": "2026-11-23T00:00:00Z"})

    weeks, hours = (summary_of(tmp_path, by=by).groups[by] for by in ("week", "hour"))

    assert [str(week) for week in weeks] == ["2026-11-16", "2026-11-23"]
    assert [f"{hour:%d %H:%M}" for hour in hours] == ["22 10:00", "23 00:00"]


def test_groups_can_have_several_columns(tmp_path):
    write(tmp_path, "a.json", {"context": "x"}, {"context": "y"}, {"context": "x", "thread_id": "u"})

    groups = summary_of(tmp_path, by=["context", "thread_id"]).groups

    assert groups.select("context", "thread_id", "records").rows() == [("x", "t", 1), ("x", "u", 1), ("y", "t", 1)]


def test_groups_by_label_have_the_records_of_their_sessions(tmp_path):
    for name, score in (("build-1/a.json", 0.5), ("build-1/b.json", 1.0), ("build-2/c.json", 0.25), ("d.json", 0.0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path, name, {"stability_score": score})

    groups = summary_of(tmp_path, by="label:build", labels=[r"build=build-(\d+)"]).groups

    assert groups.select("label:build", "sessions", "mean_stability").rows() == [
        ("1", 2, 0.75),
        ("2", 1, 0.25),
        (None, 1, 0.0),
    ]


def test_labels_of_sessions_that_are_read_apart_from_their_records_group_alike(tmp_path):
    for number in range(4):
        write(tmp_path, f"run-{number % 2}-{number}.json", {"context": "x"}, {"context": "y", "duration_ms": number})
    tables = load(tmp_path, labels=[r"side=run-(\d)"])

    expected = summary_of(tables, by=["label:side", "context"]).groups
    found = summary_of(connect(tables), by=["label:side", "context"]).groups

    assert_frame_equal(found, expected, check_exact=True)
    assert expected["label:side"].to_list() == ["0", "0", "1", "1"]


def test_the_placeholder_of_an_anchor_in_flight_is_not_a_duration(tmp_path):
    write(tmp_path, "a.json", {"duration_ms": 2.0}, {"released_at": None, "duration_ms": 0.0})

    assert summary_of(tmp_path, by="context").groups["duration_p50_ms"].to_list() == [2.0]


def test_the_total_is_the_same_however_it_is_grouped():
    whole = summary_of(INTEROP).total

    for by in ("context", "thread_id", "backend", "device_name", "source", "day", "week", "hour", "label:build"):
        total = summary_of(INTEROP, by=by).total
        assert (total.records, total.in_flight, total.scores) == (whole.records, whole.in_flight, whole.scores)


def test_an_unknown_grouping_is_refused():
    with pytest.raises(UsageError, match="colour"):
        summary_of(INTEROP, by="colour")


def test_a_folder_without_a_usable_session_is_an_error(tmp_path):
    (tmp_path / "bad.json").write_text("{")

    with pytest.raises(SourceError, match="0 loaded"):
        summary_of(tmp_path)


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=60))
def test_percentiles_are_linear_between_neighbours(values):
    frame = pl.DataFrame({"key": ["a"] * len(values), "duration_ms": values, "times": [1] * len(values)})

    found = percentiles(frame, (0.5, 0.95)).row(0)

    expected = [pl.Series(values).quantile(share, "linear") for share in (0.5, 0.95)]
    assert found[0] == "a"
    assert found[1:] == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_percentiles_count_a_value_as_often_as_it_occurs():
    frame = pl.DataFrame({"key": ["a", "a"], "duration_ms": [1.0, 5.0], "times": [3, 1]})

    # The values 1, 1, 1, 5: the median is 1, and 95 % is at position 2.85, between 1 and 5.
    assert percentiles(frame, (0.5, 0.95)).row(0) == ("a", 1.0, pytest.approx(4.4))
