"""The table of violations for the tools that read reports: GitHub annotations, JUnit XML and SARIF."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import polars as pl

from clamp_analytics import __version__
from clamp_analytics.render.escape import (
    for_github_annotation_message,
    for_github_annotation_property,
    for_terminal,
)
from clamp_analytics.rules import RULES, Severity
from clamp_analytics.sources import STDIN

if TYPE_CHECKING:
    from clamp_analytics.reading import Counts

TOOL = "clamp-analytics"
GITHUB_LIMIT = 10
"""GitHub shows this many annotations of each level for a step, and drops the rest without a word."""

_RANK = {severity.value: rank for rank, severity in enumerate(Severity)}
_GITHUB_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_SARIF_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# What a SARIF viewer takes for a link or for a placeholder, at the place where a space ends it.
_SARIF_MARKUP = re.compile(r"(?<=\])(?=\()|(?<=\{)(?=\d+\})")

Row = Mapping[str, Any]


def describe(row: Row) -> str:
    """A violation in one line: its message, and where it is; not escaped.

    Args:
        row: a row of ``schema.VIOLATIONS``.
    """
    place = []
    if row["record_index"] is not None:
        place.append(f"record {row['record_index']}")
    if row["field"] is not None or row["value"] is not None:
        place.append(" ".join(part for part in (row["field"], row["value"]) if part is not None))
    if row["count"] > 1:
        place.append(f"{row['count']} times")
    if row["byte_offset"] is not None:
        place.append(f"byte {row['byte_offset']}")
    return f"{row['message']} [{', '.join(place)}]" if place else str(row["message"])


def github(violations: pl.DataFrame, *, limit: int | None = GITHUB_LIMIT) -> str:
    """Workflow commands that GitHub shows as annotations, one a line.

    The worst come first, and of those the first of each rule in each file before its repetitions, because only so
    many are shown. A last notice says exactly how many are left out. Lines and columns are not given: the offset of
    a byte does not tell them, so the message has the record and the byte.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        limit: how many to write of each level; None for all.

    Returns:
        Lines that begin with ``::``; nothing at all where there is no violation.
    """
    ranked = violations.with_columns(
        rank=pl.col("severity").replace_strict(_RANK, return_dtype=pl.UInt8),
        nth=pl.int_range(pl.len()).over("severity", "source", "rule"),
    ).sort("rank", "nth", maintain_order=True)
    shown = ranked
    if limit is not None:
        place = pl.int_range(pl.len()).over("rank")
        shown = ranked.filter(place < limit)
        if shown.height < ranked.height:
            # The last notice takes the place of one.
            shown = ranked.filter(place < limit - (pl.col("severity") == Severity.INFO.value).cast(pl.Int64))
    lines = [_annotation(row) for row in shown.iter_rows(named=True)]
    if left := ranked.height - shown.height:
        total, written = (dict(frame["severity"].value_counts().iter_rows()) for frame in (ranked, shown))
        numbers = [(total.get(severity, 0) - written.get(severity, 0), severity) for severity in _RANK]
        parts = ", ".join(f"{number} {severity}" for number, severity in numbers if number)
        lines.append(f"::notice title={TOOL}::… and {left} more: {parts}")
    return "".join(line + "\n" for line in lines)


def _annotation(row: Row) -> str:
    properties = {"file": row["source"], "title": row["rule"]}
    if row["source"] == STDIN:
        del properties["file"]
    listed = ",".join(f"{key}={for_github_annotation_property(text)}" for key, text in properties.items())
    message = for_github_annotation_message(describe(row))
    return f"::{_GITHUB_LEVEL[Severity(row['severity'])]} {listed}::{message}"


def junit(
    violations: pl.DataFrame,
    sources: Iterable[str],
    *,
    fail_on: Severity | None = Severity.ERROR,
    counts: Counts | None = None,
) -> str:
    """JUnit XML: a test case for each session file, which fails where a violation is bad enough.

    Text is escaped as for a terminal, because XML 1.0 has no control characters. What is below ``fail_on`` stands in
    the test case's output.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        sources: the names of all session files that were read; those with violations need not be among them.
        fail_on: the least severity that fails a test case; None for none.
        counts: what was seen, for the suite's properties.
    """
    by_source: dict[str, list[Row]] = {source: [] for source in sources}
    for row in violations.iter_rows(named=True):
        by_source.setdefault(row["source"], []).append(row)
    suite = ET.Element("testsuite", name=TOOL)
    if counts is not None:
        properties = ET.SubElement(suite, "properties")
        for name in ("seen", "loaded", "rejected", "skipped"):
            ET.SubElement(properties, "property", name=name, value=str(getattr(counts, name)))
    worst = -1 if fail_on is None else _RANK[fail_on]
    failed = 0
    for source in sorted(by_source):
        case = ET.SubElement(suite, "testcase", classname=TOOL, name=for_terminal(source))
        rows = sorted(by_source[source], key=lambda row: _RANK[row["severity"]])
        faults = [row for row in rows if _RANK[row["severity"]] <= worst]
        if faults:
            failed += 1
            more = f" … and {len(faults) - 1} more" if len(faults) > 1 else ""
            message = for_terminal(describe(faults[0])) + more
            ET.SubElement(case, "failure", message=message, type=for_terminal(faults[0]["rule"])).text = _lines(faults)
        if others := rows[len(faults) :]:
            ET.SubElement(case, "system-out").text = _lines(others)
    totals = {"tests": str(len(by_source)), "failures": str(failed), "errors": "0", "skipped": "0"}
    suite.attrib.update(totals)
    suites = ET.Element("testsuites", {"name": TOOL, **{key: totals[key] for key in ("tests", "failures", "errors")}})
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _lines(rows: Sequence[Row]) -> str:
    return "\n".join(for_terminal(f"{row['severity']} {row['rule']}: {describe(row)}") for row in rows)


def sarif(violations: pl.DataFrame) -> str:
    """A SARIF 2.1.0 log: the rules, and a result for each violation.

    A result's message is for reading; its ``properties`` hold the record, field, value and count exactly. Where the
    byte offset is known, it is the region; lines are not known, and a place without an offset is the whole file.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
    """
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.sentence},
            "defaultConfiguration": {"level": _SARIF_LEVEL[rule.severity]},
        }
        for rule in RULES
    ]
    places = {rule.id: at for at, rule in enumerate(RULES)}
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": TOOL, "version": __version__, "rules": rules}},
                "results": [_sarif_result(row, places) for row in violations.iter_rows(named=True)],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _sarif_result(row: Row, places: Mapping[str, int]) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": uri(row["source"])}}
    if row["byte_offset"] is not None:
        location["region"] = {"byteOffset": row["byte_offset"]}
    identity = [row[name] for name in ("source", "rule", "record_index", "field", "value")]
    exact = {name: row[name] for name in ("record_index", "field", "value", "count") if row[name] is not None}
    result: dict[str, Any] = {"ruleId": row["rule"]}
    if row["rule"] in places:
        result["ruleIndex"] = places[row["rule"]]
    return result | {
        "level": _SARIF_LEVEL[Severity(row["severity"])],
        "message": {"text": _SARIF_MARKUP.sub(" ", for_terminal(describe(row)))},
        "locations": [{"physicalLocation": location}],
        # The same fault of the same file, whatever else is found, however often it is looked for.
        "partialFingerprints": {"clampViolation/v1": hashlib.sha256(msgspec.json.encode(identity)).hexdigest()},
        "properties": exact,
    }


def uri(path: str) -> str:
    """A path as a URI reference: ``file:`` for an absolute one, else relative to where the command ran."""
    quoted = quote(path.removeprefix("./"))
    return f"file://{quoted}" if path.startswith("/") else quoted
