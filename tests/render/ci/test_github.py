"""Annotations of GitHub from violations and from verdicts."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.render.ci.github import annotate_verdicts, annotate_violations
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.verdicts import DRIFT
from clamp_analytics.schema import VIOLATIONS, empty_frame
from tests.render.builders import FAULTS, ROWS, SHIFT, fault, golden, verdict_of, verdicts, violations


def test_annotations_are_worst_first_and_escaped():
    assert annotate_violations(violations(FAULTS)) == golden("annotations.txt")


def test_the_last_notice_counts_what_a_limit_leaves_out():
    rows = [fault("error")] * 12 + [fault("warning")] * 11 + [fault("info")] * 3

    lines = annotate_violations(violations(rows)).splitlines()
    levels = [re.match("::([a-z]+) ", line)[1] for line in lines]
    assert {level: levels.count(level) for level in levels} == {"error": 10, "warning": 10, "notice": 4}
    assert lines[-1] == "::notice title=clamp-analytics::… and 3 more: 2 error, 1 warning"


def test_the_last_notice_is_never_the_eleventh():
    lines = annotate_violations(violations([fault("info")] * 11)).splitlines()

    assert len(lines) == 10
    assert lines[-1] == "::notice title=clamp-analytics::… and 2 more: 2 info"


def test_each_file_is_annotated_before_one_file_is_again():
    rows = [fault(source="a.json")] * 10 + [fault(source="b.json")]

    assert annotate_violations(violations(rows)).splitlines()[1].startswith("::error file=b.json,")


def test_without_a_violation_there_is_no_annotation():
    assert annotate_violations(empty_frame(VIOLATIONS)) == ""


def test_an_annotation_does_not_name_standard_input_as_a_file():
    assert annotate_violations(violations([fault(source="-")])).startswith("::error title=seed-range::")


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_text_stays_within_its_annotation(source, rule, text):
    lines = annotate_violations(
        violations([fault(source=source, rule=rule, text=text), fault("info", text=text)])
    ).splitlines()

    assert len(lines) == 2
    found = re.fullmatch(r"::error (?:file=([^,:]*),)?title=([^,:]*)::(.*)", lines[0])
    shown = [part.replace("%2C", ",").replace("%3A", ":").replace("%25", "%") for part in found.groups(default="-")]
    assert shown[:2] == [for_terminal(source), for_terminal(rule)]
    assert lines[1].startswith("::notice ")


def test_annotations_are_an_error_a_regression_and_a_notice_an_improvement():
    assert annotate_verdicts(verdicts(), ["context"], DRIFT) == golden("drift_annotations.txt")


def test_without_a_change_there_is_no_annotation():
    assert annotate_verdicts(verdicts(ROWS[:2]), ["context"], DRIFT) == ""


@pytest.mark.parametrize("improved, left", [(0, "2 regressions"), (10, "2 regressions, 1 improvement")])
def test_what_github_would_drop_is_counted(improved, left):
    rows = [(verdict, *ROWS[3][1:]) for verdict in ["regressed"] * 12 + ["improved"] * improved]

    lines = annotate_verdicts(verdicts(rows), ["context"], DRIFT).splitlines()

    assert sum(line.startswith("::error ") for line in lines) == 10
    assert sum(line.startswith("::notice ") for line in lines) <= 10
    assert lines[-1].endswith(f"more: {left}")


@settings(deadline=None)
@given(st.text())
def test_any_context_stays_within_its_annotation(context):
    (line,) = annotate_verdicts(verdict_of(context), ["context"], DRIFT).splitlines()

    found = re.fullmatch("::error title=Drift%3A duration_p95_ms regressed::(.*)", line)
    assert found[1].replace("%25", "%") == for_terminal(f"{context}: duration_p95_ms regressed: {SHIFT}; since ") + (
        "2026-10-08T06:00:00Z (b.json)"
    )
