"""Incidents, known changes and changes of mix in the result of drift."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from clamp_analytics.analysis.drift import DriftOptions, drift
from clamp_analytics.analysis.incidents.gate import FailOn, Gate
from clamp_analytics.analysis.incidents.known_changes import KnownChange
from clamp_analytics.analysis.series import SessionValues
from clamp_analytics.errors import UsageError
from tests.analysis.drift.conftest import HOUR, START, attributes_of, session_frame


def noisy(*levels: tuple[float, int], seed: int = 11, spread: float = 0.03) -> list[float]:
    """Levels, each for some sessions, with a little noise."""
    means = np.concatenate([np.full(count, level) for level, count in levels])
    return (means * np.exp(spread * np.random.default_rng(seed).standard_normal(means.size))).tolist()


SLOWER = noisy((1.0, 40), (1.4, 30))


def with_builds(values: SessionValues) -> SessionValues:
    """Sessions with a label each: build 0, build 1, and so on."""
    labels = [json.dumps({"build": str(number)}) for number in range(values.sessions)]
    return replace(values, attributes=attributes_of(values.values, labels=labels))


def test_contexts_that_change_with_one_session_are_one_incident():
    found = drift(
        session_frame({"gemm": SLOWER, "copy": noisy((2.0, 40), (3.0, 30), seed=5), "fine": noisy((1.0, 70))})
    )

    (report,) = found.incidents
    assert report.incident.groups == [("copy",), ("gemm",)]
    assert (report.incident.first_bad, report.incident.last_good) == (40, 39)


def test_verdicts_name_their_incident():
    found = drift(session_frame({"gemm": SLOWER, "fine": noisy((1.0, 70))}))

    incidents = dict(found.verdicts.select("context", "incident").rows())
    assert incidents == {"gemm": found.incidents[0].incident.id, "fine": None}


def test_a_backend_that_changed_with_the_incident_is_a_suspect():
    values = session_frame({"gemm": SLOWER})
    attributes = attributes_of(values.values, device_name=["mi250"] * 40 + ["mi300"] * 30)

    (report,) = drift(replace(values, attributes=attributes)).incidents

    assert [(one.attribute, one.before, one.after) for one in report.suspects] == [("device_name", "mi250", "mi300")]


def test_a_snapshot_that_changed_with_the_incident_is_a_suspect():
    values = session_frame({"gemm": SLOWER})
    digests = ["sha256:12"] * 40 + ["sha256:34"] * 30

    attributes = attributes_of(values.values, snapshot=digests)
    (report,) = drift(replace(values, attributes=attributes)).incidents

    assert [(one.attribute, one.after) for one in report.suspects] == [("snapshot", "sha256:34")]


def test_a_change_of_mix_names_its_group_whatever_the_order_of_the_columns():
    given = session_frame({"gemm": noisy((1.0, 80))})
    hip = [number % 4 == 0 if number < 40 else number % 4 != 0 for number in range(80)]
    values = given.values.with_columns(backend=pl.Series(["HIP" if each else "CPU" for each in hip]), records=10)

    (report,) = drift(replace(given, values=values, by=("backend", "context"))).incidents

    assert (report.incident.shape, report.incident.groups) == ("mix", [(None, "gemm")])


def test_a_stratum_is_left_out_where_the_selected_sessions_do_not_differ_in_it():
    given = session_frame({"gemm": SLOWER})
    backends = pl.Series(["old"] * 10 + ["new"] * 60)
    values = given.values.with_columns(backend=backends, records=10)
    split = replace(given, values=values, by=("context", "backend"), strata=("backend",))

    assert drift(split).by == ("context", "backend")
    assert drift(split, options=DriftOptions(last=60)).by == ("context",)


def test_a_requested_column_stays_where_all_sessions_have_one_value_of_it():
    given = session_frame({"gemm": SLOWER})
    values = given.values.with_columns(backend=pl.lit("HIP"), records=10)

    assert drift(replace(given, values=values, by=("context", "backend"))).by == ("context", "backend")


def test_the_json_of_an_incident_has_its_sessions_and_effects():
    found = drift(with_builds(session_frame({"gemm": SLOWER})))

    (incident,) = found.to_dict()["incidents"]
    assert (incident["direction"], incident["shape"], incident["contexts"]) == ("worse", "step", ["gemm"])
    assert incident["metrics"] == ["duration_p50_ms"]
    assert incident["first_bad"]["labels"] == {"build": "40"}
    assert incident["last_good"]["source"] == "run_00039.json"
    assert incident["total_change"][0]["relative"] == pytest.approx(0.4, abs=0.03)


def known(**changes: object) -> KnownChange:
    entry = KnownChange(
        {"context": "gemm"}, "duration_p50_ms", "worse", START + 40 * HOUR, {}, "run_00040.json", "bounds checks", "Ada"
    )
    return replace(entry, **changes)


def failing(values: SessionValues, gate: Gate, *entries: KnownChange) -> list[int]:
    """The first sessions of the changes that fail a gate."""
    found = drift(values, known_changes=entries)
    return [change.first_bad for change in gate.failing(found.open_changes(), found.timeline)]


def test_a_change_for_the_worse_fails_the_gate():
    assert failing(session_frame({"gemm": SLOWER}), Gate()) == [40]


def test_a_known_change_does_not_fail_the_gate_and_is_reported():
    values = session_frame({"gemm": SLOWER})

    assert failing(values, Gate(), known()) == []
    assert drift(values, known_changes=[known()]).verdicts["acknowledged"].to_list() == [True]


def test_a_further_change_fails_the_gate_although_the_first_is_known():
    values = session_frame({"gemm": noisy((1.0, 40), (1.4, 40), (2.0, 30))})

    assert failing(values, Gate(), known()) == [80]


def test_an_entry_that_matches_nothing_is_named():
    stale = known(metric="duration_p95_ms")

    assert drift(session_frame({"gemm": SLOWER}), known_changes=[known(), stale]).unmatched == (stale,)


def test_a_speed_up_fails_no_gate():
    values = session_frame({"gemm": noisy((1.0, 40), (0.5, 30))})

    assert failing(values, Gate(FailOn.SUSPECT)) == []


@pytest.mark.parametrize(("within", "expected"), [(29, []), (30, [40]), (1000, [40])])
def test_the_gate_checks_changes_within_the_latest_sessions(within: int, expected: list[int]):
    assert failing(session_frame({"gemm": SLOWER}), Gate(changed_within=within)) == expected


@pytest.mark.parametrize(("build", "expected"), [("40", [40]), ("41", [])])
def test_the_gate_checks_changes_since_a_label(build: str, expected: list[int]):
    assert failing(with_builds(session_frame({"gemm": SLOWER})), Gate(since_label=("build", build))) == expected


def test_a_label_that_no_session_has_is_refused():
    with pytest.raises(UsageError, match="no session has the label build=400"):
        failing(with_builds(session_frame({"gemm": SLOWER})), Gate(since_label=("build", "400")))


def test_the_newest_session_alone_is_a_suspect_that_only_the_stricter_gate_fails():
    values = session_frame({"gemm": [*noisy((1.0, 60)), 10.0]})

    assert failing(values, Gate(FailOn.REGRESSION)) == []
    assert failing(values, Gate(FailOn.SUSPECT)) == [60]


def test_nothing_fails_a_gate_that_never_fails():
    assert failing(session_frame({"gemm": SLOWER}), Gate(FailOn.NEVER)) == []


def test_an_outage_that_is_over_fails_no_gate():
    values = session_frame({"gemm": noisy((1.0, 40), (2.0, 15), (1.0, 40))})

    assert failing(values, Gate(FailOn.SUSPECT)) == []
    (report,) = drift(values).incidents
    assert (report.incident.shape, report.incident.ended) == ("outage", True)


def two_backends() -> SessionValues:
    """Sessions of two backends, of which the slow one becomes frequent."""
    hip = [number % 4 == 0 if number < 60 else number % 4 != 0 for number in range(120)]
    levels = np.where(hip, 1.0, 0.5) * np.exp(0.03 * np.random.default_rng(3).standard_normal(120))
    sessions = [f"run_{number:05}.json" for number in range(120)]
    values = pl.DataFrame(
        {
            "source": sessions,
            "started_at": [START + timedelta(hours=number) for number in range(120)],
            "context": ["gemm"] * 120,
            "backend": ["HIP" if one else "CPU" for one in hip],
            "device_name": pl.Series([None] * 120, dtype=pl.String),
            "records": pl.Series([20] * 120, dtype=pl.UInt32),
            "duration_p50_ms": levels,
        },
        schema_overrides={"started_at": pl.Datetime("us", "UTC")},
    )
    frame = session_frame({"gemm": levels})
    by = ("context", "backend", "device_name")
    return replace(frame, values=values, attributes=attributes_of(values), by=by, strata=by[1:])


def test_a_changed_share_of_backends_is_a_change_of_mix_and_no_regression():
    found = drift(two_backends())

    assert found.by == ("context", "backend")
    assert set(found.verdicts["verdict"]) == {"unchanged"}
    (report,) = found.incidents
    (change,) = report.incident.changes
    assert (change.shape, change.direction, change.metric) == ("mix", "neither", "share of HIP")
    assert (change.before, change.after) == pytest.approx((0.25, 0.75), abs=0.05)


def test_a_change_of_mix_fails_no_gate():
    assert failing(two_backends(), Gate(FailOn.SUSPECT)) == []


def test_pooled_sessions_are_judged_over_all_backends():
    values = two_backends()

    found = drift(replace(values, by=("context",)), options=DriftOptions(pooled=True))

    assert found.by == ("context",)
    assert found.verdicts["verdict"].to_list() != ["unchanged"]
