"""``calibrate`` as a user runs it."""

import json

import pytest

from tests.cli.conftest import SAMPLES
from tests.cli.histories import history

DRIFTING = SAMPLES / "drifting"
QUICK = ("--metric", "duration_p50_ms", "--replays", "20")


def test_every_series_has_its_false_alarms_and_the_smallest_shift_that_is_found(clamp):
    found = json.loads(clamp("calibrate", DRIFTING, *QUICK, "-f", "json").out)

    assert [row["context"] for row in found["series"]] == ["kernel-cache", "reduction", "upload-queue"]
    assert all(0 <= row["false_alarms"] <= 1 for row in found["series"])
    assert all(row["detectable"] > 0 for row in found["series"])
    assert found["replays"] == 20


def test_a_history_that_grew_into_a_shift_was_found_to_regress(clamp):
    found = json.loads(clamp("calibrate", DRIFTING, *QUICK, "-f", "json").out)

    alarms = {row["context"]: row["alarms"] for row in found["series"]}
    assert alarms.pop("upload-queue") > 0
    assert set(alarms.values()) == {0}


def test_the_table_has_one_row_per_series_and_a_summary(clamp):
    done = clamp("calibrate", DRIFTING, *QUICK)

    lines = done.out.splitlines()
    assert lines[0].split() == [
        "context",
        "metric",
        "sessions",
        "false_alarms",
        "alarms",
        "unfounded",
        "detectable",
    ]
    assert len(lines) == 5
    assert " of 20 histories without a change had a false regression" in done.err


@pytest.mark.parametrize(
    "output_format, beginning", [("csv", "context,metric,unit,sessions,"), ("markdown", "| context |")]
)
def test_the_figures_come_in_other_formats(clamp, output_format, beginning):
    assert clamp("calibrate", DRIFTING, *QUICK, "-f", output_format).out.startswith(beginning)


def test_the_same_history_gives_the_same_figures(clamp):
    runs = {clamp("calibrate", DRIFTING, *QUICK, "-f", "json", "--jobs", jobs).out for jobs in (1, 2)}

    assert len(runs) == 1


def test_a_history_that_is_too_short_is_reported(clamp, tmp_path):
    history(tmp_path / "runs", [1.0] * 5)

    done = clamp("calibrate", "runs", *QUICK)

    assert done.code == 0
    assert done.err == "1 of 1 series have too few sessions to be tested\n"


def test_options_come_from_the_table_of_drift(clamp, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.clamp-analytics.drift]\nreplays = 7\n")

    assert json.loads(clamp("calibrate", DRIFTING, "-m", "mean_stability", "-f", "json").out)["replays"] == 7
