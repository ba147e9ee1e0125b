"""What hostile and extreme histories do to the commands on drift: they end with a sentence, never with a traceback."""

import json
import math

import pytest

from clamp_analytics.analysis.drift import DriftOptions
from clamp_analytics.analysis.series import series
from clamp_analytics.errors import UsageError
from clamp_analytics.figures import figure
from clamp_analytics.reading import load
from clamp_analytics.render.verdicts import COMPARE, interval
from tests.cli.histories import history, moment
from tests.conftest import Raw, record, session, write


def days(folder, durations, **changes):
    """A session a day, each with an anchor for every text of a duration."""
    return write(
        folder,
        {
            f"run-{day:03}.json": session(
                *(
                    record(
                        **{
                            "context": "queue",
                            "seed": 100 * day + index + 1,
                            "acquired_at": moment(day, index),
                            "released_at": moment(day, index),
                            "duration_ms": Raw(duration),
                            **changes,
                        }
                    )
                    for index, duration in enumerate(durations)
                )
            )
            for day in range(20)
        },
    )


def test_an_overflowing_sum_of_durations_is_null(tmp_path):
    days(tmp_path / "runs", ["1e308", "1e308"])

    assert series(load([tmp_path / "runs"]), metric="hold_total_ms").is_empty()


def test_a_percentile_between_durations_whose_difference_overflows_is_null(tmp_path):
    days(tmp_path / "runs", ["-1.7e308", "1.7e308"])

    assert series(load([tmp_path / "runs"]), metric="duration_p95_ms").is_empty()


@pytest.mark.parametrize("durations", [["1e308", "1e308"], ["-1e308", "-1.7e308", "1e308", "1.7e308", "1.5e308"]])
@pytest.mark.parametrize(
    "arguments",
    [
        ("drift", "runs"),
        ("compare", "main", "runs"),
        ("report", "runs", "-o", "a.html"),
        ("plot", "runs", "-o", "a.svg"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_durations_up_to_the_largest_double_break_no_command(clamp, tmp_path, arguments, durations):
    days(tmp_path / "runs", durations)
    history(tmp_path / "main", [1.0] * 12)

    done = clamp(*arguments)

    assert (done.code, "Warning" in done.err) == (0, False)


def test_the_interval_of_an_overflowing_ratio_ends_at_the_largest_double(clamp, tmp_path):
    days(tmp_path / "runs", ["1e308"])
    history(tmp_path / "main", [1.0] * 12)

    rows = json.loads(clamp("compare", "main", "runs", "-m", "duration_p50_ms", "-f", "json").out)["verdicts"]

    assert 0 < rows[0]["difference_low"] <= rows[0]["difference_high"] < math.inf


def test_an_overflowing_interval_in_percent_is_not_shown():
    row = {"metric": "duration_p50_ms", "baseline": 1e-3, "difference_low": 1.0, "difference_high": 1e308}

    assert interval(row, COMPARE) == "-"


@pytest.mark.parametrize("value, shown", [(123456.0, "123,456"), (-1e308, "-1e+308")])
def test_a_figure_is_never_hundreds_of_digits_long(value, shown):
    assert figure(value) == shown


def test_a_plot_of_metrics_without_a_value_says_so(clamp, tmp_path):
    days(tmp_path / "runs", ["0.0"], released_at=None)

    done = clamp("plot", "runs", "-m", "duration_p95_ms", "-o", "a.svg")

    assert done.code == 3
    assert done.err.startswith("error: no session has a value to draw among 20 seen")


@pytest.mark.parametrize("sides", [("main", "runs"), ("runs", "main")])
def test_a_check_against_a_side_without_timestamps_does_not_pass(clamp, tmp_path, sides):
    days(tmp_path / "runs", ["1.0"], acquired_at="", released_at="")
    history(tmp_path / "main", [1.0] * 12)

    done = clamp("compare", *sides, "--fail-on", "regression")

    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: runs: none of 20 sessions has a usable timestamp")


def test_a_comparison_says_how_many_files_of_each_side_were_rejected(clamp, tmp_path):
    history(tmp_path / "main", [1.0] * 3)
    history(tmp_path / "runs", [1.0] * 3)
    write(tmp_path / "runs", {"cut.json": b"{"})

    done = clamp("compare", "main", "runs")

    assert done.err.splitlines()[-1] == (
        "files: baseline 3 seen = 3 loaded + 0 rejected + 0 skipped; "
        "candidate 4 seen = 3 loaded + 1 rejected + 0 skipped"
    )


def test_an_impossible_number_of_sessions_is_refused():
    with pytest.raises(UsageError, match="last must be from"):
        DriftOptions(last=10**23)


def test_a_floor_of_the_wrong_type_is_named_without_the_decoder_s_own_path(clamp, tmp_path):
    history(tmp_path / "runs", [1.0] * 3)
    write(tmp_path, {"pyproject.toml": b'[tool.clamp-analytics.drift.floors]\nduration_p95_ms = "a"\n'})

    done = clamp("drift", "runs")

    assert (done.code, done.err) == (
        2,
        "error: pyproject.toml [tool.clamp-analytics.drift] floors: expected float, got str\n",
    )
