"""JUnit XML from violations and from verdicts."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.reading import Counts
from clamp_analytics.render.ci.junit import report_verdicts, report_violations
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.verdicts import DRIFT
from clamp_analytics.rules import Severity
from tests.render.builders import FAULTS, fault, golden, verdict_of, verdicts, violations

ALLOWED_IN_A_CASE = [[], ["failure"], ["system-out"], ["failure", "system-out"]]


def check_junit(text):
    """What readers of JUnit XML rely on: the shape, and totals that agree with what is there."""
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.tag == "testsuite"
        assert [child.tag for child in suite] == [
            *["properties"] * (suite.find("properties") is not None),
            *["testcase"] * len(cases),
        ]
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors")) == len(suite.findall("testcase/error"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
        for case in cases:
            assert case.get("name") is not None
            assert case.get("classname")
            assert [child.tag for child in case] in ALLOWED_IN_A_CASE
    return root


def test_junit_has_a_case_for_each_file_that_fails_where_it_is_bad_enough():
    sources = ["clean.json", "a: b,50%.json", "c.json", "-"]

    text = report_violations(violations(FAULTS), sources, counts=Counts(loaded=3, rejected=1, skipped=1))
    assert text == golden("junit.xml")
    check_junit(text)


@pytest.mark.parametrize(
    "fail_on, failures", [(None, 0), (Severity.ERROR, 2), (Severity.WARNING, 3), (Severity.INFO, 3)]
)
def test_junit_fails_from_the_level_that_is_asked_for(fail_on, failures):
    root = check_junit(report_violations(violations(FAULTS), ["clean.json"], fail_on=fail_on))

    assert root.get("failures") == str(failures)


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_text_is_valid_junit(source, rule, text):
    root = check_junit(report_violations(violations([fault(source=source, rule=rule, text=text)]), []))

    case = root.find("testsuite/testcase")
    assert case.get("name") == for_terminal(source)
    assert case.find("failure").get("type") == for_terminal(rule)


def test_junit_has_a_case_for_each_context_and_metric():
    assert report_verdicts(verdicts(), ["context"], DRIFT, properties={"sessions": 30}) == golden("drift_junit.xml")


def test_junit_fails_on_the_verdicts_that_are_asked_for():
    root = ET.fromstring(report_verdicts(verdicts(), ["context"], DRIFT, failing=[Verdict.REGRESSED, Verdict.SUSPECT]))

    assert (root.get("tests"), root.get("failures")) == ("6", "3")


@settings(deadline=None)
@given(st.text())
def test_any_context_is_valid_junit(context):
    root = ET.fromstring(report_verdicts(verdict_of(context), ["context"], DRIFT).encode())

    assert root.find("testsuite/testcase").get("name") == for_terminal(f"{context}: duration_p95_ms")
