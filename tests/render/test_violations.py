"""Violations for the tools that read reports."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics import __version__
from clamp_analytics.reading import Counts
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.violations import github, junit, sarif
from clamp_analytics.rules import RULES, Severity
from clamp_analytics.schema import VIOLATIONS, empty_frame, polars_schema

GOLDEN = Path(__file__).parent / "golden"
DEPRECATED = "The file uses fields that are deprecated."
RANGE = "The seed is no integer from 0 to 2^64-1."
# Two faults of one record rule in a file with an awkward name, a rejected file, standard input, and a whole file's row.
FAULTS = [
    ("a: b,50%.json", 3, "seed-range", "error", "seed", "-1", 1, RANGE, 345),
    ("a: b,50%.json", 4, "seed-range", "error", "seed", '"100%\n"', 1, RANGE, 400),
    ("a: b,50%.json", None, "deprecated-field", "info", "backend", None, 15, DEPRECATED, None),
    ("c.json", None, "truncated", "error", None, None, 1, "The file ends inside its JSON document.", 12),
    ("-", 0, "seed-zero", "warning", "seed", "0", 1, "The seed is zero: the acquisition failed.", 7),
]

# What SARIF 2.1.0 (OASIS, sections 3.13 to 3.52) demands of the parts that are written here.
_MESSAGE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_RULE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "shortDescription": _MESSAGE,
        "defaultConfiguration": {"type": "object", "properties": {"level": _LEVEL}},
    },
}
_PHYSICAL = {
    "type": "object",
    "required": ["artifactLocation"],
    "additionalProperties": False,
    "properties": {
        "artifactLocation": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"uri": {"type": "string", "pattern": r"^([A-Za-z0-9_.~/-]|%[0-9A-F]{2}|^file:)*$"}},
        },
        "region": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"byteOffset": {"type": "integer", "minimum": 0}},
        },
    },
}
_RESULT = {
    "type": "object",
    "required": ["message"],
    "additionalProperties": False,
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": _LEVEL,
        "message": _MESSAGE,
        "locations": {"type": "array", "items": {"type": "object", "properties": {"physicalLocation": _PHYSICAL}}},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "properties": {"type": "object"},
    },
}
SARIF_SCHEMA = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {"type": "array", "items": _RULE, "uniqueItems": True},
                                },
                            }
                        },
                    },
                    "results": {"type": "array", "items": _RESULT},
                },
            },
        },
    },
}


ALLOWED_IN_A_CASE = [[], ["failure"], ["system-out"], ["failure", "system-out"]]


def frame(rows):
    return pl.DataFrame(rows, schema=polars_schema(VIOLATIONS), orient="row")


def fault(severity="error", source="a.json", rule="seed-range", text="x"):
    return (source, 0, rule, severity, "seed", text, 1, text, 5)


def golden(name):
    return (GOLDEN / name).read_bytes().decode()


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


def test_annotations_are_worst_first_and_escaped():
    assert github(frame(FAULTS)) == golden("annotations.txt")


def test_the_last_notice_counts_what_a_limit_leaves_out():
    rows = [fault("error")] * 12 + [fault("warning")] * 11 + [fault("info")] * 3

    lines = github(frame(rows)).splitlines()
    levels = [re.match("::([a-z]+) ", line)[1] for line in lines]
    assert {level: levels.count(level) for level in levels} == {"error": 10, "warning": 10, "notice": 4}
    assert lines[-1] == "::notice title=clamp-analytics::… and 3 more: 2 error, 1 warning"


def test_the_last_notice_is_never_the_eleventh():
    lines = github(frame([fault("info")] * 11)).splitlines()

    assert len(lines) == 10
    assert lines[-1] == "::notice title=clamp-analytics::… and 2 more: 2 info"


def test_each_file_is_annotated_before_one_file_is_again():
    rows = [fault(source="a.json")] * 10 + [fault(source="b.json")]

    assert github(frame(rows)).splitlines()[1].startswith("::error file=b.json,")


def test_no_violation_is_no_annotation():
    assert github(empty_frame(VIOLATIONS)) == ""


def test_standard_input_is_no_file_in_an_annotation():
    assert github(frame([fault(source="-")])).startswith("::error title=seed-range::")


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_text_stays_within_its_annotation(source, rule, text):
    lines = github(frame([fault(source=source, rule=rule, text=text), fault("info", text=text)])).splitlines()

    assert len(lines) == 2
    found = re.fullmatch(r"::error (?:file=([^,:]*),)?title=([^,:]*)::(.*)", lines[0])
    shown = [part.replace("%2C", ",").replace("%3A", ":").replace("%25", "%") for part in found.groups(default="-")]
    assert shown[:2] == [for_terminal(source), for_terminal(rule)]
    assert lines[1].startswith("::notice ")


def test_junit_has_a_case_for_each_file_that_fails_where_it_is_bad_enough():
    sources = ["clean.json", "a: b,50%.json", "c.json", "-"]

    text = junit(frame(FAULTS), sources, counts=Counts(loaded=3, rejected=1, skipped=1))
    assert text == golden("junit.xml")
    check_junit(text)


@pytest.mark.parametrize(
    "fail_on, failures", [(None, 0), (Severity.ERROR, 2), (Severity.WARNING, 3), (Severity.INFO, 3)]
)
def test_junit_fails_from_the_level_that_is_asked_for(fail_on, failures):
    root = check_junit(junit(frame(FAULTS), ["clean.json"], fail_on=fail_on))

    assert root.get("failures") == str(failures)


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_text_is_valid_junit(source, rule, text):
    root = check_junit(junit(frame([fault(source=source, rule=rule, text=text)]), []))

    case = root.find("testsuite/testcase")
    assert case.get("name") == for_terminal(source)
    assert case.find("failure").get("type") == for_terminal(rule)


def test_sarif_has_each_violation_with_its_rule_place_and_exact_values():
    log = json.loads(sarif(frame([FAULTS[0], FAULTS[2]])))
    results = log["runs"][0]["results"]
    prints = [result.pop("partialFingerprints") for result in results]

    assert json.dumps(results, indent=2, ensure_ascii=False) + "\n" == golden("sarif_results.json")
    assert len({json.dumps(each) for each in prints}) == 2


def test_a_sarif_fingerprint_does_not_depend_on_what_else_is_found():
    def fingerprint(rows):
        return json.loads(sarif(frame(rows)))["runs"][0]["results"][-1]["partialFingerprints"]

    assert fingerprint(FAULTS[:2]) == fingerprint(FAULTS[1:2])


def test_sarif_names_the_tool_and_declares_every_rule():
    driver = json.loads(sarif(empty_frame(VIOLATIONS)))["runs"][0]["tool"]["driver"]

    assert (driver["name"], driver["version"]) == ("clamp-analytics", __version__)
    assert [(rule["id"], rule["shortDescription"]["text"]) for rule in driver["rules"]] == [
        (rule.id, rule.sentence) for rule in RULES
    ]
    assert driver["rules"][0]["defaultConfiguration"] == {"level": "error"}
    assert driver["rules"][-1]["defaultConfiguration"] == {"level": "note"}


@pytest.mark.parametrize(
    "path, uri",
    [
        ("b/ü #1.json", "b/%C3%BC%20%231.json"),
        ("./b/a.json", "b/a.json"),
        ("x:y.json", "x%3Ay.json"),
        ("/tmp/a b.json", "file:///tmp/a%20b.json"),
    ],
)
def test_sarif_gives_a_path_as_a_percent_encoded_reference(path, uri):
    result = json.loads(sarif(frame([fault(source=path)])))["runs"][0]["results"][0]

    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_sarif_text_makes_no_link_and_no_placeholder():
    result = json.loads(sarif(frame([fault(text="[here](https://e.vil) {0}")])))["runs"][0]["results"][0]

    assert result["message"]["text"].startswith("[here] (https://e.vil) { 0}")
    assert result["properties"]["value"] == "[here](https://e.vil) {0}"


@settings(deadline=None)
@given(st.text(min_size=1), st.text(), st.text())
def test_any_text_is_valid_sarif_that_reads_back(source, rule, text):
    log = json.loads(sarif(frame([fault(source=source, rule=rule, text=text)])))

    jsonschema.validate(log, SARIF_SCHEMA)
    result = log["runs"][0]["results"][0]
    uri = urlsplit(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    assert unquote(uri.path) == source.removeprefix("./")
    assert (result["ruleId"], result["properties"]["value"]) == (rule, text)
