"""SARIF 2.1.0, which code scanning services read.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import polars as pl

from clamp_analytics import __version__
from clamp_analytics.render.escape import for_terminal
from clamp_analytics.render.text import TOOL, Row
from clamp_analytics.render.violations import describe
from clamp_analytics.rules import RULES, Severity

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# Where a SARIF viewer would read a link or a placeholder; a space there prevents it.
_MARKUP = re.compile(r"(?<=\])(?=\()|(?<=\{)(?=\d+\})")


def log_violations(violations: pl.DataFrame) -> str:
    """Write violations as a SARIF log: the rules, and a result per violation.

    A result's message is for reading; its ``properties`` hold the record, field, value and count exactly. Where the
    byte offset is known, it is the region. Lines are not known; a result without an offset is about the whole file.

    Args:
        violations: rows of ``schema.VIOLATIONS``.
    """
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.sentence},
            "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        }
        for rule in RULES
    ]
    indices = {rule.id: index for index, rule in enumerate(RULES)}
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": TOOL, "version": __version__, "rules": rules}},
                "results": [_result(row, indices) for row in violations.iter_rows(named=True)],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _result(row: Row, rule_indices: Mapping[str, int]) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": uri(row["source"])}}
    if row["byte_offset"] is not None:
        location["region"] = {"byteOffset": row["byte_offset"]}
    identity = [row[name] for name in ("source", "rule", "record_index", "field", "value")]
    exact = {name: row[name] for name in ("record_index", "field", "value", "count") if row[name] is not None}
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
