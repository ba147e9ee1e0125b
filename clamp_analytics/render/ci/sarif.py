"""SARIF 2.1.0, which code scanning services read.

Sources: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html, and for the properties that GitHub requires
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import polars as pl

from clamp_analytics import __version__
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.text import TOOL, Row
from clamp_analytics.render.violations import describe
from clamp_analytics.rule_explanations import EXPLANATIONS
from clamp_analytics.rules import RULES, Rule, Severity

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# Where a SARIF viewer would read a link or a placeholder; a space there prevents it.
_MARKUP = re.compile(r"(?<=\])(?=\()|(?<=\{)(?=\d+\})")


LineOf = Callable[[str, int], int]
"""The line of a byte offset in a source, counted from 1."""


def log_violations(violations: pl.DataFrame, *, line_of: LineOf | None = None) -> str:
    """Write violations as a SARIF log: the rules, and a result per violation.

    A result's message is for reading; its ``properties`` hold the record, field, value, count and byte offset exactly.
    Its region is a line, because GitHub requires one: the first line where no other is known.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
        line_of: finds the line of a byte offset; None if lines are not known.
    """
    rules = [_rule(rule) for rule in RULES]
    indices = {rule.id: index for index, rule in enumerate(RULES)}
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": TOOL, "version": __version__, "rules": rules}},
                "results": [_result(row, indices, line_of) for row in violations.iter_rows(named=True)],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    explanation = EXPLANATIONS[rule.id]
    return {
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": rule.sentence},
        "fullDescription": {"text": f"{rule.sentence} {explanation.why}"},
        "help": {
            "text": f"{explanation.why} {explanation.fix}",
            "markdown": f"**Why:** {explanation.why}\n\n**How to fix:** {explanation.fix}",
        },
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {"precision": "very-high", "problem.severity": _PROBLEM[rule.severity], "tags": ["telemetry"]},
    }


def _result(row: Row, rule_indices: Mapping[str, int], line_of: LineOf | None) -> dict[str, Any]:
    offset = row["byte_offset"]
    line = 1 if line_of is None or offset is None else line_of(row["source"], offset)
    location = {"artifactLocation": {"uri": uri(row["source"])}, "region": {"startLine": line}}
    identity = [row[name] for name in ("source", "rule", "record_index", "field", "value")]
    exact = {
        name: row[name] for name in ("record_index", "field", "value", "count", "byte_offset") if row[name] is not None
    }
    result: dict[str, Any] = {"ruleId": row["rule"]}
    if row["rule"] in rule_indices:
        result["ruleIndex"] = rule_indices[row["rule"]]
    return result | {
        "level": _LEVEL[Severity(row["severity"])],
        "message": {"text": _MARKUP.sub(" ", for_terminal(describe(row)))},
        "locations": [{"physicalLocation": location}],
        # The same for a fault of a file whatever else is found and however often the file is validated.
        "partialFingerprints": {"clampViolation/v1": hashlib.sha256(msgspec.json.encode(identity)).hexdigest()},
        "properties": exact,
    }


def uri(path: str) -> str:
    """A path as a URI reference: ``file:`` for an absolute one, else relative to where the command ran."""
    quoted = quote(path.removeprefix("./"))
    return f"file://{quoted}" if path.startswith("/") else quoted
