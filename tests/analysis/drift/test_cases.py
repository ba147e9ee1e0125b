"""Situations that users of CI met, each with the answer that they need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clamp_analytics.analysis.drift import Drift, drift
from clamp_analytics.analysis.incidents.gate import FailOn, Gate
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from tests.conftest import SHARED

SCRIPT = SHARED / "cases" / "make_cases.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="the cases are not beside this clone")


@pytest.fixture(scope="module", params=[7, 1, 2])
def cases(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, SCRIPT, folder, str(request.param)], check=True)
    return folder


def fails(found: Drift, fail_on: FailOn) -> bool:
    return bool(Gate(fail_on).failing(found.open_changes(), found.timeline))


def verdicts_of(found: Drift, metric: str = "duration_p50_ms") -> dict[str, object]:
    (row,) = found.verdicts.filter(metric=metric).iter_rows(named=True)
    return row


def first_sessions(found: Drift) -> list[int]:
    return [report.incident.first_bad for report in found.incidents]


def test_five_slow_sessions_at_the_end_are_a_regression_since_the_first_of_them(cases):
    found = drift(cases / "last5")

    assert first_sessions(found) == [60]
    assert fails(found, FailOn.REGRESSION)


def test_one_slow_session_at_the_end_is_a_suspect(cases):
    found = drift(cases / "last1")

    assert verdicts_of(found)["verdict"] == "suspect"
    assert verdicts_of(found)["sessions_to_confirm"] == 2
    assert first_sessions(found) == [60]


def test_one_slow_session_in_the_middle_is_named_and_no_drift(cases):
    row = verdicts_of(drift(cases / "outlier"))

    assert (row["verdict"], row["shape"]) == ("unchanged", "outlier")
    assert [Path(source).name for source in row["outliers"]] == ["clamp_run_20260911T000000Z.json"]


def test_a_speed_up_fails_no_gate(cases):
    found = drift(cases / "speedup")

    assert verdicts_of(found)["direction"] != "worse"
    assert not fails(found, FailOn.SUSPECT)


def test_a_changed_share_of_backends_is_a_change_of_mix(cases):
    found = drift(cases / "mix")

    assert {report.incident.shape for report in found.incidents} == {"mix"}
    assert set(found.verdicts["verdict"]) == {"unchanged"}
    assert not fails(found, FailOn.SUSPECT)


def test_a_creep_is_a_trend_with_its_total_change(cases):
    row = verdicts_of(drift(cases / "ramp"))

    assert (row["verdict"], row["shape"]) == ("regressed", "trend")
    assert row["effect_relative"] == pytest.approx(1.2, abs=0.1)


def test_up_and_half_down_again_is_two_changes_and_slower_than_at_first(cases):
    row = verdicts_of(drift(cases / "updown"))

    assert (row["verdict"], row["changes"]) == ("regressed", 2)
    assert row["effect_relative"] == pytest.approx(0.6, abs=0.05)


def test_an_outage_that_is_over_is_recovered(cases):
    found = drift(cases / "outage")

    row = verdicts_of(found, "mean_stability")
    assert (row["verdict"], row["shape"]) == ("recovered", "outage")
    assert "from 2026-09-14 08:00 to 2026-09-19 00:00 (15 sessions)" in row["reason"]
    assert not fails(found, FailOn.REGRESSION)


def test_steps_without_noise_are_two_certain_changes(cases):
    found = drift(cases / "steps")

    assert (verdicts_of(found)["changes"], verdicts_of(found)["p_value"] < 0.001) == (2, True)
    assert sorted(first_sessions(found)) == [40, 80]


def test_an_accepted_change_keeps_the_gate_green(cases):
    (report,) = drift(cases / "kept").incidents
    change, started = report.incident.changes[0], drift(cases / "kept").timeline.started_at[report.incident.first_bad]
    entries = [
        KnownChange({"context": "gemm"}, one.metric, one.direction, started, {}, "", "accepted", "")
        for one in report.incident.changes
    ]

    found = drift(cases / "kept", known_changes=entries)

    assert change.direction == "worse"
    assert not fails(found, FailOn.SUSPECT)
    assert found.incidents[0].is_acknowledged


def test_one_context_that_got_worse_is_one_incident(cases):
    found = drift(cases / "incident")

    (report,) = found.incidents
    assert (report.incident.groups, report.incident.first_bad) == ([("stage-7",)], 60)
    assert {"duration_p50_ms", "mean_stability"} <= set(report.incident.metrics)
    others = found.verdicts.filter(found.verdicts["context"] != "stage-7")
    assert set(others["verdict"]) == {"unchanged"}


def test_anchors_that_were_never_released_have_no_durations(cases):
    rows = drift(cases / "onlyinflight").verdicts

    durations = rows.filter(rows["metric"].str.starts_with("duration"))
    assert durations["sessions"].to_list() == [0, 0, 0]
    assert durations["after"].to_list() == [None, None, None]
