"""Annotations of GitHub from violations and from incidents."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.render.ci.github import annotate_incidents, annotate_violations
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.schema import VIOLATIONS, empty_frame
from tests.render.builders import FAULTS, fault, golden, violations


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


def test_annotations_of_incidents_are_in_their_order():
    incidents = [("error", "Drift: worse", "queue: 1.0 → 2.0"), ("notice", "Drift: better", "a%: 2.0 → 1.0")]

    assert annotate_incidents(incidents) == (
        "::error title=Drift%3A worse::queue: 1.0 → 2.0\n::notice title=Drift%3A better::a%25: 2.0 → 1.0\n"
    )


def test_incidents_that_github_would_drop_are_counted():
    incidents = [("error", f"{number}", "") for number in range(12)] + [("notice", "better", "")] * 10

    lines = annotate_incidents(incidents).splitlines()

    assert sum(line.startswith("::error ") for line in lines) == 10
    assert sum(line.startswith("::notice ") for line in lines) == 10
    assert lines[-1] == "::notice title=clamp-analytics::… and 3 more: 3 incidents"


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_of_an_incident_stays_within_its_annotation(title, message):
    (line,) = annotate_incidents([("error", title, message)]).splitlines()

    found = re.fullmatch(r"::error title=([^,:]*)::(.*)", line)
    shown = [part.replace("%2C", ",").replace("%3A", ":").replace("%25", "%") for part in found.groups()]
    assert shown == [for_terminal(title), for_terminal(message)]
