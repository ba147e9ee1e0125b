"""The page on trust names a test for each promise, and the test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanations" / "security.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| threat ")]
TESTS = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:50])
def test_a_promise_names_a_test(row: str) -> None:
    _, promise, test, *_ = (cell.strip() for cell in row.strip("|").split("|"))

    assert promise
    assert re.fullmatch(r"`[\w/]+\.py::test_\w+`(, `[\w/]+\.py::test_\w+`)*", test)


@pytest.mark.parametrize(("path", "name"), TESTS, ids=[name for _, name in TESTS])
def test_a_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))

    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_section_of_threats_has_a_promise() -> None:
    sections = [part for part in PAGE.split("\n## ")[1:] if "| threat |" in part]

    assert [part.splitlines()[0] for part in sections] == [
        "The author of telemetry",
        "The author of an artifact",
        "SQL text",
        "Names",
        "The environment",
        "Another user of the machine",
    ]
