"""Violations in each format, and the exit code."""

import json
import xml.etree.ElementTree as ET


def test_validate_ends_with_one_where_there_is_an_error(clamp, faulty):
    done = clamp("validate", faulty)

    assert done.code == 1
    assert "cut.json" in done.out


def test_validate_is_content_with_clean_files(clamp, clean):
    done = clamp("validate", clean)

    assert done.code == 0
    assert done.err.splitlines()[-1].startswith("0 errors, 0 warnings, 0 info; files: 10 seen")


def test_validate_gives_every_row_of_violations_as_json(clamp, faulty):
    rows = json.loads(clamp("validate", faulty, "--format", "json").out)

    assert {"source", "record_index", "rule", "severity", "field", "value", "count", "message", "byte_offset"} == set(
        rows[0]
    )
    assert next(row["value"] for row in rows if row["rule"] == "seed-range") == "18446744073709551616"


def test_validate_selects_and_ignores_rules(clamp, faulty):
    selected = json.loads(clamp("validate", faulty, "-f", "json", "--select", "seed-zero", "--select", "not-json").out)
    ignored = json.loads(clamp("validate", faulty, "-f", "json", "--ignore", "seed-zero").out)

    assert {row["rule"] for row in selected} == {"seed-zero", "not-json"}
    assert "seed-zero" not in {row["rule"] for row in ignored}


def test_validate_offers_the_near_name_of_a_wrong_rule(clamp, faulty):
    done = clamp("validate", faulty, "--select", "sed-zero")

    assert done.code == 2
    assert "did you mean seed-zero?" in done.err


def test_validate_lists_the_rules(clamp):
    rows = json.loads(clamp("validate", "--rules", "-f", "json").out)

    assert {"rule": "seed-zero", "severity": "warning", "sentence": "The seed is zero: the acquisition failed."} in rows


def test_validate_writes_junit_with_a_case_a_file(clamp, clean, faulty):
    suite = ET.fromstring(clamp("validate", clean, faulty, "-f", "junit").out).find("testsuite")

    assert suite is not None
    assert suite.attrib["tests"] == "26"
    assert int(suite.attrib["failures"]) == 7


def test_validate_writes_sarif_and_github_commands(clamp, faulty):
    sarif = json.loads(clamp("validate", faulty, "-f", "sarif").out)
    github = clamp("validate", faulty, "-f", "github").out

    assert sarif["version"] == "2.1.0"
    assert github.startswith("::error file=")


def test_validate_cuts_its_listing_with_the_number_of_what_follows(clamp, faulty):
    rows = json.loads(clamp("validate", faulty, "-f", "json").out)

    assert clamp("validate", faulty, "--limit", 4).out.splitlines()[-1] == f"… and {len(rows) - 4} more"
