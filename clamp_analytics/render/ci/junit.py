"""JUnit XML, which most CI systems show as a list of test cases.

There is no specification; Jenkins, GitLab and GitHub's reporters read the elements and attributes written here:
https://github.com/testmoapp/junitxml. Text is escaped as for a terminal, because XML 1.0 has no control characters.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from clamp_analytics.analysis.verdicts import Verdict
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.text import TOOL, Row, group_name
from clamp_analytics.render.verdicts import VerdictColumns, describe
from clamp_analytics.render.violations import RANK
from clamp_analytics.render.violations import describe as describe_violation
from clamp_analytics.rules import Severity

if TYPE_CHECKING:
    from clamp_analytics.reading import Counts


def report_violations(
    violations: pl.DataFrame,
    sources: Iterable[str],
    *,
    fail_on: Severity | None = Severity.ERROR,
    counts: Counts | None = None,
) -> str:
    """Write violations as a test case per session file, which fails where a violation is bad enough.

    What is below ``fail_on`` is the output of the test case.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        sources: the names of all session files that were read; those with violations need not be among them.
        fail_on: the least severity that fails a test case; None for none.
        counts: the files that were seen, for the suite's properties.
    """
    by_source: dict[str, list[Row]] = {source: [] for source in sources}
    for row in violations.iter_rows(named=True):
        by_source.setdefault(row["source"], []).append(row)
    properties = {}
    if counts is not None:
        properties = {
            "seen": counts.seen,
            "loaded": counts.loaded,
            "rejected": counts.rejected,
            "skipped": counts.skipped,
        }
    suite = _suite(TOOL, properties)
    last_failing_rank = -1 if fail_on is None else RANK[fail_on]
    for source in sorted(by_source):
        case = _add_case(suite, source)
        rows = sorted(by_source[source], key=lambda row: RANK[row["severity"]])
        failing = [row for row in rows if RANK[row["severity"]] <= last_failing_rank]
        if failing:
            more = f" … and {len(failing) - 1} more" if len(failing) > 1 else ""
            message = for_terminal(describe_violation(failing[0])) + more
            failure = ET.SubElement(case, "failure", message=message, type=for_terminal(failing[0]["rule"]))
            failure.text = _lines(failing)
        if others := rows[len(failing) :]:
            ET.SubElement(case, "system-out").text = _lines(others)
    return _document(suite)


def _lines(rows: Sequence[Row]) -> str:
    return "\n".join(for_terminal(f"{row['severity']} {row['rule']}: {describe_violation(row)}") for row in rows)


def report_verdicts(
    verdicts: pl.DataFrame,
    by: Sequence[str],
    columns: VerdictColumns,
    *,
    failing: Sequence[Verdict] = (Verdict.REGRESSED,),
    failing_series: Collection[tuple[tuple[str | None, ...], str]] | None = None,
    properties: Mapping[str, object] | None = None,
) -> str:
    """Write verdicts as a test case per group and metric; one without enough data is skipped.

    Args:
        verdicts: one row per group and metric.
        by: the columns that name a group.
        columns: which analysis the verdicts are of.
        failing: the verdicts that fail a test case.
        failing_series: group and metric of the series that fail, whatever their verdict; None to go by verdicts.
        properties: the properties of the whole suite.
    """
    suite = _suite(f"{TOOL} {columns.name}", properties or {})
    for row in verdicts.iter_rows(named=True):
        case = _add_case(suite, f"{group_name(row, by)}: {row['metric']}")
        sentence = for_terminal(describe(row, by, columns))
        series = (tuple(row[column] for column in by), row["metric"])
        if row["verdict"] in failing if failing_series is None else series in failing_series:
            ET.SubElement(case, "failure", message=sentence, type=row["verdict"]).text = sentence
        elif row["verdict"] == Verdict.NOT_ENOUGH_DATA:
            ET.SubElement(case, "skipped", message=sentence)
        else:
            ET.SubElement(case, "system-out").text = sentence
    return _document(suite)


def _suite(name: str, properties: Mapping[str, object]) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    if properties:
        listed = ET.SubElement(suite, "properties")
        for key, value in properties.items():
            ET.SubElement(listed, "property", name=key, value=for_terminal(str(value)))
    return suite


def _add_case(suite: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=suite.attrib["name"], name=for_terminal(name))


def _document(suite: ET.Element) -> str:
    """The whole document, with the totals of its only suite."""
    failures, skipped = (str(len(suite.findall(f"testcase/{outcome}"))) for outcome in ("failure", "skipped"))
    totals = {"tests": str(len(suite.findall("testcase"))), "failures": failures, "errors": "0"}
    suite.attrib.update(totals, skipped=skipped)
    suites = ET.Element("testsuites", {"name": TOOL, **totals})
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"
