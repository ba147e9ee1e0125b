"""Violations in each format, and the exit code."""

import json
import xml.etree.ElementTree as ET

import pytest


def test_validate_ends_with_one_where_there_is_an_error(clamp, faulty):
    done = clamp("validate", faulty)

    assert done.code == 1
    assert "cut.json" in done.out


def test_validate_passes_clean_files(clamp, clean):
    done = clamp("validate", clean)

    assert done.code == 0
    assert done.err.splitlines()[-1].startswith("0 errors, 0 warnings, 0 info; files: 10 seen")


def test_validate_gives_every_row_of_violations_as_json(clamp, faulty):
    rows = json.loads(clamp("validate", faulty, "--format", "json").out)

    assert {"source", "record_index", "rule", "severity", "field", "value", "count", "message", "byte_offset"} == set(
        rows[0]
    )
    assert next(row["value"] for row in rows if row["rule"] == "seed-range") == "18446744073709551616"


def test_validate_shows_one_line_per_rule_with_counts_and_an_example(clamp, faulty):
    lines = clamp("validate", faulty).out.splitlines()

    assert lines[0] == f"{faulty}/"
    assert lines[1].split() == ["severity", "rule", "count", "files", "example", "detail"]
    assert lines[3].split() == ["error", "truncated", "2", "2", "cut.json", "byte", "2744"]
    assert len([line for line in lines if "truncated" in line]) == 1


def test_validate_hides_info_and_counts_it(clamp, faulty):
    done = clamp("validate", faulty)

    assert "\ninfo " not in done.out
    assert done.out.splitlines()[-1] == "2 info hidden (in-flight, unknown-field); --info shows them"
    assert "\ninfo " in clamp("validate", faulty, "--info").out


@pytest.mark.parametrize("asking", [("--select", "in-flight"), ("--fail-on", "info")])
def test_validate_shows_info_where_an_option_names_it(clamp, faulty, asking):
    assert "\ninfo      in-flight" in clamp("validate", faulty, *asking).out


def test_validate_says_once_what_all_files_share(clamp, tmp_path):
    record = {
        "context": "a",
        "seed": 1,
        "thread_id": "1",
        "acquired_at": "2026-10-08T06:00:00Z",
        "released_at": "2026-10-08T06:00:01Z",
        "duration_ms": 1000.0,
        "stability_score": 1.0,
    }
    (tmp_path / "runs").mkdir()
    for name in "abc":
        session = {"stability_score": 1.0, "records": [record | {"context": name}], "backend": "CPU"}
        (tmp_path / "runs" / f"{name}.json").write_text(json.dumps(session))

    rows = clamp("validate", "runs", "--info").out.splitlines()[3:]

    assert [row.split() for row in rows] == [["info", "deprecated-field", "3", "all", "3", "a.json", "backend"]]


def test_validate_says_in_a_sentence_that_nothing_is_wrong(clamp, clean):
    assert clamp("validate", clean).out == "No violation in 10 files.\n"


def test_validate_replaces_its_own_table_and_its_own_sentence(clamp, clean, faulty):
    codes = [clamp("validate", source, "-o", "out.txt").code for source in (faulty, clean, faulty)]

    assert codes == [1, 0, 1]


def test_validate_shows_nothing_when_quiet(clamp, faulty):
    done = clamp("validate", faulty, "-q")

    assert (done.code, done.out, done.err) == (1, "", "")


def test_validate_counts_violations_per_rule(clamp, faulty):
    rows = json.loads(clamp("validate", faulty, "--statistics", "-f", "json").out)

    assert rows[0] == {
        "severity": "error",
        "rule": "truncated",
        "violations": 2,
        "files": 2,
        "file_share": 0.125,
        "meaning": "The file ends inside its JSON document.",
    }


def test_validate_explains_a_rule(clamp):
    lines = clamp("validate", "--explain", "seed-zero").out.splitlines()

    assert lines[0] == "seed-zero"
    assert [line.split()[0] for line in lines[1:] if line.startswith("  ") and line[2] != " "] == [
        "severity",
        "what",
        "why",
        "fix",
    ]


def test_validate_offers_the_near_name_of_a_rule_to_explain(clamp):
    done = clamp("validate", "--explain", "seed-zer")

    assert done.code == 2
    assert "did you mean seed-zero?" in done.err


def test_validate_takes_the_format_from_the_name_of_the_output(clamp, faulty, tmp_path):
    clamp("validate", faulty, "-o", "out.csv")
    clamp("validate", faulty, "-o", "out.sarif")

    assert (tmp_path / "out.csv").read_text().startswith("source,record_index,rule,")
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"


def test_validate_refuses_the_name_of_a_format_that_it_does_not_have(clamp, faulty):
    done = clamp("validate", faulty, "-o", "out.parquet")

    assert done.code == 2
    assert "it has table, json, jsonl, csv, markdown, github, junit, sarif" in done.err


def test_validate_takes_its_settings_from_pyproject(clamp, faulty, tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.clamp-analytics.validate]\nselect = ["seed-zero", "truncated"]\nignore = ["truncated"]\n'
        'fail-on = "warning"\n'
    )

    done = clamp("validate", faulty)

    assert done.code == 1
    assert done.err.startswith("0 errors, 1 warning, 0 info;")


def test_the_command_line_overrides_the_settings_of_validate(clamp, faulty, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.clamp-analytics.validate]\nignore = ["seed-zero"]\n')

    done = clamp("validate", faulty, "--ignore", "truncated", "--select", "seed-zero", "--fail-on", "never")

    assert done.err.startswith("0 errors, 1 warning, 0 info;")


def test_a_wrong_rule_in_the_settings_is_named_with_its_key(clamp, faulty, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.clamp-analytics.validate]\nignore = ["sed-zero"]\n')

    done = clamp("validate", faulty)

    assert done.code == 2
    assert "pyproject.toml [tool.clamp-analytics.validate] ignore" in done.err
    assert "did you mean seed-zero?" in done.err


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


def test_validate_writes_junit_with_a_case_per_file(clamp, clean, faulty):
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

    assert clamp("validate", faulty, "--all", "--limit", 4).out.splitlines()[-1] == f"… and {len(rows) - 4} more"
