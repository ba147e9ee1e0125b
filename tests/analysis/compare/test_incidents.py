"""Incidents of a comparison."""

from __future__ import annotations

import json
from dataclasses import replace

from clamp_analytics.analysis.compare import compare, compare_groups
from clamp_analytics.analysis.series import SessionValues
from tests.analysis.compare.conftest import P50, noise, side
from tests.analysis.drift.conftest import attributes_of


def labelled(values: SessionValues, **labels: str) -> SessionValues:
    """The same sessions, all with these labels."""
    texts = [json.dumps(labels)] * values.values["source"].n_unique()
    return replace(values, attributes=attributes_of(values.values, labels=texts))


def test_changes_for_the_worse_and_for_the_better_are_two_incidents() -> None:
    before = {"a": noise(20, 1), "b": noise(20, 2), "c": noise(20, 3), "same": noise(20, 4)}
    after = {"a": noise(20, 5, 2), "b": noise(20, 6, 2), "c": noise(20, 7, 0.5), "same": noise(20, 8)}

    found = compare(side(before), side(after, name="t"))

    incidents = [(one.incident.direction, one.incident.groups) for one in found.incidents]
    assert incidents == [("worse", [("a",), ("b",)]), ("better", [("c",)])]


def test_an_incident_is_between_the_last_session_of_the_baseline_and_the_first_of_the_candidate() -> None:
    found = compare(side({"a": noise(20, 1)}), side({"a": noise(20, 2, 2)}, name="t"))

    (report,) = found.incidents
    values = report.to_dict(found.by, found.timeline)
    assert (values["last_good"]["source"], values["first_bad"]["source"]) == ("s19.json", "t0.json")


def test_a_change_has_the_interval_of_its_verdict() -> None:
    found = compare(side({"a": noise(20, 1)}), side({"a": noise(20, 2, 2)}, name="t"))

    (report,) = found.incidents
    (change,) = report.to_dict(found.by, found.timeline)["total_change"]
    row = found.verdicts.row(0, named=True)
    assert (change["metric"], change["interval"]) == (P50, [row["difference_low"], row["difference_high"]])


def test_what_else_differs_between_the_sides_is_a_suspect() -> None:
    baseline = labelled(side({"a": noise(20, 1)}), driver="6.1", branch="main")
    candidate = labelled(side({"a": noise(20, 2, 2)}, name="t"), driver="6.2", branch="main")

    (report,) = compare(baseline, candidate).incidents

    suspects = [(one.attribute, one.before, one.after, one.score) for one in report.suspects]
    assert suspects == [("label driver", "6.1", "6.2", 1.0)]


def test_the_column_that_tells_the_sides_apart_is_not_a_suspect() -> None:
    groups = {("CPU", "a"): noise(20, 1), ("HIP", "a"): noise(20, 2, 2)}
    values = side(groups, by=("backend", "context"))

    found = compare_groups(values, split="backend", baseline="CPU", candidate="HIP")

    assert (found.sides, found.incidents[0].suspects) == (("CPU", "HIP"), ())


def test_without_a_change_there_is_no_incident() -> None:
    found = compare(side({"a": noise(20, 1)}), side({"a": noise(20, 2)}, name="t"))

    assert (found.incidents, found.timeline.sources) == ((), ())
